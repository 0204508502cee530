//! The mean over a track.

use candle_core::{Result, Tensor};

use crate::cpu;
use crate::plain::{at_least_f32, fused_on_cpu, sum_of_joints};

/// The mean over frames and joints: (n, t, v, d) to (n, d), `f32` where x has 16 bits.
///
/// # Errors
/// When x doesn't have four axes.
pub fn track_mean(x: &Tensor) -> Result<Tensor> {
    if fused_on_cpu(x) {
        cpu::kernel::apply1(cpu::track_mean::TrackMean, x)
    } else {
        reference(x)
    }
}

/// The definition of [`track_mean`].
///
/// # Errors
/// When x doesn't have four axes.
pub fn reference(x: &Tensor) -> Result<Tensor> {
    let (n, t, v, d) = x.dims4()?;
    let x = at_least_f32(x)?.contiguous()?.reshape((n, 1, t * v, d))?;
    (sum_of_joints(&x)? / (t * v) as f64)?.squeeze(1)
}
