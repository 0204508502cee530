//! Through a layer's second map.

use rayon::prelude::*;

use super::{Grad, Way, add_up, reals};
use crate::ops::gin::Ending;
use crate::ops::gin::forward::gather_relu;
use crate::ops::gin::layer::Kept;
use crate::ops::kernel::Real;
use crate::ops::next::Next;
use crate::ops::norm::Back;
use crate::ops::pool::Buffer;
use crate::ops::product::{Matrix, MatrixMut, product, product_meanwhile};
use crate::ops::rows::add;
use crate::wide;

/// Gradients of [`Way::second`].
pub(super) struct Second<T> {
    pub weight: Vec<T>,
    /// At an MLP's end.
    pub bias: Vec<T>,
    /// (2, d): sums of g1 and g1 z1^.
    pub sums1: Vec<f64>,
}

impl<T: Real> Way<'_, T> {
    /// Through the second map: g1, the gradient behind the first norm, written over z2, and the parameters'
    /// gradients.
    pub(super) fn second(
        &self,
        i: usize,
        z2: Buffer<T>,
        grad: &Grad<'_, T>,
        sums: &[f64],
    ) -> (Buffer<T>, Second<T>) {
        let (d, chunk) = (self.d, self.chunk());
        let layer = &self.kept[i];
        let rows = self.x.rows();
        let mut g1 = z2;
        let parts: Vec<Vec<T>> = match (&layer.end, &self.stack.ending, grad) {
            (Kept::Mlp, Ending::Mlp { rows }, Grad::Rows(grad)) => {
                self.second_of_rows(&mut g1, rows, grad)
            }
            _ => {
                let Kept::Activated { norm2, .. } = &layer.end else {
                    unreachable!("only a single MLP layer ends so")
                };
                let back = norm2.back(&sums[d..], rows);
                let parts = g1.par_chunks_mut(chunk * d).enumerate().map_init(
                    || vec![vec![T::zero(); chunk * d]; 3],
                    |scratch, (k, g1)| self.second_of_chunk(i, k * chunk, g1, grad, &back, scratch),
                );
                parts.collect()
            }
        };
        let sums = add_up(d * d + 3 * d, &parts);
        let (weight, rest) = sums.split_at(d * d);
        let (sums1, bias) = rest.split_at(2 * d);
        let second = Second {
            weight: reals(weight).collect(),
            bias: reals(bias).collect(),
            sums1: sums1.to_vec(),
        };
        (g1, second)
    }

    /// A chunk of [`second`](Self::second), z2 in the place of g1: (dW2, sums of g1, sums of g1 z1^, nothing).
    fn second_of_chunk(
        &self,
        i: usize,
        from: usize,
        g1: &mut [T],
        grad: &Grad<'_, T>,
        back: &Back<T>,
        scratch: &mut [Vec<T>],
    ) -> Vec<T> {
        let (d, v, layer) = (self.d, self.stack.adjacency.len(), &self.kept[i]);
        let (n, size) = (g1.len() / d, g1.len());
        let [dy, dz2, a1] = scratch else {
            unreachable!("three buffers")
        };
        let (dz2, a1) = (&mut dz2[..size], &mut a1[..size]);
        let z1 = &layer.z1[from * d..from * d + size];
        let Kept::Activated { norm2, slope, .. } = &layer.end else {
            unreachable!("the caller saw to it")
        };
        wide!({
            let dy = grad.rows(from, n, v, &mut dy[..size]);
            norm2.prelu_back(*slope, back, dy, g1, dz2);
            layer.norm1.relu(z1, a1);
        });
        let mut next = Next::behind(&[grad.memory(from, n, d), z1, g1]);
        let mut part = vec![T::zero(); d * d + 3 * d];
        let (weight, rest) = part.split_at_mut(d * d);
        let (a, dz) = (Matrix::new(a1, n, d), Matrix::new(dz2, n, d));
        let weight = MatrixMut::new(weight, d, d);
        product_meanwhile(weight, dz.transposed(), a, false, &mut next);
        let w = Matrix::new(self.parameters[i].second, d, d);
        product_meanwhile(MatrixMut::new(g1, n, d), dz, w, false, &mut next);
        wide!({
            layer.norm1.relu_sums(g1, a1, z1, &mut rest[..2 * d]);
        });
        part
    }

    /// As [`second`](Self::second) for an MLP's end, where a few rows have a gradient; parts are (dW2,
    /// sums of g1, sums of g1 z1^, db2).
    fn second_of_rows(&self, g1: &mut [T], rows: &[u32], grad: &[T]) -> Vec<Vec<T>> {
        let (d, chunk, layer) = (self.d, self.chunk(), &self.kept[0]);
        let w = Matrix::new(self.parameters[0].second, d, d);
        let parts = g1.par_chunks_mut(chunk * d).enumerate().map(|(k, g1)| {
            g1.fill(T::zero());
            let first = k * chunk;
            let from = rows.partition_point(|&row| (row as usize) < first);
            let to = rows.partition_point(|&row| (row as usize) < first + chunk);
            let (rows, dy, n) = (&rows[from..to], &grad[from * d..to * d], to - from);
            let mut part = vec![T::zero(); d * d + 3 * d];
            if n == 0 {
                return part;
            }
            let mut a1 = vec![T::zero(); n * d];
            wide!(gather_relu(layer, rows, &mut a1));
            let (a, dz) = (Matrix::new(&a1, n, d), Matrix::new(dy, n, d));
            product(
                MatrixMut::new(&mut part[..d * d], d, d),
                dz.transposed(),
                a,
                false,
            );
            let mut da = vec![T::zero(); n * d];
            product(MatrixMut::new(&mut da, n, d), dz, w, false);
            let (sums, bias) = part[d * d..].split_at_mut(2 * d);
            for (i, &row) in rows.iter().enumerate() {
                let (at, of) = (row as usize * d, (row as usize - first) * d);
                let (g, a) = (&mut da[i * d..(i + 1) * d], &a1[i * d..(i + 1) * d]);
                layer.norm1.relu_sums(g, a, &layer.z1[at..at + d], sums);
                g1[of..of + d].copy_from_slice(g);
                add(bias, &dy[i * d..(i + 1) * d]);
            }
            part
        });
        parts.collect()
    }
}
