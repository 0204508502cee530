//! A linear map over the rows of x.

use candle_core::{Result, Tensor};

use crate::cpu;
use crate::plain::{add_bias, fused_on_cpu, linear_without_bias};

/// `x W^T + b`: x (.., `d_in`), `weight` (`d_out`, `d_in`), `bias` (`d_out`) or none, result (.., `d_out`).
///
/// # Errors
/// When the shapes don't fit.
pub fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    if fused_on_cpu(x) {
        let zeros = || Tensor::zeros(weight.dim(0)?, weight.dtype(), weight.device());
        let bias = bias.map_or_else(zeros, |bias| Ok(bias.clone()))?;
        cpu::kernel::apply3(cpu::linear::Linear, x, weight, &bias)
    } else {
        reference(x, weight, bias)
    }
}

/// The definition of [`linear`].
///
/// # Errors
/// When the shapes don't fit.
pub fn reference(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let y = linear_without_bias(x, weight)?;
    bias.map_or(Ok(y.clone()), |bias| add_bias(&y, bias))
}
