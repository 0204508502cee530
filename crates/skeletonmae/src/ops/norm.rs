//! Batch normalisation over rows, with the activation that follows it.
//!
//! Candle's own (a chain of broadcasts and reductions, each differentiated on its own) takes most of
//! a step; here it is two passes forward and two back.

use std::sync::{Arc, OnceLock};

use candle_core::{Result, Shape, Tensor, bail};

use super::kernel::{Kernel, Real, View, apply3};
use super::rows;

/// Added to the variance, as in PyTorch's `BatchNorm`.
pub const EPSILON: f64 = 1e-5;

/// What follows the normalisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    None,
    /// `max(y, 0)`.
    Relu,
}

/// Per-feature statistics of a batch of rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    /// Rows they were gathered over.
    pub rows: usize,
    /// Means, (d).
    pub mean: Vec<f64>,
    /// Biased variances, (d).
    pub variance: Vec<f64>,
}

struct Norm {
    activation: Activation,
    /// Given: normalise by these (inference). Empty: by the batch's own, kept here for backward.
    moments: Arc<OnceLock<Moments>>,
    training: bool,
}

/// Normalises the rows of x (.., d) by their own statistics, which are returned; then scales by
/// `weight` (d), shifts by `bias` (d) and applies the activation.
///
/// # Errors
/// When the shapes don't fit.
pub fn batch_norm(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    activation: Activation,
) -> Result<(Tensor, Moments)> {
    let moments = Arc::new(OnceLock::new());
    let norm = Norm {
        activation,
        moments: moments.clone(),
        training: true,
    };
    let y = apply3(norm, x, weight, bias)?;
    match moments.get() {
        Some(moments) => Ok((y, moments.clone())),
        None => bail!("batch_norm: the forward pass gathered no statistics"),
    }
}

/// [`batch_norm`] by given statistics, as in inference.
///
/// # Errors
/// When the shapes don't fit.
pub fn fixed_norm(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    moments: Moments,
    activation: Activation,
) -> Result<Tensor> {
    let moments = Arc::new(OnceLock::from(moments));
    apply3(
        Norm {
            activation,
            moments,
            training: false,
        },
        x,
        weight,
        bias,
    )
}

/// Means and biased variances of the columns, each in a pass of its own over the rows: the two-pass
/// variance doesn't cancel.
fn moments<T: Real>(x: &View<'_, T>) -> Moments {
    let (n, d) = (x.rows(), x.width());
    let column_sums = |f: &(dyn Fn(&mut [T], &[T]) + Sync)| -> Vec<f64> {
        let chunks = rows::each(n, |from, to| {
            let mut part = vec![T::zero(); d];
            x.between(from, to)
                .chunks_exact(d)
                .for_each(|row| f(&mut part, row));
            part
        });
        let mut total = vec![0.0; d];
        for part in chunks {
            total
                .iter_mut()
                .zip(part)
                .for_each(|(total, part)| *total += part.double());
        }
        total.iter().map(|total| total / n as f64).collect()
    };
    let mean = column_sums(&|part, row| rows::add(part, row));
    let centre: Vec<T> = mean.iter().map(|&m| T::real(m)).collect();
    let variance = column_sums(&|part, row| {
        for ((part, &x), &c) in part.iter_mut().zip(row).zip(&centre) {
            *part += (x - c) * (x - c);
        }
    });
    Moments {
        rows: n,
        mean,
        variance,
    }
}

impl Norm {
    /// (mean, 1 / sqrt(variance + eps)) in the working precision.
    fn scales<T: Real>(&self, d: usize) -> Result<(Vec<T>, Vec<T>)> {
        match self.moments.get() {
            Some(m) if m.mean.len() == d && m.variance.len() == d => Ok((
                m.mean.iter().map(|&m| T::real(m)).collect(),
                m.variance
                    .iter()
                    .map(|&v| T::real(1.0 / (v + EPSILON).sqrt()))
                    .collect(),
            )),
            _ => bail!("batch_norm: statistics of {d} features expected"),
        }
    }
}

