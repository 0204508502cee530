//! Ops that treat each number or row by itself: PReLU, masking.

use std::sync::Arc;

use candle_core::{Result, Shape, Tensor, bail};

use super::kernel::{Kernel, Real, View, apply2};
use super::rows;

struct Prelu;

/// `x` where positive, `slope x` elsewhere: x of any shape, `slope` (1).
///
/// # Errors
/// When there isn't exactly one slope.
pub fn prelu(x: &Tensor, slope: &Tensor) -> Result<Tensor> {
    apply2(Prelu, x, slope)
}

impl Kernel<2> for Prelu {
    const NAME: &'static str = "prelu";

    fn forward<T: Real>(&self, [x, slope]: [View<'_, T>; 2]) -> Result<(Vec<T>, Shape)> {
        if slope.data.len() != 1 {
            bail!("prelu: expected one slope, found {:?}", slope.dims);
        }
        let slope = slope.data[0];
        let mut out = vec![T::zero(); x.data.len()];
        rows::fill(&mut out, x.width(), |from, out| {
            let x = x.between(from, from + out.len() / x.width());
            for (out, &x) in out.iter_mut().zip(x) {
                *out = if x > T::zero() { x } else { slope * x };
            }
        });
        Ok((out, x.dims.into()))
    }

    fn backward<T: Real>(
        &self,
        [x, slope]: [View<'_, T>; 2],
        _: View<'_, T>,
        grad: View<'_, T>,
        wanted: [bool; 2],
    ) -> Result<[Option<Vec<T>>; 2]> {
        let (d, slope) = (x.width(), slope.data[0]);
        let dx = wanted[0].then(|| {
            let mut dx = vec![T::zero(); x.data.len()];
            rows::fill(&mut dx, d, |from, dx| {
                let to = from + dx.len() / d;
                let pairs = x.between(from, to).iter().zip(grad.between(from, to));
                for (dx, (&x, &g)) in dx.iter_mut().zip(pairs) {
                    *dx = if x > T::zero() { g } else { slope * g };
                }
            });
            dx
        });
        let dslope = wanted[1].then(|| {
            rows::sum(x.rows(), 1, |from, to| {
                let pairs = x.between(from, to).iter().zip(grad.between(from, to));
                vec![
                    pairs
                        .map(|(&x, &g)| if x > T::zero() { T::zero() } else { x * g })
                        .sum(),
                ]
            })
        });
        Ok([dx, dslope])
    }
}

struct Masked(Arc<Vec<bool>>);

/// Puts `token` (d) in place of the rows of x (.., d) whose `mask` is true (step 1 of paper section
/// 3.2: "the learnable token \[MASK\] in place of its feature").
///
/// # Errors
/// When the mask doesn't have one entry a row or the token not one number a feature.
pub fn mask_rows(x: &Tensor, token: &Tensor, mask: &Arc<Vec<bool>>) -> Result<Tensor> {
    apply2(Masked(mask.clone()), x, token)
}

impl Kernel<2> for Masked {
    const NAME: &'static str = "mask_rows";

    fn forward<T: Real>(&self, [x, token]: [View<'_, T>; 2]) -> Result<(Vec<T>, Shape)> {
        let d = x.width();
        if self.0.len() != x.rows() || token.dims != [d] {
            let (mask, token) = (self.0.len(), token.dims);
            bail!(
                "mask_rows: x {:?}, {mask} mask entries, token {token:?}",
                x.dims
            );
        }
        let mut out = x.data.to_vec();
        for (row, _) in out
            .chunks_exact_mut(d)
            .zip(self.0.iter())
            .filter(|(_, m)| **m)
        {
            row.copy_from_slice(token.data);
        }
        Ok((out, x.dims.into()))
    }

    fn backward<T: Real>(
        &self,
        [x, token]: [View<'_, T>; 2],
        _: View<'_, T>,
        grad: View<'_, T>,
        wanted: [bool; 2],
    ) -> Result<[Option<Vec<T>>; 2]> {
        let d = x.width();
        let dx = wanted[0].then(|| {
            let mut dx = grad.data.to_vec();
            for (row, _) in dx
                .chunks_exact_mut(d)
                .zip(self.0.iter())
                .filter(|(_, m)| **m)
            {
                row.fill(T::zero());
            }
            dx
        });
        let dtoken = wanted[1].then(|| {
            rows::sum(x.rows(), token.data.len(), |from, to| {
                let mut part = vec![T::zero(); d];
                let grads = grad.between(from, to).chunks_exact(d);
                for (g, _) in grads.zip(&self.0[from..to]).filter(|(_, m)| **m) {
                    rows::add(&mut part, g);
                }
                part
            })
        });
        Ok([dx, dtoken])
    }
}
