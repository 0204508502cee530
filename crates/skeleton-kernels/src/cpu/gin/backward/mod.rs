//! The backward pass, layer by layer in two steps: through the second map, whose norm needs sums over all rows first, then
//! through the first, which gathers the sums for the layer before.

mod first;
mod second;

use rayon::prelude::*;

use super::Stack;
use super::saved::{Layer, Source};
use crate::cpu::buffer::Buffer;
use crate::cpu::chunks::total;
use crate::cpu::kernel::View;
use crate::cpu::mixing::repeat_joints;
use crate::cpu::norm_prelu::{activation_gradients, norm_gradients};
use crate::cpu::real::Real;
use crate::params::{GinEnd, GinLayer, NormedMap, flatten};
use crate::rows::Readout;
use crate::wide;

/// Everything the backward pass needs.
pub struct Backward<'a, T: Real> {
    pub stack: &'a Stack,
    pub x: View<'a, T>,
    pub parameters: Vec<GinLayer<&'a [T]>>,
    pub saved: Vec<Layer<T>>,
    /// Whether the gradients of x and of the parameters are.
    pub wanted: [bool; 2],
}

/// The gradient of a layer's result.
enum Grad<'a, T: Real> {
    Rows(&'a [T]),
    /// (n t, d): the same for all joints of a frame.
    Pooled(&'a [T], T),
    Buffer(Buffer<T>),
}

impl<T: Real> Grad<'_, T> {
    /// The memory that [`rows`](Self::rows) reads, if it is large.
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
                repeat_joints(&g[from / v * d..(from + n) / v * d], scratch, v, d, *factor);
                scratch
            }
        }
    }
}

impl<T: Real> Backward<'_, T> {
    fn source(&self, layer: usize) -> Source<'_, T> {
        match layer.checked_sub(1) {
            None => Source::Input(self.x),
            Some(before) => Source::Layer(&self.saved[before], self.stack.width()),
        }
    }

    /// Sums of (g, g z^), where the statistics were the batch's and so take part in the backward pass.
    fn by_batch<'s>(&self, sums: &'s [f64]) -> Option<&'s [f64]> {
        self.stack.given.is_none().then_some(sums)
    }

    /// The gradients of x, where wanted, and of the parameters in their order.
    pub fn run(mut self, grad: &[T]) -> (Option<Vec<T>>, Vec<T>) {
        let d = self.stack.width();
        let mut by_layer = Vec::with_capacity(self.saved.len());
        let mut dx = None;
        let mut grad = match self.stack.readout {
            Readout::Pooled(factor) => Grad::Pooled(grad, T::real(factor)),
            _ => Grad::Rows(grad),
        };
        let mut sums = self.sums_at_the_end(&grad);
        for i in (0..self.saved.len()).rev() {
            let z2 = match &mut self.saved[i].end {
                Some(end) => end.z2.take(),
                None => Buffer::new(self.x.rows() * d),
            };
            let (g1, second) = self.second(i, z2, &grad, &sums);
            let want = self.wanted[0] || i > 0;
            let (out, first, below) = self.first(i, g1, &second.sums1, want);
            by_layer.push(GinLayer {
                eps: vec![first.eps],
                first: NormedMap {
                    weight: first.weight,
                    norm: norm_gradients(&second.sums1),
                },
                second: second.weight,
                end: match self.parameters[i].end {
                    GinEnd::Bias(_) => GinEnd::Bias(second.bias),
                    GinEnd::Activated(_) => GinEnd::Activated(activation_gradients(&sums)),
                },
            });
            match (i, out) {
                (0, out) => dx = out.map(|out| out.to_vec()),
                (_, Some(out)) => grad = Grad::Buffer(out),
                (_, None) => unreachable!("layers above the first want it"),
            }
            sums = below;
        }
        by_layer.reverse();
        (dx, flatten(&by_layer))
    }

    /// The sums at the end ([`Norm::prelu_sums`](crate::cpu::norm::Norm::prelu_sums)) of the last layer.
    fn sums_at_the_end(&self, grad: &Grad<'_, T>) -> Vec<f64> {
        let (d, chunk, v) = (self.stack.width(), self.stack.chunk(), self.stack.joints());
        let Some(end) = self.saved.last().and_then(|layer| layer.end.as_ref()) else {
            return Vec::new();
        };
        let parts = end.z2.par_chunks(chunk * d).enumerate().map_init(
            || vec![T::zero(); chunk * d],
            |scratch, (i, z)| {
                let scratch = &mut scratch[..z.len()];
                wide!({
                    let dy = grad.rows(i * chunk, z.len() / d, v, scratch);
                    end.norm2.prelu_sums(end.slope, z, dy)
                })
            },
        );
        add_up(3 * d, &parts.collect::<Vec<_>>())
    }
}

fn add_up<T: Real>(width: usize, parts: &[Vec<T>]) -> Vec<f64> {
    total(width, parts.iter().map(Vec::as_slice))
}

fn reals<T: Real>(values: &[f64]) -> Vec<T> {
    values.iter().map(|&value| T::real(value)).collect()
}
