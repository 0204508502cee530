//! What a checkpoint says about itself.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use skeleton_data::Units;
use skeleton_data::reading::Reading;
use skeleton_data::stream::Stream;

use crate::failure::{Failure, Outcome};

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
