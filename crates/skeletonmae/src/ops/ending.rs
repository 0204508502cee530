//! What ends a layer: BatchNorm and PReLU, after which joints may be summed up.

use std::sync::{Arc, OnceLock};

use candle_core::{Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::gin::pool;
use super::kernel::{Kernel, Real, View, apply2};
use super::norm::{Moments, Norm, Sums};
use super::rows::{each_of, frames_per_chunk, total};
use crate::wide;

struct NormPrelu {
    /// The factor of the sum over joints, where there is one.
    pool: Option<f64>,
    /// The statistics to go by where they aren't the batch's.
    given: Option<Moments>,
    used: Arc<OnceLock<Moments>>,
}

/// `PReLU(norm(z))` of z (n, t, v, d) by the batch's statistics, which are returned. `theta` holds the norm's
/// weight (d) and bias (d) and PReLU's slope (1). The result has z's shape; with a `pool`, it is that factor
/// times the sum over joints, (n, t, d).
///
/// # Errors
/// When the shapes don't fit.
pub fn norm_prelu(z: &Tensor, theta: &Tensor, pool: Option<f64>) -> Result<(Tensor, Moments)> {
    let used = Arc::new(OnceLock::new());
    let op = NormPrelu {
        pool,
        given: None,
        used: used.clone(),
    };
    let y = apply2(op, z, theta)?;
    match used.get() {
        Some(moments) => Ok((y, moments.clone())),
        None => bail!("norm_prelu: the forward pass gathered no statistics"),
    }
}

/// [`norm_prelu`] by given statistics, which are constants on the way back.
///
/// # Errors
/// When the shapes don't fit.
pub fn norm_prelu_fixed(
    z: &Tensor,
    theta: &Tensor,
    pool: Option<f64>,
    moments: Moments,
) -> Result<Tensor> {
    let op = NormPrelu {
        pool,
        given: Some(moments),
        used: Arc::default(),
    };
    apply2(op, z, theta)
}

impl NormPrelu {
    /// (v, d), having looked at all shapes.
    fn check<T>(&self, z: &View<'_, T>, theta: &View<'_, T>) -> Result<(usize, usize)> {
        let (_, _, v, d) = z.dims4()?;
        let given = self.given.as_ref().map_or(d, |given| given.mean.len());
        if theta.data.len() != 2 * d + 1 || given != d || z.data.is_empty() {
            let theta = theta.data.len();
            bail!(
                "norm_prelu: z {:?}, {theta} parameters, statistics of {given} features",
                z.dims
            );
        }
        Ok((v, d))
    }

    fn norm<T: Real>(&self, z: &View<'_, T>, theta: &[T], [v, d]: [usize; 2]) -> Norm<T> {
        let gather = || {
            let size = frames_per_chunk(v) * v * d;
            let sums = z.data.par_chunks(size).map(|z| wide!(Sums::of(z, d)));
            Moments::combine(&sums.collect::<Vec<_>>())
        };
        let moments = self
            .used
            .get_or_init(|| self.given.clone().unwrap_or_else(gather));
        Norm::new(moments, &theta[..d], &theta[d..2 * d])
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
        let Some(factor) = self.pool else {
            return &grad[frame * v * d..][..scratch.len()];
        };
        let factor = T::real(factor);
        let grad = &grad[frame * d..];
        for (frame, grad) in scratch.chunks_exact_mut(v * d).zip(grad.chunks_exact(d)) {
            for row in frame.chunks_exact_mut(d) {
                for i in 0..d {
                    row[i] = grad[i] * factor;
                }
            }
        }
        scratch
    }
}

impl Kernel<2> for NormPrelu {
    const NAME: &'static str = "norm_prelu";

    fn forward<T: Real>(&self, [z, theta]: [View<'_, T>; 2]) -> Result<(Vec<T>, Shape)> {
        let (v, d) = self.check(&z, &theta)?;
        let norm = self.norm(&z, theta.data, [v, d]);
        let (frames, slope) = (frames_per_chunk(v), theta.data[2 * d]);
        let Some(factor) = self.pool.map(T::real) else {
            let mut y = vec![T::zero(); z.data.len()];
            y.par_chunks_mut(frames * v * d)
                .zip(z.data.par_chunks(frames * v * d))
                .for_each(|(y, z)| wide!(norm.prelu(slope, z, y)));
            return Ok((y, z.dims.into()));
        };
        let mut y = vec![T::zero(); z.data.len() / v];
        y.par_chunks_mut(frames * d)
            .zip(z.data.par_chunks(frames * v * d))
            .for_each_init(
                || vec![T::zero(); frames * v * d],
                |scratch, (y, z)| {
                    let scratch = &mut scratch[..z.len()];
                    wide!({
                        norm.prelu(slope, z, scratch);
                        pool(scratch, y, v, d, factor);
                    });
                },
            );
        Ok((y, (z.dims[0], z.dims[1], d).into()))
    }

    fn backward<T: Real>(
        &self,
        [z, theta]: [View<'_, T>; 2],
        _: View<'_, T>,
        grad: View<'_, T>,
        _: [bool; 2],
    ) -> Result<[Option<Vec<T>>; 2]> {
        let (v, d) = self.check(&z, &theta)?;
        let norm = self.norm(&z, theta.data, [v, d]);
        let (frames, slope) = (frames_per_chunk(v), theta.data[2 * d]);
        let size = frames * v * d;
        let chunks = z.data.len().div_ceil(size);
        let chunk = |i: usize| &z.data[i * size..z.data.len().min((i + 1) * size)];
        let parts = each_of(chunks, |i| {
            let z = chunk(i);
            let mut scratch = vec![T::zero(); z.len()];
            wide!({
                let dy = self.grad(grad.data, i * frames, &mut scratch, [v, d]);
                norm.prelu_sums(slope, z, dy)
            })
        });
        // Of the slope feature by feature, of the bias, of the weight.
        let sums = total(3 * d, parts.iter().map(Vec::as_slice));
        let back = match &self.given {
            None => norm.back(&sums[d..], z.rows()),
            Some(_) => norm.back(&vec![0.0; 2 * d], z.rows()),
        };
        let mut dz = vec![T::zero(); z.data.len()];
        dz.par_chunks_mut(size).enumerate().for_each_init(
            || vec![T::zero(); size],
            |scratch, (i, dz)| {
                let scratch = &mut scratch[..dz.len()];
                wide!({
                    let dy = self.grad(grad.data, i * frames, scratch, [v, d]);
                    norm.prelu_back(slope, &back, dy, chunk(i), dz);
                });
            },
        );
        let of_norm = sums[2 * d..].iter().chain(&sums[d..2 * d]).copied();
        let of_slope = sums[..d].iter().sum::<f64>();
        let dtheta = of_norm.chain([of_slope]).map(T::real);
        Ok([Some(dz), Some(dtheta.collect())])
    }
}
