//! Equations 3 and 4 behind the encoder, with the residual, fused.

use std::ops::Range;
use std::sync::Arc;

use candle_core::{Result, Shape, Tensor};
use rayon::prelude::*;

use crate::cpu::norm_prelu::norm_gradients;
use crate::cpu::{
    ArgGradients, BackwardArgs, Buffer, Kernel, Matrix, MatrixMut, Mixing, Moments, Norm,
    NormBackward, Prefetch, Real, SavedForBackward, SideResult, Sums, Uninit, View, add_to_joints,
    apply3, chunks, transpose,
};
use crate::graph::JointMatrix;
use crate::params::{NormedMap, SpatialWeights, flatten, pack, unpack};
use crate::stats::BatchStats;
use crate::wide;

/// [`spatial`](crate::spatial()) by the batch's statistics; its shapes are checked.
///
/// # Errors
/// When h isn't of `f32` or `f64`.
pub fn apply(
    h: &Tensor,
    p: &Tensor,
    parameters: &SpatialWeights<Tensor>,
    matrix: &Arc<JointMatrix>,
) -> Result<(Tensor, Vec<BatchStats>)> {
    let (theta, places) = pack(parameters)?;
    let gathered = SideResult::default();
    let op = Spatial {
        matrix: matrix.clone(),
        places,
        gathered: gathered.clone(),
        saved: SavedForBackward::default(),
    };
    let y = apply3(op, h, p, &theta)?;
    Ok((y, Moments::gathered(&gathered)?))
}

struct Spatial {
    matrix: Arc<JointMatrix>,
    places: SpatialWeights<Range<usize>>,
    gathered: SideResult<Vec<Moments>>,
    saved: SavedForBackward,
}

/// What a forward pass saves: the rows in front of both norms.
struct Saved<T: Real> {
    z: [Buffer<T>; 2],
    norms: [Norm<T>; 2],
}

impl Kernel<3> for Spatial {
    const NAME: &'static str = "spatial";

