//! A linear map over the rows of x.

use candle_core::{Result, Tensor};

use crate::cpu;
use crate::plain::{add_bias, fused_on_cpu, linear_without_bias};

/// `x W^T + b`: x (.., `d_in`), `weight` (`d_out`, `d_in`), `bias` (`d_out`), result (.., `d_out`).
///
/// # Errors
/// When the shapes don't fit.
pub fn linear(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    if fused_on_cpu(x) {
        cpu::kernel::apply3(cpu::linear::Linear, x, weight, bias)
    } else {
        reference(x, weight, bias)
    }
}

/// The definition of [`linear`].
///
/// # Errors
/// When the shapes don't fit.
pub fn reference(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    add_bias(&linear_without_bias(x, weight)?, bias)
}
