//! What pre-training pursues: the settings under `[pretrain.objective]`.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};
use skeleton_graph::Layout;
use skeleton_kernels::{mean_squared_error, reweighted_cosine_error};

use crate::batch::TrackBatch;
use crate::error::{Error, Result};
use crate::mask::{At, Mask, MaskConfig, MaskScope};
use crate::target::{Target, moving};

/// The pretext by which an encoder is trained without labels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Objective {
    /// `SkeletonMAE`: hidden joints are put back.
    Reconstruction(Reconstruction),
    /// `GraphCL`, with which Table 4b compares it: two views of a clip are told from those of other clips.
    Contrastive(Contrastive),
}

/// Paper section 3.2.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reconstruction {
    /// What is masked.
    pub mask: MaskConfig,
    /// Over what one draw of the mask holds.
    #[serde(default)]
    pub mask_scope: MaskScope,
    /// How far a reconstruction is off.
    #[serde(default)]
    pub loss: LossConfig,
    /// What is reconstructed.
    #[serde(default)]
    pub target: Target,
    /// By what.
    #[serde(default, skip_serializing_if = "Through::is_encoder")]
    pub through: Through,
}

/// The reconstruction's loss.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum LossConfig {
    /// The re-weighted cosine error, the paper's. It leaves the reconstruction's scale free.
    Rce {
        /// The power of the error (2 in the paper).
        #[serde(default = "beta")]
        beta: f64,
    },
    /// The mean squared error over the target's numbers.
    Mse,
}

impl LossConfig {
    /// The sum over the rows of `y`, what was found of `x`, (targets, numbers) both, divided by `denominator`.
    ///
    /// # Errors
    /// When the shapes differ.
    pub fn of(self, y: &Tensor, x: &Tensor, denominator: f64) -> candle_core::Result<Tensor> {
        match self {
            Self::Rce { beta } => reweighted_cosine_error(y, x, beta, denominator),
            Self::Mse => mean_squared_error(y, x, denominator),
        }
    }
}

fn beta() -> f64 {
    2.0
}

impl Default for LossConfig {
    fn default() -> Self {
        Self::Rce { beta: beta() }
    }
}

/// Which part of the classifier is pre-trained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Through {
    /// Embedding and encoder, by the decoder of the paper.
    #[default]
    Encoder,
    /// All but the map to the classes: embedding, positions, and the layers of STRL with their modules over time. The decoder
    /// is a linear map of each joint's last features to the frames they stand for.
    ///
    /// Differs from the paper, whose encoder sees one frame at a time; the rest of its classifier begins at random.
    Strl,
}

impl Through {
    /// Whether it is the paper's.
    pub fn is_encoder(&self) -> bool {
        *self == Self::Encoder
    }
}

/// Y. You et al., Graph Contrastive Learning with Augmentations, `NeurIPS` 2020, arXiv 2010.13902: two views of
/// each clip, each without some joints (node dropping) and bones (edge perturbation); the encoder's features,
/// averaged over joints, frames and persons, go through two maps with ReLU between them; NT-Xent.
///
/// Differs from the paper: it gives `GraphCL`'s result (Table 4b) and no settings. Differs from `GraphCL`: a
/// dropped joint stays in the graph and its feature is 0; bones are dropped, none is added; the loss is that of
/// T. Chen et al. (arXiv 2002.05709, equation 1), which `GraphCL` names, where its own leaves the pair itself and
/// the views of the same side out of the denominator.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Contrastive {
    /// What cosines are divided by.
    pub temperature: f64,
    /// Share of the joints that a view lacks, in all frames of the clip; drawn for each clip and view.
    pub joints: f64,
    /// Share of the bones that a view lacks; drawn for each batch and view.
    pub edges: f64,
    /// What is pre-trained. Through the classifier's layers the two views are two readings of a clip, each augmented by itself
    /// (F. M. Thoker et al., Skeleton-Contrastive 3D Action Representation Learning, arXiv 2108.03656, and others), no bone is
    /// dropped, and the mean over time is of features that see several frames.
    #[serde(skip_serializing_if = "Through::is_encoder")]
    pub through: Through,
}

impl Default for Contrastive {
    /// `GraphCL`'s shares; the temperature of its code.
    fn default() -> Self {
        Self {
            temperature: 0.2,
            joints: 0.2,
            edges: 0.2,
            through: Through::Encoder,
        }
    }
}

impl Objective {
    /// Refuses what can't be run on `layout`.
    ///
    /// # Errors
    /// Names the field.
    pub fn validate(&self, layout: &Layout) -> Result<()> {
        match self {
            Self::Reconstruction(reconstruction) => {
                if let LossConfig::Rce { beta } = reconstruction.loss {
                    let ok = beta >= 1.0 && beta.is_finite();
                    Error::refuse_unless(ok, "loss.beta", "a finite power not below 1", beta)?;
                }
                let through = !reconstruction.through.is_encoder();
                let embedded = [Target::Embedding, Target::EmbeddingWithGradient];
                let fits = !(through && embedded.contains(&reconstruction.target));
                let expected = "coordinates, motion or both where objective.through is strl";
                Error::refuse_unless(fits, "target", expected, "the embedding")?;
                let some = reconstruction.mask_scope != MaskScope::Stretch(0);
                Error::refuse_unless(some, "mask_scope", "a stretch of 1 frame or more", 0)?;
                reconstruction.mask.validate(layout)
            }
            Self::Contrastive(contrastive) => contrastive.validate(),
        }
    }

    /// What is pre-trained.
    pub fn through(&self) -> Through {
        match self {
            Self::Reconstruction(own) => own.through,
            Self::Contrastive(own) => own.through,
        }
    }

    /// Whether a clip is read twice.
    pub fn reads_twice(&self) -> bool {
        matches!(self, Self::Contrastive(own) if !own.through.is_encoder())
    }

    /// What is masked and put back, where something is.
    pub fn reconstruction(&self) -> Option<&Reconstruction> {
        match self {
            Self::Reconstruction(reconstruction) => Some(reconstruction),
            Self::Contrastive(_) => None,
        }
    }
}

impl Reconstruction {
    /// The masks of a batch; what has no target's numbers is no target.
    pub fn draw(&self, layout: &Layout, batch: &TrackBatch, at: At) -> Mask {
        let mut mask = self.mask.masks(layout, batch, self.mask_scope, at);
        if self.target.moves() {
            let moving = moving(batch);
            mask.targets
                .iter_mut()
                .zip(moving)
                .for_each(|(target, moves)| *target &= moves);
        }
        mask
    }
}

impl Contrastive {
    fn validate(&self) -> Result<()> {
        let (temperature, joints) = (self.temperature, self.joints);
        let ok = temperature > 0.0 && temperature.is_finite();
        Error::refuse_unless(ok, "temperature", "a number above 0", temperature)?;
        for (field, share) in [("joints", joints), ("edges", self.edges)] {
            let ok = (0.0..1.0).contains(&share);
            Error::refuse_unless(ok, field, "a share from 0, below 1", share)?;
        }
        if !self.through.is_encoder() {
            let expected = "0 where objective.through is strl";
            return Error::refuse_unless(self.edges == 0.0, "edges", expected, self.edges);
        }
        let expected =
            "a share above 0 where edges is 0: two views that differ in nothing teach nothing";
        Error::refuse_unless(joints + self.edges > 0.0, "joints", expected, joints)
    }
}
