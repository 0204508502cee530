//! Equations 3 and 4 behind the encoder, with the residual: one op.

use std::sync::{Arc, OnceLock};

use candle_core::{Result, Shape, Tensor, bail};
use skeletonmae::ops::mix::{JointMatrix, Mixing};
use skeletonmae::ops::norm::{Back, Norm, Sums};
use skeletonmae::ops::pool::{Buffer, Saved};
use skeletonmae::ops::product::{Matrix, MatrixMut, product};
use skeletonmae::ops::wide::wide;
use skeletonmae::ops::{Kernel, Moments, Real, View, apply3, rows};

use rayon::prelude::*;

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
        let weights = maps.map(|map| Matrix::new(map.weight, d, d).transposed());
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
                    product(
                        MatrixMut::new(u, n, d),
                        Matrix::new(mixed, n, d),
                        weights[0],
                        false,
                    );
                    product(
                        MatrixMut::new(r, n, d),
                        Matrix::new(h, n, d),
                        weights[1],
                        false,
                    );
                    wide(
                        #[inline(always)]
                        || (Sums::of(u, d), Sums::of(r, d)),
                    )
                },
            );
        let (first, second): (Vec<_>, Vec<_>) = sums.collect::<Vec<_>>().into_iter().unzip();
        let moments = [Moments::combine(&first), Moments::combine(&second)];
        let norms = [0, 1].map(|i| Norm::new(&moments[i], maps[i].norm[0], maps[i].norm[1]));
        let mut y = vec![T::zero(); h.data.len()];
        y.par_chunks_mut(chunk * d).enumerate().for_each(|(i, y)| {
            let at = i * chunk * d;
            let [u, r] = [0, 1].map(|k: usize| &z[k][at..at + y.len()]);
            wide(
                #[inline(always)]
                || add_relu(&norms, u, r, y, d),
            );
        });
        self.moments.get_or_init(|| moments);
        self.saved.put(Kept { z, norms });
        Ok((y, h.dims.into()))
    }

    fn backward<T: Real>(
        &self,
        [h, p, theta]: [View<'_, T>; 3],
        y: View<'_, T>,
        grad: View<'_, T>,
        _: [bool; 3],
    ) -> Result<[Option<Vec<T>>; 3]> {
        let (v, d, chunk) = self.check(&h, &p, &theta)?;
        self.saved.with(|kept: &Kept<T>| {
            let way = Way {
                h,
                p,
                y,
                grad,
                kept,
                maps: split(theta.data, d),
                mixing: self.mixing.plus(T::zero()),
                unmixing: self.mixing.transposed_plus(T::zero()),
                v,
                d,
                chunk,
            };
            let [dh, dp, dtheta] = way.run();
            Ok([Some(dh), Some(dp), Some(dtheta)])
        })
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
    wide(
        #[inline(always)]
        || {
            repeat_add(h, p, sum, v, d);
            mixing.apply(sum, mixed, d);
        },
    );
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

struct Way<'a, T: Real> {
    h: View<'a, T>,
    p: View<'a, T>,
    y: View<'a, T>,
    grad: View<'a, T>,
    kept: &'a Kept<T>,
    maps: [Map<'a, T>; 2],
    mixing: Mixing<T>,
    unmixing: Mixing<T>,
    v: usize,
    d: usize,
    chunk: usize,
}

impl<T: Real> Way<'_, T> {
    /// Gradients of h, p and theta.
    fn run(&self) -> [Vec<T>; 3] {
        let (d, v, chunk) = (self.d, self.v, self.chunk);
        let sums = self.sums();
        let rows = self.h.rows();
        let backs =
            [0, 1].map(|i| self.kept.norms[i].back(&sums[2 * d * i..2 * d * (i + 1)], rows));
        let mut dh = vec![T::zero(); self.h.data.len()];
        let mut dp = vec![T::zero(); self.p.data.len()];
        let parts = dh
            .par_chunks_mut(chunk * d)
            .zip(dp.par_chunks_mut(chunk / v * d))
            .enumerate()
            .map_init(
                || vec![vec![T::zero(); chunk * d]; 5],
                |scratch, (i, (dh, dp))| self.chunk(i * chunk, dh, dp, &backs, scratch),
            );
        let parts: Vec<Vec<T>> = parts.collect();
        let weights = rows::total(2 * d * d, parts.iter().map(Vec::as_slice));
        let mut dtheta = Vec::with_capacity(2 * (d * d + 2 * d));
        for (weight, sums) in weights.chunks_exact(d * d).zip(sums.chunks_exact(2 * d)) {
            let all = weight.iter().chain(&sums[d..]).chain(&sums[..d]);
            dtheta.extend(all.map(|&value| T::real(value)));
        }
        [dh, dp, dtheta]
    }

    /// g = dy where y is above zero.
    fn gradient<'b>(&self, from: usize, out: &'b mut [T]) -> &'b mut [T] {
        let n = out.len() / self.d;
        out.copy_from_slice(self.grad.between(from, from + n));
        out
    }

    /// Of each norm the sums of (g, g z^), (2, 2, d).
    fn sums(&self) -> Vec<f64> {
        let (d, chunk) = (self.d, self.chunk);
        let parts = self.y.data.par_chunks(chunk * d).enumerate().map_init(
            || vec![T::zero(); chunk * d],
            |scratch, (i, y)| {
                let at = i * chunk;
                let g = self.gradient(at, &mut scratch[..y.len()]);
                let mut sums = vec![T::zero(); 4 * d];
                let [u, r] = [0, 1].map(|k: usize| &self.kept.z[k][at * d..at * d + y.len()]);
                let (first, second) = sums.split_at_mut(2 * d);
                wide(
                    #[inline(always)]
                    || {
                        self.kept.norms[0].relu_sums(g, y, u, first);
                        self.kept.norms[1].relu_sums(g, y, r, second);
                    },
                );
                sums
            },
        );
        let parts: Vec<Vec<T>> = parts.collect();
        rows::total(4 * d, parts.iter().map(Vec::as_slice))
    }

    /// A chunk's gradients of h and p, and (dW, dR).
    fn chunk(
        &self,
        from: usize,
        dh: &mut [T],
        dp: &mut [T],
        backs: &[Back<T>; 2],
        scratch: &mut [Vec<T>],
    ) -> Vec<T> {
        let (d, v, size) = (self.d, self.v, dh.len());
        let n = size / d;
        let (mixing, rest) = scratch.split_at_mut(2);
        let [g, dz, dmixed] = rest else {
            unreachable!("five buffers")
        };
        let (dz, dmixed) = (&mut dz[..size], &mut dmixed[..size]);
        let (h, y) = (
            self.h.between(from, from + n),
            self.y.between(from, from + n),
        );
        let p = self.p.between(from / v, (from + n) / v);
        let [u, r] = [0, 1].map(|k: usize| &self.kept.z[k][from * d..from * d + size]);
        let g = self.gradient(from, &mut g[..size]);
        let mut part = vec![T::zero(); 2 * d * d];
        let (dw, dr) = part.split_at_mut(d * d);
        wide(
            #[inline(always)]
            || {
                for (g, &y) in g.iter_mut().zip(y) {
                    *g = if y > T::zero() { *g } else { T::zero() };
                }
                backs[0].rows(g, u, dz);
            },
        );
        let mixed = mix(&self.mixing, h, p, mixing, [v, d]);
        let du = Matrix::new(dz, n, d);
        product(
            MatrixMut::new(dw, d, d),
            du.transposed(),
            Matrix::new(mixed, n, d),
            false,
        );
        let w = self.maps.map(|map| Matrix::new(map.weight, d, d));
        product(MatrixMut::new(dmixed, n, d), du, w[0], false);
        wide(
            #[inline(always)]
            || {
                self.unmixing.apply(dmixed, dh, d);
                for (dp, dh) in dp.chunks_exact_mut(d).zip(dh.chunks_exact(v * d)) {
                    dh.chunks_exact(d).for_each(|dh| rows::add(dp, dh));
                }
                backs[1].rows(g, r, dz);
            },
        );
        let drows = Matrix::new(dz, n, d);
        product(
            MatrixMut::new(dr, d, d),
            drows.transposed(),
            Matrix::new(h, n, d),
            false,
        );
        product(MatrixMut::new(dh, n, d), drows, w[1], true);
        part
    }
}
