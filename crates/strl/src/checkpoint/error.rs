//! Why a checkpoint can't be used.

use std::path::{Path, PathBuf};

use super::{FILE, Kind, VERSION};

/// A result with this module's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Every error names the file, the place in it, what was expected and what was found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Nothing is where a run or a file was said to be.
    #[error("{}: {source}", path.display())]
    Missing {
        /// Where.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A folder without a checkpoint.
    #[error("{}: no {FILE} in this folder", folder.display())]
    Empty {
        /// The folder.
        folder: PathBuf,
    },
    /// A checkpoint of another version.
    #[error(
        "{}: version {found} is {} than {VERSION}, which is read here",
        path.display(),
        if *found > VERSION { "newer" } else { "older" }
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u64,
    },
    /// Contents that are damaged or something else.
    #[error("{}: {}expected {expected}, found {found}", path.display(), lead(place))]
    Content {
        /// What is wrong with the file.
        fault: Fault,
        /// The file.
        path: PathBuf,
        /// Where in it, such as a tensor's name; empty where it is about the whole.
        place: String,
        /// What was expected there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A model of another kind than was asked for.
    #[error(
        "{}: expected a checkpoint of `ssl {}`, found one of `ssl {}`",
        path.display(),
        expected.name(),
        found.name()
    )]
    Kind {
        /// The file.
        path: PathBuf,
        /// What was asked for.
        expected: Kind,
        /// What it is.
        found: Kind,
    },
    /// A layout that is none.
    #[error(transparent)]
    Layout(#[from] skeleton_graph::LayoutError),
    /// A clip that can't be read, or a way of reading that there isn't.
    #[error(transparent)]
    Data(#[from] skeleton_data::Error),
    /// Settings or parameters that are no model, or arithmetic that failed.
    #[error(transparent)]
    Model(#[from] skeletonmae::Error),
}

impl From<candle_core::Error> for Error {
    fn from(error: candle_core::Error) -> Error {
        Error::Model(error.into())
    }
}

/// What can be wrong with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// It was a checkpoint, and is damaged or cut off.
    Damaged,
    /// Safetensors of another program.
    Foreign,
    /// No safetensors at all.
    NotSafetensors,
    /// More bytes than any checkpoint has.
    TooLarge,
    /// Metadata or tensors that no program wrote.
    Invalid,
}

impl Error {
    pub(super) fn content(
        fault: Fault,
        path: &Path,
        place: &str,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Error {
        Error::Content {
            fault,
            path: path.to_owned(),
            place: place.to_owned(),
            expected: expected.into(),
            found: found.into(),
        }
    }

    pub(super) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Error + '_ {
        move |source| Error::Io {
            path: path.to_owned(),
            source,
        }
    }
}

fn lead(place: &str) -> String {
    match place {
        "" => String::new(),
        place => format!("{place}: "),
    }
}
