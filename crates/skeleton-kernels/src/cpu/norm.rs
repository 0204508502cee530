//! Batch normalisation, in the pieces that fused kernels are made of: sums gathered while a chunk is
//! written, the affine map they lead to, and the affine map of the backward pass.
//!
//! A bias in front of a normalisation cancels and is left out in training (its gradient is zero); it
//! moves the running mean.

use crate::cpu::matrix::{columns, lanes, lanes_mut};
use crate::cpu::moments::Moments;
use crate::cpu::real::Real;
use crate::params::Affine;
use crate::stats::EPSILON;

/// `y = z scale + shift`: the normalisation with its learned weight and bias.
#[derive(Clone, Debug)]
pub struct Norm<T> {
    /// `weight / sqrt(variance + eps)`, (d).
    pub scale: Vec<T>,
    /// `bias - mean scale`, (d).
    pub shift: Vec<T>,
    mean: Vec<T>,
    inverse: Vec<T>,
}

impl<T: Real> Norm<T> {
    /// By these statistics.
    pub fn new(moments: &Moments, affine: &Affine<&[T]>) -> Self {
        let Affine { weight, bias } = affine;
        let real = |values: &mut dyn Iterator<Item = f64>| values.map(T::real).collect::<Vec<T>>();
        let inverse = || moments.variance.iter().map(|v| 1.0 / (v + EPSILON).sqrt());
        let scale: Vec<f64> = inverse()
            .zip(*weight)
            .map(|(i, w)| i * w.double())
            .collect();
        let shift = bias.iter().zip(&moments.mean).zip(&scale);
        Self {
            shift: real(&mut shift.map(|((b, m), s)| b.double() - m * s)),
            scale: real(&mut scale.iter().copied()),
            mean: real(&mut moments.mean.iter().copied()),
            inverse: real(&mut inverse()),
        }
    }

    /// d, features.
    pub fn width(&self) -> usize {
        self.scale.len()
    }

    /// `out = max(z scale + shift, 0)`; NaN stays NaN.
    #[inline(always)]
    pub fn relu(&self, z: &[T], out: &mut [T]) {
        self.prelu(T::zero(), z, out);
    }

    /// `out = z scale + shift`.
    #[inline(always)]
    pub fn rows(&self, z: &[T], out: &mut [T]) {
        self.prelu(T::one(), z, out);
    }

    /// `out = PReLU(z scale + shift)`.
    #[inline(always)]
    pub fn prelu(&self, slope: T, z: &[T], out: &mut [T]) {
        let d = self.width();
        let (scale, shift) = (&self.scale[..d], &self.shift[..d]);
        for (out, z) in out.chunks_exact_mut(d).zip(z.chunks_exact(d)) {
            for i in 0..d {
                let y = z[i] * scale[i] + shift[i];
                out[i] = y * if y < T::zero() { slope } else { T::one() };
            }
        }
    }

    /// Stops the gradients g of rows where `a`, behind ReLU, is nothing, and adds up (g, g z^), z^ the
    /// normalised z, into `sums` (2, d).
    #[inline(always)]
    pub fn relu_sums(&self, g: &mut [T], a: &[T], z: &[T], sums: &mut [T]) {
        columns!(self.width(), relu_sums(self, g, a, z, sums));
    }

    /// Sums over rows whose gradient behind PReLU is `dy`, (3, d): of the slope, feature by feature, and
    /// of (g, g z^), g the gradient behind the norm.
    #[inline(always)]
    pub fn prelu_sums(&self, slope: T, z: &[T], dy: &[T]) -> Vec<T> {
        let mut sums = vec![T::zero(); 3 * self.width()];
        columns!(self.width(), prelu_sums(self, slope, z, dy, &mut sums));
        sums
    }

    /// dz of rows whose gradient behind PReLU is `dy`.
    #[inline(always)]
    pub fn prelu_backward(
        &self,
        slope: T,
        backward: &NormBackward<T>,
        dy: &[T],
        z: &[T],
        out: &mut [T],
    ) {
        let d = self.width();
        let (scale, shift) = (&self.scale[..d], &self.shift[..d]);
        let (of_g, of_z, constant) = backward.slices(d);
        let rows = out.chunks_exact_mut(d).zip(dy.chunks_exact(d));
        for ((out, dy), z) in rows.zip(z.chunks_exact(d)) {
            for i in 0..d {
                let below = z[i] * scale[i] + shift[i] < T::zero();
                let g = dy[i] * if below { slope } else { T::one() };
                out[i] = g * of_g[i] + z[i] * of_z[i] + constant[i];
            }
        }
    }

