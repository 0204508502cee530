//! Equations 3 and 4, paper section 3.3, behind the encoder.

use std::sync::Arc;

use candle_core::{Result, Tensor, bail};

use crate::cpu;
use crate::graph::JointMatrix;
use crate::params::{SpatialWeights, check};
use crate::plain::{fused_on_cpu, in_each_frame, linear_without_bias};
use crate::stats::{BatchStats, Norms, Stats};

/// `ReLU(norm(A_norm (h + Repeat_N(p)) W^T) + norm(h R^T))`: h and the result are (n, t, v, d), p, the pooled codes, is
/// (n, t, d), `a_norm` (v, v). With the batch's statistics where it went by them: of the norm behind W, then of R's.
///
/// By running statistics it goes through its definition: inference has a form of its own, [`infer`](crate::infer).
///
/// # Errors
/// When the shapes don't fit.
pub fn spatial(
    h: &Tensor,
    p: &Tensor,
    parameters: &SpatialWeights<Tensor>,
    a_norm: &Arc<JointMatrix>,
    stats: Stats<'_>,
) -> Result<(Tensor, Vec<BatchStats>)> {
    let (n, t, v, d) = h.dims4()?;
    if v != a_norm.joints() || p.dims() != [n, t, d] || n * t * v * d == 0 {
        let joints = a_norm.joints();
        bail!(
            "spatial: h {:?}, p {:?}, {joints} joints",
            h.dims(),
            p.dims()
        );
    }
    check("spatial", parameters, &SpatialWeights::shapes(d))?;
    match stats {
        Stats::Batch if fused_on_cpu(h) => cpu::spatial::apply(h, p, parameters, a_norm),
        _ => reference(h, p, parameters, a_norm, stats),
    }
}

/// The definition of [`spatial()`].
///
/// # Errors
/// When the shapes don't fit.
pub fn reference(
    h: &Tensor,
    p: &Tensor,
    parameters: &SpatialWeights<Tensor>,
    a_norm: &JointMatrix,
    stats: Stats<'_>,
) -> Result<(Tensor, Vec<BatchStats>)> {
    let SpatialWeights { w, residual } = parameters;
    let mut norms = Norms::new(stats);
    let everywhere = Tensor::ones((h.dim(2)?, 1), h.dtype(), h.device())?;
    let sm = (h + in_each_frame(&everywhere, &p.unsqueeze(2)?)?)?; // SM(H) = Repeat_N(p) + H      (eq. 3)
    let mixed = linear_without_bias(&in_each_frame(&a_norm.dense(h)?, &sm)?, &w.weight)?; // A_norm SM(H) W       (eq. 4)
    let y = norms.apply(&mixed, &w.norm)?;
    let y =
        (y + norms.apply(&linear_without_bias(h, &residual.weight)?, &residual.norm)?)?.relu()?;
    Ok((y, norms.gathered))
}
