//! Attention over a joint's neighbours and itself (P. Velickovic et al., Graph Attention Networks, ICLR 2018,
//! arXiv 1710.10903, equations 3, 4 and 5).

use std::sync::Arc;

use candle_core::{D, Result, Tensor};

use crate::cpu;
use crate::graph::{Attention, SLOPE};
use crate::plain::{
    at_least_f32, fused_on_cpu, linear_without_bias, repeat_column, sum_of_each_row,
};

/// `y_i = sum over j of alpha_ij u_j`, head by head, `alpha_ij` = softmax over j of LeakyReLU(`a_to` `u_i` + `a_from`
/// `u_j`), j the joint i and its neighbours. u and y are (n, t, v, d), their features the heads' side by side; `a` (2, d)
/// holds `a_to` and `a_from` of all heads.
///
/// # Errors
/// When the shapes don't fit.
pub fn attend(u: &Tensor, a: &Tensor, attention: &Arc<Attention>) -> Result<Tensor> {
    if fused_on_cpu(u) {
        cpu::kernel::apply2(cpu::attention::Attend::new(attention), u, a)
    } else {
        reference(u, a, attention)
    }
}

/// The definition of [`attend`], dense over (v, v): who isn't a neighbour has a score that the softmax makes nothing of.
///
/// # Errors
/// When the shapes don't fit.
pub fn reference(u: &Tensor, a: &Tensor, attention: &Attention) -> Result<Tensor> {
    let (n, t, v, d) = u.dims4()?;
    let heads = attention.heads;
    let frames = n * t * heads;
    let u = u.reshape((n * t, v, heads, d / heads))?;
    let u = u.transpose(1, 2)?.contiguous()?; // (n t, heads, v, part)
    // Both scores of each joint and head, (n t heads, 2 v): a_to u_i, then a_from u_j.
    let a = a.reshape((2, heads, 1, d / heads))?;
    let score = |side: usize| {
        let a = a.get(side)?; // (heads, 1, part)
        let of_heads = (0..heads).map(|h| linear_without_bias(&u.narrow(1, h, 1)?, &a.get(h)?)); // (n t, 1, v, 1) each
        Tensor::cat(&of_heads.collect::<Result<Vec<_>>>()?, 1)?.reshape((frames, v))
    };
    let always = Tensor::ones((frames, 1), u.dtype(), u.device())?;
    let scores = at_least_f32(&Tensor::cat(&[&score(0)?, &score(1)?, &always], 1)?)?; // (frames, 2 v + 1)
    let e = scores
        .matmul(&attention.pairs(&scores)?)?
        .reshape((frames * v, v))?; // of joint i to all j
    let e = (e.relu()? - (e.neg()?.relu()? * SLOPE)?)?;
    let largest = e.max_keepdim(D::Minus1)?.detach();
    let e = (e - repeat_column(&largest, v)?)?.exp()?;
    let alpha = (&e / repeat_column(&sum_of_each_row(&e)?, v)?)?.reshape((frames, v, v))?;
    let y = alpha
        .to_dtype(u.dtype())?
        .matmul(&u.reshape((frames, v, d / heads))?)?;
    let y = y.reshape((n * t, heads, v, d / heads))?.transpose(1, 2)?;
    y.contiguous()?.reshape((n, t, v, d))
}
