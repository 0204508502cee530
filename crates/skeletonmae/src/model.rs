//! SkeletonMAE (H. Yan et al., ICCV 2023, arXiv 2307.08476), section 3.2.

use std::sync::Arc;

use candle_core::{DType, Result, Tensor};
use candle_nn::{Init, VarBuilder};
use skeleton_graph::Layout;

use crate::batch::TrackBatch;
use crate::encoder::{Decoder, Input, Readout};
use crate::layers::{Linear, Mode};
use crate::mask::Mask;
use crate::objective::LossConfig;
use crate::target::Target;
use crate::trunk::{MaeConfig, Trunk, visible};

/// Embedding, masking, encoder and decoder.
#[derive(Clone, Debug)]
pub struct SkeletonMae {
    /// W and b, applied by [`linear`](skeleton_kernels::linear::reference), and `G_E`: layers of
    /// [GIN](skeleton_kernels::gin::reference) in the paper. Those of GCN and GAT are made of
    /// [`mix_joints`](skeleton_kernels::joints::reference) or [`attend`](skeleton_kernels::attention::reference), and
    /// [`norm_prelu`](skeleton_kernels::norm_prelu::reference).
    trunk: Trunk,
    mask_token: Tensor,
    /// `G_D`: one layer of the same kind, which ends with its linear map.
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
        let d_out = target.numbers(coordinates).unwrap_or(d);
        let (join, decoder) = (vb.pp("to_decoder"), vb.pp("decoder"));
        Ok(Self {
            trunk: Trunk::new(config, layout, coordinates, vb.clone())?,
            mask_token: mask_token(d, &vb)?,
            decoder: Decoder::new(config.backbone, [d, d_out], &adjacency, join, decoder)?,
            remask: config.remask,
            target,
        })
    }

    /// The loss of a batch: sum over its targets, divided by `denominator`, which is
    /// the number of targets unless the batch is one of several micro-batches. It is the
    /// [re-weighted cosine error](skeleton_kernels::rce::reference) in the paper, or the
    /// [mean squared error](skeleton_kernels::squared_error::mean_squared_error).
    ///
    /// Differs from the paper: the printed loss has 1/|V| inside the power; the text calls it an
    /// average, and it is one here.
    ///
    /// # Errors
    /// When the batch doesn't have the layout's joints or the mask not its joints.
    pub fn loss(
        &self,
        batch: &TrackBatch,
        mask: &Mask,
        loss: LossConfig,
        denominator: f64,
        mode: Mode,
    ) -> Result<Tensor> {
        let (s, rows) = (&batch.keypoints, Arc::new(mask.target_rows()));
        if rows.is_empty() {
            return Tensor::zeros((), s.dtype(), s.device());
        }
        let h = self.codes(s, mask, mode)?;
        let y = self.decoder.forward(&h, &rows, mode)?; // Y of the targets, (targets, d)
        let at = Tensor::new(&rows[..], s.device())?;
        let x = self.target.values(batch)?;
        let x = x.reshape(((), x.dim(3)?))?.index_select(&at, 0)?; // (targets, c)
        let x = match self.target {
            Target::Embedding => self.trunk.embed.forward(&x)?.detach(), // their X
            Target::EmbeddingWithGradient => self.trunk.embed.forward(&x)?,
            _ => x,
        };
        loss.of(&y, &x, denominator)
    }

    /// (X, Y): the embedded, unmasked features, (n, t, v, d), and the reconstruction of the target, (n, t, v, d) or,
    /// where that is the coordinates, (n, t, v, c).
    ///
    /// # Errors
    /// As [`loss`](Self::loss).
    pub fn forward(&self, s: &Tensor, mask: &Mask, mode: Mode) -> Result<(Tensor, Tensor)> {
        let x = self.trunk.embed.forward(s)?;
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
        let Trunk {
            embed,
            encoder,
            features,
        } = &self.trunk;
        let s = mask.columns(s)?.to_dtype(*features)?;
        let e = masked_map(embed, &self.mask_token)?;
        let x = Input::Embedded { s: &s, map: &e };
        encoder.forward(x, &Readout::Joints, mode) // H = G_E(A, X)
    }

    /// What the decoder gets.
    fn codes(&self, s: &Tensor, mask: &Mask, mode: Mode) -> Result<Tensor> {
        let h = self.encode(s, mask, mode)?;
        if !self.remask {
            return Ok(h);
        }
        h.broadcast_mul(&visible(&h, &mask.hidden)?)
    }

    /// The same with features of [another type](Trunk::with_features).
    #[must_use]
    pub fn with_features(self, features: DType) -> Self {
        let trunk = self.trunk.with_features(features);
        Self { trunk, ..self }
    }

    /// The embedding: W (d, c) and b (d), by which coordinates become features.
    pub fn embedding(&self) -> &Linear {
        &self.trunk.embed
    }

    /// What the decoder gives.
    pub fn target(&self) -> Target {
        self.target
    }
}

/// The parameter \[MASK\], (d), in place of a hidden joint's feature.
///
/// # Errors
/// When the builder lacks it.
pub fn mask_token(d: usize, vb: &VarBuilder<'_>) -> Result<Tensor> {
    let init = Init::Randn {
        mean: 0.0,
        stdev: 0.02,
    };
    vb.get_with_hints(d, "mask_token", init)
}

/// The map E = \[W, b, token\], (d, c + 2), of [`Mask::columns`]: a visible joint's feature is W s + b, a hidden one's \[MASK\]
/// (step 1 of section 3.2).
///
/// # Errors
/// When the token isn't as wide as the embedding.
pub fn masked_map(embed: &Linear, token: &Tensor) -> Result<Tensor> {
    let [b, token] = [embed.bias(), token].map(|column| column.unsqueeze(1));
    Tensor::cat(&[embed.weight(), &b?, &token?], 1)
}
