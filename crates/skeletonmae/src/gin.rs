//! The graph isomorphism network, paper section 3.2: "Encoder G_E ... GIN layers".
//!
//! The paper doesn't define its layer; this is GraphMAE's (arXiv 2205.10803), whose paradigm it
//! follows.

use std::sync::Arc;

use candle_core::{Result, Tensor};
use candle_nn::{VarBuilder, init};

use crate::layers::{BatchNorm, Linear, Mode, Prelu};
use crate::ops::{Activation, JointMatrix, aggregate};

/// What ends a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The MLP: the decoder's layer.
    Mlp,
    /// The MLP, then BatchNorm and PReLU: the encoder's layers.
    Activated,
}

/// `h = MLP((1 + eps) x + sum of the neighbours' x)`, MLP = Linear, BatchNorm, ReLU, Linear.
#[derive(Clone, Debug)]
pub struct GinLayer {
    adjacency: Arc<JointMatrix>,
    eps: Tensor,
    linear1: Linear,
    norm1: BatchNorm,
    linear2: Linear,
    ending: Option<(BatchNorm, Prelu)>,
}

impl GinLayer {
    /// A layer of width `d` on the graph `adjacency` (binary, without self loops).
    ///
    /// # Errors
    /// When the builder lacks a parameter.
    pub fn new(
        d: usize,
        adjacency: &Arc<JointMatrix>,
        ending: Ending,
        vb: VarBuilder<'_>,
    ) -> Result<Self> {
        let ending = match ending {
            Ending::Mlp => None,
            Ending::Activated => Some((
                BatchNorm::new(d, vb.pp("norm2"))?,
                Prelu::new(vb.pp("prelu"))?,
            )),
        };
        Ok(Self {
            adjacency: adjacency.clone(),
            eps: vb.get_with_hints(1, "eps", init::ZERO)?,
            linear1: Linear::new(d, d, vb.pp("linear1"))?,
            norm1: BatchNorm::new(d, vb.pp("norm1"))?,
            linear2: Linear::new(d, d, vb.pp("linear2"))?,
            ending,
        })
    }

    /// x and the result are (n, t, v, d).
    ///
    /// # Errors
    /// When x doesn't have the graph's joints or the layer's width.
    pub fn forward(&self, x: &Tensor, mode: Mode) -> Result<Tensor> {
        let x = aggregate(x, &self.eps, &self.adjacency)?;
        let h = self
            .norm1
            .forward(&self.linear1.forward(&x)?, Activation::Relu, mode)?;
        let h = self.linear2.forward(&h)?;
        match &self.ending {
            Some((norm, prelu)) => prelu.forward(&norm.forward(&h, Activation::None, mode)?),
            None => Ok(h),
        }
    }
}

/// `H = G_E(A, X)`: `L_D` layers, 3 in the paper (Table 4a).
#[derive(Clone, Debug)]
pub struct Encoder {
    layers: Vec<GinLayer>,
}

impl Encoder {
    /// `layers` layers of width `d`, parameters under `layers.0`, `layers.1`, ...
    ///
    /// # Errors
    /// When the builder lacks a parameter.
    pub fn new(
        layers: usize,
        d: usize,
        adjacency: &Arc<JointMatrix>,
        vb: VarBuilder<'_>,
    ) -> Result<Self> {
        let vb = vb.pp("layers");
        let layer = |i: usize| GinLayer::new(d, adjacency, Ending::Activated, vb.pp(i));
        Ok(Self {
            layers: (0..layers).map(layer).collect::<Result<_>>()?,
        })
    }

    /// x and the result are (n, t, v, d).
    ///
    /// # Errors
    /// When x doesn't have the graph's joints or the encoder's width.
    pub fn forward(&self, x: &Tensor, mode: Mode) -> Result<Tensor> {
        let mut h = x.clone();
        for layer in &self.layers {
            h = layer.forward(&h, mode)?;
        }
        Ok(h)
    }
}
