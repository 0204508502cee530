//! What can be wrong with clips and the files that hold them.

use std::path::{Path, PathBuf};

use crate::kind::Kind;

/// A result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Every error names the file or clip, the place in it, what was expected and what was found.
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
    /// Contents of a file that are damaged or something else.
    #[error("{}: {}expected {expected}, found {found}", path.display(), lead(place))]
    Content {
        /// What is read there.
        form: Form,
        /// The file; an archive's entry stands below the archive.
        path: PathBuf,
        /// Where in it, such as `byte 12` or `line 3`; empty where it is about the whole.
        place: String,
        /// What was expected there.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// A file that another program cut off while it was read.
    #[error("{}: expected {expected} bytes, as when it was opened, found {found}: it was cut off meanwhile", path.display())]
    Shrunk {
        /// The file.
        path: PathBuf,
        /// Its length when it was opened.
        expected: u64,
        /// Its length now.
        found: u64,
    },
    /// A cache written by a newer version of this program.
    #[error("{}: cache schema {found} is newer than {newest}, the newest this version reads", path.display())]
    Schema {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: u64,
        /// The newest schema this version reads.
        newest: u64,
    },
    /// A split that the source doesn't have.
    #[error("{source_name}: no split named {name:?}; it has: {}", known.join(", "))]
    NoSplit {
        /// The file or data set asked.
        source_name: String,
        /// The split asked for.
        name: String,
        /// The splits there are.
        known: Vec<String>,
    },
    /// A clip that can't be used as it is.
    #[error("clip {id:?}: expected {expected}, found {found}")]
    Clip {
        /// The clip.
        id: String,
        /// What was expected of it.
        expected: String,
        /// What it holds.
        found: String,
    },
    /// A setting outside its range.
    #[error("setting {name}: expected {expected}, found {found}")]
    Setting {
        /// The setting.
        name: String,
        /// What was expected.
        expected: String,
        /// What was given.
        found: String,
    },
    /// A worker thread stopped without a result: our bug, reported instead of a hang.
    #[error("a loading thread failed: {message}")]
    Worker {
        /// The panic's message.
        message: String,
    },
}

/// What is read where contents are wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Form {
    /// A pickle: it is damaged, or holds more than plain data and numpy arrays.
    Pickle,
    /// The annotations of a pyskl file.
    Annotation,
    /// An `.npz` archive of arrays.
    Arrays,
    /// ST-GCN's array of clips, or the labels beside it.
    StGcn,
    /// Clips as JSON lines.
    Lines,
    /// What a pose estimator wrote of a video.
    Estimates,
    /// A stream of frames, a line each.
    Frames,
    /// A compressed file that is damaged, or unpacks to too much.
    Packed,
    /// Files that can't be one set of clips.
    Together,
    /// A `.skeleton` text of NTU RGB+D.
    Skeleton,
    /// A folder or archive of `.skeleton` files, or one of them, that can't be read.
    Recordings,
    /// A cache: it is damaged, cut off or not one of ours.
    Cache,
    /// A file of clips that is of another kind.
    Clips(Kind),
    /// A file of another kind where a cache was expected.
    NoCache(Kind),
}

/// What the JSON reader says of a part of a file, without its count of lines, which is of that part.
pub(crate) fn json_message(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!("at line {} column {}", error.line(), error.column());
    text.replace(&place, &format!("at column {}", error.column()))
}

/// A place with what separates it from the rest of a message.
fn lead(place: &str) -> String {
    match place {
        "" => String::new(),
        place => format!("{place}: "),
    }
}

/// What was expected and what was found instead; who knows where makes an [`Error`] of it.
#[derive(Debug, PartialEq)]
pub(crate) struct Mismatch {
    pub(crate) expected: String,
    pub(crate) found: String,
}

impl Mismatch {
    pub(crate) fn new(expected: impl Into<String>, found: impl Into<String>) -> Mismatch {
        Mismatch {
            expected: expected.into(),
            found: found.into(),
        }
    }

    pub(crate) fn at(self, form: Form, path: &Path, place: impl Into<String>) -> Error {
        Error::Content {
            form,
            path: path.to_owned(),
            place: place.into(),
            expected: self.expected,
            found: self.found,
        }
    }
}

impl Error {
    /// Wraps an I/O error with its file: `map_err(Error::io(path))`.
    pub fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Error + '_ {
        move |source| Error::Io {
            path: path.to_owned(),
            source,
        }
    }

    /// A clip that can't be used: `id`, what was expected of it, what it holds.
    pub fn clip(id: &str, expected: impl Into<String>, found: impl Into<String>) -> Error {
        Error::Clip {
            id: id.to_owned(),
            expected: expected.into(),
            found: found.into(),
        }
    }

    /// A setting outside its range.
    pub fn setting(name: &str, expected: impl Into<String>, found: impl ToString) -> Error {
        Error::Setting {
            name: name.to_owned(),
            expected: expected.into(),
            found: found.to_string(),
        }
    }
}
