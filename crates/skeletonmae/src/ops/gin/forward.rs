//! The way forward in training.

use rayon::prelude::*;

use super::layer::{Kept, Layer, Source};
use super::params::{End, Params, split};
use super::{Ending, Stack};
use crate::ops::fresh::Fresh;
use crate::ops::kernel::{Real, View};
use crate::ops::next::Next;
use crate::ops::norm::{Moments, Norm, Sums};
use crate::ops::pool::Buffer;
use crate::ops::product::{Matrix, MatrixMut, flip, product, product_meanwhile};
use crate::ops::rows::{add_scaled, frames_per_chunk};
use crate::wide;

/// The stack's result, row-major, and what its layers keep.
pub fn run<T: Real>(
    stack: &Stack,
    x: View<'_, T>,
    theta: &[T],
    d: usize,
) -> (Vec<T>, Vec<Layer<T>>) {
    let mut kept: Vec<Layer<T>> = Vec::with_capacity(stack.layers);
    for parameters in split(stack, theta, x.width(), d) {
        let source = match kept.last() {
            None => Source::Input(x),
            Some(layer) => Source::Layer(layer, d),
        };
        let layer = Pass {
            stack,
            rows: x.rows(),
            d,
        }
        .layer(source, &parameters);
        kept.push(layer);
    }
    let last = kept.last().expect("a stack has a layer");
    let parameters = split(stack, theta, x.width(), d);
    let end = &parameters[stack.layers - 1];
    let y = Pass {
        stack,
        rows: x.rows(),
        d,
    }
    .result(last, end);
    (y, kept)
}

struct Pass<'a> {
    stack: &'a Stack,
    rows: usize,
    d: usize,
}

impl Pass<'_> {
    fn chunk(&self) -> usize {
        let v = self.stack.adjacency.len();
        frames_per_chunk(v) * v
    }

    fn layer<T: Real>(&self, source: Source<'_, T>, p: &Params<'_, T>) -> Layer<T> {
        let (z1, moments1) = self.first(source, p);
        let norm1 = Norm::new(&moments1, p.norm1[0], p.norm1[1]);
        let end = match p.end {
            End::Mlp { .. } => Kept::Mlp,
            End::Activated { norm2, slope } => {
                let (z2, moments2) = self.second(&z1, &norm1, p.second);
                Kept::Activated {
                    z2,
                    norm2: Norm::new(&moments2, norm2[0], norm2[1]),
                    moments2,
                    slope,
                }
            }
        };
        Layer {
            z1,
            norm1,
            moments1,
            end,
        }
    }

    /// z1 = ((1 + eps) x + sum of the neighbours' x) W1^T.
    fn first<T: Real>(&self, source: Source<'_, T>, p: &Params<'_, T>) -> (Buffer<T>, Moments) {
        let (d, c, chunk) = (self.d, source.width(), self.chunk());
        let v = self.stack.adjacency.len();
        let mixing = self.stack.adjacency.plus(T::one() + p.eps);
        let weight = flip(p.first, c);
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
                let mut next = Next::behind(&[source.memory(i * chunk, n), z]);
                product_meanwhile(
                    MatrixMut::new(z, n, d),
                    Matrix::new(mixed, n, c),
                    weight,
                    false,
                    &mut next,
                );
                wide!(Sums::of(z, d))
            },
        );
        let moments = Moments::combine(&sums.collect::<Vec<_>>());
        (z, moments)
    }

    /// z2 = ReLU(norm(z1)) W2^T.
    fn second<T: Real>(&self, z1: &[T], norm: &Norm<T>, weight: &[T]) -> (Buffer<T>, Moments) {
        let (d, chunk) = (self.d, self.chunk());
        let weight = flip(weight, d);
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
                    let mut next = Next::behind(&[z1, z]);
                    let (z_rows, a) = (MatrixMut::new(z, n, d), Matrix::new(a, n, d));
                    product_meanwhile(z_rows, a, weight, false, &mut next);
                    wide!(Sums::of(z, d))
                },
            );
        let moments = Moments::combine(&sums.collect::<Vec<_>>());
        (z, moments)
    }

    fn result<T: Real>(&self, last: &Layer<T>, p: &Params<'_, T>) -> Vec<T> {
        let (d, chunk, v) = (self.d, self.chunk(), self.stack.adjacency.len());
        match &self.stack.ending {
            Ending::Activated => {
                let mut y = Fresh::new(self.rows * d);
                y.chunks(chunk * d)
                    .enumerate()
                    .for_each(|(i, y)| wide!(last.activated(i * chunk, y)));
                y.finish()
            }
            Ending::Pooled { factor } => {
                let (frames, factor) = (chunk / v, T::real(*factor));
                let mut y = vec![T::zero(); self.rows / v * d];
                y.par_chunks_mut(frames * d).enumerate().for_each_init(
                    || vec![T::zero(); chunk * d],
                    |scratch, (i, y)| {
                        let scratch = &mut scratch[..y.len() * v];
                        wide!({
                            last.activated(i * chunk, scratch);
                            pool(scratch, y, v, d, factor);
                        });
                    },
                );
                y
            }
            Ending::Mlp { rows } => {
                let End::Mlp { bias } = p.end else {
                    unreachable!("the parameters are those of this ending")
                };
                let weight = flip(p.second, d);
                let mut y = vec![T::zero(); rows.len() * d];
                y.par_chunks_mut(chunk * d)
                    .zip(rows.par_chunks(chunk))
                    .for_each(|(y, rows)| {
                        let mut a = vec![T::zero(); y.len()];
                        wide!(gather_relu(last, rows, &mut a));
                        y.chunks_exact_mut(d).for_each(|y| y.copy_from_slice(bias));
                        let n = rows.len();
                        let weight = Matrix::new(&weight, d, d);
                        product(MatrixMut::new(y, n, d), Matrix::new(&a, n, d), weight, true);
                    });
                y
            }
        }
    }
}

/// Some rows of ReLU(norm(z1)), one after the other.
#[inline(always)]
pub fn gather_relu<T: Real>(layer: &Layer<T>, rows: &[u32], out: &mut [T]) {
    let d = layer.norm1.width();
    for (out, &row) in out.chunks_exact_mut(d).zip(rows) {
        let at = row as usize * d;
        layer.norm1.relu(&layer.z1[at..at + d], out);
    }
}

/// `out = factor * sum over joints` of whole frames (v, d).
#[inline(always)]
pub fn pool<T: Real>(x: &[T], out: &mut [T], v: usize, d: usize, factor: T) {
    out.fill(T::zero());
    for (out, frame) in out.chunks_exact_mut(d).zip(x.chunks_exact(v * d)) {
        frame
            .chunks_exact(d)
            .for_each(|row| add_scaled(out, factor, row));
    }
}
