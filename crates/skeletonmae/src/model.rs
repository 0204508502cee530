//! SkeletonMAE (H. Yan et al., ICCV 2023, arXiv 2307.08476), section 3.2.

use std::sync::Arc;

use candle_core::{Result, Tensor};
use candle_nn::{Init, VarBuilder};
use serde::{Deserialize, Serialize};
use skeleton_graph::Layout;

use crate::gin::{Encoder, Ending, GinLayer};
use crate::layers::{Linear, Mode};
use crate::mask::Mask;
use crate::ops::{JointMatrix, mask_rows, reweighted_cosine_error};

/// The shape of the masked autoencoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaeConfig {
    /// D, features of a joint (64 in the paper).
    pub width: usize,
    /// `L_D`, layers of the encoder (3 in the paper, Table 4a).
    pub encoder_layers: usize,
    /// Puts zeros in place of the masked joints' codes before the decoder, as `GraphMAE` does.
    pub remask: bool,
}

impl Default for MaeConfig {
    fn default() -> Self {
        Self {
            width: 64,
            encoder_layers: 3,
            remask: false,
        }
    }
}

/// The pre-training loss.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RceConfig {
    /// The power of the error (2 in the paper).
    pub beta: f64,
    /// Whether gradient flows into the target x.
    ///
    /// Differs from the paper: it doesn't say; by default none flows, since the embedding can
    /// collapse where it does.
    pub target_gradient: bool,
}

impl Default for RceConfig {
    fn default() -> Self {
        Self {
            beta: 2.0,
            target_gradient: false,
        }
    }
}

/// Embedding, masking, encoder and decoder.
#[derive(Clone, Debug)]
pub struct SkeletonMae {
    embed: Linear,
    mask_token: Tensor,
    encoder: Encoder,
    to_decoder: Linear,
    decoder: GinLayer,
    remask: bool,
}

/// A's non-zeros as the layers use them.
pub fn adjacency(layout: &Layout) -> Arc<JointMatrix> {
    Arc::new(JointMatrix::new(&layout.adjacency().binary(), layout.len()))
}

impl SkeletonMae {
    /// A model of `coordinates` (2 or 3) numbers a joint on `layout`'s graph.
    ///
    /// # Errors
    /// When the builder lacks a parameter.
    pub fn new(
        config: &MaeConfig,
        layout: &Layout,
        coordinates: usize,
        vb: VarBuilder<'_>,
    ) -> Result<Self> {
        let (d, a) = (config.width, adjacency(layout));
        let token = Init::Randn {
            mean: 0.0,
            stdev: 0.02,
        };
        Ok(Self {
            embed: Linear::new(coordinates, d, vb.pp("embed"))?,
            mask_token: vb.get_with_hints(d, "mask_token", token)?,
            encoder: Encoder::new(config.encoder_layers, d, &a, vb.pp("encoder"))?,
            to_decoder: Linear::without_bias(d, d, vb.pp("to_decoder"))?,
            decoder: GinLayer::new(d, &a, Ending::Mlp, vb.pp("decoder"))?,
            remask: config.remask,
        })
    }

    /// The loss of a batch `s` (n, t, v, c): sum over its targets, divided by `denominator`, which is
    /// the number of targets unless the batch is one of several micro-batches.
    ///
    /// Differs from the paper: the printed loss has 1/|V| inside the power; the text calls it an
    /// average, and it is one here.
    ///
    /// # Errors
    /// When `s` doesn't have the layout's joints or the mask not its joints.
    pub fn loss(
        &self,
        s: &Tensor,
        mask: &Mask,
        loss: RceConfig,
        denominator: f64,
        mode: Mode,
    ) -> Result<Tensor> {
        let (x, y) = self.forward(s, mask, mode)?;
        let target = if loss.target_gradient { x } else { x.detach() };
        reweighted_cosine_error(&y, &target, &mask.targets, loss.beta, denominator)
    }

    /// (X, Y): the embedded, unmasked features and their reconstruction, both (n, t, v, d).
    ///
    /// # Errors
    /// As [`loss`](Self::loss).
    pub fn forward(&self, s: &Tensor, mask: &Mask, mode: Mode) -> Result<(Tensor, Tensor)> {
        let (x, h) = self.encode(s, mask, mode)?;
        let h = self.to_decoder.forward(&h)?;
        let h = if self.remask {
            mask_rows(&h, &zeros(&h)?, &mask.hidden)?
        } else {
            h
        };
        let y = self.decoder.forward(&h, mode)?; // Y = G_D(A, H)
        Ok((x, y))
    }

    /// (X, H): the embedded, unmasked features and the encoder's codes of the masked ones.
    ///
    /// # Errors
    /// As [`loss`](Self::loss).
    pub fn encode(&self, s: &Tensor, mask: &Mask, mode: Mode) -> Result<(Tensor, Tensor)> {
        let x = self.embed.forward(s)?; // (n, t, v, d)
        let masked = mask_rows(&x, &self.mask_token, &mask.hidden)?;
        let h = self.encoder.forward(&masked, mode)?; // H = G_E(A, X)
        Ok((x, h))
    }

    /// The embedding: W (d, c) and b (d), by which coordinates become features.
    pub fn embedding(&self) -> &Linear {
        &self.embed
    }
}

fn zeros(h: &Tensor) -> Result<Tensor> {
    Tensor::zeros(h.dims()[h.rank() - 1], h.dtype(), h.device())
}
