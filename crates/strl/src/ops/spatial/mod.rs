//! Equations 3 and 4 behind the encoder, with the residual: one op.

mod backward;

use std::sync::{Arc, OnceLock};

use candle_core::{Result, Shape, Tensor, bail};
use rayon::prelude::*;
use skeletonmae::ops::fresh::Fresh;
use skeletonmae::ops::mix::{JointMatrix, Mixing};
use skeletonmae::ops::next::Next;
use skeletonmae::ops::norm::{Norm, Sums};
use skeletonmae::ops::pool::{Buffer, Saved};
use skeletonmae::ops::product::{Matrix, MatrixMut, flip, product_meanwhile};
use skeletonmae::ops::{Kernel, Moments, Real, View, apply3, rows};
use skeletonmae::wide;

struct Spatial {
    mixing: Arc<JointMatrix>,
    moments: Arc<OnceLock<[Moments; 2]>>,
    saved: Saved,
}

/// `ReLU(norm(A_norm (h + Repeat_N(p)) W^T) + norm(h R^T))`: h and the result are (n, t, v, d), p, the
/// pooled codes, (n, t, d). In training; the statistics of both norms are returned. `theta` holds W
/// (d, d), weight and bias of its norm, R (d, d), weight and bias of its norm. Biases in front of norms
/// cancel and aren't among them.
///
/// # Errors
/// When the shapes don't fit.
pub fn spatial(
    h: &Tensor,
    p: &Tensor,
    theta: &Tensor,
    mixing: &Arc<JointMatrix>,
) -> Result<(Tensor, [Moments; 2])> {
    let moments = Arc::new(OnceLock::new());
    let op = Spatial {
        mixing: mixing.clone(),
        moments: moments.clone(),
        saved: Saved::default(),
    };
    let y = apply3(op, h, p, theta)?;
    match moments.get() {
        Some(moments) => Ok((y, moments.clone())),
        None => bail!("spatial: the forward pass gathered no statistics"),
    }
}

/// A linear map and the norm behind it.
#[derive(Clone, Copy)]
struct Map<'a, T> {
    weight: &'a [T],
    norm: [&'a [T]; 2],
}

fn split<T>(theta: &[T], d: usize) -> [Map<'_, T>; 2] {
    let (first, second) = theta.split_at(d * d + 2 * d);
    [first, second].map(|theta| Map {
        weight: &theta[..d * d],
        norm: [&theta[d * d..d * d + d], &theta[d * d + d..]],
    })
}

/// What a forward pass keeps: the rows in front of both norms.
struct Kept<T: Real> {
    z: [Buffer<T>; 2],
    norms: [Norm<T>; 2],
}

/// `h + Repeat_N(p)` of whole frames.
#[inline(always)]
pub(crate) fn repeat_add<T: Real>(h: &[T], p: &[T], out: &mut [T], v: usize, d: usize) {
    let frames = out.chunks_exact_mut(v * d).zip(h.chunks_exact(v * d));
    for ((out, h), p) in frames.zip(p.chunks_exact(d)) {
        for (out, h) in out.chunks_exact_mut(d).zip(h.chunks_exact(d)) {
            for i in 0..d {
                out[i] = h[i] + p[i];
            }
        }
    }
}

impl Spatial {
    /// (v, d, rows of a chunk), having looked at all shapes.
    fn check<T>(
        &self,
        h: &View<'_, T>,
        p: &View<'_, T>,
        theta: &View<'_, T>,
    ) -> Result<(usize, usize, usize)> {
        let (n, t, v, d) = h.dims4()?;
        let fits = p.dims == [n, t, d] && theta.data.len() == 2 * (d * d + 2 * d);
        if v != self.mixing.len() || !fits || h.data.is_empty() {
            let (joints, theta) = (self.mixing.len(), theta.data.len());
            bail!(
                "spatial: h {:?}, p {:?}, {theta} parameters, {joints} joints",
                h.dims,
                p.dims
            );
        }
        Ok((v, d, rows::frames_per_chunk(v) * v))
    }
}

impl Kernel<3> for Spatial {
    const NAME: &'static str = "spatial";

