//! The embedding with the temporal position embedding, section 3.3.

use candle_core::{Result, Tensor};

use crate::cpu;
use crate::params::{Embedding, check, pack};
use crate::plain::{add_bias, fused_on_cpu, in_each_frame, linear_without_bias, repeat_row};

/// `s W^T + b + P_t` at every joint of frame t: s (n, t, v, c), result (n, t, v, d). No gradient flows into s.
///
/// # Errors
/// When the shapes don't fit.
pub fn embed(s: &Tensor, parameters: &Embedding<Tensor>) -> Result<Tensor> {
    let (_, t, _, c) = s.dims4()?;
    let d = parameters.bias.elem_count();
    check("embed", parameters, &Embedding::shapes(c, d, t))?;
    if fused_on_cpu(s) {
        let (theta, places) = pack(parameters)?;
        cpu::kernel::apply2(cpu::embed::Embed(places), &s.detach(), &theta)
    } else {
        reference(s, parameters)
    }
}

/// The definition of [`embed`].
///
/// # Errors
/// When the shapes don't fit.
pub fn reference(s: &Tensor, parameters: &Embedding<Tensor>) -> Result<Tensor> {
    let (n, t, v, _) = s.dims4()?;
    let h = add_bias(
        &linear_without_bias(&s.detach(), &parameters.weight)?,
        &parameters.bias,
    )?; // (n, t, v, d)
    // P_t at every joint of frame t, (1, t, v, d), then in every track.
    let d = parameters.bias.dim(0)?;
    let everywhere = Tensor::ones((v, 1), s.dtype(), s.device())?;
    let p = parameters.position.to_dtype(s.dtype())?;
    let p = in_each_frame(&everywhere, &p.reshape((1, t, 1, d))?)?;
    let p = repeat_row(&p.flatten_all()?, n)?;
    h + p.reshape((n, t, v, d))?
}
