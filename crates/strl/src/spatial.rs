//! The spatial half of a layer: equations 3 and 4.

use std::sync::Arc;

use candle_core::{Result, Tensor, bail};
use candle_nn::VarBuilder;
use serde::{Deserialize, Serialize};
use skeleton_graph::Layout;
use skeleton_kernels::params::Named as _;
use skeleton_kernels::{BatchStats, JointMatrix, NormedMap, Real, SpatialWeights, Stats, infer};
use skeletonmae::encoder::Encoder;
use skeletonmae::layers::{BatchNorm, Linear};
use skeletonmae::{Input, MaeConfig, Mode, Readout};

/// `SumPool` of equation 3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JointPool {
    /// The sum divided by N.
    #[default]
    Mean,
    /// The plain sum.
    Sum,
    /// None: each joint keeps its own code, SM(H) = `G_E`(A, H) + H, which is also what the residual reads.
    ///
    /// Differs from the paper, whose pooling leaves of an encoder one vector a frame.
    Joints,
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
    /// What codes are summed with; none where each joint keeps its own.
    pool: Option<f64>,
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
    ) -> skeletonmae::Result<Self> {
        let (v, d, adjacency) = (layout.len(), mae.width, layout.adjacency());
        let a_norm = match normalised {
            Normalised::Row => adjacency.row_normalised(),
            Normalised::Symmetric => adjacency.symmetric(),
        };
        let pool = match pool {
            JointPool::Mean => Some(1.0 / v as f64),
            JointPool::Sum => Some(1.0),
            JointPool::Joints => None,
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

    /// H (n, t, v, d) to the same shape; the encoder goes by a mode of its own, since a frozen one is in evaluation while
    /// the rest is trained.
    ///
    /// # Errors
    /// When H doesn't have the graph's joints or the layer's width.
    pub fn forward(&self, h: &Tensor, mode: Mode, encoder: Mode) -> Result<Tensor> {
        // SumPool_N(G_E(A, H)), of SM(H) = Repeat_N(SumPool_N(G_E(A, H))) + H             (eq. 3)
        let readout = self.pool.map_or(Readout::Joints, Readout::Pooled);
        let codes = self
            .encoder
            .forward(Input::Features(h), &readout, encoder)?; // (n, t, d), or (n, t, v, d)
        let (h, pooled) = &match self.pool {
            Some(_) => (h.clone(), codes),
            None => {
                let (n, t, _, d) = h.dims4()?;
                let none = Tensor::zeros((n, t, d), h.dtype(), h.device())?;
                ((h + codes)?, none)
            }
        };
        // ReLU(A_norm SM(H) W)                                                            (eq. 4)
        let weights = self.weights();
        if mode == Mode::Eval {
            let weights = weights.map(&mut |parameter: &Tensor| parameter.detach());
            let running = self.running()?;
            let stats = Stats::Running(&running);
            return Ok(skeleton_kernels::spatial(h, pooled, &weights, &self.mixing, stats)?.0);
        }
        let (y, stats) =
            skeleton_kernels::spatial(h, pooled, &weights, &self.mixing, Stats::Batch)?;
        for ((norm, map), stats) in self.norms().into_iter().zip(&stats) {
            norm.update_running(stats, Some(map.bias()))?;
        }
        Ok(y)
    }

    /// The norms with the linear maps in front of them.
    fn norms(&self) -> [(&BatchNorm, &Linear); 2] {
        [(&self.norm, &self.w), (&self.residual_norm, &self.residual)]
    }

    fn running(&self) -> Result<Vec<BatchStats>> {
        let each = self.norms().into_iter();
        each.map(|(norm, map)| norm.running(Some(map.bias())))
            .collect()
    }

    fn weights(&self) -> SpatialWeights<Tensor> {
        let [w, residual] = self.norms().map(|(norm, map)| NormedMap {
            weight: map.weight().clone(),
            norm: norm.affine(),
        });
        SpatialWeights { w, residual }
    }

    /// Whether there is a [folded](Self::folded) form.
    pub fn folds(&self) -> bool {
        self.pool.is_some() && self.encoder.folds()
    }

    /// The half layer as it is now, for inference on the CPU.
    ///
    /// # Errors
    /// When a parameter can't be read, or joints keep their codes.
    pub fn folded<T: Real>(&self) -> Result<infer::Spatial<T>> {
        let Some(pool) = self.pool else {
            bail!("codes of each joint have no folded form");
        };
        let encoder = self.encoder.folded()?;
        infer::Spatial::new(
            encoder,
            pool,
            &self.mixing,
            &self.weights(),
            &self.running()?,
        )
    }
}
