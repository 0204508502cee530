//! Pre-training of the whole classifier but its head.
//!
//! Differs from the paper, which pre-trains the encoder: that sees one frame at a time, and all that looks at several begins
//! at random.

use candle_core::{DType, Result, Tensor, bail};
use candle_nn::VarBuilder;
use skeleton_graph::Layout;
use skeleton_kernels::{host, track_mean};
use skeletonmae::contrast::{nt_xent, projected, projection, without};
use skeletonmae::layers::Linear;
use skeletonmae::mask::At;
use skeletonmae::model::{mask_token, masked_map};
use skeletonmae::pretext::Draw;
use skeletonmae::train::Learner;
use skeletonmae::{
    Contrastive, MaeConfig, Mask, Mode, Objective, Pretext, Reconstruction, SkeletonMae, TrackBatch,
};

use crate::model::{Body, StrlConfig};

/// A body that sees some of the joints, and a linear map from each joint's last features to the hidden ones' numbers in all
/// frames that the features stand for.
#[derive(Clone, Debug)]
pub struct MaskedStrl {
    body: Body,
    mask_token: Tensor,
    decoder: Linear,
    objective: Reconstruction,
    layout: Layout,
}

impl MaskedStrl {
    /// Of coordinates (n, `frames`, v, `coordinates`) on `layout`'s graph.
    ///
    /// # Errors
    /// When the builder lacks a parameter, or the target is a feature.
    pub fn new(
        objective: &Reconstruction,
        mae: &MaeConfig,
        config: &StrlConfig,
        (layout, coordinates, frames): (&Layout, usize, usize),
        vb: VarBuilder<'_>,
    ) -> skeletonmae::Result<Self> {
        let d = mae.width;
        let body = Body::new(mae, config, (layout, coordinates, frames), vb.clone())?;
        let numbers = objective.target.numbers(coordinates);
        let numbers = numbers.ok_or_else(|| {
            skeletonmae::Error::setting("target", "coordinates, motion or both", "a feature")
        })?;
        Ok(Self {
            mask_token: mask_token(d, &vb)?,
            decoder: Linear::new(d, body.stride() * numbers, vb.pp("decoder"))?,
            body,
            objective: objective.clone(),
            layout: layout.clone(),
        })
    }

    /// The same with features of [another type](crate::Strl::with_features).
    #[must_use]
    pub fn with_features(self, features: DType) -> Self {
        let body = self.body.with_features(features);
        Self { body, ..self }
    }

    /// The hidden joints' numbers in every frame, (n, t, v, numbers).
    ///
    /// # Errors
    /// When the batch doesn't have the layout's joints and the model's frames.
    pub fn forward(&self, batch: &TrackBatch, mask: &Mask, mode: Mode) -> Result<Tensor> {
        let (n, t, v, _) = batch.keypoints.dims4()?;
        let map = masked_map(self.body.embed(), &self.mask_token)?;
        let s = mask.columns(&batch.keypoints)?;
        let h = self.body.embedded_by(&map, &s, mode)?; // (n, t / stride, v, d)
        let y = self.decoder.forward(&h)?; // (n, t / stride, v, stride numbers)
        let stride = self.body.stride();
        let short = y.dim(1)?;
        y.reshape((n, short, v, stride, ()))?
            .transpose(2, 3)?
            .reshape((n, short * stride, v, ()))?
            .narrow(1, 0, t)
    }

    fn loss_of(&self, batch: &TrackBatch, mask: &Mask, total: f64, mode: Mode) -> Result<Tensor> {
        let (s, rows) = (&batch.keypoints, mask.target_rows());
        if rows.is_empty() {
            return Tensor::zeros((), s.dtype(), s.device());
        }
        let at = Tensor::new(rows, s.device())?;
        let of_targets = |all: &Tensor| all.reshape(((), all.dim(3)?))?.index_select(&at, 0);
        let y = of_targets(&self.forward(batch, mask, mode)?)?;
        let x = of_targets(&self.objective.target.values(batch)?)?;
        self.objective.loss.of(&y, &x, total)
    }
}

impl Learner for MaskedStrl {
    type Draw = Mask;

    fn draw(&self, batch: &TrackBatch, at: At) -> skeletonmae::Result<(Mask, f64)> {
        let mask = self.objective.draw(&self.layout, batch, at);
        let weight = mask.count() as f64;
        Ok((mask, weight))
    }

    fn loss(&self, batch: &TrackBatch, mask: &Mask, total: f64) -> Result<Tensor> {
        self.loss_of(batch, mask, total, Mode::Train)
    }
}

/// A body and a projection head that tell two readings of a clip from those of other clips.
#[derive(Clone, Debug)]
pub struct ContrastStrl {
    body: Body,
    head: [Linear; 2],
    objective: Contrastive,
}

impl ContrastStrl {
    /// Of coordinates (n, `frames`, v, `coordinates`) on `layout`'s graph.
    ///
    /// # Errors
    /// When the builder lacks a parameter.
    pub fn new(
        objective: Contrastive,
        mae: &MaeConfig,
        config: &StrlConfig,
        input: (&Layout, usize, usize),
        vb: VarBuilder<'_>,
    ) -> skeletonmae::Result<Self> {
        Ok(Self {
            head: projection(mae.width, vb.pp("projection"))?,
            body: Body::new(mae, config, input, vb)?,
            objective,
        })
    }

