//! What pre-training pursues: the settings under `[pretrain.objective]`.

use serde::{Deserialize, Serialize};
use skeleton_graph::Layout;

use crate::error::{Error, Result};
use crate::mask::{MaskConfig, MaskScope};

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

fn beta() -> f64 {
    2.0
}

impl Default for LossConfig {
    fn default() -> Self {
        Self::Rce { beta: beta() }
    }
}

/// What the decoder's output is compared with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// The embedded, unmasked feature, into which no gradient flows.
    ///
    /// Differs from the paper: it doesn't say whether gradient does; the embedding can collapse where it does.
    #[default]
    Embedding,
    /// The same, into which gradient flows.
    EmbeddingWithGradient,
    /// The joint's coordinates: the decoder ends in as many numbers.
    ///
    /// Differs from the paper, whose target is the feature. With the cosine error only their direction is
    /// learnt; MSE is the loss that goes with them.
    Coordinates,
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
}

impl Default for Contrastive {
    /// `GraphCL`'s shares; the temperature of its code.
    fn default() -> Self {
        Self {
            temperature: 0.2,
            joints: 0.2,
            edges: 0.2,
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
                reconstruction.mask.validate(layout)
            }
            Self::Contrastive(contrastive) => contrastive.validate(),
        }
    }

    /// What is masked and put back, where something is.
    pub fn reconstruction(&self) -> Option<&Reconstruction> {
        match self {
            Self::Reconstruction(reconstruction) => Some(reconstruction),
            Self::Contrastive(_) => None,
        }
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
        let expected =
            "a share above 0 where edges is 0: two views that differ in nothing teach nothing";
        Error::refuse_unless(joints + self.edges > 0.0, "joints", expected, joints)
    }
}
