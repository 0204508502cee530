//! Checkpoints, and what a training needs to go on, as files of a run. What a checkpoint is, `strl::checkpoint` says; here it is
//! written whole, and those that come with the program are found.

mod file;
mod state;

use std::path::Path;

pub use strl::checkpoint::sealed::read_safetensors;
pub use strl::checkpoint::{Checkpoint, FILE, Fingerprint, Kind, Meta, Origin, VERSION};

pub use self::file::{BESIDE, Whole, folder_of, write_json, write_whole};
pub use self::state::{Best, State};
use crate::failure::{Failure, Outcome};
use crate::zoo::Entry;

/// Reads the checkpoint of a run folder, a file, or one that comes with the program.
pub fn read(run_or_file: &Path) -> Outcome<(Checkpoint, Origin)> {
    let (checkpoint, origin) = match Entry::at(run_or_file)? {
        Some(entry) => Checkpoint::from_bytes(entry.bytes, run_or_file)?,
        None => Checkpoint::read(run_or_file)?,
    };
    let (path, epoch) = (origin.path.display(), checkpoint.meta.epoch);
    tracing::info!(%path, epoch, "checkpoint read");
    Ok((checkpoint, origin))
}

/// Writes a checkpoint whole or not at all.
pub fn write(checkpoint: &Checkpoint, path: &Path) -> Outcome {
    write_whole(path, &checkpoint.to_bytes()?)?;
    let epoch = checkpoint.meta.epoch;
    tracing::debug!(path = %path.display(), epoch, "checkpoint written");
    Ok(())
}

impl From<strl::checkpoint::Error> for Failure {
    fn from(error: strl::checkpoint::Error) -> Failure {
        use strl::checkpoint::{Error, Fault};
        let hint = match &error {
            Error::Missing { .. } => "expected the folder of a run, or its model.safetensors",
            Error::Empty { .. } => {
                "a run writes its first checkpoint at the end of its first epoch"
            }
            Error::Version { found, .. } if *found > VERSION => {
                "update ssl, or train again with this version"
            }
            Error::Version { .. } => {
                "train again with this version, or use the version of ssl that wrote it"
            }
            Error::Content { fault, .. } => match fault {
                Fault::Damaged => {
                    "the file is damaged or cut off: copy it again, take an older one, or train again"
                }
                Fault::Foreign => "weights of another program become a checkpoint by `ssl import`",
                Fault::NotSafetensors => {
                    "a checkpoint is the model.safetensors of a run; is the file cut off, or of another kind?"
                }
                Fault::TooLarge => "is it a file of another kind?",
                _ => return Failure::from_error(&error),
            },
            Error::Kind { expected, .. } => match expected {
                Kind::Finetune => {
                    "a pre-trained model has no classes yet: `ssl finetune --encoder RUN`"
                }
                Kind::Pretrain => "--encoder takes a run of `ssl pretrain`",
            },
            _ => {
                return match error {
                    Error::Layout(error) => error.into(),
                    Error::Data(error) => error.into(),
                    Error::Model(error) => error.into(),
                    error => Failure::from_error(&error),
                };
            }
        };
        Failure::from_error(&error).hint(hint)
    }
}

#[cfg(test)]
pub mod tests;
