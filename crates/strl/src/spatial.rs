//! The spatial half of a layer: equations 3 and 4.

use std::sync::Arc;

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;
use serde::{Deserialize, Serialize};
use skeleton_graph::Layout;
use skeletonmae::Mode;
use skeletonmae::gin::Encoder;
use skeletonmae::layers::{BatchNorm, Linear};
use skeletonmae::model::adjacency;
use skeletonmae::ops::{Activation, JointMatrix, mix};

use crate::ops::{add_relu, pool_repeat_add};

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
    /// A half layer of width `d` with an encoder of `encoder_layers` layers of its own.
    ///
    /// # Errors
    /// When the builder lacks a parameter.
    pub fn new(
        d: usize,
        encoder_layers: usize,
        layout: &Layout,
        pool: JointPool,
        normalised: Normalised,
        vb: VarBuilder<'_>,
    ) -> Result<Self> {
        let v = layout.len();
        let a_norm = match normalised {
            Normalised::Row => layout.adjacency().row_normalised(),
            Normalised::Symmetric => layout.adjacency().symmetric(),
        };
        let pool = match pool {
            JointPool::Mean => 1.0 / v as f64,
            JointPool::Sum => 1.0,
        };
        Ok(Self {
            encoder: Encoder::new(encoder_layers, d, &adjacency(layout), vb.pp("encoder"))?,
            pool,
            mixing: Arc::new(JointMatrix::new(&a_norm, v)),
            w: Linear::new(d, d, vb.pp("w"))?,
            norm: BatchNorm::new(d, vb.pp("norm"))?,
            residual: Linear::new(d, d, vb.pp("residual"))?,
            residual_norm: BatchNorm::new(d, vb.pp("residual_norm"))?,
        })
    }

    /// H (n, t, v, d) to the same shape.
    ///
    /// # Errors
    /// When H doesn't have the graph's joints or the layer's width.
    pub fn forward(&self, h: &Tensor, mode: Mode) -> Result<Tensor> {
        // SM(H) = Repeat_N(SumPool_N(G_E(A, H))) + H                                      (eq. 3)
        let sm = pool_repeat_add(&self.encoder.forward(h, mode)?, h, self.pool)?;
        // ReLU(A_norm SM(H) W)                                                            (eq. 4)
        let y = self.w.forward(&mix(&sm, &self.mixing)?)?;
        let y = self.norm.forward(&y, Activation::None, mode)?;
        let residual = self.residual.forward(h)?;
        add_relu(
            &y,
            &self
                .residual_norm
                .forward(&residual, Activation::None, mode)?,
        )
    }
}
