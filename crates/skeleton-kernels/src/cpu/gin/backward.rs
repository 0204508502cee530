//! The backward pass, layer by layer in two steps: through the second map, whose norm needs sums over all rows first, then
//! through the first, which gathers the sums for the layer before.

use rayon::prelude::*;

use super::{Activated, Layer, Source, Stack};
use crate::cpu::norm_prelu::{activation_gradients, norm_gradients};
use crate::cpu::{
    Buffer, Matrix, MatrixMut, Mixing, NormBackward, Prefetch, Real, View, chunks, product,
    repeat_joints,
};
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
        chunks::total(&parts.collect::<Vec<_>>())
    }
}

/// Gradients of [`Backward::second`].
struct Second<T> {
    pub weight: Vec<T>,
    /// Where the layer ends with it.
    pub bias: Vec<T>,
    /// (2, d): sums of g1 and g1 z1^.
    pub sums1: Vec<f64>,
}

impl<T: Real> Backward<'_, T> {
    /// Through the second map: g1, the gradient behind the first norm, written over z2, and the parameters'
    /// gradients.
    fn second(
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
        let sums = chunks::total(&parts);
        let (weight, rest) = sums.split_at(weight.min(sums.len()));
        let (sums1, bias) = rest.split_at(rest.len().min(2 * d));
        let second = Second {
            weight: chunks::reals(weight),
            bias: chunks::reals(bias),
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
            prefetch.product(weight, dz.transposed(), a);
        }
        let w = Matrix::new(self.parameters[i].second, d, d);
        prefetch.product(MatrixMut::new(g1, n, d), dz, w);
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
            product(MatrixMut::new(weight, d_out, d), dz.transposed(), a);
            let mut da = vec![T::zero(); n * d];
            product(MatrixMut::new(&mut da, n, d), dz, w);
            let (sums, bias) = rest.split_at_mut(2 * d);
            wide!({
                for (i, &row) in rows.iter().enumerate() {
                    let (at, of) = (row as usize * d, (row as usize - first) * d);
                    let (g, a) = (&mut da[i * d..(i + 1) * d], &a1[i * d..(i + 1) * d]);
                    layer.norm1.relu_sums(g, a, &layer.z1[at..at + d], sums);
                    g1[of..of + d].copy_from_slice(g);
                    chunks::add(bias, &dy[i * d_out..(i + 1) * d_out]);
                }
            });
            part
        });
        parts.collect()
    }
}

/// Gradients of [`Backward::first`].
struct First<T> {
    pub eps: T,
    /// (d, c).
    pub weight: Vec<T>,
}

impl<T: Real> Backward<'_, T> {
    /// Through the first map and the neighbour sums: the gradient of the layer's input where wanted, written
    /// over g1 where it is as wide, the parameters' gradients, and the sums at the end of the layer before.
    fn first(
        &self,
        i: usize,
        mut g1: Buffer<T>,
        sums1: &[f64],
        want: bool,
    ) -> (Option<Buffer<T>>, First<T>, Vec<f64>) {
        let (d, chunk, c) = (
            self.stack.width(),
            self.stack.chunk(),
            self.source(i).width(),
        );
        let own = T::one() + self.parameters[i].eps[0];
        let norm = &self.saved[i].norm1;
        let step = Step {
            source: self.source(i),
            backward: norm.backward(self.by_batch(sums1), self.x.rows()),
            mixing: Mixing::plus(&self.stack.graph, own),
            transposed: Mixing::transposed_plus(&self.stack.graph, own),
            weight: Matrix::new(self.parameters[i].first.weight, d, c),
            z1: &self.saved[i].z1,
            v: self.stack.joints(),
            d,
            want_weight: self.wanted[1],
        };
        let scratch = || [(); 4].map(|()| vec![T::zero(); chunk * d.max(c)]);
        let in_place = want && c == d;
        let mut out = (want && c != d).then(|| Buffer::new(self.x.rows() * c));
        let parts: Vec<Vec<T>> = match &mut out {
            Some(out) => g1
                .par_chunks_mut(chunk * d)
                .zip(out.par_chunks_mut(chunk * c))
                .enumerate()
                .map_init(scratch, |s, (k, (g, out))| {
                    step.chunk(k * chunk, g, To::Other(out), s)
                })
                .collect(),
            None => g1
                .par_chunks_mut(chunk * d)
                .enumerate()
                .map_init(scratch, |s, (k, g)| {
                    let to = if in_place { To::Place } else { To::Nowhere };
                    step.chunk(k * chunk, g, to, s)
                })
                .collect(),
        };
        let out = if in_place { Some(g1) } else { out };
        let sums = chunks::total(&parts);
        let (own, below) = sums.split_at(1 + d * c);
        let first = First {
            eps: T::real(own[0]),
            weight: chunks::reals(&own[1..]),
        };
        (out, first, below.to_vec())
    }
}

/// Where the gradient of the layer's input goes.
enum To<'a, T> {
    Nowhere,
    Place,
    Other(&'a mut [T]),
}

struct Step<'a, T: Real> {
    source: Source<'a, T>,
    backward: NormBackward<T>,
    mixing: Mixing<T>,
    transposed: Mixing<T>,
    weight: Matrix<'a, T>,
    z1: &'a [T],
    v: usize,
    d: usize,
    want_weight: bool,
}

impl<T: Real> Step<'_, T> {
    /// (d eps, dW1, sums at the end of the layer before) of a chunk, whose input's gradient goes where `to` says.
    fn chunk(
        &self,
        from: usize,
        g1: &mut [T],
        to: To<'_, T>,
        [x, mixed, dz, dmixed]: &mut [Vec<T>; 4],
    ) -> Vec<T> {
        let (v, d, c) = (self.v, self.d, self.source.width());
        let n = g1.len() / d;
        let mut part = vec![T::zero(); 1 + d * c + 3 * d];
        let (dz, mixed) = (&mut dz[..n * d], &mut mixed[..n * c]);
        let dmixed = &mut dmixed[..n * c];
        let z1 = &self.z1[from * d..(from + n) * d];
        let x = wide!({
            self.backward.rows(g1, z1, dz);
            for (k, mixed) in mixed.chunks_exact_mut(v * c).enumerate() {
                let x = self.source.rows(from + k * v, v, &mut x[k * v * c..]);
                self.mixing.apply(x, mixed, c);
            }
            self.source.made(from, n, x)
        });
        let mut prefetch = Prefetch::after(&[g1, z1, self.source.memory(from, n)]);
        let dz = Matrix::new(dz, n, d);
        let (mixed, dmixed_rows) = (Matrix::new(mixed, n, c), MatrixMut::new(dmixed, n, c));
        if self.want_weight {
            let weight = MatrixMut::new(&mut part[1..1 + d * c], d, c);
            prefetch.product(weight, dz.transposed(), mixed);
        }
        prefetch.product(dmixed_rows, dz, self.weight);
        wide!({
            part[0] = chunks::dot(x, dmixed);
            let out = match to {
                To::Nowhere => return,
                To::Place => g1,
                To::Other(out) => out,
            };
            self.transposed.apply(dmixed, out, c);
            if let Source::Layer(layer, _) = self.source
                && let Some(end) = &layer.end
            {
                let z2 = &end.z2[from * d..(from + n) * d];
                part[1 + d * c..].copy_from_slice(&end.norm2.prelu_sums(end.slope, z2, out));
            }
        });
        part
    }
}
