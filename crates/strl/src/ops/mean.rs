//! The mean over a track.

use candle_core::{Result, Shape, Tensor};
use rayon::prelude::*;
use skeletonmae::ops::fresh::Fresh;
use skeletonmae::ops::{Kernel, Real, View, apply1, rows};

struct TrackMean;

/// The mean over frames and joints: (n, t, v, d) to (n, d).
///
/// # Errors
/// When x doesn't have four axes.
pub fn track_mean(x: &Tensor) -> Result<Tensor> {
    apply1(TrackMean, x)
}

impl Kernel<1> for TrackMean {
    const NAME: &'static str = "track_mean";

    fn forward<T: Real>(&self, [x]: [View<'_, T>; 1]) -> Result<(Vec<T>, Shape)> {
        let (n, t, v, d) = x.dims4()?;
        let factor = T::real(1.0 / (t * v) as f64);
        let mut out = vec![T::zero(); n * d];
        rows::fill_by(&mut out, d, 1, |track, out| {
            let rows = x
                .between(track * t * v, (track + 1) * t * v)
                .chunks_exact(d);
            rows.for_each(|row| rows::add(out, row));
            out.iter_mut().for_each(|sum| *sum *= factor);
        });
        Ok((out, (n, d).into()))
    }

    fn backward<T: Real>(
        &self,
        [x]: [View<'_, T>; 1],
        _: View<'_, T>,
        grad: View<'_, T>,
        _: [bool; 1],
    ) -> Result<[Option<Vec<T>>; 1]> {
        let (_, t, v, d) = x.dims4()?;
        let factor = T::real(1.0 / (t * v) as f64);
        let mut dx = Fresh::new(x.data.len());
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
