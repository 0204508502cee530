//! Multi-scale pooling over time, as in CTR-GCN and MS-G3D: the temporal half of a layer.

use candle_core::{Result, Tensor};

use crate::branches::{Branches, Window};
use crate::cpu;
use crate::params::{TemporalWeights, check};
use crate::plain::{fused_on_cpu, linear_without_bias};
use crate::stats::{BatchStats, Norms, Stats};

/// `ReLU(norm(branches(x)) + residual(x))`: x (n, t, v, d), result (n, t / stride rounded up, v, d). All branches but the
/// point start with a map, a norm and ReLU; then each has its convolution over time, or the maximum of three frames; the
/// point is a map of every `stride`-th frame. The residual is the input, or, for a stride above 1, a map and a norm.
///
/// With the batch's statistics where it went by them: behind the first maps, behind the branches, behind the residual's
/// map if there is one, each over the features side by side. By running statistics it goes through its definition:
/// inference has a form of its own, [`infer`](crate::infer).
///
/// # Errors
/// When the shapes don't fit.
pub fn temporal(
    x: &Tensor,
    parameters: &TemporalWeights<Tensor>,
    branches: &Branches,
    stats: Stats<'_>,
) -> Result<(Tensor, Vec<BatchStats>)> {
    branches.check(x.dims())?;
    check(
        "temporal",
        parameters,
        &TemporalWeights::shapes(branches, x.dim(3)?),
    )?;
    match stats {
        Stats::Batch if fused_on_cpu(x) => cpu::temporal::apply(x, parameters, branches),
        _ => reference(x, parameters, branches, stats),
    }
}

/// The definition of [`temporal()`].
///
/// # Errors
/// When the shapes don't fit.
pub fn reference(
    x: &Tensor,
    parameters: &TemporalWeights<Tensor>,
    branches: &Branches,
    stats: Stats<'_>,
) -> Result<(Tensor, Vec<BatchStats>)> {
    let part = branches.part(x.dim(3)?);
    let mut norms = Norms::new(stats);
    let z = linear_without_bias(x, &parameters.reduce.weight)?; // (n, t, v, reduced)
    let a = norms.apply(&z, &parameters.reduce.norm)?.relu()?;
    let mut outputs = Vec::with_capacity(branches.count());
    for (i, (window, weight)) in branches
        .convolutions()
        .zip(&parameters.convolutions)
        .enumerate()
    {
        let taps = Tensor::cat(&taps(&a.narrow(3, i * part, part)?, window)?, 3)?; // (n, t', v, kernel part)
        let weight = weight.transpose(0, 1)?.contiguous()?; // (part, kernel, part)
        outputs.push(linear_without_bias(
            &taps,
            &weight.reshape((part, window.kernel * part))?,
        )?);
    }
    // Behind ReLU nothing is below the zeros outside the track.
    let own = a.narrow(3, branches.dilations.len() * part, part)?;
    let taps_of_pool = taps(&own, branches.max_pool())?.into_iter().map(Ok);
    let largest = taps_of_pool.reduce(|a: Result<Tensor>, b| a?.maximum(&b?));
    outputs.push(largest.unwrap_or(Ok(own))?);
    let seen = every(x, branches.stride)?; // (n, t', v, d)
    outputs.push(linear_without_bias(&seen, &parameters.point)?);
    let y = norms.apply(&Tensor::cat(&outputs, 3)?, &parameters.norm)?;
    let residual = match &parameters.residual {
        None => x.clone(),
        Some(residual) => norms.apply(
            &linear_without_bias(&seen, &residual.weight)?,
            &residual.norm,
        )?,
    };
    Ok(((y + residual)?.relu()?, norms.gathered))
}

/// For each tap of the window the frames of x (n, t, v, d) it reads, (n, t', v, d) each, zeros outside the track.
fn taps(x: &Tensor, window: Window) -> Result<Vec<Tensor>> {
    let t = x.dim(1)?;
    let span = window.frames(t) * window.stride; // frames of all windows' first taps
    let last = (window.kernel - 1) * window.dilation;
    let behind = (span + last).saturating_sub(window.padding() + t);
    let padded = x.pad_with_zeros(1, window.padding(), behind)?;
    let tap = |k: usize| every(&padded.narrow(1, k * window.dilation, span)?, window.stride);
    (0..window.kernel).map(tap).collect()
}

/// Every `stride`-th frame of x (n, t, v, d), from the first.
fn every(x: &Tensor, stride: usize) -> Result<Tensor> {
    if stride == 1 {
        return Ok(x.clone());
    }
    let (n, t, v, d) = x.dims4()?;
    let frames = t.div_ceil(stride);
    let x = x.pad_with_zeros(1, 0, frames * stride - t)?.contiguous()?;
    let x = x.reshape((n, frames, stride, v * d))?.narrow(2, 0, 1)?;
    x.contiguous()?.reshape((n, frames, v, d))
}
