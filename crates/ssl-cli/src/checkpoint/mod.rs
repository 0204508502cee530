//! A trained model as one file: `model.safetensors`.
//!
//! The file holds parameters and running statistics in their fixed order, and the metadata needed to use
//! them, sealed by a digest (`sealed`). The same run writes the same bytes. What a training needs to go on
//! is another file of the same form (`state`).

mod file;
mod sealed;
mod state;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Tensor};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use skeleton_data::Units;
use skeleton_data::reading::Reading;
use skeleton_data::stream::Stream;

pub use self::file::{BESIDE, Whole, read_safetensors, write_json, write_whole};
use self::sealed::Unsealed;
pub use self::state::{Best, State};
use crate::failure::{Failure, Outcome};
use crate::zoo::Entry;

/// The checkpoint's name in a run folder.
pub const FILE: &str = "model.safetensors";

/// The version of checkpoints and training states that this program writes and reads.
///
/// The policy: a version stands for one meaning of the metadata and of the parameters' names. Whatever
/// changes either raises it. Another version is refused by its number, never guessed at; keys that this
/// version doesn't know are refused too, since they would have come with a higher number. Versions 1 and
/// 2, which carried no digest, are not read any more.
pub const VERSION: u64 = 3;

/// Refuses the metadata of another version.
pub fn check_version(meta: &Value, path: &Path) -> Outcome {
    let path = path.display();
    match meta.get("version").and_then(Value::as_u64) {
        Some(VERSION) => Ok(()),
        Some(found) if found > VERSION => Err(Failure::error(format!(
            "{path}: version {found} is newer than {VERSION}, which is read here"
        ))
        .hint("update ssl, or train again with this version")),
        Some(found) => Err(Failure::error(format!(
            "{path}: version {found} is older than {VERSION}, which is read here"
        ))
        .hint("train again with this version, or use the version of ssl that wrote it")),
        None => Err(Failure::error(format!(
            "{path}: metadata: expected those of a checkpoint, found no version number"
        ))),
    }
}

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
    /// The metadata as a JSON object.
    pub fn to_value(&self) -> Outcome<Value> {
        serde_json::to_value(self).map_err(|error| Failure::from_error(&error))
    }

    /// Reads what [`to_value`](Self::to_value) made; `path` is for messages.
    pub fn from_value(value: Value, path: &Path) -> Outcome<Meta> {
        let damaged = |found: String| {
            Failure::error(format!(
                "{}: metadata: expected those of a checkpoint, found {found}",
                path.display()
            ))
        };
        let meta: Meta =
            serde_json::from_value(value).map_err(|error| damaged(error.to_string()))?;
        if meta.stream != meta.reading.stream {
            let (stream, read) = (meta.stream.name(), meta.reading.stream.name());
            return Err(damaged(format!("stream {stream} read as {read}")));
        }
        Ok(meta)
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
    pub fn to_bytes(&self) -> Outcome<Vec<u8>> {
        sealed::to_bytes(self.meta.to_value()?, &self.tensors)
    }

    /// Writes the file whole or not at all.
    pub fn write(&self, path: &Path) -> Outcome {
        write_whole(path, &self.to_bytes()?)?;
        tracing::debug!(path = %path.display(), epoch = self.meta.epoch, "checkpoint written");
        Ok(())
    }

    /// Reads the checkpoint of a run folder, a file, or one that comes with the program.
    pub fn read(run_or_file: &Path) -> Outcome<(Checkpoint, Origin)> {
        let (path, unsealed) = match Entry::at(run_or_file)? {
            Some(entry) => {
                let path = run_or_file.to_owned();
                let unsealed = sealed::from_bytes(entry.bytes, &path, "checkpoint", check_version)?;
                (path, unsealed)
            }
            None => {
                let path = locate(run_or_file)?;
                let unsealed = sealed::read(&path, "checkpoint", check_version)?;
                (path, unsealed)
            }
        };
        let sha256 = unsealed.sha256.clone();
        let checkpoint = Checkpoint::understand(unsealed, &path)?;
        tracing::info!(path = %path.display(), epoch = checkpoint.meta.epoch, "checkpoint read");
        Ok((checkpoint, Origin { path, sha256 }))
    }

    fn understand(unsealed: Unsealed, path: &Path) -> Outcome<Checkpoint> {
        let meta = Meta::from_value(unsealed.meta, path)?;
        for (name, tensor) in &unsealed.tensors {
            if tensor.dtype() != DType::F32 {
                let (path, dtype) = (path.display(), tensor.dtype());
                return Err(Failure::error(format!(
                    "{path}: {name}: expected numbers in f32, found {dtype:?}"
                )));
            }
        }
        let tensors = unsealed.tensors;
        Ok(Checkpoint { meta, tensors })
    }

    /// Refuses a checkpoint of another kind than the command needs.
    pub fn expect(&self, kind: Kind, origin: &Origin) -> Outcome {
        if self.meta.kind == kind {
            return Ok(());
        }
        let found = self.meta.kind.name();
        let message = format!(
            "{}: expected a checkpoint of `ssl {}`, found one of `ssl {found}`",
            origin.path.display(),
            kind.name()
        );
        Err(Failure::error(message).hint(match kind {
            Kind::Finetune => {
                "a pre-trained model has no classes yet: `ssl finetune --encoder RUN`"
            }
            Kind::Pretrain => "--encoder takes a run of `ssl pretrain`",
        }))
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
fn locate(run_or_file: &Path) -> Outcome<PathBuf> {
    let metadata = std::fs::metadata(run_or_file).map_err(|error| {
        Failure::io(run_or_file)(error)
            .hint("expected the folder of a run, or its model.safetensors")
    })?;
    if !metadata.is_dir() {
        return Ok(run_or_file.to_owned());
    }
    let path = run_or_file.join(FILE);
    if path.is_file() {
        return Ok(path);
    }
    Err(Failure::error(format!(
        "{}: no {FILE} in this folder",
        run_or_file.display()
    ))
    .hint("a run writes its first checkpoint at the end of its first epoch"))
}

#[cfg(test)]
pub mod tests;
