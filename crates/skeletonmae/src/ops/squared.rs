//! The mean squared error, with which Table 5's loss is compared.

use candle_core::{Result, Shape, Tensor, bail};

use super::kernel::{Kernel, Real, View, apply2};
use super::rows;

struct Mse {
    denominator: f64,
}

/// `sum over the rows i of |y_i - x_i|^2 / d / denominator`, a scalar: `y` (the decoder's output) and `x`
/// (the target) are (masked joints, d). The denominator is that of
/// [`reweighted_cosine_error`](super::reweighted_cosine_error).
///
/// # Errors
/// When the shapes don't fit.
pub fn mean_squared_error(y: &Tensor, x: &Tensor, denominator: f64) -> Result<Tensor> {
    apply2(Mse { denominator }, y, x)
}

impl Kernel<2> for Mse {
    const NAME: &'static str = "mean_squared_error";

    fn forward<T: Real>(&self, [y, x]: [View<'_, T>; 2]) -> Result<(Vec<T>, Shape)> {
        if y.dims != x.dims {
            bail!("mean_squared_error: y {:?}, x {:?}", y.dims, x.dims);
        }
        let sums = rows::each(y.rows(), |from, to| {
            let pairs = y.between(from, to).iter().zip(x.between(from, to));
            pairs.map(|(&y, &x)| (y - x).double().powi(2)).sum::<f64>()
        });
        let sum = sums.iter().sum::<f64>();
        let mean = sum / y.width() as f64 / self.denominator;
        Ok((vec![T::real(mean)], Shape::from(())))
    }

    fn backward<T: Real>(
        &self,
        [y, x]: [View<'_, T>; 2],
        _: View<'_, T>,
        grad: View<'_, T>,
        wanted: [bool; 2],
    ) -> Result<[Option<Vec<T>>; 2]> {
        let factor = 2.0 * grad.data[0].double() / y.width() as f64 / self.denominator;
        let towards = |factor: f64| {
            let pairs = y.data.iter().zip(x.data);
            pairs.map(|(&y, &x)| T::real(factor) * (y - x)).collect()
        };
        Ok([
            wanted[0].then(|| towards(factor)),
            wanted[1].then(|| towards(-factor)),
        ])
    }
}
