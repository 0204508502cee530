//! A trained model as one file: `model.safetensors`.
//!
//! The file holds parameters and running statistics in their fixed order, and the metadata needed to use
//! them, sealed by a digest (`sealed`). The same run writes the same bytes. What a training needs to go on
//! is another file of the same form (`state`).

mod file;
mod meta;
mod sealed;
mod state;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Tensor};

pub use self::file::{BESIDE, Whole, read_safetensors, write_json, write_whole};
pub use self::meta::{Fingerprint, Kind, Meta, VERSION, check_version};
use self::sealed::Unsealed;
pub use self::state::{Best, State};
use crate::failure::{Failure, Outcome};

/// The checkpoint's name in a run folder.
pub const FILE: &str = "model.safetensors";

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

    /// Reads the checkpoint of a run folder, or a file.
    pub fn read(run_or_file: &Path) -> Outcome<(Checkpoint, Origin)> {
        let path = locate(run_or_file)?;
        let unsealed = sealed::read(&path, "checkpoint", check_version)?;
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