    fn dropped(&self, batch: &TrackBatch, at: At) -> Vec<bool> {
        let joints = self.body.joints();
        self.objective.dropped(joints, batch, at)
    }

    /// The loss of clips that were read twice, one reading behind the other.
    fn loss_of(
        &self,
        batch: &TrackBatch,
        dropped: &[bool],
        total: f64,
        mode: Mode,
    ) -> Result<Tensor> {
        let (s, map) = without(&batch.keypoints, dropped, self.body.embed())?;
        let h = self.body.embedded_by(&map, &s, mode)?;
        let z = projected(&self.head, &batch.mean_by_clip(&track_mean(&h)?)?)?; // (2 b, d)
        let pairs = z.reshape((batch.clips() / 2, 2, ()))?;
        let reading = |at: usize| pairs.narrow(1, at, 1)?.squeeze(1);
        let z = [reading(0)?, reading(1)?];
        nt_xent(&z, self.objective.temperature)? * (batch.clips() as f64 / 2.0 / total)
    }
}

/// What is pre-trained: the encoder, or the classifier but its head.
#[derive(Clone, Debug)]
pub enum Pretraining {
    /// The encoder, whatever the objective.
    Encoder(Pretext),
    /// Embedding, positions and layers, by hidden joints.
    Strl(MaskedStrl),
    /// The same, by two readings of a clip.
    Contrast(ContrastStrl),
}

impl Pretraining {
    /// The model that `objective` trains; `config` is wanted where that is more than the encoder.
    ///
    /// # Errors
    /// When the builder lacks a parameter, or `config` is wanted and isn't there.
    pub fn new(
        objective: &Objective,
        mae: &MaeConfig,
        config: Option<&StrlConfig>,
        (layout, coordinates, frames): (&Layout, usize, usize),
        vb: VarBuilder<'_>,
    ) -> skeletonmae::Result<Self> {
        if objective.through().is_encoder() {
            return Pretext::new(objective, mae, layout, coordinates, vb).map(Self::Encoder);
        }
        let config = config.ok_or_else(|| {
            skeletonmae::Error::setting("model.strl", "the classifier's shape", "none")
        })?;
        let input = (layout, coordinates, frames);
        match objective {
            Objective::Reconstruction(own) => {
                MaskedStrl::new(own, mae, config, input, vb).map(Self::Strl)
            }
            Objective::Contrastive(own) => {
                ContrastStrl::new(*own, mae, config, input, vb).map(Self::Contrast)
            }
        }
    }

    /// The same with features of [another type](crate::Strl::with_features).
    #[must_use]
    pub fn with_features(self, features: DType) -> Self {
        match self {
            Self::Encoder(pretext) => Self::Encoder(pretext.with_features(features)),
            Self::Strl(masked) => Self::Strl(masked.with_features(features)),
            Self::Contrast(contrast) => {
                let body = contrast.body.with_features(features);
                Self::Contrast(ContrastStrl { body, ..contrast })
            }
        }
    }

    /// The paper's autoencoder, where there is one that gives coordinates.
    pub fn autoencoder(&self) -> Option<&SkeletonMae> {
        match self {
            Self::Encoder(pretext) => pretext.autoencoder(),
            Self::Strl(_) | Self::Contrast(_) => None,
        }
    }

    /// The sum of the loss over a held-out batch, by the running statistics, and its weight.
    ///
    /// # Errors
    /// When the batch doesn't fit the model.
    pub fn held_out(&self, batch: &TrackBatch, at: At) -> Result<(f64, f64)> {
        match self {
            Self::Encoder(pretext) => pretext.held_out(batch, at),
            Self::Strl(masked) => {
                let mask = masked.objective.draw(&masked.layout, batch, at);
                let loss = masked.loss_of(batch, &mask, 1.0, Mode::Eval)?;
                Ok((host::read::<f64>(&loss)?[0], mask.count() as f64))
            }
            Self::Contrast(contrast) => {
                let dropped = contrast.dropped(batch, at);
                let loss = contrast.loss_of(batch, &dropped, 1.0, Mode::Eval)?;
                Ok((host::read::<f64>(&loss)?[0], batch.clips() as f64 / 2.0))
            }
        }
    }
}

impl Learner for Pretraining {
    type Draw = Draw;

    fn draw(&self, batch: &TrackBatch, at: At) -> skeletonmae::Result<(Draw, f64)> {
        match self {
            Self::Encoder(pretext) => Ok(pretext.draw(batch, at)),
            Self::Strl(masked) => {
                let (mask, weight) = masked.draw(batch, at)?;
                Ok((Draw::Mask(mask), weight))
            }
            Self::Contrast(contrast) => {
                let dropped = contrast.dropped(batch, at);
                Ok((Draw::Dropped(dropped), batch.clips() as f64 / 2.0))
            }
        }
    }

    fn loss(&self, batch: &TrackBatch, draw: &Draw, total: f64) -> Result<Tensor> {
        match (self, draw) {
            (Self::Encoder(pretext), _) => pretext.loss(batch, draw, total, Mode::Train),
            (Self::Strl(masked), Draw::Mask(mask)) => masked.loss(batch, mask, total),
            (Self::Contrast(contrast), Draw::Dropped(dropped)) => {
                contrast.loss_of(batch, dropped, total, Mode::Train)
            }
            _ => bail!("the draw of another objective"),
        }
    }
}
