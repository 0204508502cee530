//! The branches over time, fused: written side by side.
//!
//! What lies in memory between the passes is what comes out of the branches' first maps (z), out of the
//! branches (c) and out of the residual's map (q), each in front of a norm. Tracks are the chunks.

mod backward;
pub mod window;

use std::ops::Range;

use candle_core::{Result, Shape, Tensor};
use rayon::prelude::*;

use crate::branches::{Branches, Window};
use crate::cpu::{
    ArgGradients, BackwardArgs, Buffer, Kernel, Matrix, MatrixMut, Moments, Norm, Prefetch, Real,
    SavedForBackward, SideResult, Sums, Uninit, View, apply2, product, transpose,
};
use crate::params::{TemporalWeights, pack, unpack};
use crate::stats::BatchStats;
use crate::wide;

use window::{Columns, every};

/// [`temporal`](crate::temporal()) by the batch's statistics; its shapes are checked.
///
/// # Errors
/// When x isn't of `f32` or `f64`.
pub fn apply(
    x: &Tensor,
    parameters: &TemporalWeights<Tensor>,
    branches: &Branches,
) -> Result<(Tensor, Vec<BatchStats>)> {
    let (theta, places) = pack(parameters)?;
    let gathered = SideResult::default();
    let op = Temporal {
        branches: branches.clone(),
        places,
        gathered: gathered.clone(),
        saved: SavedForBackward::default(),
    };
    let y = apply2(op, x, &theta)?;
    Ok((y, Moments::gathered(&gathered)?))
}

struct Temporal {
    branches: Branches,
    places: TemporalWeights<Range<usize>>,
    gathered: SideResult<Vec<Moments>>,
    saved: SavedForBackward,
}

impl Kernel<2> for Temporal {
    const NAME: &'static str = "temporal";

    fn forward<T: Real>(&self, [x, theta]: [View<'_, T>; 2]) -> Result<(Vec<T>, Shape)> {
        let shapes = Shapes::of(&self.branches, x.dims4()?);
        let parameters = unpack(&self.places, theta.data);
        let pass = Pass::new(&self.branches, shapes, &parameters);
        let (y, saved, moments) = pass.run(x.data);
        self.gathered.get_or_init(|| moments);
        self.saved.put(saved);
        let Shapes { n, t_out, v, d, .. } = shapes;
        Ok((y, (n, t_out, v, d).into()))
    }

    fn backward<T: Real>(&self, given: BackwardArgs<'_, T, 2>) -> ArgGradients<T, 2> {
        let ([x, theta], y, grad) = (given.args, given.out, given.grad);
        let shapes = Shapes::of(&self.branches, x.dims4()?);
        let parameters = unpack(&self.places, theta.data);
        let saved = self.saved.take::<Saved<T>>()?;
        let backward = backward::Backward {
            pass: &Pass::new(&self.branches, shapes, &parameters),
            x: x.data,
            y: y.data,
            grad: grad.data,
            saved: &saved,
        };
        let (dx, dtheta) = backward.run();
        Ok([Some(dx), Some(dtheta)])
    }
}

/// Extents of one call.
#[derive(Clone, Copy, Debug)]
pub struct Shapes {
    pub n: usize,
    pub t: usize,
    pub t_out: usize,
    pub v: usize,
    pub d: usize,
    /// Features of a branch.
    pub part: usize,
    /// Features behind the first maps of all branches that have one.
    pub reduced: usize,
}

impl Shapes {
    pub fn of(branches: &Branches, (n, t, v, d): (usize, usize, usize, usize)) -> Self {
        Self {
            n,
            t,
            t_out: branches.frames(t),
            v,
            d,
            part: branches.part(d),
            reduced: branches.reduced(d),
        }
    }
}

/// What the forward pass saves: rows in front of each norm, and the norms.
pub struct Saved<T: Real> {
    /// (n t v, reduced).
    pub z: Buffer<T>,
    pub norm1: Norm<T>,
    /// (n t' v, d).
    pub c: Buffer<T>,
    pub norm2: Norm<T>,
    /// (n t' v, d).
    pub residual: Option<(Buffer<T>, Norm<T>)>,
}

/// A convolution branch.
pub struct Convolution<T> {
    pub window: Window,
    /// (part, kernel * part).
    pub weight: Vec<T>,
    /// The same, transposed.
    pub columns: Vec<T>,
    /// Where its input lies in the rows behind the first maps.
    pub from: Columns,
}

/// All a pass needs to know.
pub struct Pass<'a, T> {
    pub stride: usize,
    pub s: Shapes,
    pub p: &'a TemporalWeights<&'a [T]>,
    pub convolutions: Vec<Convolution<T>>,
    /// (d, part): the point's map, transposed.
    point: Vec<T>,
    pub max_pool: Window,
    pub max_pool_from: Columns,
}

