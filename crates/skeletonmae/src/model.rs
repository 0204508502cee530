//! SkeletonMAE (H. Yan et al., ICCV 2023, arXiv 2307.08476), section 3.2.

use std::sync::Arc;

use candle_core::{Result, Tensor};
use candle_nn::{Init, VarBuilder};
use serde::{Deserialize, Serialize};
use skeleton_graph::{Adjacency, Layout};
use skeleton_kernels::{constant, mean_squared_error, reweighted_cosine_error};

use crate::encoder::{Backbone, Decoder, Encoder, HEADS, Input, Readout};
use crate::error::Error;
use crate::layers::{Linear, Mode};
use crate::mask::Mask;
use crate::objective::{LossConfig, Target};

/// The shape of what is pre-trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaeConfig {
    /// The kind of graph network (Table 4c).
    pub backbone: Backbone,
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
            backbone: Backbone::Gin,
            width: 64,
            encoder_layers: 3,
            remask: false,
        }
    }
}

impl MaeConfig {
    /// Refuses what can't be built.
    ///
    /// # Errors
    /// Names the field.
    pub fn validate(&self) -> crate::Result<()> {
        crate::error::positive("width", self.width)?;
        crate::error::positive("encoder_layers", self.encoder_layers)?;
        let ok = self.backbone != Backbone::Gat || self.width.is_multiple_of(HEADS);
        let expected = format!("a multiple of {HEADS}, the heads of the backbone gat");
        Error::refuse_unless(ok, "width", &expected, self.width)
    }

    /// An encoder of this shape on a graph.
    ///
    /// # Errors
    /// When the builder lacks a parameter.
    pub fn encoder(&self, adjacency: &Adjacency, vb: VarBuilder<'_>) -> crate::Result<Encoder> {
        Encoder::new(
            self.backbone,
            self.encoder_layers,
            self.width,
            adjacency,
            vb,
        )
    }
}

/// Embedding, masking, encoder and decoder.
#[derive(Clone, Debug)]
pub struct SkeletonMae {
    embed: Linear,
    mask_token: Tensor,
    encoder: Encoder,
    decoder: Decoder,
    remask: bool,
    target: Target,
}

impl SkeletonMae {
    /// A model of `coordinates` (2 or 3) numbers a joint on `layout`'s graph, which reconstructs the embedding.
    ///
    /// # Errors
    /// When the builder lacks a parameter.
    pub fn new(
        config: &MaeConfig,
        layout: &Layout,
        coordinates: usize,
        vb: VarBuilder<'_>,
    ) -> crate::Result<Self> {
        Self::with_target(Target::Embedding, config, layout, coordinates, vb)
    }

    /// A model that reconstructs `target`.
    ///
    /// # Errors
    /// When the builder lacks a parameter, or the target has more numbers than the width.
    pub fn with_target(
        target: Target,
        config: &MaeConfig,
        layout: &Layout,
        coordinates: usize,
        vb: VarBuilder<'_>,
    ) -> crate::Result<Self> {
        let (d, adjacency) = (config.width, layout.adjacency());
        let token = Init::Randn {
            mean: 0.0,
            stdev: 0.02,
        };
        let d_out = match target {
            Target::Embedding | Target::EmbeddingWithGradient => d,
            Target::Coordinates => coordinates,
        };
        let (join, decoder) = (vb.pp("to_decoder"), vb.pp("decoder"));
        Ok(Self {
            embed: Linear::new(coordinates, d, vb.pp("embed"))?,
            mask_token: vb.get_with_hints(d, "mask_token", token)?,
            encoder: config.encoder(&adjacency, vb.pp("encoder"))?,
            decoder: Decoder::new(config.backbone, [d, d_out], &adjacency, join, decoder)?,
            remask: config.remask,
            target,
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
        loss: LossConfig,
        denominator: f64,
        mode: Mode,
    ) -> Result<Tensor> {
        let rows = Arc::new(mask.target_rows());
        if rows.is_empty() {
            return Tensor::zeros((), s.dtype(), s.device());
        }
        let h = self.codes(s, mask, mode)?;
        let y = self.decoder.forward(&h, &rows, mode)?; // Y of the targets, (targets, d)
        let at = Tensor::new(&rows[..], s.device())?;
        let s = s.reshape(((), s.dim(3)?))?.index_select(&at, 0)?; // (targets, c)
        let x = match self.target {
            Target::Embedding => self.embed.forward(&s)?.detach(), // their X
            Target::EmbeddingWithGradient => self.embed.forward(&s)?,
            Target::Coordinates => s,
        };
        match loss {
            LossConfig::Rce { beta } => reweighted_cosine_error(&y, &x, beta, denominator),
            LossConfig::Mse => mean_squared_error(&y, &x, denominator),
        }
    }

    /// (X, Y): the embedded, unmasked features, (n, t, v, d), and the reconstruction of the target, (n, t, v, d) or,
    /// where that is the coordinates, (n, t, v, c).
    ///
    /// # Errors
    /// As [`loss`](Self::loss).
    pub fn forward(&self, s: &Tensor, mask: &Mask, mode: Mode) -> Result<(Tensor, Tensor)> {
        let x = self.embed.forward(s)?;
        let h = self.codes(s, mask, mode)?;
        let all = Arc::new((0..mask.hidden.len() as u32).collect());
        let y = self.decoder.forward(&h, &all, mode)?; // Y = G_D(A, H)
        let (n, t, v, _) = x.dims4()?;
        let y = y.reshape((n, t, v, ()))?;
        Ok((x, y))
    }

    /// H, the encoder's codes of the masked features, (n, t, v, d).
    ///
    /// # Errors
    /// As [`loss`](Self::loss).
    pub fn encode(&self, s: &Tensor, mask: &Mask, mode: Mode) -> Result<Tensor> {
        // A visible joint's feature is W s + b, a hidden one's \[MASK\] (step 1 of section 3.2). Both are
        // columns of one map E = [W, b, mask_token], of (s, 1, 0) and of (0, 0, 1).
        let visible = visible(s, mask)?;
        let masked = s.broadcast_mul(&visible)?;
        let s = Tensor::cat(&[&masked, &visible, &(1.0 - &visible)?], 3)?; // (n, t, v, c + 2)
        let [b, token] = [self.embed.bias(), &self.mask_token].map(|column| column.unsqueeze(1));
        let e = Tensor::cat(&[self.embed.weight(), &b?, &token?], 1)?; // (d, c + 2)
        let x = Input::Embedded { s: &s, map: &e };
        self.encoder.forward(x, &Readout::Joints, mode) // H = G_E(A, X)
    }

    /// What the decoder gets.
    fn codes(&self, s: &Tensor, mask: &Mask, mode: Mode) -> Result<Tensor> {
        let h = self.encode(s, mask, mode)?;
        if !self.remask {
            return Ok(h);
        }
        h.broadcast_mul(&visible(&h, mask)?)
    }

    /// The embedding: W (d, c) and b (d), by which coordinates become features.
    pub fn embedding(&self) -> &Linear {
        &self.embed
    }

    /// What the decoder gives.
    pub fn target(&self) -> Target {
        self.target
    }
}

/// 1 where a joint isn't hidden, 0 elsewhere: (n, t, v, 1), as `like` (n, t, v, _) in type.
fn visible(like: &Tensor, mask: &Mask) -> Result<Tensor> {
    let (n, t, v, _) = like.dims4()?;
    let flags = mask.hidden.iter().map(|&hidden| f64::from(!hidden));
    constant(flags.collect(), (n, t, v, 1), like)
}
