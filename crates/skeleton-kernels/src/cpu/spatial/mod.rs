//! Equations 3 and 4 behind the encoder, with the residual, fused.

mod backward;

use std::ops::Range;
use std::sync::Arc;

use candle_core::{Result, Shape, Tensor};
use rayon::prelude::*;

use crate::cpu::buffer::{Buffer, SavedForBackward};
use crate::cpu::chunks::frames_per_chunk;
use crate::cpu::kernel::{Kernel, SideResult, View, apply3};
use crate::cpu::matrix::{Matrix, MatrixMut, transpose};
use crate::cpu::mixing::{Mixing, add_to_joints};
use crate::cpu::moments::{Moments, Sums};
use crate::cpu::norm::Norm;
use crate::cpu::prefetch::Prefetch;
use crate::cpu::product::product_prefetching;
use crate::cpu::real::Real;
use crate::cpu::uninit::Uninit;
use crate::graph::JointMatrix;
use crate::params::{SpatialWeights, pack, unpack};
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
    let all: &[Moments; 2] = gathered.get()?;
    let all = all.iter().map(Moments::to_stats);
    Ok((y, all.collect::<Result<_>>()?))
}

struct Spatial {
    matrix: Arc<JointMatrix>,
    places: SpatialWeights<Range<usize>>,
    gathered: SideResult<[Moments; 2]>,
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
        let chunk = frames_per_chunk(v) * v;
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
                    product_prefetching(
                        MatrixMut::new(u, n, d),
                        Matrix::new(mixed, n, d),
                        weights[0],
                        false,
                        &mut prefetch,
                    );
                    product_prefetching(
                        MatrixMut::new(r, n, d),
                        Matrix::new(h, n, d),
                        weights[1],
                        false,
                        &mut prefetch,
                    );
                    wide!((Sums::of(u, d), Sums::of(r, d)))
                },
            );
        let (first, second): (Vec<_>, Vec<_>) = sums.collect::<Vec<_>>().into_iter().unzip();
        let moments = [Moments::combine(&first), Moments::combine(&second)];
        let norms = [0, 1].map(|i| Norm::new(&moments[i], &maps[i].norm));
        let mut y = Uninit::new(h.data.len());
        y.chunks(chunk * d).enumerate().for_each(|(i, y)| {
            let at = i * chunk * d;
            let [u, r] = [0, 1].map(|k: usize| &z[k][at..at + y.len()]);
            wide!(add_relu(&norms, u, r, y, d));
        });
        self.gathered.put(moments);
        self.saved.put(Saved { z, norms });
        Ok((y.finish(), h.dims.into()))
    }

    fn backward<T: Real>(
        &self,
        [h, p, theta]: [View<'_, T>; 3],
        y: View<'_, T>,
        grad: View<'_, T>,
        _: [bool; 3],
    ) -> Result<[Option<Vec<T>>; 3]> {
        let (_, _, v, d) = h.dims4()?;
        let SpatialWeights { w, residual } = unpack(&self.places, theta.data);
        let saved = self.saved.take::<Saved<T>>()?;
        let backward = backward::Backward {
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
            chunk: frames_per_chunk(v) * v,
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
