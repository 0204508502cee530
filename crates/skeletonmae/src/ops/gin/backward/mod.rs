//! The way back in training, layer by layer in two passes: through the second map, whose normalisation
//! needs sums over all rows first, then through the first, which gathers the sums for the layer before.

mod first;
mod second;

use rayon::prelude::*;

use super::layer::{Kept, Layer, Source};
use super::params::{End, Params};
use super::{Ending, Stack};
use crate::ops::kernel::{Real, View};
use crate::ops::pool::Buffer;
use crate::ops::rows::{frames_per_chunk, total};
use crate::wide;

/// All there is to go back by.
pub struct Way<'a, T: Real> {
    pub stack: &'a Stack,
    pub x: View<'a, T>,
    pub parameters: Vec<Params<'a, T>>,
    pub kept: Vec<Layer<T>>,
    pub d: usize,
}

/// The gradient of a layer's result.
enum Grad<'a, T: Real> {
    Rows(&'a [T]),
    /// (n t, d): the same for all joints of a frame.
    Pooled(&'a [T], T),
    Buffer(Buffer<T>),
}

impl<T: Real> Grad<'_, T> {
    /// What [`rows`](Self::rows) reads, as it lies in memory, if it is large.
    #[inline(always)]
    fn memory(&self, from: usize, n: usize, d: usize) -> &[T] {
        match self {
            Self::Rows(g) => &g[from * d..(from + n) * d],
            Self::Buffer(g) => &g[from * d..(from + n) * d],
            Self::Pooled(..) => &[],
        }
    }

    #[inline(always)]
    fn rows<'b>(&'b self, from: usize, n: usize, v: usize, scratch: &'b mut [T]) -> &'b [T] {
        let d = scratch.len() / n.max(1);
        match self {
            Self::Rows(g) => &g[from * d..(from + n) * d],
            Self::Buffer(g) => &g[from * d..(from + n) * d],
            Self::Pooled(g, factor) => {
                let g = &g[from / v * d..(from + n) / v * d];
                for (frame, g) in scratch.chunks_exact_mut(v * d).zip(g.chunks_exact(d)) {
                    for row in frame.chunks_exact_mut(d) {
                        for i in 0..d {
                            row[i] = g[i] * *factor;
                        }
                    }
                }
                scratch
            }
        }
    }
}

impl<T: Real> Way<'_, T> {
    fn chunk(&self) -> usize {
        let v = self.stack.adjacency.len();
        frames_per_chunk(v) * v
    }

    fn source(&self, layer: usize) -> Source<'_, T> {
        match layer.checked_sub(1) {
            None => Source::Input(self.x),
            Some(before) => Source::Layer(&self.kept[before], self.d),
        }
    }

    /// The gradients of x, where wanted, and of the parameters in their order.
    pub fn run(mut self, grad: &[T], want_x: bool) -> (Option<Vec<T>>, Vec<T>) {
        let mut by_layer = Vec::with_capacity(self.kept.len());
        let mut dx = None;
        let mut grad = match self.stack.ending {
            Ending::Pooled { factor } => Grad::Pooled(grad, T::real(factor)),
            _ => Grad::Rows(grad),
        };
        let mut sums = self.sums_at_the_end(&grad);
        for i in (0..self.kept.len()).rev() {
            let z2 = match &mut self.kept[i].end {
                Kept::Activated { z2, .. } => z2.take(),
                Kept::Mlp => Buffer::new(self.x.rows() * self.d),
            };
            let (g1, second) = self.second(i, z2, &grad, &sums);
            let want = want_x || i > 0;
            let (out, first, below) = self.first(i, g1, &second.sums1, want);
            let mut own: Vec<T> = first;
            own.extend(reals::<T>(&second.sums1[self.d..]));
            own.extend(reals::<T>(&second.sums1[..self.d]));
            own.extend(second.weight);
            match self.parameters[i].end {
                End::Mlp { .. } => own.extend(second.bias),
                End::Activated { .. } => {
                    own.extend(reals::<T>(&sums[2 * self.d..]));
                    own.extend(reals::<T>(&sums[self.d..2 * self.d]));
                    own.push(T::real(sums[..self.d].iter().sum()));
                }
            }
            by_layer.push(own);
            match (i, out) {
                (0, out) => dx = out.map(|out| out.to_vec()),
                (_, Some(out)) => grad = Grad::Buffer(out),
                (_, None) => unreachable!("layers above the first want it"),
            }
            sums = below;
        }
        by_layer.reverse();
        (dx, by_layer.concat())
    }

    /// end sums ([`Norm::prelu_sums`]) of the whole batch at the last layer.
    fn sums_at_the_end(&self, grad: &Grad<'_, T>) -> Vec<f64> {
        let (d, chunk, v) = (self.d, self.chunk(), self.stack.adjacency.len());
        let Some(Kept::Activated {
            z2, norm2, slope, ..
        }) = self.kept.last().map(|layer| &layer.end)
        else {
            return Vec::new();
        };
        let parts = z2.par_chunks(chunk * d).enumerate().map_init(
            || vec![T::zero(); chunk * d],
            |scratch, (i, z)| {
                let scratch = &mut scratch[..z.len()];
                wide!({
                    let dy = grad.rows(i * chunk, z.len() / d, v, scratch);
                    norm2.prelu_sums(*slope, z, dy)
                })
            },
        );
        add_up(3 * d, &parts.collect::<Vec<_>>())
    }
}

fn add_up<T: Real>(width: usize, parts: &[Vec<T>]) -> Vec<f64> {
    total(width, parts.iter().map(Vec::as_slice))
}

fn reals<T: Real>(values: &[f64]) -> impl Iterator<Item = T> {
    values.iter().map(|&value| T::real(value))
}
