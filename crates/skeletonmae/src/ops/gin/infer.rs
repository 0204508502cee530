//! A stack in inference: each norm is folded into the map before it, and a few frames pass through all
//! layers before the next ones are looked at, so that nothing but input and result meets the memory.

use candle_core::{Result, Shape, Tensor, bail};

use super::params::{End, split};
use super::{Ending, Stack, forward::pool};
use crate::ops::kernel::{Kernel, Real, View, apply2};
use crate::ops::map::{Map, add_leak};
use crate::ops::mix::Mixing;
use crate::ops::norm::{Moments, Norm};
use crate::ops::pool::Buffer;
use crate::ops::rows::{fill_with, frames_per_chunk};
use crate::wide;

/// [`gin`](super::gin) by given statistics, in the order in which it returns them. There is no way back.
///
/// # Errors
/// When the shapes don't fit.
pub fn gin_fixed(
    x: &Tensor,
    theta: &Tensor,
    stack: Stack,
    moments: Vec<Moments>,
) -> Result<Tensor> {
    apply2(Fixed { stack, moments }, &x.detach(), &theta.detach())
}

/// A stack of folded layers.
#[derive(Clone, Debug)]
pub struct Folded<T> {
    layers: Vec<Layer<T>>,
    c: usize,
    d: usize,
    /// The constant part of the first map where it differs by frame and joint, (t, v, d).
    constant: Option<Vec<T>>,
}

#[derive(Clone, Debug)]
struct Layer<T> {
    mixing: Mixing<T>,
    first: Map<T>,
    second: Map<T>,
    /// PReLU's; an MLP ends without.
    slope: Option<T>,
}

impl<T: Real> Layer<T> {
    /// What follows the second map's product.
    #[inline(always)]
    fn end(&self, rows: &mut [T]) {
        self.second.finish(self.slope.unwrap_or(T::one()), rows);
    }
}

/// Buffers of the frames under way.
#[derive(Debug)]
pub struct Scratch<T: Real> {
    x: Buffer<T>,
    mixed: Buffer<T>,
    a: Buffer<T>,
}

impl<T: Real> Folded<T> {
    /// From parameters as [`gin`](super::gin) takes them and the statistics it returns.
    ///
    /// # Errors
    /// When these aren't the stack's.
    pub fn new(stack: &Stack, theta: &[T], c: usize, moments: &[Moments]) -> Result<Self> {
        let d = stack.width(c, theta.len())?;
        let parameters = split(stack, theta, c, d);
        let mut moments = moments.iter();
        let mut norm = |[weight, bias]: [&[T]; 2]| match moments.next() {
            Some(m) if m.mean.len() == d && m.variance.len() == d => Ok(Norm::new(m, weight, bias)),
            _ => bail!("gin: statistics of {d} features expected"),
        };
        let mut layers = Vec::with_capacity(stack.layers);
        for p in parameters {
            let first = Map::folded(p.first, &norm(p.norm1)?);
            let (second, slope) = match p.end {
                End::Mlp { bias } => (Map::new(p.second, bias), None),
                End::Activated { norm2, slope } => {
                    (Map::folded(p.second, &norm(norm2)?), Some(slope))
                }
            };
            layers.push(Layer {
                mixing: stack.adjacency.plus(T::one() + p.eps),
                first,
                second,
                slope,
            });
        }
        let constant = None;
        Ok(Self {
            layers,
            c,
            d,
            constant,
        })
    }

    /// The stack on `s E^T + o_t`, E (d, c) and o (t, d), without making these features: it reads s (t, v,
    /// c) itself. What E comes to is folded into the first map, what o comes to is a constant of each frame
    /// and joint.
    #[must_use]
    pub fn embedded(mut self, e: &[T], o: &[T]) -> Self {
        let (c, d) = (e.len() / self.d, self.d);
        let layer = &mut self.layers[0];
        let of_o = layer.first.of_rows(o);
        let sums = layer.mixing.sums();
        let mut constant = Vec::with_capacity(of_o.len() * sums.len());
        for of_o in of_o.chunks_exact(d) {
            for &sum in &sums {
                let both = of_o.iter().zip(layer.first.shift());
                constant.extend(both.map(|(&o, &shift)| sum * o + shift));
            }
        }
        layer.first = layer.first.after(e, c);
        (self.c, self.constant) = (c, Some(constant));
        self
    }