impl<'a, T: Real> Pass<'a, T> {
    pub fn new(branches: &Branches, s: Shapes, p: &'a TemporalWeights<&'a [T]>) -> Self {
        let from = |branch: usize| Columns {
            from: branch * s.part,
            width: s.part,
            row: s.reduced,
        };
        let convolutions = branches.convolutions().zip(&p.convolutions).enumerate();
        Self {
            stride: branches.stride,
            s,
            p,
            convolutions: convolutions
                .map(|(i, (window, weight))| {
                    let weight = side_by_side(weight, window.kernel, s.part);
                    Convolution {
                        window,
                        columns: transpose(&weight, window.kernel * s.part),
                        weight,
                        from: from(i),
                    }
                })
                .collect(),
            point: transpose(p.point, s.d),
            max_pool: branches.max_pool(),
            max_pool_from: from(branches.dilations.len()),
        }
    }

    /// Numbers of a track in rows of `width`, before and behind the stride.
    pub fn track(&self, width: usize) -> usize {
        self.s.t * self.s.v * width
    }

    pub fn track_out(&self, width: usize) -> usize {
        self.s.t_out * self.s.v * width
    }

    /// The numbers a tap window of the convolutions takes, of one track.
    pub fn taps(&self) -> usize {
        let widest = self.convolutions.iter().map(|c| c.window.kernel).max();
        self.track_out(widest.unwrap_or(0) * self.s.part)
    }

    /// The frames the point and the residual see: every `stride`-th of x.
    pub fn strided<'b>(&self, x: &'b [T], scratch: &'b mut [T]) -> &'b [T] {
        if self.stride == 1 {
            return x;
        }
        every(x, self.stride, scratch, self.s.v * self.s.d);
        scratch
    }

    /// The result, what the backward pass needs, and the statistics of the norms.
    pub fn run(&self, x: &[T]) -> (Vec<T>, Saved<T>, Vec<Moments>) {
        let (z, moments1) = self.reduce(x);
        let norm1 = Norm::new(&moments1, &self.p.reduce.norm);
        let (c, moments2) = self.branches(x, &z, &norm1);
        let norm2 = Norm::new(&moments2, &self.p.norm);
        let mut moments = vec![moments1, moments2];
        let residual = self.p.residual.as_ref().map(|residual| {
            let (q, own) = self.residual(x, residual.weight);
            let norm = Norm::new(&own, &residual.norm);
            moments.push(own);
            (q, norm)
        });
        let saved = Saved {
            z,
            norm1,
            c,
            norm2,
            residual,
        };
        (self.result(x, &saved), saved, moments)
    }

    /// z, the first maps of the branches, side by side.
    fn reduce(&self, x: &[T]) -> (Buffer<T>, Moments) {
        let (d, width) = (self.s.d, self.s.reduced);
        let mut z = Buffer::new(self.s.n * self.track(width));
        let weight = transpose(self.p.reduce.weight, d);
        let weight = Matrix::new(&weight, d, width);
        let sums = z
            .par_chunks_mut(self.track(width))
            .zip(x.par_chunks(self.track(d)))
            .map(|(z, x)| {
                let n = self.s.t * self.s.v;
                product(MatrixMut::new(z, n, width), Matrix::new(x, n, d), weight);
                wide!(Sums::of(z, width))
            });
        let moments = Moments::combine(&sums.collect::<Vec<_>>());
        (z, moments)
    }

    /// c, what the branches give, side by side.
    fn branches(&self, x: &[T], z: &[T], norm: &Norm<T>) -> (Buffer<T>, Moments) {
        let d = self.s.d;
        let mut c = Buffer::new(self.s.n * self.track_out(d));
        let sums = c
            .par_chunks_mut(self.track_out(d))
            .zip(z.par_chunks(self.track(self.s.reduced)))
            .zip(x.par_chunks(self.track(d)))
            .map_init(
                || {
                    let sizes = [self.track(self.s.reduced), self.taps(), self.track_out(d)];
                    sizes.map(|n| vec![T::zero(); n])
                },
                |[a, taps, strided], ((c, z), x)| {
                    wide!(norm.relu(z, a));
                    let mut prefetch = Prefetch::after(&[z, c]);
                    self.branches_of_track(x, a, c, [taps, strided], &mut prefetch);
                    wide!(Sums::of(c, d))
                },
            );
        let moments = Moments::combine(&sums.collect::<Vec<_>>());
        (c, moments)
    }

