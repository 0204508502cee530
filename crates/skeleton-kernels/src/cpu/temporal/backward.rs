//! The backward pass: sums at the end, then through the branches, then through their first maps.

use rayon::prelude::*;

use super::{Pass, Saved, Shapes, tap_by_tap};
use crate::cpu::norm_prelu::norm_gradients;
use crate::cpu::{
    Buffer, Matrix, MatrixMut, NormBackward, Prefetch, Real, Uninit, add_product, chunks,
    weight_gradient,
};
use crate::params::{NormedMap, TemporalWeights, flatten};
use crate::wide;

/// Everything the backward pass needs.
pub struct Backward<'a, T: Real> {
    pub pass: &'a Pass<'a, T>,
    pub x: &'a [T],
    pub y: &'a [T],
    pub grad: &'a [T],
    pub saved: &'a Saved<T>,
}

/// The backward passes of the norms behind the branches and behind the residual's map.
struct EndNorms<T> {
    branches: NormBackward<T>,
    residual: Option<NormBackward<T>>,
}

impl<T: Real> Backward<'_, T> {
    /// The gradients of x and of the parameters in their order.
    pub fn run(&self) -> (Vec<T>, Vec<T>) {
        let Shapes { n, d, reduced, .. } = self.pass.s;
        let end = self.end_sums();
        let (rows_out, residual) = (self.y.len() / d, self.saved.residual.as_ref());
        let ends = EndNorms {
            branches: self.saved.norm2.backward(Some(&end[..2 * d]), rows_out),
            residual: residual.map(|(_, norm)| norm.backward(Some(&end[2 * d..]), rows_out)),
        };
        let mut dx = Uninit::new(self.x.len());
        let mut g1 = Buffer::new(n * self.pass.track(reduced));
        let parts: Vec<Vec<T>> = dx
            .chunks(self.pass.track(d))
            .zip(g1.par_chunks_mut(self.pass.track(reduced)))
            .enumerate()
            .map_init(
                || self.scratch(),
                |scratch, (track, (dx, g1))| self.branches(track, &ends, dx, g1, scratch),
            )
            .collect();
        let mut dx = dx.finish();
        let middle = chunks::total(&parts);
        let sums1 = &middle[middle.len() - 2 * reduced..];
        let backward1 = self.saved.norm1.backward(Some(sums1), self.x.len() / d);
        let parts: Vec<Vec<T>> = dx
            .par_chunks_mut(self.pass.track(d))
            .zip(g1.par_chunks(self.pass.track(reduced)))
            .enumerate()
            .map_init(
                || vec![T::zero(); self.pass.track(reduced)],
                |scratch, (track, (dx, g1))| self.reduce(track, &backward1, dx, g1, scratch),
            )
            .collect();
        (dx, self.in_order(&chunks::total(&parts), &middle, &end))
    }

    /// The parameters' gradients in their order, of sums over all tracks: of the first maps, of what
    /// [`branches`](Self::branches) gives, of the norms at the end.
    fn in_order(&self, reduce: &[f64], middle: &[f64], end: &[f64]) -> Vec<T> {
        let (d, part, reduced) = (self.pass.s.d, self.pass.s.part, self.pass.s.reduced);
        let (weights, sums1) = middle.split_at(middle.len() - 2 * reduced);
        let mut rest = weights;
        let convolutions = self.pass.convolutions.iter().map(|convolution| {
            let kernel = convolution.window.kernel;
            let (own, left) = rest.split_at(kernel * part * part);
            rest = left;
            chunks::reals(&tap_by_tap(own, kernel, part))
        });
        let convolutions = convolutions.collect();
        let (point, residual) = rest.split_at(part * d);
        flatten(&TemporalWeights {
            reduce: NormedMap {
                weight: chunks::reals(reduce),
                norm: norm_gradients(sums1),
            },
            convolutions,
            point: chunks::reals(point),
            norm: norm_gradients(&end[..2 * d]),
            residual: self.saved.residual.as_ref().map(|_| NormedMap {
                weight: chunks::reals(residual),
                norm: norm_gradients(&end[2 * d..]),
            }),
        })
    }

    /// Buffers of a track: for g, dc, a, taps, the strided frames and their gradient.
    fn scratch(&self) -> [Vec<T>; 6] {
        let (pass, out) = (self.pass, self.pass.track_out(self.pass.s.d));
        let sizes = [out, out, pass.track(pass.s.reduced), pass.taps(), out, out];
        sizes.map(|n| vec![T::zero(); n])
    }

    /// A track's part of rows that come out of the op.
    fn out<'b>(&self, rows: &'b [T], track: usize) -> &'b [T] {
        let size = self.pass.track_out(self.pass.s.d);
        &rows[track * size..(track + 1) * size]
    }

    /// Sums of (g, g z^) of the norm behind the branches and of the residual's.
    fn end_sums(&self) -> Vec<f64> {
        let d = self.pass.s.d;
        let size = self.pass.track_out(d);
        let parts = self.y.par_chunks(size).enumerate().map_init(
            || vec![T::zero(); size],
            |g, (track, y)| {
                g.copy_from_slice(self.out(self.grad, track));
                let mut sums = vec![T::zero(); 4 * d];
                let (branches, residual) = sums.split_at_mut(2 * d);
                let c = self.out(&self.saved.c, track);
                wide!(self.saved.norm2.relu_sums(g, y, c, branches));
                if let Some((q, norm)) = &self.saved.residual {
                    let q = self.out(q, track);
                    wide!(norm.relu_sums(g, y, q, residual));
                }
                sums
            },
        );
        chunks::total(&parts.collect::<Vec<_>>())
    }

    /// Of a track: the part of dx that comes through the residual and the point, g1 (the gradient behind
    /// the norm of the first maps), and the gradients of convolutions, point and residual map with the sums
    /// of g1.
    fn branches(
        &self,
        track: usize,
        ends: &EndNorms<T>,
        dx: &mut [T],
        g1: &mut [T],
        [g, dc, a, taps, strided, dstrided]: &mut [Vec<T>; 6],
    ) -> Vec<T> {
        let s = self.pass.s;
        let (t, v, d, part, reduced, n) = (s.t, s.v, s.d, s.part, s.reduced, s.t_out * s.v);
        let (y, c) = (self.out(self.y, track), self.out(&self.saved.c, track));
        let z = &self.saved.z[track * self.pass.track(reduced)..][..self.pass.track(reduced)];
        let x = &self.x[track * self.pass.track(d)..][..self.pass.track(d)];
        let mut parts: Vec<T> = Vec::new();
        let grad = self.out(self.grad, track);
        let mut prefetch = Prefetch::after(&[grad, y, c, z, g1, dx]);
        g.copy_from_slice(grad);
        wide!({
            for (g, &y) in g.iter_mut().zip(y) {
                *g = if y > T::zero() { *g } else { T::zero() };
            }
            ends.branches.rows(g, c, dc);
            self.saved.norm1.relu(z, a);
            g1.fill(T::zero());
        });
        for (branch, convolution) in self.pass.convolutions.iter().enumerate() {
            let window = convolution.window;
            let side = window.kernel * part;
            let taps = &mut taps[..n * side];
            wide!(window.gather(a, convolution.from, taps, t, v));
            let dc = Matrix::within(&dc[self.pass.to(branch).from..], n, part, d);
            parts.extend(prefetch.weight_gradient(dc, Matrix::new(taps, n, side)));
            let weight = Matrix::new(&convolution.weight, part, side);
            prefetch.product(MatrixMut::new(taps, n, side), dc, weight);
            wide!(window.scatter(taps, g1, convolution.from, t, v));
        }
        let pool = self.pass.convolutions.len();
        let (from, to) = (self.pass.max_pool_from, self.pass.to(pool));
        wide!(
            self.pass
                .max_pool
                .largest_backward([a, c, dc], from, g1, to, t, v)
        );
        let x = Matrix::new(self.pass.strided(x, strided), n, d);
        let dpoint = Matrix::within(&dc[self.pass.to(pool + 1).from..], n, part, d);
        parts.extend(prefetch.weight_gradient(dpoint, x));
        let point = Matrix::new(self.pass.p.point, part, d);
        match (&self.saved.residual, &ends.residual, &self.pass.p.residual) {
            (Some((q, _)), Some(back), Some(residual)) => {
                prefetch.product(MatrixMut::new(dstrided, n, d), dpoint, point);
                let q = self.out(q, track);
                wide!(back.rows(g, q, dc));
                let dq = Matrix::new(dc, n, d);
                parts.extend(prefetch.weight_gradient(dq, x));
                let map = Matrix::new(residual.weight, d, d);
                prefetch.add_product(MatrixMut::new(dstrided, n, d), dq, map);
                let frame = v * d;
                let frames = dx.chunks_exact_mut(frame).step_by(self.pass.stride);
                for (dx, from) in frames.zip(dstrided.chunks_exact(frame)) {
                    dx.copy_from_slice(from);
                }
            }
            _ => {
                dx.copy_from_slice(g);
                prefetch.add_product(MatrixMut::new(dx, n, d), dpoint, point);
            }
        }
        let at = parts.len();
        parts.resize(at + 2 * reduced, T::zero());
        wide!(self.saved.norm1.relu_sums(g1, a, z, &mut parts[at..]));
        parts
    }

    /// Of a track: adds to dx what comes through the first maps, and gives their gradient.
    fn reduce(
        &self,
        track: usize,
        backward: &NormBackward<T>,
        dx: &mut [T],
        g1: &[T],
        dz: &mut [T],
    ) -> Vec<T> {
        let (n, d, reduced) = (
            self.pass.s.t * self.pass.s.v,
            self.pass.s.d,
            self.pass.s.reduced,
        );
        let z = &self.saved.z[track * n * reduced..(track + 1) * n * reduced];
        let x = &self.x[track * n * d..(track + 1) * n * d];
        wide!(backward.rows(g1, z, dz));
        let dz = Matrix::new(dz, n, reduced);
        let dw = weight_gradient(dz, Matrix::new(x, n, d));
        let weight = Matrix::new(self.pass.p.reduce.weight, reduced, d);
        add_product(MatrixMut::new(dx, n, d), dz, weight);
        dw
    }
}
