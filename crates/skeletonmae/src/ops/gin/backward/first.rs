//! Through a layer's first map and the neighbour sums.

use rayon::prelude::*;

use super::{Way, add_up, reals};
use crate::ops::gin::layer::{Kept, Source};
use crate::ops::kernel::Real;
use crate::ops::mix::Mixing;
use crate::ops::next::Next;
use crate::ops::norm::Back;
use crate::ops::pool::Buffer;
use crate::ops::product::{Matrix, MatrixMut, product_meanwhile};
use crate::ops::rows::dot;
use crate::wide;

impl<T: Real> Way<'_, T> {
    /// Through the first map and the neighbour sums: the gradient of the layer's input where wanted, written
    /// over g1 where it is as wide, (d eps, dW1), and the end sums ([`Norm::prelu_sums`]) of the layer before.
    pub(super) fn first(
        &self,
        i: usize,
        mut g1: Buffer<T>,
        sums1: &[f64],
        want: bool,
    ) -> (Option<Buffer<T>>, Vec<T>, Vec<f64>) {
        let (d, chunk, c) = (self.d, self.chunk(), self.source(i).width());
        let own = T::one() + self.parameters[i].eps;
        let adjacency = &self.stack.adjacency;
        let step = First {
            source: self.source(i),
            back: self.kept[i].norm1.back(sums1, self.x.rows()),
            mixing: adjacency.plus(own),
            unmixing: adjacency.transposed_plus(own),
            weight: Matrix::new(self.parameters[i].first, d, c),
            z1: &self.kept[i].z1,
            v: adjacency.len(),
            d,
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
        (out, reals(own).collect(), below.to_vec())
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

struct First<'a, T: Real> {
    source: Source<'a, T>,
    back: Back<T>,
    mixing: Mixing<T>,
    unmixing: Mixing<T>,
    weight: Matrix<'a, T>,
    z1: &'a [T],
    v: usize,
    d: usize,
}

impl<T: Real> First<'_, T> {
    /// (d eps, dW1, end sums of the layer before) of a chunk, whose input's gradient goes where `to` says.
    fn chunk(&self, from: usize, g1: &mut [T], to: To<'_, T>, s: &mut Scratch<T>) -> Vec<T> {
        let (v, d, c) = (self.v, self.d, self.source.width());
        let n = g1.len() / d;
        let mut part = vec![T::zero(); 1 + d * c + 3 * d];
        let (dz, mixed) = (&mut s.dz[..n * d], &mut s.mixed[..n * c]);
        let dmixed = &mut s.dmixed[..n * c];
        let z1 = &self.z1[from * d..(from + n) * d];
        let x = wide!({
            self.back.rows(g1, z1, dz);
            for (k, mixed) in mixed.chunks_exact_mut(v * c).enumerate() {
                let x = self.source.rows(from + k * v, v, &mut s.x[k * v * c..]);
                self.mixing.apply(x, mixed, c);
            }
            self.source.made(from, n, &s.x)
        });
        let mut next = Next::behind(&[g1, z1, self.source.memory(from, n)]);
        let dz = Matrix::new(dz, n, d);
        let weight = MatrixMut::new(&mut part[1..1 + d * c], d, c);
        let (mixed, dmixed_rows) = (Matrix::new(mixed, n, c), MatrixMut::new(dmixed, n, c));
        product_meanwhile(weight, dz.transposed(), mixed, false, &mut next);
        product_meanwhile(dmixed_rows, dz, self.weight, false, &mut next);
        wide!({
            part[0] = dot(x, dmixed);
            let out = match to {
                To::Nowhere => return,
                To::Place => g1,
                To::Other(out) => out,
            };
            self.unmixing.apply(dmixed, out, c);
            if let Source::Layer(layer, _) = self.source
                && let Kept::Activated {
                    z2, norm2, slope, ..
                } = &layer.end
            {
                let z2 = &z2[from * d..(from + n) * d];
                part[1 + d * c..].copy_from_slice(&norm2.prelu_sums(*slope, z2, out));
            }
        });
        part
    }
}
