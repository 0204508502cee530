//! The circumstances of a run: what else than the settings could explain its numbers.

use serde::{Deserialize, Serialize};
use skeletonmae::train::ranks::Ranks;

use crate::checkpoint::{Fingerprint, Kind, Origin};
use crate::machine::Machine;
use crate::process::instruction_set;
use crate::ranks::world;

/// The contents of run.json.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Info {
    /// What trains: `pretrain` or `finetune`.
    pub command: Kind,
    /// Seed of everything random.
    pub seed: u64,
    /// The commit the program was built at, "unknown" outside a checkout.
    pub commit: String,
    /// The data trained on.
    pub data: Fingerprint,
    /// What computes: the device, and the GPU's name.
    pub device: String,
    /// Threads computed with, of each rank.
    pub threads: usize,
    /// Processes that trained together; results don't depend on it.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub ranks: usize,
    /// What the ops chose of the processor's vector instructions, and whether they went through their definitions; sums may
    /// differ in their last bits between these.
    pub instruction_set: String,
    /// The start of a fine-tuning, none from scratch.
    pub encoder: Option<Encoder>,
    /// Clips trained on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clips: Option<usize>,
    /// Epochs of the whole run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epochs: Option<usize>,
    /// Numbers that training changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<usize>,
    /// Which labels were known, where it wasn't all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<Labels>,
    /// What the program is made of.
    pub versions: Versions,
    /// Where it went on after it was stopped, and by what.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resumed: Vec<Continued>,
}

fn one() -> usize {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
fn is_one(ranks: &usize) -> bool {
    *ranks == 1
}

/// Where and by what a run went on: the numbers' last bits may depend on the instruction set.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Continued {
    /// Epochs done.
    pub epoch: usize,
    /// Steps done of the next epoch.
    pub step: usize,
    /// As [`Info::device`].
    #[serde(default)]
    pub device: String,
    /// The commit that program was built at.
    pub commit: String,
    /// Threads computed with, of each rank.
    pub threads: usize,
    /// As [`Info::ranks`].
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub ranks: usize,
    /// As [`Info::instruction_set`].
    pub instruction_set: String,
    /// That program.
    pub version: String,
}

/// The labels of a semi-supervised training.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Labels {
    /// The share of each class asked for.
    pub share: f64,
    /// The clips whose labels were known, by id.
    pub clips: Vec<String>,
}

/// The checkpoint whose encoder was the start.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Encoder {
    /// Where it was.
    pub path: String,
    /// SHA-256 of its bytes.
    pub sha256: String,
}

/// What the program is made of.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Versions {
    /// This program.
    pub ssl: String,
    /// The tensor library.
    pub candle: String,
    /// The compiler.
    pub rustc: String,
    /// The system and processor built for.
    pub target: String,
}

impl Versions {
    /// As known when the program was built.
    fn of_this_program() -> Versions {
        Versions {
            ssl: env!("CARGO_PKG_VERSION").into(),
            candle: env!("SSL_CANDLE").into(),
            rustc: env!("SSL_RUSTC").into(),
            target: env!("SSL_TARGET").into(),
        }
    }
}

impl Info {
    /// The circumstances of this process.
    pub fn new(
        kind: Kind,
        seed: u64,
        data: Fingerprint,
        machine: &Machine,
        encoder: Option<&Origin>,
    ) -> Info {
        let encoder = encoder.map(|origin| Encoder {
            path: origin.path.display().to_string(),
            sha256: origin.sha256.clone(),
        });
        Info {
            command: kind,
            seed,
            commit: env!("SSL_COMMIT").into(),
            data,
            device: machine.name.clone(),
            threads: machine.threads,
            ranks: world().size(),
            instruction_set: instruction_set(),
            encoder,
            clips: None,
            epochs: None,
            parameters: None,
            labels: None,
            versions: Versions::of_this_program(),
            resumed: Vec::new(),
        }
    }
}
