//! Through a layer's second map.

use rayon::prelude::*;

use super::{Backward, Grad, add_up, reals};
use crate::cpu::buffer::Buffer;
use crate::cpu::chunks::add;
use crate::cpu::gin::saved::Activated;
use crate::cpu::matrix::{Matrix, MatrixMut};
use crate::cpu::norm::NormBackward;
use crate::cpu::prefetch::Prefetch;
use crate::cpu::product::{product, product_prefetching};
use crate::cpu::real::Real;
use crate::rows::Readout;
use crate::wide;

/// Gradients of [`Backward::second`].
pub(super) struct Second<T> {
    pub weight: Vec<T>,
    /// Where the layer ends with it.
    pub bias: Vec<T>,
    /// (2, d): sums of g1 and g1 z1^.
    pub sums1: Vec<f64>,
}

impl<T: Real> Backward<'_, T> {
    /// Through the second map: g1, the gradient behind the first norm, written over z2, and the parameters'
    /// gradients.
    pub(super) fn second(
        &self,
        i: usize,
        z2: Buffer<T>,
        grad: &Grad<'_, T>,
        sums: &[f64],
    ) -> (Buffer<T>, Second<T>) {
        let (d, chunk) = (self.stack.width(), self.stack.chunk());
        let mut g1 = z2;
        let parts: Vec<Vec<T>> = match (&self.saved[i].end, &self.stack.readout, grad) {
            (None, Readout::Rows(rows), Grad::Rows(grad)) => {
                self.second_of_rows(i, &mut g1, rows, grad)
            }
            (Some(end), ..) => {
                let own = self.by_batch(sums).map(|sums| &sums[d..]);
                let backward = end.norm2.backward(own, self.x.rows());
                let parts = g1.par_chunks_mut(chunk * d).enumerate().map_init(
                    || vec![vec![T::zero(); chunk * d]; 3],
                    |scratch, (k, g1)| {
                        self.second_of_chunk(i, k * chunk, g1, grad, (end, &backward), scratch)
                    },
                );
                parts.collect()
            }
            _ => unreachable!("a layer that ends with its map gives rows"),
        };
        let weight = self.parameters[i].second.len();
        let width = parts.first().map_or(0, Vec::len);
        let sums = add_up(width, &parts);
        let (weight, rest) = sums.split_at(weight.min(width));
        let (sums1, bias) = rest.split_at(rest.len().min(2 * d));
        let second = Second {
            weight: reals(weight),
            bias: reals(bias),
            sums1: sums1.to_vec(),
        };
        (g1, second)
    }

    /// A chunk of [`second`](Self::second), z2 in the place of g1: (dW2, sums of g1, sums of g1 z1^).
    fn second_of_chunk(
        &self,
        i: usize,
        from: usize,
        g1: &mut [T],
        grad: &Grad<'_, T>,
        (end, backward): (&Activated<T>, &NormBackward<T>),
        scratch: &mut [Vec<T>],
    ) -> Vec<T> {
        let (d, v, layer) = (self.stack.width(), self.stack.joints(), &self.saved[i]);
        let (n, size) = (g1.len() / d, g1.len());
        let [dy, dz2, a1] = scratch else {
            unreachable!("three buffers")
        };
        let (dz2, a1) = (&mut dz2[..size], &mut a1[..size]);
        let z1 = &layer.z1[from * d..from * d + size];
        wide!({
            let dy = grad.rows(from, n, v, &mut dy[..size]);
            end.norm2.prelu_backward(end.slope, backward, dy, g1, dz2);
            layer.norm1.relu(z1, a1);
        });
        let mut prefetch = Prefetch::after(&[grad.memory(from, n, d), z1, g1]);
        let mut part = vec![T::zero(); d * d + 2 * d];
        let (weight, sums1) = part.split_at_mut(d * d);
        let (a, dz) = (Matrix::new(a1, n, d), Matrix::new(dz2, n, d));
        if self.wanted[1] {
            let weight = MatrixMut::new(weight, d, d);
            product_prefetching(weight, dz.transposed(), a, false, &mut prefetch);
        }
        let w = Matrix::new(self.parameters[i].second, d, d);
        product_prefetching(MatrixMut::new(g1, n, d), dz, w, false, &mut prefetch);
        wide!({
            layer.norm1.relu_sums(g1, a1, z1, sums1);
        });
        part
    }

    /// As [`second`](Self::second) where the layer ends with the map and a few rows have a gradient; parts are (dW2, sums of
    /// g1, sums of g1 z1^, db2).
    fn second_of_rows(&self, i: usize, g1: &mut [T], rows: &[u32], grad: &[T]) -> Vec<Vec<T>> {
        let (d, chunk, layer) = (self.stack.width(), self.stack.chunk(), &self.saved[i]);
        let w = self.parameters[i].second;
        let d_out = w.len() / d;
        let w = Matrix::new(w, d_out, d);
        let parts = g1.par_chunks_mut(chunk * d).enumerate().map(|(k, g1)| {
            g1.fill(T::zero());
            let first = k * chunk;
            let from = rows.partition_point(|&row| (row as usize) < first);
            let to = rows.partition_point(|&row| (row as usize) < first + chunk);
            let (rows, dy, n) = (&rows[from..to], &grad[from * d_out..to * d_out], to - from);
            let mut part = vec![T::zero(); d_out * d + 2 * d + d_out];
            if n == 0 {
                return part;
            }
            let mut a1 = vec![T::zero(); n * d];
            wide!(layer.gather_relu(rows, &mut a1));
            let (a, dz) = (Matrix::new(&a1, n, d), Matrix::new(dy, n, d_out));
            let (weight, rest) = part.split_at_mut(d_out * d);
            product(MatrixMut::new(weight, d_out, d), dz.transposed(), a, false);
            let mut da = vec![T::zero(); n * d];
            product(MatrixMut::new(&mut da, n, d), dz, w, false);
            let (sums, bias) = rest.split_at_mut(2 * d);
            for (i, &row) in rows.iter().enumerate() {
                let (at, of) = (row as usize * d, (row as usize - first) * d);
                let (g, a) = (&mut da[i * d..(i + 1) * d], &a1[i * d..(i + 1) * d]);
                layer.norm1.relu_sums(g, a, &layer.z1[at..at + d], sums);
                g1[of..of + d].copy_from_slice(g);
                add(bias, &dy[i * d_out..(i + 1) * d_out]);
            }
            part
        });
        parts.collect()
    }
}
