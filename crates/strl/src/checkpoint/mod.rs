//! A trained model as one file: `model.safetensors`.
//!
//! The file holds parameters and running statistics in their fixed order, and the metadata needed to use
//! them, sealed by a digest ([`sealed`]). The same run writes the same bytes.
//!
//! This module is the feature `checkpoint`'s; no other one of this crate knows files.

mod error;
mod limits;
pub mod sealed;
mod settings;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use skeleton_data::Units;
use skeleton_data::reading::Reading;
use skeleton_data::stream::Stream;
use skeleton_graph::Layout;
use skeletonmae::Store;

pub use self::error::{Error, Fault, Result};
use self::sealed::Unsealed;
pub use self::settings::{Model, split_off};
use crate::{Strl, Task};

/// The checkpoint's name in a run folder.
pub const FILE: &str = "model.safetensors";

/// The version of checkpoints and training states that this program writes and reads.
///
/// The policy: a version stands for one meaning of the metadata and of the parameters' names. Whatever
/// changes either raises it. Another version is refused by its number, never guessed at; keys that this
/// version doesn't know are refused too, since they would have come with a higher number. Versions 1 and
/// 2, which carried no digest, are not read any more.
pub const VERSION: u64 = 3;

/// What was trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A SkeletonMAE.
    Pretrain,
    /// An STRL classifier.
    Finetune,
}

impl Kind {
    /// The command that makes it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Pretrain => "pretrain",
            Kind::Finetune => "finetune",
        }
    }
}

/// Which data a model has seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fingerprint {
    /// The data set's name.
    pub dataset: String,
    /// The cache's digest.
    pub digest: String,
}

/// Everything besides the numbers: one JSON value with sorted keys under one metadata key. No clock
/// and no path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meta {
    /// [`VERSION`] when written.
    pub version: u64,
    /// What was trained.
    pub kind: Kind,
    /// The layout's TOML text, whole.
    pub layout: String,
    /// What the coordinates are measured in.
    pub units: Units,
    /// How clips are read: frames and their sampling, views, stream, normalisation, threshold,
    /// persons.
    pub reading: Reading,
    /// What of the skeleton the model sees: the reading's.
    pub stream: Stream,
    /// T, the frames of a clip as the model sees it.
    pub frames: usize,
    /// c, coordinates of a joint.
    pub coordinates: usize,
    /// Class names in the order of the labels; empty after pre-training, which doesn't look at
    /// them.
    pub classes: Vec<String>,
    /// The resolved settings as TOML, without what differs between machines.
    pub config: String,
    /// The data trained on.
    pub data: Fingerprint,
    /// More data that it was pre-trained on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<Fingerprint>,
    /// Epochs done.
    pub epoch: usize,
    /// SHA-256 of the checkpoint whose encoder was the start.
    pub encoder: Option<String>,
    /// SHA-256 of the file whose numbers were imported; none where all were trained here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imported: Option<String>,
}

impl Meta {
    /// Reads a JSON object; `path` is for messages.
    ///
    /// # Errors
    /// A key that is missing, unknown or of another kind.
    pub fn from_value(value: Value, path: &Path) -> Result<Meta> {
        let damaged = |found: String| {
            let expected = "those of a checkpoint";
            Error::content(Fault::Invalid, path, "metadata", expected, found)
        };
        let meta: Meta =
            serde_json::from_value(value).map_err(|error| damaged(error.to_string()))?;
        if meta.stream != meta.reading.stream {
            let (stream, read) = (meta.stream.name(), meta.reading.stream.name());
            return Err(damaged(format!("stream {stream} read as {read}")));
        }
        Ok(meta)
    }

    /// The skeleton; `name` is what messages call the checkpoint.
    ///
    /// # Errors
    /// A text that is no layout.
    pub fn skeleton(&self, name: &str) -> Result<Layout> {
        Ok(Layout::from_toml(&self.layout, name)?)
    }
}

/// A trained model with all that is needed to use it.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// Everything besides the numbers.
    pub meta: Meta,
    /// Parameters and running statistics by name.
    pub tensors: BTreeMap<String, Tensor>,
}

impl Checkpoint {
    /// The bytes of the file: the same for the same contents.
    ///
    /// # Errors
    /// A tensor that safetensors can't hold.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        sealed::to_bytes(&self.meta, &self.tensors)
    }

    /// Reads the checkpoint of a run folder, or a file.
    ///
    /// # Errors
    /// A file that isn't there, is damaged, or is no checkpoint of this version.
    pub fn read(run_or_file: &Path) -> Result<(Checkpoint, Origin)> {
        let path = locate(run_or_file)?;
        let bytes = sealed::read_safetensors(&path)?;
        Checkpoint::from_bytes(&bytes, &path)
    }

    /// Reads what is in memory; `path` is for messages.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<(Checkpoint, Origin)> {
        let unsealed = sealed::from_bytes(bytes, path, "checkpoint")?;
        let origin = Origin {
            path: path.to_owned(),
            sha256: unsealed.sha256.clone(),
        };
        Ok((Checkpoint::understand(unsealed, path)?, origin))
    }

    fn understand(unsealed: Unsealed, path: &Path) -> Result<Checkpoint> {
        let meta = Meta::from_value(unsealed.meta, path)?;
        for (name, tensor) in &unsealed.tensors {
            if tensor.dtype() != DType::F32 {
                let found = format!("{:?}", tensor.dtype());
                let expected = "numbers in f32";
                return Err(Error::content(Fault::Invalid, path, name, expected, found));
            }
        }
        let tensors = unsealed.tensors;
        Ok(Checkpoint { meta, tensors })
    }

    /// Refuses a checkpoint of another kind than is needed.
    ///
    /// # Errors
    /// It is of the other kind.
    pub fn expect(&self, kind: Kind, origin: &Origin) -> Result<()> {
        match self.meta.kind == kind {
            true => Ok(()),
            false => Err(Error::Kind {
                path: origin.path.clone(),
                expected: kind,
                found: self.meta.kind,
            }),
        }
    }

    /// The classifier that `model` says, with the trained numbers, on the skeleton `layout`. Its features are of the type
    /// `features`, for the CPU `f32`.
    ///
    /// # Errors
    /// Tensors that aren't exactly those of this model.
    pub fn classifier(
        &self,
        model: &Model,
        layout: &Layout,
        device: &Device,
        features: DType,
    ) -> skeletonmae::Result<Strl> {
        let Some(strl) = &model.strl else {
            let expected = "a classifier's settings";
            return Err(skeletonmae::Error::setting("model.strl", expected, "none"));
        };
        let store = Store::of(self.tensors.clone(), DType::F32, device);
        let task = Task {
            layout,
            coordinates: self.meta.coordinates,
            frames: self.meta.frames,
            classes: self.meta.classes.len(),
        };
        let classifier = Strl::new(&model.mae, strl, task, store.builder())?;
        store.all_used()?;
        Ok(classifier.with_features(features))
    }
}

/// Where a checkpoint came from.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The file.
    pub path: PathBuf,
    /// SHA-256 of its bytes.
    pub sha256: String,
}

/// The checkpoint of a run folder; a file is itself.
fn locate(run_or_file: &Path) -> Result<PathBuf> {
    let metadata = std::fs::metadata(run_or_file).map_err(|source| Error::Missing {
        path: run_or_file.to_owned(),
        source,
    })?;
    if !metadata.is_dir() {
        return Ok(run_or_file.to_owned());
    }
    let path = run_or_file.join(FILE);
    match path.is_file() {
        true => Ok(path),
        false => Err(Error::Empty {
            folder: run_or_file.to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests;