    /// The backward pass of the normalisation of `rows` rows by their own statistics, whose sums of (g, g z^) these
    /// are: `dz = scale (g - mean(g) - z^ mean(g z^))`, written as an affine map of g and z. Without sums the statistics
    /// were given, and are constants: `dz = scale g`.
    pub fn backward(&self, sums: Option<&[f64]>, rows: usize) -> NormBackward<T> {
        let d = self.width();
        let zeros = vec![0.0; 2 * d];
        let sums = sums.unwrap_or(&zeros);
        let mut backward = NormBackward {
            of_g: self.scale.clone(),
            of_z: Vec::with_capacity(d),
            constant: Vec::with_capacity(d),
        };
        for i in 0..d {
            let (scale, inverse) = (self.scale[i].double(), self.inverse[i].double());
            let of_z = -scale * inverse * sums[d + i] / rows as f64;
            let constant = -scale * sums[i] / rows as f64 - of_z * self.mean[i].double();
            backward.of_z.push(T::real(of_z));
            backward.constant.push(T::real(constant));
        }
        backward
    }
}

/// `dz = of_g g + of_z z + constant`, feature by feature.
#[derive(Clone, Debug)]
pub struct NormBackward<T> {
    of_g: Vec<T>,
    of_z: Vec<T>,
    constant: Vec<T>,
}

impl<T: Real> NormBackward<T> {
    /// The three vectors, of d numbers each.
    #[inline(always)]
    fn slices(&self, d: usize) -> (&[T], &[T], &[T]) {
        (&self.of_g[..d], &self.of_z[..d], &self.constant[..d])
    }

    /// dz of rows.
    #[inline(always)]
    pub fn rows(&self, g: &[T], z: &[T], out: &mut [T]) {
        let d = self.of_g.len();
        let (of_g, of_z, constant) = self.slices(d);
        let rows = out.chunks_exact_mut(d).zip(g.chunks_exact(d));
        for ((out, g), z) in rows.zip(z.chunks_exact(d)) {
            for i in 0..d {
                out[i] = g[i] * of_g[i] + z[i] * of_z[i] + constant[i];
            }
        }
    }
}

#[inline(always)]
fn relu_sums<T: Real, const W: usize>(
    at: usize,
    d: usize,
    norm: &Norm<T>,
    g: &mut [T],
    a: &[T],
    z: &[T],
    sums: &mut [T],
) {
    let mean = *lanes::<T, W>(&norm.mean, at);
    let inverse = *lanes::<T, W>(&norm.inverse, at);
    let (mut of_g, mut of_gz) = ([T::zero(); W], [T::zero(); W]);
    let rows = g.chunks_exact_mut(d).zip(a.chunks_exact(d));
    for ((g, a), z) in rows.zip(z.chunks_exact(d)) {
        let (a, z) = (lanes::<T, W>(a, at), lanes::<T, W>(z, at));
        let g = lanes_mut::<T, W>(g, at);
        for i in 0..W {
            let passed = if a[i] > T::zero() { g[i] } else { T::zero() };
            g[i] = passed;
            of_g[i] += passed;
            of_gz[i] += passed * ((z[i] - mean[i]) * inverse[i]);
        }
    }
    add(sums, at, &of_g);
    add(sums, d + at, &of_gz);
}

#[inline(always)]
fn prelu_sums<T: Real, const W: usize>(
    at: usize,
    d: usize,
    norm: &Norm<T>,
    slope: T,
    z: &[T],
    dy: &[T],
    sums: &mut [T],
) {
    let scale = *lanes::<T, W>(&norm.scale, at);
    let shift = *lanes::<T, W>(&norm.shift, at);
    let mean = *lanes::<T, W>(&norm.mean, at);
    let inverse = *lanes::<T, W>(&norm.inverse, at);
    let mut of_slope = [T::zero(); W];
    let (mut of_g, mut of_gz) = ([T::zero(); W], [T::zero(); W]);
    for (z, dy) in z.chunks_exact(d).zip(dy.chunks_exact(d)) {
        let (z, dy) = (lanes::<T, W>(z, at), lanes::<T, W>(dy, at));
        for i in 0..W {
            let y = z[i] * scale[i] + shift[i];
            let below = y < T::zero();
            of_slope[i] += dy[i] * if below { y } else { T::zero() };
            let g = dy[i] * if below { slope } else { T::one() };
            of_g[i] += g;
            of_gz[i] += g * ((z[i] - mean[i]) * inverse[i]);
        }
    }
    add(sums, at, &of_slope);
    add(sums, d + at, &of_g);
    add(sums, 2 * d + at, &of_gz);
}

#[inline(always)]
fn add<T: Real, const W: usize>(sums: &mut [T], at: usize, part: &[T; W]) {
    let sums = lanes_mut::<T, W>(sums, at);
    for i in 0..W {
        sums[i] += part[i];
    }
}
