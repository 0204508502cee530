//! `BatchNorm` and PReLU, fused.

use std::ops::Range;

use candle_core::{Result, Shape, bail};
use rayon::prelude::*;

use crate::cpu::{
    ArgGradients, BackwardArgs, Kernel, Moments, Norm, Real, SideResult, Sums, View, chunks,
    repeat_joints, sum_joints,
};
use crate::params::{Activation, Affine, flatten, unpack};
use crate::wide;

/// Of z and the packed parameters.
pub struct NormPrelu {
    /// Where the parameters lie.
    pub places: Activation<Range<usize>>,
    /// The factor of the sum over joints, where there is one.
    pub pooled: Option<f64>,
    /// The statistics to go by where they aren't the batch's.
    pub given: Option<Moments>,
    /// The statistics gone by.
    pub used: SideResult<Vec<Moments>>,
}

impl NormPrelu {
    /// (v, d), having looked at z.
    fn check<T>(&self, z: &View<'_, T>) -> Result<(usize, usize)> {
        let (_, _, v, d) = z.dims4()?;
        let given = self.given.as_ref().map_or(d, |given| given.mean.len());
        if self.places.norm.weight.len() != d || given != d || z.data.is_empty() {
            let weight = self.places.norm.weight.len();
            bail!(
                "norm_prelu: z {:?}, a norm of {weight} features, statistics of {given}",
                z.dims
            );
        }
        Ok((v, d))
    }

    fn norm<T: Real>(&self, z: &View<'_, T>, affine: &Affine<&[T]>, size: usize) -> Norm<T> {
        let gather = || {
            let sums = z.data.par_chunks(size);
            let sums = sums.map(|chunk| wide!(Sums::of(chunk, z.width())));
            Moments::combine(&sums.collect::<Vec<_>>())
        };
        let moments = || vec![self.given.clone().unwrap_or_else(gather)];
        let moments = &self.used.get_or_init(moments)[0];
        Norm::new(moments, affine)
    }

    /// The gradient of some rows of PReLU's result, from frame `frame` on, made in `scratch` where it isn't
    /// `grad` itself.
    #[inline(always)]
    fn grad<'a, T: Real>(
        &self,
        grad: &'a [T],
        frame: usize,
        scratch: &'a mut [T],
        [v, d]: [usize; 2],
    ) -> &'a [T] {
        let Some(factor) = self.pooled else {
            return &grad[frame * v * d..][..scratch.len()];
        };
        repeat_joints(&grad[frame * d..], scratch, v, d, T::real(factor));
        scratch
    }
}

impl Kernel<2> for NormPrelu {
    const NAME: &'static str = "norm_prelu";

    fn forward<T: Real>(&self, [z, theta]: [View<'_, T>; 2]) -> Result<(Vec<T>, Shape)> {
        let (v, d) = self.check(&z)?;
        let p = unpack(&self.places, theta.data);
        let (frames, slope) = (chunks::frames_per_chunk(v), p.slope[0]);
        let size = frames * v * d;
        let norm = self.norm(&z, &p.norm, size);
        let Some(factor) = self.pooled.map(T::real) else {
            let mut y = vec![T::zero(); z.data.len()];
            y.par_chunks_mut(size)
                .zip(z.data.par_chunks(size))
                .for_each(|(y, z)| wide!(norm.prelu(slope, z, y)));
            return Ok((y, z.dims.into()));
        };
        let mut y = vec![T::zero(); z.data.len() / v];
        y.par_chunks_mut(frames * d)
            .zip(z.data.par_chunks(size))
            .for_each_init(
                || vec![T::zero(); size],
                |scratch, (y, z)| {
                    let scratch = &mut scratch[..z.len()];
                    wide!({
                        norm.prelu(slope, z, scratch);
                        sum_joints(scratch, y, v, d, factor);
                    });
                },
            );
        Ok((y, (z.dims[0], z.dims[1], d).into()))
    }

    fn backward<T: Real>(&self, given: BackwardArgs<'_, T, 2>) -> ArgGradients<T, 2> {
        let ([z, theta], grad) = (given.args, given.grad);
        let (v, d) = self.check(&z)?;
        let p = unpack(&self.places, theta.data);
        let (frames, slope) = (chunks::frames_per_chunk(v), p.slope[0]);
        let size = frames * v * d;
        let norm = self.norm(&z, &p.norm, size);
        let chunks = z.data.len().div_ceil(size);
        let chunk = |i: usize| &z.data[i * size..z.data.len().min((i + 1) * size)];
        let parts = chunks::each_of(chunks, |i| {
            let z = chunk(i);
            let mut scratch = vec![T::zero(); z.len()];
            wide!({
                let dy = self.grad(grad.data, i * frames, &mut scratch, [v, d]);
                norm.prelu_sums(slope, z, dy)
            })
        });
        // Of the slope feature by feature, of the bias, of the weight.
        let sums = chunks::total(&parts);
        let own = self.given.is_none().then_some(&sums[d..]);
        let backward = norm.backward(own, z.rows());
        let mut dz = vec![T::zero(); z.data.len()];
        dz.par_chunks_mut(size).enumerate().for_each_init(
            || vec![T::zero(); size],
            |scratch, (i, dz)| {
                let scratch = &mut scratch[..dz.len()];
                wide!({
                    let dy = self.grad(grad.data, i * frames, scratch, [v, d]);
                    norm.prelu_backward(slope, &backward, dy, chunk(i), dz);
                });
            },
        );
        Ok([Some(dz), Some(flatten(&activation_gradients(&sums)))])
    }
}

/// The gradients of a norm and PReLU from the sums of [`Norm::prelu_sums`], (3, d).
pub fn activation_gradients<T: Real>(sums: &[f64]) -> Activation<Vec<T>> {
    let d = sums.len() / 3;
    Activation {
        norm: norm_gradients(&sums[d..]),
        slope: vec![T::real(sums[..d].iter().sum())],
    }
}

/// The gradients of a norm's parameters from the sums of (g, g z^), (2, d).
pub fn norm_gradients<T: Real>(sums: &[f64]) -> Affine<Vec<T>> {
    let (of_g, of_gz) = sums.split_at(sums.len() / 2);
    Affine {
        weight: chunks::reals(of_gz),
        bias: chunks::reals(of_g),
    }
}
