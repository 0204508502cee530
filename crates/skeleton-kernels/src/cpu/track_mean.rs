//! The mean over a track, fused.

use candle_core::{Result, Shape};
use rayon::prelude::*;

use crate::cpu::{ArgGradients, BackwardArgs, Kernel, Real, Uninit, View, chunks};

/// Of x (n, t, v, d).
pub struct TrackMean;

impl Kernel<1> for TrackMean {
    const NAME: &'static str = "track_mean";

    fn forward<T: Real>(&self, [x]: [View<'_, T>; 1]) -> Result<(Vec<T>, Shape)> {
        let (n, t, v, d) = x.dims4()?;
        let factor = T::real(1.0 / (t * v) as f64);
        let mut out = vec![T::zero(); n * d];
        chunks::fill_by(&mut out, d, 1, |track, out| {
            let rows = x
                .between(track * t * v, (track + 1) * t * v)
                .chunks_exact(d);
            rows.for_each(|row| chunks::add(out, row));
            out.iter_mut().for_each(|sum| *sum *= factor);
        });
        Ok((out, (n, d).into()))
    }

    fn backward<T: Real>(&self, given: BackwardArgs<'_, T, 1>) -> ArgGradients<T, 1> {
        let ([x], grad) = (given.args, given.grad);
        let (_, t, v, d) = x.dims4()?;
        let factor = T::real(1.0 / (t * v) as f64);
        let mut dx = Uninit::new(x.data.len());
        dx.chunks(t * v * d).enumerate().for_each(|(track, dx)| {
            let g: Vec<T> = grad
                .between(track, track + 1)
                .iter()
                .map(|&g| g * factor)
                .collect();
            dx.chunks_exact_mut(d)
                .for_each(|row| row.copy_from_slice(&g));
        });
        Ok([Some(dx.finish())])
    }
}
