//! The backward pass.

use rayon::prelude::*;

use super::{Saved, mix};
use crate::cpu::chunks::{add, total};
use crate::cpu::kernel::View;
use crate::cpu::matrix::{Matrix, MatrixMut};
use crate::cpu::mixing::Mixing;
use crate::cpu::norm::NormBackward;
use crate::cpu::norm_prelu::norm_gradients;
use crate::cpu::prefetch::Prefetch;
use crate::cpu::product::product_prefetching;
use crate::cpu::real::Real;
use crate::cpu::uninit::Uninit;
use crate::params::{NormedMap, SpatialWeights, flatten};
use crate::wide;

/// Everything the backward pass needs.
pub struct Backward<'a, T: Real> {
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
        let weights = total(2 * d * d, parts.iter().map(Vec::as_slice));
        let [w, residual] = [0, 1].map(|i| NormedMap {
            weight: weights[d * d * i..d * d * (i + 1)]
                .iter()
                .map(|&value| T::real(value))
                .collect(),
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
        total(4 * d, parts.iter().map(Vec::as_slice))
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
        product_prefetching(
            MatrixMut::new(dw, d, d),
            du.transposed(),
            Matrix::new(mixed, n, d),
            false,
            &mut prefetch,
        );
        let w = self.weights.map(|weight| Matrix::new(weight, d, d));
        product_prefetching(MatrixMut::new(dmixed, n, d), du, w[0], false, &mut prefetch);
        wide!({
            self.transposed.apply(dmixed, dh, d);
            for (dp, dh) in dp.chunks_exact_mut(d).zip(dh.chunks_exact(v * d)) {
                dh.chunks_exact(d).for_each(|dh| add(dp, dh));
            }
            backs[1].rows(g, r, dz);
        });
        let drows = Matrix::new(dz, n, d);
        product_prefetching(
            MatrixMut::new(dr, d, d),
            drows.transposed(),
            Matrix::new(h, n, d),
            false,
            &mut prefetch,
        );
        product_prefetching(MatrixMut::new(dh, n, d), drows, w[1], true, &mut prefetch);
        part
    }
}
