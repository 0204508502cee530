//! A file of clips, whichever form it has.

use std::path::Path;

use super::jsonl::{Header, JsonlFile};
use super::npz::{self, NpzFile};
use super::pyskl::PysklFile;
use crate::{Error, Repaired, Result, Sequence};

/// A file of clips, told by the ending of its name: `.npz`, `.jsonl`, or anything else for a pickle.
pub enum RawFile {
    /// An annotation pickle of pyskl's kind.
    Pyskl(PysklFile),
    /// The four arrays of CTR-GCN's kind.
    Npz(NpzFile),
    /// JSON lines.
    Jsonl(JsonlFile),
}

impl RawFile {
    /// Opens a file.
    ///
    /// # Errors
    /// Those of the form that its name says it has.
    pub fn open(path: &Path) -> Result<RawFile> {
        let ending = path.extension().map(|ending| ending.to_ascii_lowercase());
        Ok(match ending.as_deref().and_then(|ending| ending.to_str()) {
            Some("npz") => RawFile::Npz(NpzFile::open(path)?),
            Some("jsonl") => RawFile::Jsonl(JsonlFile::open(path)?),
            _ => RawFile::Pyskl(PysklFile::open(path)?),
        })
    }

    /// The form's name: `pyskl`, `npz` or `jsonl`.
    pub fn format(&self) -> &'static str {
        match self {
            RawFile::Pyskl(_) => "pyskl",
            RawFile::Npz(_) => "npz",
            RawFile::Jsonl(_) => "jsonl",
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        match self {
            RawFile::Pyskl(file) => file.path(),
            RawFile::Npz(file) => file.path(),
            RawFile::Jsonl(file) => file.path(),
        }
    }

    /// How many clips there are.
    pub fn len(&self) -> usize {
        match self {
            RawFile::Pyskl(file) => file.len(),
            RawFile::Npz(file) => file.len(),
            RawFile::Jsonl(file) => file.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// v, the same in all clips; 0 where there are none.
    pub fn joints(&self) -> usize {
        match self {
            RawFile::Pyskl(file) => file.joints(),
            RawFile::Npz(_) => npz::JOINTS,
            RawFile::Jsonl(file) => file.joints(),
        }
    }

    /// c, the same in all clips; 0 where there are none.
    pub fn coordinates(&self) -> usize {
        match self {
            RawFile::Pyskl(file) => file.coordinates(),
            RawFile::Npz(_) => npz::COORDINATES,
            RawFile::Jsonl(file) => file.coordinates(),
        }
    }

    /// How many classes the labels ask for.
    pub fn classes(&self) -> usize {
        match self {
            RawFile::Pyskl(file) => file.classes(),
            RawFile::Npz(file) => file.classes(),
            RawFile::Jsonl(file) => file.classes(),
        }
    }

    /// The number types of the keypoints, by numpy's names.
    pub fn element_types(&self) -> Vec<&'static str> {
        match self {
            RawFile::Pyskl(file) => file.element_types(),
            RawFile::Npz(file) => file.element_types(),
            RawFile::Jsonl(file) => vec![file.header().keypoints_type.into()],
        }
    }

    /// The named splits; they may name clips that the file lacks.
    pub fn splits(&self) -> &[(String, Vec<String>)] {
        match self {
            RawFile::Pyskl(file) => file.splits(),
            RawFile::Npz(file) => file.splits(),
            RawFile::Jsonl(file) => file.splits(),
        }
    }

    /// What the file says of its layout, units and classes: only JSON lines do.
    pub fn header(&self) -> Option<&Header> {
        match self {
            RawFile::Jsonl(file) => Some(file.header()),
            _ => None,
        }
    }

    /// What was repaired in the clips read so far.
    pub fn repaired(&self) -> Repaired {
        match self {
            RawFile::Pyskl(file) => file.repaired(),
            RawFile::Npz(file) => file.repaired(),
            RawFile::Jsonl(_) => Repaired::default(),
        }
    }

    /// Shows all clips to `visit`, in the order of the file, and stops at its first error.
    ///
    /// # Errors
    /// Those of `visit`, and of damaged data.
    pub fn each<E: From<Error>>(
        &self,
        mut visit: impl FnMut(Sequence) -> Result<(), E>,
    ) -> Result<(), E> {
        match self {
            RawFile::Pyskl(file) => file.sequences().try_for_each(|clip| visit(clip?)),
            RawFile::Npz(file) => file.each(visit),
            RawFile::Jsonl(file) => file.sequences().try_for_each(|clip| visit(clip?)),
        }
    }
}
