//! The re-weighted cosine error, paper section 3.2, RCE.

use candle_core::{Result, Tensor, bail};

use crate::cpu;
use crate::plain::{
    SMALLEST_NORM, as_rows, at_least_f32, fused_on_cpu, sum_of_all, sum_of_each_row,
};

/// `sum over the rows i of (1 - cos(y_i, x_i))^beta / denominator`, a scalar. `y` (the decoder's output) and `x` (the
/// embedded, unmasked feature) are (masked joints, d), or of more axes before
/// the last. The denominator is the number of masked joints of the whole batch,
/// so that micro-batches add up to the batch's mean.
///
/// # Errors
/// When the shapes don't fit.
pub fn reweighted_cosine_error(
    y: &Tensor,
    x: &Tensor,
    beta: f64,
    denominator: f64,
) -> Result<Tensor> {
    if fused_on_cpu(y) {
        cpu::kernel::apply2(cpu::rce::Rce { beta, denominator }, y, x)
    } else {
        reference(y, x, beta, denominator)
    }
}

/// The definition of [`reweighted_cosine_error`].
///
/// # Errors
/// When the shapes don't fit.
pub fn reference(y: &Tensor, x: &Tensor, beta: f64, denominator: f64) -> Result<Tensor> {
    if y.dims() != x.dims() {
        bail!(
            "reweighted_cosine_error: y {:?}, x {:?}",
            y.dims(),
            x.dims()
        );
    }
    let [y, x] = [y, x].map(|a| at_least_f32(&as_rows(a)?));
    let (y, x) = (y?, x?);
    let norm = |a: &Tensor| {
        sum_of_each_row(&a.sqr()?)?
            .maximum(SMALLEST_NORM * SMALLEST_NORM)?
            .sqrt()
    };
    let cos = (sum_of_each_row(&(&y * &x)?)? / (norm(&y)? * norm(&x)?)?)?; // (rows, 1)
    let error = (1.0 - cos)?.relu()?; // rounding may take a cosine above 1
    sum_of_all(&error.powf(beta)?)? / denominator
}
