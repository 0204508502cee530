//! The spatial half of a layer: equations 3 and 4.

use std::sync::Arc;

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;
use serde::{Deserialize, Serialize};
use skeleton_graph::Layout;
use skeletonmae::encoder::Encoder;
use skeletonmae::layers::{BatchNorm, Linear, theta};
use skeletonmae::ops::{JointMatrix, Real};
use skeletonmae::{MaeConfig, Mode};

use crate::infer;
use crate::ops;
use crate::tuning::Tuning;

/// `SumPool` of equation 3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JointPool {
    /// The sum divided by N.
    #[default]
    Mean,
    /// The plain sum.
    Sum,
}

/// `A_norm` of equation 4, both of A + I.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Normalised {
    /// Each row sums to 1.
    #[default]
    Row,
    /// `D^-1/2 (A + I) D^-1/2`, as Kipf's.
    Symmetric,
}

/// `ReLU(A_norm SM(H) W)`, with a 1 x 1 residual around SM and the mixing.
#[derive(Clone, Debug)]
pub struct Spatial {
    encoder: Encoder,
    pool: f64,
    mixing: Arc<JointMatrix>,
    w: Linear,
    norm: BatchNorm,
    residual: Linear,
    residual_norm: BatchNorm,
}

impl Spatial {
    /// A half layer with an encoder of its own, of the pre-trained one's shape.
    ///
    /// # Errors
    /// When the builder lacks a parameter.
    pub fn new(
        mae: &MaeConfig,
        layout: &Layout,
        pool: JointPool,
        normalised: Normalised,
        vb: VarBuilder<'_>,
    ) -> Result<Self> {
        let (v, d, adjacency) = (layout.len(), mae.width, layout.adjacency());
        let a_norm = match normalised {
            Normalised::Row => adjacency.row_normalised(),
            Normalised::Symmetric => adjacency.symmetric(),
        };
        let pool = match pool {
            JointPool::Mean => 1.0 / v as f64,
            JointPool::Sum => 1.0,
        };
        Ok(Self {
            encoder: mae.encoder(&adjacency, vb.pp("encoder"))?,
            pool,
            mixing: Arc::new(JointMatrix::new(&a_norm, v)),
            w: Linear::new(d, d, vb.pp("w"))?,
            norm: BatchNorm::new(d, vb.pp("norm"))?,
            residual: Linear::new(d, d, vb.pp("residual"))?,
            residual_norm: BatchNorm::new(d, vb.pp("residual_norm"))?,
        })
    }

    /// H (n, t, v, d) to the same shape, in training, where `encoder` says whether its encoder learns.
    ///
    /// # Errors
    /// When H doesn't have the graph's joints or the layer's width.
    pub fn forward(&self, h: &Tensor, encoder: Tuning) -> Result<Tensor> {
        let mode = match encoder {
            Tuning::Tuned => Mode::Train,
            Tuning::Frozen => Mode::Frozen,
        };
        // SumPool_N(G_E(A, H)), of SM(H) = Repeat_N(SumPool_N(G_E(A, H))) + H             (eq. 3)
        let pooled = self.encoder.pooled(h, self.pool, mode)?; // (n, t, d)
        // ReLU(A_norm SM(H) W)                                                            (eq. 4)
        let (y, moments) = ops::spatial(h, &pooled, &self.theta()?, &self.mixing)?;
        self.norm.gather(&moments[0], Some(self.w.bias()))?;
        self.residual_norm
            .gather(&moments[1], Some(self.residual.bias()))?;
        Ok(y)
    }

    fn theta(&self) -> Result<Tensor> {
        let [a, b] = self.norm.parameters();
        let [c, d] = self.residual_norm.parameters();
        theta(&[self.w.weight(), a, b, self.residual.weight(), c, d])
    }

    /// The half layer as it is now, for inference.
    ///
    /// # Errors
    /// When a parameter can't be read.
    pub fn folded<T: Real>(&self) -> Result<infer::Spatial<T>> {
        let [w, residual] = [(&self.w, &self.norm), (&self.residual, &self.residual_norm)]
            .map(|(map, norm)| norm.folded::<T>(map));
        infer::Spatial::new(
            self.encoder.folded()?,
            self.pool,
            self.mixing.plus(T::zero()),
            w?,
            residual?,
        )
    }
}
