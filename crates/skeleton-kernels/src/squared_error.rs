//! The mean squared error, with which Table 5's loss is compared.

use candle_core::{Result, Tensor, bail};

use crate::plain::{as_rows, at_least_f32, sum_of_all};

/// `sum over the rows i of |y_i - x_i|^2 / d / denominator`, a scalar: `y` (the decoder's output) and `x` (the target) are
/// (masked joints, d). The denominator is that of [`reweighted_cosine_error`](crate::reweighted_cosine_error). It has no
/// fused form.
///
/// # Errors
/// When the shapes don't fit.
pub fn mean_squared_error(y: &Tensor, x: &Tensor, denominator: f64) -> Result<Tensor> {
    if y.dims() != x.dims() {
        bail!("mean_squared_error: y {:?}, x {:?}", y.dims(), x.dims());
    }
    let difference = as_rows(&(at_least_f32(y)? - at_least_f32(x)?)?)?;
    sum_of_all(&difference.sqr()?)? / (difference.dim(1)? as f64 * denominator)
}
