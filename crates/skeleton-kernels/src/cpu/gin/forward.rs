//! The forward pass.

use rayon::prelude::*;

use super::Stack;
use super::saved::{Activated, Layer, Source};
use crate::cpu::buffer::Buffer;
use crate::cpu::kernel::View;
use crate::cpu::matrix::{Matrix, MatrixMut, transpose};
use crate::cpu::mixing::{Mixing, sum_joints};
use crate::cpu::moments::{Moments, Sums};
use crate::cpu::norm::Norm;
use crate::cpu::prefetch::Prefetch;
use crate::cpu::product::{product, product_prefetching};
use crate::cpu::real::Real;
use crate::cpu::uninit::Uninit;
use crate::params::{GinEnd, GinLayer};
use crate::rows::Readout;
use crate::wide;

/// The stack's result, row-major, and what its layers save.
pub fn run<T: Real>(
    stack: &Stack,
    x: View<'_, T>,
    parameters: &[GinLayer<&[T]>],
) -> (Vec<T>, Vec<Layer<T>>) {
    let (rows, d) = (x.rows(), stack.width());
    let mut saved: Vec<Layer<T>> = Vec::with_capacity(parameters.len());
    for (i, p) in parameters.iter().enumerate() {
        let source = match saved.last() {
            None => Source::Input(x),
            Some(layer) => Source::Layer(layer, d),
        };
        let layer = Pass { stack, i, rows, d }.layer(source, p);
        saved.push(layer);
    }
    let i = parameters.len() - 1;
    let y = Pass { stack, i, rows, d }.result(&saved[i], &parameters[i]);
    (y, saved)
}

/// Of layer `i`.
struct Pass<'a> {
    stack: &'a Stack,
    i: usize,
    rows: usize,
    d: usize,
}

impl Pass<'_> {
    fn layer<T: Real>(&self, source: Source<'_, T>, p: &GinLayer<&[T]>) -> Layer<T> {
        let (z1, moments1) = self.first(source, p);
        let norm1 = Norm::new(&moments1, &p.first.norm);
        let end = match &p.end {
            GinEnd::Bias(_) => None,
            GinEnd::Activated(own) => {
                let (z2, moments2) = self.second(&z1, &norm1, p.second);
                Some(Activated {
                    z2,
                    norm2: Norm::new(&moments2, &own.norm),
                    moments2,
                    slope: own.slope[0],
                })
            }
        };
        Layer {
            z1,
            norm1,
            moments1,
            end,
        }
    }

    /// Sums of a chunk, where the batch's statistics are wanted.
    #[inline(always)]
    fn sums<T: Real>(&self, z: &[T]) -> Option<Sums<T>> {
        let by_batch = self.stack.given.is_none();
        by_batch.then(|| wide!(Sums::of(z, self.d)))
    }

    fn moments<T: Real>(&self, norm: usize, sums: Vec<Option<Sums<T>>>) -> Moments {
        match self.stack.given(self.i, norm) {
            Some(given) => given.clone(),
            None => Moments::combine(&sums.into_iter().flatten().collect::<Vec<_>>()),
        }
    }

    /// z1 = ((1 + eps) x + sum of the neighbours' x) W1^T.
    fn first<T: Real>(&self, source: Source<'_, T>, p: &GinLayer<&[T]>) -> (Buffer<T>, Moments) {
        let (d, c, chunk) = (self.d, source.width(), self.stack.chunk());
        let v = self.stack.joints();
        let mixing = Mixing::plus(&self.stack.graph, T::one() + p.eps[0]);
        let weight = transpose(p.first.weight, c);
        let weight = Matrix::new(&weight, c, d);
        let mut z = Buffer::new(self.rows * d);
        let sums = z.par_chunks_mut(chunk * d).enumerate().map_init(
            || [vec![T::zero(); v * c], vec![T::zero(); chunk * c]],
            |[x, mixed], (i, z)| {
                let n = z.len() / d;
                let mixed = &mut mixed[..n * c];
                wide!({
                    // Frame by frame, so that a frame's features are mixed while they are near.
                    for (k, mixed) in mixed.chunks_exact_mut(v * c).enumerate() {
                        mixing.apply(source.rows(i * chunk + k * v, v, x), mixed, c);
                    }
                });
                let mut prefetch = Prefetch::after(&[source.memory(i * chunk, n), z]);
                product_prefetching(
                    MatrixMut::new(z, n, d),
                    Matrix::new(mixed, n, c),
                    weight,
                    false,
                    &mut prefetch,
                );
                self.sums(z)
            },
        );
        let moments = self.moments(0, sums.collect());
        (z, moments)
    }

    /// z2 = ReLU(norm(z1)) W2^T.
    fn second<T: Real>(&self, z1: &[T], norm: &Norm<T>, weight: &[T]) -> (Buffer<T>, Moments) {
        let (d, chunk) = (self.d, self.stack.chunk());
        let weight = transpose(weight, d);
        let weight = Matrix::new(&weight, d, d);
        let mut z = Buffer::new(self.rows * d);
        let sums = z
            .par_chunks_mut(chunk * d)
            .zip(z1.par_chunks(chunk * d))
            .map_init(
                || vec![T::zero(); chunk * d],
                |scratch, (z, z1)| {
                    let (n, a) = (z.len() / d, &mut scratch[..z.len()]);
                    wide!(norm.relu(z1, a));
                    let mut prefetch = Prefetch::after(&[z1, z]);
                    let (z_rows, a) = (MatrixMut::new(z, n, d), Matrix::new(a, n, d));
                    product_prefetching(z_rows, a, weight, false, &mut prefetch);
                    self.sums(z)
                },
            );
        let moments = self.moments(1, sums.collect());
        (z, moments)
    }

    fn result<T: Real>(&self, last: &Layer<T>, p: &GinLayer<&[T]>) -> Vec<T> {
        let (d, chunk, v) = (self.d, self.stack.chunk(), self.stack.joints());
        match (&self.stack.readout, &p.end) {
            (Readout::Rows(rows), GinEnd::Bias(bias)) => {
                let d_out = bias.len();
                let weight = transpose(p.second, d);
                let mut y = vec![T::zero(); rows.len() * d_out];
                y.par_chunks_mut(chunk * d_out)
                    .zip(rows.par_chunks(chunk))
                    .for_each(|(y, rows)| {
                        let n = rows.len();
                        let mut a = vec![T::zero(); n * d];
                        wide!(last.gather_relu(rows, &mut a));
                        y.chunks_exact_mut(d_out)
                            .for_each(|y| y.copy_from_slice(bias));
                        let (a, weight) = (Matrix::new(&a, n, d), Matrix::new(&weight, d, d_out));
                        product(MatrixMut::new(y, n, d_out), a, weight, true);
                    });
                y
            }
            (Readout::Pooled(factor), _) => {
                let (frames, factor) = (chunk / v, T::real(*factor));
                let mut y = vec![T::zero(); self.rows / v * d];
                y.par_chunks_mut(frames * d).enumerate().for_each_init(
                    || vec![T::zero(); chunk * d],
                    |scratch, (i, y)| {
                        let scratch = &mut scratch[..y.len() * v];
                        wide!({
                            last.activated(i * chunk, scratch);
                            sum_joints(scratch, y, v, d, factor);
                        });
                    },
                );
                y
            }
            _ => {
                let mut y = Uninit::new(self.rows * d);
                y.chunks(chunk * d)
                    .enumerate()
                    .for_each(|(i, y)| wide!(last.activated(i * chunk, y)));
                y.finish()
            }
        }
    }
}
