//! A trained model as one file: `model.safetensors`.
//!
//! The file holds parameters and running statistics in their fixed order, and one metadata key with
//! everything needed to use them (several keys would be written in a random order). The same run
//! writes the same bytes.

mod file;
mod meta;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use candle_core::safetensors::Load;
use candle_core::{DType, Device, Tensor};
use safetensors::SafeTensors;
use sha2::{Digest, Sha256};

use self::file::read_safetensors as read_bounded;
pub use self::file::{Whole, write_whole};
pub use self::meta::{Fingerprint, Kind, Meta, VERSION};
use crate::failure::{Failure, Outcome};

/// The checkpoint's name in a run folder.
pub const FILE: &str = "model.safetensors";

/// The one metadata key.
const KEY: &str = "ssl";

/// Far above any header ours can have, far below what would fill a memory.
const MOST_HEADER: u64 = 16 << 20;

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
        let metadata = HashMap::from([(KEY.to_owned(), self.meta.to_json()?)]);
        let tensors = self
            .tensors
            .iter()
            .map(|(name, tensor)| (name.as_str(), tensor));
        safetensors::serialize(tensors, Some(metadata)).map_err(|error| Failure::from_error(&error))
    }

    /// Writes the file whole or not at all.
    pub fn write(&self, path: &Path) -> Outcome {
        write_whole(path, &self.to_bytes()?)?;
        tracing::debug!(path = %path.display(), epoch = self.meta.epoch, "checkpoint written");
        Ok(())
    }

    /// Reads the checkpoint of a run folder, or a file.
    pub fn read(run_or_file: &Path) -> Outcome<(Checkpoint, Origin)> {
        let path = locate(run_or_file)?;
        let bytes = file::read_safetensors(&path, MOST_HEADER)?;
        let checkpoint = Checkpoint::from_bytes(&bytes, &path)?;
        tracing::info!(path = %path.display(), epoch = checkpoint.meta.epoch, "checkpoint read");
        let sha256 = Sha256::digest(&bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Ok((checkpoint, Origin { path, sha256 }))
    }

    fn from_bytes(bytes: &[u8], path: &Path) -> Outcome<Checkpoint> {
        let damaged = |found: String| {
            Failure::error(format!(
                "{}: expected a checkpoint, found {found}",
                path.display()
            ))
        };
        let again = "the file is damaged or cut off: copy it again, or train again";
        let (_, header) = SafeTensors::read_metadata(bytes)
            .map_err(|error| damaged(error.to_string()).hint(again))?;
        let text = header
            .metadata()
            .as_ref()
            .and_then(|keys| keys.get(KEY))
            .ok_or_else(|| {
                damaged("safetensors of another program".to_owned()).hint(
                    "only checkpoints written by `ssl pretrain` and `ssl finetune` can be read",
                )
            })?;
        let meta = Meta::from_json(text, path)?;
        let file = SafeTensors::deserialize(bytes)
            .map_err(|error| damaged(error.to_string()).hint(again))?;
        let mut tensors = BTreeMap::new();
        for (name, view) in file.iter() {
            let tensor = view
                .load(&Device::Cpu)
                .map_err(|error| damaged(format!("{name}: {error}")))?;
            if tensor.dtype() != DType::F32 {
                return Err(damaged(format!("{name} in {:?}, not f32", tensor.dtype())));
            }
            tensors.insert(name.to_owned(), tensor);
        }
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
mod tests;