    /// d, features of the result.
    pub fn width(&self) -> usize {
        self.d
    }

    /// c, numbers of a joint that it reads.
    pub fn reads(&self) -> usize {
        self.c
    }

    /// Buffers for up to `rows` rows.
    pub fn scratch(&self, rows: usize) -> Scratch<T> {
        let buffer = |width: usize| Buffer::new(rows * width);
        Scratch {
            x: buffer(self.d),
            mixed: buffer(self.d.max(self.c)),
            a: buffer(self.d),
        }
    }

    /// The result of whole frames x (rows, c), (rows, d); `row` is where in its track the first of them
    /// stands.
    pub fn frames<'b>(&self, x: &[T], row: usize, scratch: &'b mut Scratch<T>) -> &'b [T] {
        let (n, d) = (x.len() / self.c, self.d);
        let Scratch { x: y, mixed, a } = scratch;
        let (y, a) = (&mut y[..n * d], &mut a[..n * d]);
        let frame = self.layers[0].mixing.joints() * d;
        let mut before: Option<&Layer<T>> = None;
        for layer in &self.layers {
            let width = if before.is_none() { self.c } else { d };
            let mixed = &mut mixed[..n * width];
            match before {
                None => wide!(layer.mixing.apply(x, mixed, width)),
                // What ends the layer before is done frame by frame, while a frame is near.
                Some(before) => wide!({
                    for (y, mixed) in y.chunks_exact_mut(frame).zip(mixed.chunks_exact_mut(frame)) {
                        before.end(y);
                        layer.mixing.apply(y, mixed, d);
                    }
                }),
            }
            match &self.constant {
                Some(constant) if before.is_none() => {
                    layer.first.product(mixed, a, false);
                    let constant = &constant[row * d..row * d + a.len()];
                    wide!(add_leak(a, constant, T::zero()));
                }
                _ => layer.first.rows(mixed, T::zero(), a),
            }
            layer.second.product(a, y, false);
            before = Some(layer);
        }
        if let Some(last) = before {
            wide!(last.end(y));
        }
        y
    }
}

struct Fixed {
    stack: Stack,
    moments: Vec<Moments>,
}

impl Kernel<2> for Fixed {
    const NAME: &'static str = "gin_fixed";

    fn forward<T: Real>(&self, [x, theta]: [View<'_, T>; 2]) -> Result<(Vec<T>, Shape)> {
        self.stack.check(&x)?;
        let (n, t, v, c) = x.dims4()?;
        let folded = Folded::new(&self.stack, theta.data, c, &self.moments)?;
        let (d, frames) = (folded.d, frames_per_chunk(v));
        let scratch = || folded.scratch(frames * v);
        let all = |scratch: &mut Scratch<T>, from: usize, out: &mut [T]| {
            let x = x.between(from, from + out.len() / d);
            out.copy_from_slice(folded.frames(x, 0, scratch));
        };
        let mut y = vec![T::zero(); n * t * v * d];
        match &self.stack.ending {
            Ending::Activated => {
                fill_with(&mut y, d, frames * v, scratch, all);
                Ok((y, Shape::from((n, t, v, d))))
            }
            Ending::Pooled { factor } => {
                y.truncate(n * t * d);
                fill_with(&mut y, d, frames, scratch, |scratch, frame, out| {
                    let rows = out.len() / d * v;
                    let y = folded.frames(x.between(frame * v, frame * v + rows), 0, scratch);
                    wide!(pool(y, out, v, d, T::real(*factor)));
                });
                Ok((y, Shape::from((n, t, d))))
            }
            Ending::Mlp { rows } => {
                fill_with(&mut y, d, frames * v, scratch, all);
                let chosen = rows.iter().map(|&row| row as usize * d);
                let y = chosen.flat_map(|at| y[at..at + d].iter().copied());
                Ok((y.collect(), Shape::from((rows.len(), d))))
            }
        }
    }

    fn backward<T: Real>(
        &self,
        _: [View<'_, T>; 2],
        _: View<'_, T>,
        _: View<'_, T>,
        _: [bool; 2],
    ) -> Result<[Option<Vec<T>>; 2]> {
        bail!("gin_fixed: inference has no way back")
    }
}
