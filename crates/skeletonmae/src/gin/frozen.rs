//! Layers as constant functions, for encoders that stay as they are in fine-tuning: ops of their own, since the
//! fused ones have their statistics from the batch or have no way back.

use std::sync::Arc;

use candle_core::{DType, Result, Tensor, bail};

use super::{GinLayer, Layers};
use crate::layers::{BatchNorm, Linear, theta};
use crate::ops::{JointMatrix, linear, mix_joints, norm_prelu_fixed};

impl Layers {
    /// The stack as a function of x alone, whose parameters and running statistics are constants.
    pub(super) fn frozen(
        &self,
        x: &Tensor,
        before: Option<&Tensor>,
        pool: Option<f64>,
    ) -> Result<Tensor> {
        let mut h = x.clone();
        for (i, layer) in self.layers.iter().enumerate() {
            let pool = pool.filter(|_| i + 1 == self.layers.len());
            h = layer.frozen(&h, before.filter(|_| i == 0), &self.adjacency, pool)?;
        }
        Ok(h)
    }
}

impl GinLayer {
    fn frozen(
        &self,
        x: &Tensor,
        before: Option<&Tensor>,
        adjacency: &Arc<JointMatrix>,
        pool: Option<f64>,
    ) -> Result<Tensor> {
        let Some((norm2, prelu)) = &self.ending else {
            bail!("only an encoder is frozen");
        };
        let eps = self.eps.to_dtype(DType::F64)?.to_vec1::<f64>()?[0];
        let zero = self.linear1.bias().detach().zeros_like()?;
        let relu = zero.narrow(0, 0, 1)?;
        let map = |x: &Tensor, weight: &Tensor| linear(x, &weight.detach(), &zero);
        let end = |z: &Tensor, norm: &BatchNorm, of: &Linear, slope: &Tensor, pool| {
            let [weight, bias] = norm.parameters();
            let theta = theta(&[weight, bias, slope])?.detach();
            norm_prelu_fixed(z, &theta, pool, norm.moments(Some(of.bias()))?)
        };
        let first = match before {
            Some(before) => self.linear1.weight().matmul(before)?,
            None => self.linear1.weight().clone(),
        };
        let h = map(&mix_joints(x, adjacency, 1.0 + eps)?, &first)?;
        let h = end(&h, &self.norm1, &self.linear1, &relu, None)?;
        let h = map(&h, self.linear2.weight())?;
        end(&h, norm2, &self.linear2, prelu.slope(), pool)
    }
}
