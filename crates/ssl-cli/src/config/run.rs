//! `[run]` of the settings.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::args::MachineArgs;
use crate::failure::{Failure, Outcome};
use crate::machine::{Device, Precision};
use crate::printer::Printer;

/// `[run]`: what flags say.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RunSection {
    /// Seed of everything random.
    pub seed: u64,
    /// What computes.
    pub device: Device,
    /// The type of features.
    #[serde(skip_serializing_if = "Precision::is_f32")]
    pub precision: Precision,
    /// Threads to compute with; one a core where it isn't said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<u16>,
    /// The cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<PathBuf>,
    /// Pre-training: the split to train on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split: Option<String>,
    /// Pre-training: the split of the validation curve.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub val: Option<String>,
    /// Fine-tuning: the split to train on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train: Option<String>,
    /// Fine-tuning: share of it kept away for the validation curve.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holdout: Option<f64>,
    /// Fine-tuning: share of each class's training clips whose labels are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<f64>,
    /// Fine-tuning: the split evaluated once, after the last epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<String>,
    /// Fine-tuning: the checkpoint whose encoder is the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoder: Option<PathBuf>,
}

impl RunSection {
    /// Takes what was typed of the machine in place of what the settings say; `auto` becomes what it stands for.
    pub fn on(&mut self, typed: MachineArgs, printer: &Printer) {
        self.device = typed.device.unwrap_or(self.device).settled(printer);
        self.precision = typed.precision.unwrap_or(self.precision);
        self.threads = typed.threads.or(self.threads);
    }

    /// Checks the shares.
    pub fn check(&self) -> Outcome {
        let refuse = |flag: &str, expected: &str, share: f64| {
            Err(Failure::usage(format!(
                "{flag}: expected a share {expected}, found {share}"
            ))
            .hint(format!("for example {flag} 0.1")))
        };
        match (self.holdout, self.labels) {
            (Some(share), _) if !(0.0..1.0).contains(&share) => {
                refuse("--holdout", "from 0, below 1", share)
            }
            (_, Some(share)) if !(share > 0.0 && share <= 1.0) => {
                refuse("--labels", "above 0, at most 1", share)
            }
            _ => Ok(()),
        }
    }
}
