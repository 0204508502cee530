//! What `ssl probe` says.

use serde::Serialize;

use super::{Evaluation, count, percent};
use crate::run::Labels;

/// What a frozen encoder is worth.
#[derive(Clone, Debug, Serialize)]
pub struct ProbeReport {
    /// What was put on it.
    #[serde(flatten)]
    pub method: Method,
    /// How a clip becomes numbers.
    pub representation: String,
    /// How many numbers.
    pub width: usize,
    /// What is probed.
    pub encoder: Probed,
    /// What was learnt from.
    pub train: Trained,
    /// Of the random encoder, the known labels and the part held out.
    pub seed: u64,
    /// Clips measured.
    pub clips: usize,
    /// The measurement.
    #[serde(flatten)]
    pub evaluation: Evaluation,
}

/// What was put on the encoder.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(tag = "method", rename_all = "lowercase")]
pub enum Method {
    /// Logistic regression.
    Linear {
        /// Chosen on the held-out clips, or the weakest where none could be held out.
        weight_decay: f64,
        /// Training clips held out for that choice; the probe is then fitted to all.
        held_out: usize,
        /// Share of them that was right.
        #[serde(skip_serializing_if = "Option::is_none")]
        held_out_top1: Option<f64>,
    },
    /// Nearest neighbours.
    Knn {
        /// How many vote.
        neighbours: usize,
    },
}

/// The frozen encoder.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Probed {
    /// Parameters as they were drawn, statistics of mean 0 and variance 1.
    Random {
        /// SHA-256 of all tensors, the same before and after.
        weights: String,
    },
    /// A checkpoint.
    Pretrained {
        /// Where it was.
        path: String,
        /// SHA-256 of the file.
        sha256: String,
        /// The data it was trained on.
        dataset: String,
        /// Epochs done.
        epoch: usize,
        /// SHA-256 of all tensors, the same before and after.
        weights: String,
    },
}

/// The clips learnt from.
#[derive(Clone, Debug, Serialize)]
pub struct Trained {
    /// The split.
    pub split: String,
    /// Clips whose labels were known.
    pub clips: usize,
    /// Which, where it wasn't all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<Labels>,
}

impl ProbeReport {
    /// A few lines for people.
    pub fn text(&self) -> String {
        let (encoder, weights) = match &self.encoder {
            Probed::Random { weights } => (format!("random, seed {}", self.seed), weights),
            Probed::Pretrained {
                path,
                dataset,
                epoch,
                weights,
                ..
            } => {
                let epochs = count(*epoch, "epoch");
                (format!("{path}, {epochs} on {dataset}"), weights)
            }
        };
        let method = match self.method {
            Method::Linear {
                weight_decay,
                held_out,
                held_out_top1,
            } => {
                let chosen = held_out_top1.map_or(", none held out to choose it".into(), |top1| {
                    let clips = count(held_out, "held-out clip");
                    format!(", chosen on {clips} ({} right)", percent(top1))
                });
                format!("linear probe, weight decay {weight_decay}{chosen}")
            }
            Method::Knn { neighbours } => count(neighbours, "nearest neighbour"),
        };
        let known = self.train.labels.as_ref();
        let known = known.map_or(String::new(), |known| {
            format!(", a share of {} of each class", known.share)
        });
        [
            method,
            format!("  encoder     {encoder}; frozen, weights {:.12}", weights),
            format!("  clips       {} {}", self.width, self.representation),
            format!(
                "  learnt from {} of {}{known}",
                count(self.train.clips, "clip"),
                self.train.split
            ),
            self.evaluation.text(),
        ]
        .join("\n")
    }
}
