//! The way back in training, layer by layer in two passes: through the second map, whose normalisation
//! needs sums over all rows first, then through the first, which gathers the sums for the layer before.

use rayon::prelude::*;

use super::forward::{Kept, Layer, Source, gather_relu};
use super::params::{End, Params};
use super::{Ending, Stack};
use crate::ops::kernel::{Real, View};
use crate::ops::norm::Back;
use crate::ops::pool::Buffer;
use crate::ops::product::{Matrix, MatrixMut, product};
use crate::ops::rows::{dot, frames_per_chunk, total};
use crate::ops::wide::wide;

/// All there is to go back by.
pub struct Way<'a, T: Real> {
    pub stack: &'a Stack,
    pub x: View<'a, T>,
    pub parameters: Vec<Params<'a, T>>,
    pub kept: &'a [Layer<T>],
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
    pub fn run(&self, grad: &[T], want_x: bool) -> (Option<Vec<T>>, Vec<T>) {
        let mut by_layer = Vec::with_capacity(self.kept.len());
        let mut dx = None;
        let mut grad = match self.stack.ending {
            Ending::Pooled { factor } => Grad::Pooled(grad, T::real(factor)),
            _ => Grad::Rows(grad),
        };
        let mut sums = self.sums_at_the_end(&grad);
        for i in (0..self.kept.len()).rev() {
            let (g1, second) = self.second(i, &grad, &sums);
            let want = want_x || i > 0;
            let (out, first, below) = self.first(i, &g1, &second.sums1, want);
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
                wide(
                    #[inline(always)]
                    || {
                        let dy = grad.rows(i * chunk, z.len() / d, v, scratch);
                        norm2.prelu_sums(*slope, z, dy)
                    },
                )
            },
        );
        add_up(3 * d, &parts.collect::<Vec<_>>())
    }

    /// Through the second map: g1, the gradient behind the first norm, and the parameters' gradients.
    fn second(&self, i: usize, grad: &Grad<'_, T>, sums: &[f64]) -> (Buffer<T>, Second<T>) {
        let (d, chunk) = (self.d, self.chunk());
        let layer = &self.kept[i];
        let rows = self.x.rows();
        let mut g1 = Buffer::new(rows * d);
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

    /// A chunk of [`second`](Self::second): (dW2, sums of g1, sums of g1 z1^, nothing).
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
        let Kept::Activated {
            z2, norm2, slope, ..
        } = &layer.end
        else {
            unreachable!("the caller saw to it")
        };
        let (z2, slope) = (&z2[from * d..from * d + size], *slope);
        wide(
            #[inline(always)]
            || {
                let dy = grad.rows(from, n, v, &mut dy[..size]);
                norm2.prelu_back(slope, back, dy, z2, dz2);
                layer.norm1.relu(z1, a1);
            },
        );
        let mut part = vec![T::zero(); d * d + 3 * d];
        let (weight, rest) = part.split_at_mut(d * d);
        let (a, dz) = (Matrix::new(a1, n, d), Matrix::new(dz2, n, d));
        product(MatrixMut::new(weight, d, d), dz.transposed(), a, false);
        let w = Matrix::new(self.parameters[i].second, d, d);
        product(MatrixMut::new(g1, n, d), dz, w, false);
        wide(
            #[inline(always)]
            || {
                layer.norm1.relu_sums(g1, a1, z1, &mut rest[..2 * d]);
            },
        );
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
            wide(
                #[inline(always)]
                || gather_relu(layer, rows, &mut a1),
            );
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
                crate::ops::rows::add(bias, &dy[i * d..(i + 1) * d]);
            }
            part
        });
        parts.collect()
    }

    /// Through the first map and the neighbour sums: the gradient of the layer's input where wanted,
    /// (d eps, dW1), and the end sums ([`Norm::prelu_sums`]) of the layer before.
    fn first(
        &self,
        i: usize,
        g1: &[T],
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
        let mut out = want.then(|| Buffer::new(self.x.rows() * c));
        let parts: Vec<Vec<T>> = match &mut out {
            Some(out) => g1
                .par_chunks(chunk * d)
                .zip(out.par_chunks_mut(chunk * c))
                .enumerate()
                .map_init(scratch, |s, (k, (g, out))| {
                    step.chunk(k * chunk, g, Some(out), s)
                })
                .collect(),
            None => g1
                .par_chunks(chunk * d)
                .enumerate()
                .map_init(scratch, |s, (k, g)| step.chunk(k * chunk, g, None, s))
                .collect(),
        };
        let sums = add_up(1 + d * c + 3 * d, &parts);
        let (own, below) = sums.split_at(1 + d * c);
        (out, reals(own).collect(), below.to_vec())
    }
}

/// Gradients of [`Way::second`].
struct Second<T> {
    weight: Vec<T>,
    /// At an MLP's end.
    bias: Vec<T>,
    /// (2, d): sums of g1 and g1 z1^.
    sums1: Vec<f64>,
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
    mixing: crate::ops::mix::Mixing<T>,
    unmixing: crate::ops::mix::Mixing<T>,
    weight: Matrix<'a, T>,
    z1: &'a [T],
    v: usize,
    d: usize,
}

impl<T: Real> First<'_, T> {
    /// (d eps, dW1, end sums of the layer before) of a chunk, whose input's gradient goes to `out`.
    fn chunk(&self, from: usize, g1: &[T], out: Option<&mut [T]>, s: &mut Scratch<T>) -> Vec<T> {
        let (v, d, c) = (self.v, self.d, self.source.width());
        let n = g1.len() / d;
        let mut part = vec![T::zero(); 1 + d * c + 3 * d];
        let (dz, mixed) = (&mut s.dz[..n * d], &mut s.mixed[..n * c]);
        let dmixed = &mut s.dmixed[..n * c];
        let z1 = &self.z1[from * d..(from + n) * d];
        let x = wide(
            #[inline(always)]
            || {
                self.back.rows(g1, z1, dz);
                for (k, mixed) in mixed.chunks_exact_mut(v * c).enumerate() {
                    let x = self.source.rows(from + k * v, v, &mut s.x[k * v * c..]);
                    self.mixing.apply(x, mixed, c);
                }
                self.source.made(from, n, &s.x)
            },
        );
        let dz = Matrix::new(dz, n, d);
        let weight = MatrixMut::new(&mut part[1..1 + d * c], d, c);
        product(weight, dz.transposed(), Matrix::new(mixed, n, c), false);
        product(MatrixMut::new(dmixed, n, c), dz, self.weight, false);
        wide(
            #[inline(always)]
            || {
                part[0] = dot(x, dmixed);
                let Some(out) = out else { return };
                self.unmixing.apply(dmixed, out, c);
                if let Source::Layer(layer, _) = self.source
                    && let Kept::Activated {
                        z2, norm2, slope, ..
                    } = &layer.end
                {
                    let z2 = &z2[from * d..(from + n) * d];
                    part[1 + d * c..].copy_from_slice(&norm2.prelu_sums(*slope, z2, out));
                }
            },
        );
        part
    }
}

fn add_up<T: Real>(width: usize, parts: &[Vec<T>]) -> Vec<f64> {
    total(width, parts.iter().map(Vec::as_slice))
}

fn reals<T: Real>(values: &[f64]) -> impl Iterator<Item = T> {
    values.iter().map(|&value| T::real(value))
}