    fn forward<T: Real>(&self, [h, p, theta]: [View<'_, T>; 3]) -> Result<(Vec<T>, Shape)> {
        let (v, d, chunk) = self.check(&h, &p, &theta)?;
        let maps = split(theta.data, d);
        let mixing = self.mixing.plus(T::zero());
        let weights = maps.map(|map| flip(map.weight, d));
        let weights = [0, 1].map(|i: usize| Matrix::new(&weights[i], d, d));
        let mut z = [Buffer::new(h.data.len()), Buffer::new(h.data.len())];
        let [u, r] = &mut z;
        let sums = u
            .par_chunks_mut(chunk * d)
            .zip(r.par_chunks_mut(chunk * d))
            .enumerate()
            .map_init(
                || vec![vec![T::zero(); chunk * d]; 2],
                |scratch, (i, (u, r))| {
                    let (from, n) = (i * chunk, u.len() / d);
                    let h = h.between(from, from + n);
                    let p = p.between(from / v, (from + n) / v);
                    let mixed = mix(&mixing, h, p, scratch, [v, d]);
                    let mut next = Next::behind(&[h, u, r]);
                    product_meanwhile(
                        MatrixMut::new(u, n, d),
                        Matrix::new(mixed, n, d),
                        weights[0],
                        false,
                        &mut next,
                    );
                    product_meanwhile(
                        MatrixMut::new(r, n, d),
                        Matrix::new(h, n, d),
                        weights[1],
                        false,
                        &mut next,
                    );
                    wide!((Sums::of(u, d), Sums::of(r, d)))
                },
            );
        let (first, second): (Vec<_>, Vec<_>) = sums.collect::<Vec<_>>().into_iter().unzip();
        let moments = [Moments::combine(&first), Moments::combine(&second)];
        let norms = [0, 1].map(|i| Norm::new(&moments[i], maps[i].norm[0], maps[i].norm[1]));
        let mut y = Fresh::new(h.data.len());
        y.chunks(chunk * d).enumerate().for_each(|(i, y)| {
            let at = i * chunk * d;
            let [u, r] = [0, 1].map(|k: usize| &z[k][at..at + y.len()]);
            wide!(add_relu(&norms, u, r, y, d));
        });
        self.moments.get_or_init(|| moments);
        self.saved.put(Kept { z, norms });
        Ok((y.finish(), h.dims.into()))
    }

    fn backward<T: Real>(
        &self,
        [h, p, theta]: [View<'_, T>; 3],
        y: View<'_, T>,
        grad: View<'_, T>,
        _: [bool; 3],
    ) -> Result<[Option<Vec<T>>; 3]> {
        let (v, d, chunk) = self.check(&h, &p, &theta)?;
        let kept = self.saved.take::<Kept<T>>()?;
        let way = backward::Way {
            h,
            p,
            y,
            grad,
            kept: &kept,
            maps: split(theta.data, d),
            mixing: self.mixing.plus(T::zero()),
            unmixing: self.mixing.transposed_plus(T::zero()),
            v,
            d,
            chunk,
        };
        let [dh, dp, dtheta] = way.run();
        Ok([Some(dh), Some(dp), Some(dtheta)])
    }
}

/// A_norm (h + Repeat_N(p)) of a chunk, in the second buffer.
fn mix<'a, T: Real>(
    mixing: &Mixing<T>,
    h: &[T],
    p: &[T],
    scratch: &'a mut [Vec<T>],
    [v, d]: [usize; 2],
) -> &'a [T] {
    let [sum, mixed] = scratch else {
        unreachable!("two buffers")
    };
    let (sum, mixed) = (&mut sum[..h.len()], &mut mixed[..h.len()]);
    wide!({
        repeat_add(h, p, sum, v, d);
        mixing.apply(sum, mixed, d);
    });
    mixed
}

/// `max(norm(u) + norm(r), 0)`; NaN stays NaN.
#[inline(always)]
fn add_relu<T: Real>([a, b]: &[Norm<T>; 2], u: &[T], r: &[T], y: &mut [T], d: usize) {
    let (sa, ha, sb, hb) = (&a.scale[..d], &a.shift[..d], &b.scale[..d], &b.shift[..d]);
    let rows = y.chunks_exact_mut(d).zip(u.chunks_exact(d));
    for ((y, u), r) in rows.zip(r.chunks_exact(d)) {
        for i in 0..d {
            let sum = (u[i] * sa[i] + ha[i]) + (r[i] * sb[i] + hb[i]);
            y[i] = if sum < T::zero() { T::zero() } else { sum };
        }
    }
}
