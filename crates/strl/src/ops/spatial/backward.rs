//! The way back in training.

use rayon::prelude::*;
use skeletonmae::ops::fresh::Fresh;
use skeletonmae::ops::mix::Mixing;
use skeletonmae::ops::next::Next;
use skeletonmae::ops::norm::Back;
use skeletonmae::ops::product::{Matrix, MatrixMut, product_meanwhile};
use skeletonmae::ops::{Real, View, rows};
use skeletonmae::wide;

use super::{Kept, Map, mix};

pub struct Way<'a, T: Real> {
    pub h: View<'a, T>,
    pub p: View<'a, T>,
    pub y: View<'a, T>,
    pub grad: View<'a, T>,
    pub kept: &'a Kept<T>,
    pub maps: [Map<'a, T>; 2],
    pub mixing: Mixing<T>,
    pub unmixing: Mixing<T>,
    pub v: usize,
    pub d: usize,
    pub chunk: usize,
}

impl<T: Real> Way<'_, T> {
    /// Gradients of h, p and theta.
    pub fn run(&self) -> [Vec<T>; 3] {
        let (d, v, chunk) = (self.d, self.v, self.chunk);
        let sums = self.sums();
        let rows = self.h.rows();
        let backs =
            [0, 1].map(|i| self.kept.norms[i].back(&sums[2 * d * i..2 * d * (i + 1)], rows));
        let mut dh = Fresh::new(self.h.data.len());
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
        let weights = rows::total(2 * d * d, parts.iter().map(Vec::as_slice));
        let mut dtheta = Vec::with_capacity(2 * (d * d + 2 * d));
        for (weight, sums) in weights.chunks_exact(d * d).zip(sums.chunks_exact(2 * d)) {
            let all = weight.iter().chain(&sums[d..]).chain(&sums[..d]);
            dtheta.extend(all.map(|&value| T::real(value)));
        }
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
                let [u, r] = [0, 1].map(|k: usize| &self.kept.z[k][at * d..at * d + y.len()]);
                let (first, second) = sums.split_at_mut(2 * d);
                wide!({
                    self.kept.norms[0].relu_sums(g, y, u, first);
                    self.kept.norms[1].relu_sums(g, y, r, second);
                });
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
        let mut next = Next::behind(&[self.grad.between(from, from + n), y, u, r, h, dh]);
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
        product_meanwhile(
            MatrixMut::new(dw, d, d),
            du.transposed(),
            Matrix::new(mixed, n, d),
            false,
            &mut next,
        );
        let w = self.maps.map(|map| Matrix::new(map.weight, d, d));
        product_meanwhile(MatrixMut::new(dmixed, n, d), du, w[0], false, &mut next);
        wide!({
            self.unmixing.apply(dmixed, dh, d);
            for (dp, dh) in dp.chunks_exact_mut(d).zip(dh.chunks_exact(v * d)) {
                dh.chunks_exact(d).for_each(|dh| rows::add(dp, dh));
            }
            backs[1].rows(g, r, dz);
        });
        let drows = Matrix::new(dz, n, d);
        product_meanwhile(
            MatrixMut::new(dr, d, d),
            drows.transposed(),
            Matrix::new(h, n, d),
            false,
            &mut next,
        );
        product_meanwhile(MatrixMut::new(dh, n, d), drows, w[1], true, &mut next);
        part
    }
}
