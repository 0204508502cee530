//! Through a layer's first map and the neighbour sums.

use rayon::prelude::*;

use super::{Backward, add_up, reals};
use crate::cpu::buffer::Buffer;
use crate::cpu::chunks::dot;
use crate::cpu::gin::saved::Source;
use crate::cpu::matrix::{Matrix, MatrixMut};
use crate::cpu::mixing::Mixing;
use crate::cpu::norm::NormBackward;
use crate::cpu::prefetch::Prefetch;
use crate::cpu::product::product_prefetching;
use crate::cpu::real::Real;
use crate::wide;

/// Gradients of [`Backward::first`].
pub(super) struct First<T> {
    pub eps: T,
    /// (d, c).
    pub weight: Vec<T>,
}

impl<T: Real> Backward<'_, T> {
    /// Through the first map and the neighbour sums: the gradient of the layer's input where wanted, written
    /// over g1 where it is as wide, the parameters' gradients, and the sums at the end of the layer before.
    pub(super) fn first(
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
        let scratch = || Scratch::new(chunk * d.max(c));
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
        let sums = add_up(1 + d * c + 3 * d, &parts);
        let (own, below) = sums.split_at(1 + d * c);
        let first = First {
            eps: T::real(own[0]),
            weight: reals(&own[1..]),
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

struct Scratch<T> {
    x: Vec<T>,
    mixed: Vec<T>,
    dz: Vec<T>,
    dmixed: Vec<T>,
}

impl<T: Real> Scratch<T> {
    fn new(n: usize) -> Self {
        let buffer = || vec![T::zero(); n];
        Self {
            x: buffer(),
            mixed: buffer(),
            dz: buffer(),
            dmixed: buffer(),
        }
    }
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
    fn chunk(&self, from: usize, g1: &mut [T], to: To<'_, T>, s: &mut Scratch<T>) -> Vec<T> {
        let (v, d, c) = (self.v, self.d, self.source.width());
        let n = g1.len() / d;
        let mut part = vec![T::zero(); 1 + d * c + 3 * d];
        let (dz, mixed) = (&mut s.dz[..n * d], &mut s.mixed[..n * c]);
        let dmixed = &mut s.dmixed[..n * c];
        let z1 = &self.z1[from * d..(from + n) * d];
        let x = wide!({
            self.backward.rows(g1, z1, dz);
            for (k, mixed) in mixed.chunks_exact_mut(v * c).enumerate() {
                let x = self.source.rows(from + k * v, v, &mut s.x[k * v * c..]);
                self.mixing.apply(x, mixed, c);
            }
            self.source.made(from, n, &s.x)
        });
        let mut prefetch = Prefetch::after(&[g1, z1, self.source.memory(from, n)]);
        let dz = Matrix::new(dz, n, d);
        let (mixed, dmixed_rows) = (Matrix::new(mixed, n, c), MatrixMut::new(dmixed, n, c));
        if self.want_weight {
            let weight = MatrixMut::new(&mut part[1..1 + d * c], d, c);
            product_prefetching(weight, dz.transposed(), mixed, false, &mut prefetch);
        }
        product_prefetching(dmixed_rows, dz, self.weight, false, &mut prefetch);
        wide!({
            part[0] = dot(x, dmixed);
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
