//! What fine-tuning trains.

use candle_core::Var;
use serde::{Deserialize, Serialize};

/// Whether the encoders learn in fine-tuning, with the embedding that they share with pre-training.
///
/// Differs from the paper: it fine-tunes end to end; frozen encoders are the comparison.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tuning {
    /// They do.
    #[default]
    Tuned,
    /// They are functions that stay what pre-training made of them: by their running statistics in training
    /// too, which stay as they are, like every parameter.
    Frozen,
}

impl Tuning {
    /// Whether the classifier's parameter of this name is trained.
    pub fn trains(self, name: &str) -> bool {
        let encoder = name.starts_with("embed.") || name.contains(".spatial.encoder.");
        self == Self::Tuned || !encoder
    }

    /// Those of a classifier's parameters that are trained: what the optimizer is given.
    pub fn trained(self, parameters: Vec<(String, Var)>) -> Vec<(String, Var)> {
        let all = parameters.into_iter();
        all.filter(|(name, _)| self.trains(name)).collect()
    }
}