    /// The rows a branch writes.
    pub fn to(&self, branch: usize) -> Columns {
        Columns {
            from: branch * self.s.part,
            width: self.s.part,
            row: self.s.d,
        }
    }

    fn branches_of_track(
        &self,
        x: &[T],
        a: &[T],
        c: &mut [T],
        [taps, strided]: [&mut [T]; 2],
        prefetch: &mut Prefetch,
    ) {
        let Shapes { t, v, d, part, .. } = self.s;
        let n = self.s.t_out * v;
        for (branch, convolution) in self.convolutions.iter().enumerate() {
            let side = convolution.window.kernel * part;
            let taps = &mut taps[..n * side];
            wide!(convolution.window.gather(a, convolution.from, taps, t, v));
            let out = MatrixMut::within(&mut c[self.to(branch).from..], n, part, d);
            let weight = Matrix::new(&convolution.columns, side, part);
            prefetch.product(out, Matrix::new(taps, n, side), weight);
        }
        let pool = self.convolutions.len();
        wide!(
            self.max_pool
                .largest(a, self.max_pool_from, c, self.to(pool), t, v)
        );
        let x = self.strided(x, strided);
        let out = MatrixMut::within(&mut c[self.to(pool + 1).from..], n, part, d);
        let weight = Matrix::new(&self.point, d, part);
        prefetch.product(out, Matrix::new(x, n, d), weight);
    }

    fn residual(&self, x: &[T], map: &[T]) -> (Buffer<T>, Moments) {
        let d = self.s.d;
        let mut q = Buffer::new(self.s.n * self.track_out(d));
        let weight = transpose(map, d);
        let weight = Matrix::new(&weight, d, d);
        let sums = q
            .par_chunks_mut(self.track_out(d))
            .zip(x.par_chunks(self.track(d)))
            .map_init(
                || vec![T::zero(); self.track_out(d)],
                |scratch, (q, x)| {
                    let (n, x) = (self.s.t_out * self.s.v, self.strided(x, scratch));
                    product(MatrixMut::new(q, n, d), Matrix::new(x, n, d), weight);
                    wide!(Sums::of(q, d))
                },
            );
        let moments = Moments::combine(&sums.collect::<Vec<_>>());
        (q, moments)
    }

    /// `max(norm(c) + residual, 0)`; NaN stays NaN.
    fn result(&self, x: &[T], saved: &Saved<T>) -> Vec<T> {
        let d = self.s.d;
        let mut y = Uninit::new(self.s.n * self.track_out(d));
        let size = self.track_out(d);
        y.chunks(size).enumerate().for_each_init(
            || vec![T::zero(); size],
            |scratch, (track, y)| {
                let c = &saved.c[track * size..(track + 1) * size];
                let residual = match &saved.residual {
                    None => &x[track * size..(track + 1) * size],
                    Some((q, norm)) => {
                        let q = &q[track * size..(track + 1) * size];
                        wide!(norm.rows(q, scratch));
                        &scratch[..]
                    }
                };
                wide!({
                    saved.norm2.rows(c, y);
                    for (y, &r) in y.iter_mut().zip(residual) {
                        let sum = *y + r;
                        *y = if sum < T::zero() { T::zero() } else { sum };
                    }
                });
            },
        );
        y.finish()
    }
}

/// A convolution's weight (kernel, out, in) as a map (out, kernel * in) of taps side by side.
pub fn side_by_side<T: Copy>(weight: &[T], kernel: usize, part: usize) -> Vec<T> {
    let at = |o: usize, k: usize, i: usize| weight[(k * part + o) * part + i];
    (0..part)
        .flat_map(|o| (0..kernel).flat_map(move |k| (0..part).map(move |i| (o, k, i))))
        .map(|(o, k, i)| at(o, k, i))
        .collect()
}

/// The inverse of [`side_by_side`].
pub fn tap_by_tap<T: Copy>(weight: &[T], kernel: usize, part: usize) -> Vec<T> {
    let at = |k: usize, o: usize, i: usize| weight[(o * kernel + k) * part + i];
    (0..kernel)
        .flat_map(|k| (0..part).flat_map(move |o| (0..part).map(move |i| (k, o, i))))
        .map(|(k, o, i)| at(k, o, i))
        .collect()
}