impl Kernel<3> for Norm {
    const NAME: &'static str = "batch_norm";

    fn forward<T: Real>(&self, [x, w, b]: [View<'_, T>; 3]) -> Result<(Vec<T>, Shape)> {
        let d = x.width();
        if w.dims != [d] || b.dims != [d] || x.rows() == 0 {
            bail!(
                "batch_norm: x {:?} doesn't fit weight {:?}, bias {:?}",
                x.dims,
                w.dims,
                b.dims
            );
        }
        if self.training {
            self.moments.get_or_init(|| moments(&x));
        }
        let (mean, inverse) = self.scales::<T>(d)?;
        // y = x * scale + shift
        let scale: Vec<T> = inverse.iter().zip(w.data).map(|(&i, &w)| i * w).collect();
        let mut out = vec![T::zero(); x.data.len()];
        rows::fill(&mut out, d, |from, out| {
            let x = x.between(from, from + out.len() / d);
            for (out, x) in out.chunks_exact_mut(d).zip(x.chunks_exact(d)) {
                for i in 0..d {
                    let y = (x[i] - mean[i]) * scale[i] + b.data[i];
                    out[i] = match self.activation {
                        Activation::None => y,
                        // So written, NaN stays NaN.
                        Activation::Relu if y < T::zero() => T::zero(),
                        Activation::Relu => y,
                    };
                }
            }
        });
        Ok((out, x.dims.into()))
    }

    /// With x^ = (x - mean) * inverse and g the gradient behind the activation:
    /// dW = sum g x^, db = sum g, dx = W inverse (g - mean(g) - x^ mean(g x^)); the two means stem from
    /// the statistics' dependence on x and are absent where these are given.
    fn backward<T: Real>(
        &self,
        [x, w, _]: [View<'_, T>; 3],
        out: View<'_, T>,
        grad: View<'_, T>,
        wanted: [bool; 3],
    ) -> Result<[Option<Vec<T>>; 3]> {
        let d = x.width();
        let (mean, inverse) = self.scales::<T>(d)?;
        let passed = |out: T, g: T| match self.activation {
            Activation::Relu if out <= T::zero() => T::zero(),
            _ => g,
        };
        // (sum g, sum g x^) side by side
        let sums = rows::sum(x.rows(), 2 * d, |from, to| {
            let mut part = vec![T::zero(); 2 * d];
            let (db, dw) = part.split_at_mut(d);
            let rows = x.between(from, to).chunks_exact(d);
            let outs = out.between(from, to).chunks_exact(d);
            for ((x, o), g) in rows.zip(outs).zip(grad.between(from, to).chunks_exact(d)) {
                for i in 0..d {
                    let g = passed(o[i], g[i]);
                    db[i] += g;
                    dw[i] += g * (x[i] - mean[i]) * inverse[i];
                }
            }
            part
        });
        let (db, dw) = sums.split_at(d);
        let share = if self.training {
            T::real(1.0 / x.rows() as f64)
        } else {
            T::zero()
        };
        let dx = wanted[0].then(|| {
            let mut dx = vec![T::zero(); x.data.len()];
            rows::fill(&mut dx, d, |from, dx| {
                let to = from + dx.len() / d;
                let rows = dx
                    .chunks_exact_mut(d)
                    .zip(x.between(from, to).chunks_exact(d));
                let outs = out.between(from, to).chunks_exact(d);
                let grads = grad.between(from, to).chunks_exact(d);
                for (((dx, x), o), g) in rows.zip(outs).zip(grads) {
                    for i in 0..d {
                        let x_hat = (x[i] - mean[i]) * inverse[i];
                        let g = passed(o[i], g[i]);
                        dx[i] = w.data[i] * inverse[i] * (g - share * (db[i] + x_hat * dw[i]));
                    }
                }
            });
            dx
        });
        Ok([
            dx,
            wanted[1].then(|| dw.to_vec()),
            wanted[2].then(|| db.to_vec()),
        ])
    }
}