    fn forward<T: Real>(&self, [h, p, theta]: [View<'_, T>; 3]) -> Result<(Vec<T>, Shape)> {
        let (_, _, v, d) = h.dims4()?;
        let chunk = chunks::frames_per_chunk(v) * v;
        let SpatialWeights { w, residual } = unpack(&self.places, theta.data);
        let maps = [w, residual];
        let mixing = Mixing::plus(&self.matrix, T::zero());
        let weights = [0, 1].map(|i: usize| transpose(maps[i].weight, d));
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
                    let mut prefetch = Prefetch::after(&[h, u, r]);
                    prefetch.product(
                        MatrixMut::new(u, n, d),
                        Matrix::new(mixed, n, d),
                        weights[0],
                    );
                    prefetch.product(MatrixMut::new(r, n, d), Matrix::new(h, n, d), weights[1]);
                    wide!((Sums::of(u, d), Sums::of(r, d)))
                },
            );
        let (first, second): (Vec<_>, Vec<_>) = sums.collect::<Vec<_>>().into_iter().unzip();
        let moments = vec![Moments::combine(&first), Moments::combine(&second)];
        let norms = [0, 1].map(|i| Norm::new(&moments[i], &maps[i].norm));
        let mut y = Uninit::new(h.data.len());
        y.chunks(chunk * d).enumerate().for_each(|(i, y)| {
            let at = i * chunk * d;
            let [u, r] = [0, 1].map(|k: usize| &z[k][at..at + y.len()]);
            wide!(add_relu(&norms, u, r, y, d));
        });
        self.gathered.get_or_init(|| moments);
        self.saved.put(Saved { z, norms });
        Ok((y.finish(), h.dims.into()))
    }

    fn backward<T: Real>(&self, given: BackwardArgs<'_, T, 3>) -> ArgGradients<T, 3> {
        let ([h, p, theta], y, grad) = (given.args, given.out, given.grad);
        let (_, _, v, d) = h.dims4()?;
        let SpatialWeights { w, residual } = unpack(&self.places, theta.data);
        let saved = self.saved.take::<Saved<T>>()?;
        let backward = Backward {
            h,
            p,
            y,
            grad,
            saved: &saved,
            weights: [w.weight, residual.weight],
            mixing: Mixing::plus(&self.matrix, T::zero()),
            transposed: Mixing::transposed_plus(&self.matrix, T::zero()),
            v,
            d,
            chunk: chunks::frames_per_chunk(v) * v,
        };
        let [dh, dp, dtheta] = backward.run();
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
        add_to_joints(h, p, sum, v, d);
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

/// Everything the backward pass needs.
struct Backward<'a, T: Real> {
    pub h: View<'a, T>,
    pub p: View<'a, T>,
    pub y: View<'a, T>,
    pub grad: View<'a, T>,
    pub saved: &'a Saved<T>,
    /// (d, d), W and the residual's.
    pub weights: [&'a [T]; 2],
    pub mixing: Mixing<T>,
    pub transposed: Mixing<T>,
    pub v: usize,
    pub d: usize,
    pub chunk: usize,
}

impl<T: Real> Backward<'_, T> {
    /// Gradients of h, p and theta.
    pub fn run(&self) -> [Vec<T>; 3] {
        let (d, v, chunk) = (self.d, self.v, self.chunk);
        let sums = self.sums();
        let rows = self.h.rows();
        let backs = [0, 1]
            .map(|i| self.saved.norms[i].backward(Some(&sums[2 * d * i..2 * d * (i + 1)]), rows));
        let mut dh = Uninit::new(self.h.data.len());
        let mut dp = vec![T::zero(); self.p.data.len()];
        let parts = dh
            .chunks(chunk * d)
            .zip(dp.par_chunks_mut(chunk / v * d))
            .enumerate()
            .map_init(
                || vec![vec![T::zero(); chunk * d]; 5],
                |scratch, (i, (dh, dp))| self.chunk(i * chunk, dh, dp, &backs, scratch),
            );
        let parts: Vec<Vec<T>> = parts.collect();
        let weights = chunks::total(&parts);
        let [w, residual] = [0, 1].map(|i| NormedMap {
            weight: chunks::reals(&weights[d * d * i..d * d * (i + 1)]),
            norm: norm_gradients(&sums[2 * d * i..2 * d * (i + 1)]),
        });
        let dtheta = flatten(&SpatialWeights { w, residual });
        [dh.finish(), dp, dtheta]
    }

    /// dy of some rows, copied so that it can be stopped in place where ReLU gave nothing.
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
                let [u, r] = [0, 1].map(|k: usize| &self.saved.z[k][at * d..at * d + y.len()]);
                let (first, second) = sums.split_at_mut(2 * d);
                wide!({
                    self.saved.norms[0].relu_sums(g, y, u, first);
                    self.saved.norms[1].relu_sums(g, y, r, second);
                });
                sums
            },
        );
        let parts: Vec<Vec<T>> = parts.collect();
        chunks::total(&parts)
    }

    /// A chunk's gradients of h and p, and (dW, dR).
    fn chunk(
        &self,
        from: usize,
        dh: &mut [T],
        dp: &mut [T],
        backs: &[NormBackward<T>; 2],
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
        let [u, r] = [0, 1].map(|k: usize| &self.saved.z[k][from * d..from * d + size]);
        let mut prefetch = Prefetch::after(&[self.grad.between(from, from + n), y, u, r, h, dh]);
        let g = self.gradient(from, &mut g[..size]);
        let mut part = vec![T::zero(); 2 * d * d];
        let (dw, dr) = part.split_at_mut(d * d);
        wide!({
            for (g, &y) in g.iter_mut().zip(y) {
                *g = if y > T::zero() { *g } else { T::zero() };
            }
            backs[0].rows(g, u, dz);
        });
        let mixed = mix(&self.mixing, h, p, mixing, [v, d]);
        let du = Matrix::new(dz, n, d);
        prefetch.product(
            MatrixMut::new(dw, d, d),
            du.transposed(),
            Matrix::new(mixed, n, d),
        );
        let w = self.weights.map(|weight| Matrix::new(weight, d, d));
        prefetch.product(MatrixMut::new(dmixed, n, d), du, w[0]);
        wide!({
            self.transposed.apply(dmixed, dh, d);
            for (dp, dh) in dp.chunks_exact_mut(d).zip(dh.chunks_exact(v * d)) {
                dh.chunks_exact(d).for_each(|dh| chunks::add(dp, dh));
            }
            backs[1].rows(g, r, dz);
        });
        let drows = Matrix::new(dz, n, d);
        prefetch.product(
            MatrixMut::new(dr, d, d),
            drows.transposed(),
            Matrix::new(h, n, d),
        );
        prefetch.add_product(MatrixMut::new(dh, n, d), drows, w[1]);
        part
    }
}
