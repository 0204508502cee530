//! The `.npz` archives of CTR-GCN and its relatives (MAMP and others read the same files): NTU RGB+D as four arrays.
//!
//! | array | shape | meaning |
//! |---|---|---|
//! | `x_train`, `x_test` | (n, t, 150), floats | clip, frame, and 2 people x 25 joints (layout ntu25) x 3 coordinates |
//! | `y_train`, `y_test` | (n, k), numbers | one row a clip: 1 at its class, 0 elsewhere |
//!
//! The archive is a zip file of `.npy` entries, stored (`np.savez`) or deflated (`np.savez_compressed`); entries are read
//! as streams, a frame at a time. One of the two pairs may be missing; other arrays are ignored. Arrays in Fortran order are
//! refused: reading one clip would mean reading the whole array.
//!
//! # What is read
//!
//! - The clips of `x_train` and then those of `x_test`, with the ids `train-000000`, `train-000001`, ... and the splits
//!   `train` and `test`: the archive has no ids, no subjects and no cameras.
//! - A person whose coordinates are all zero in all frames is absent; where both are, the clip has no people.
//! - Frames at the end in which everything is zero are padding, and left out. Zero frames at the beginning or between
//!   others are kept.
//! - Half precision stays half, everything else becomes single. A joint with a coordinate that is not finite becomes a
//!   missing one, and is counted.
//!
//! # What is written
//!
//! [`write()`] makes such an archive of a layout of 25 joints in 3 coordinates with at most two people a clip: single
//! precision, deflated (most of it is padding), padded with zeros to 300 frames, or to the longest clip where that is longer.
//! Ids, scores, subjects, cameras and other splits have no place in it, and zero frames at the end of a clip look like padding.

mod header;
mod read;
mod write;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use read::Part;
pub use write::{NpzSummary, write};

use crate::map::Storage;
use crate::{Error, Repaired, Result, Sequence};

/// v
pub const JOINTS: usize = 25;
/// c
pub const COORDINATES: usize = 3;
/// m
pub const PERSONS: usize = 2;
/// Numbers in a frame.
const ROW: usize = PERSONS * JOINTS * COORDINATES;
/// t as CTR-GCN writes it.
const FRAMES: usize = 300;
/// Longer clips are refused: an hour at 30 frames a second.
const MOST_FRAMES: usize = 1 << 17;
/// The names of the splits here and of the arrays there.
const SPLITS: [&str; 2] = ["train", "test"];

/// An archive, mapped: opening it reads the labels, [`each`](Self::each) streams the clips.
pub struct NpzFile {
    path: PathBuf,
    storage: Storage,
    parts: Vec<Part>,
    splits: Vec<(String, Vec<String>)>,
    classes: usize,
    missing: AtomicUsize,
}

impl NpzFile {
    /// Opens an archive, checks the forms of its arrays and reads the labels.
    ///
    /// # Errors
    /// A damaged archive, or arrays that are not as the [module](self) says.
    pub fn open(path: &Path) -> Result<Self> {
        NpzFile::read(path, Storage::open(path)?)
    }

    /// The same from bytes in memory; `name` is what messages call them.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_bytes(name: &Path, bytes: Vec<u8>) -> Result<Self> {
        NpzFile::read(name, Storage::Memory(bytes))
    }

    fn read(path: &Path, storage: Storage) -> Result<Self> {
        let mut file = NpzFile {
            path: path.to_owned(),
            storage,
            parts: Vec::new(),
            splits: Vec::new(),
            classes: 0,
            missing: AtomicUsize::new(0),
        };
        let (parts, classes) = read::parts(path, file.bytes())?;
        file.classes = classes;
        for part in &parts {
            let ids = (0..part.labels.len()).map(|index| id(part.split, index));
            file.splits.push((part.split.to_owned(), ids.collect()));
        }
        file.parts = parts;
        Ok(file)
    }

    fn bytes(&self) -> &[u8] {
        &self.storage
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// `train` and `test`.
    pub fn splits(&self) -> &[(String, Vec<String>)] {
        &self.splits
    }

    /// How many clips there are.
    pub fn len(&self) -> usize {
        self.parts.iter().map(|part| part.labels.len()).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// k, the columns of `y_train` and `y_test`.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The number types of `x_train` and `x_test`, by numpy's names.
    pub fn element_types(&self) -> Vec<&'static str> {
        let mut names: Vec<_> = self.parts.iter().map(Part::element_name).collect();
        names.dedup();
        names
    }

    /// What was repaired in the clips read so far.
    pub fn repaired(&self) -> Repaired {
        Repaired {
            joints: self.missing.load(Ordering::Relaxed),
            scores: 0,
        }
    }

    /// Shows all clips to `visit`, those of `x_train` first, and stops at its first error.
    ///
    /// # Errors
    /// Those of `visit`, and of damaged data; the error names the array and the clip.
    pub fn each<E: From<Error>>(
        &self,
        mut visit: impl FnMut(Sequence) -> Result<(), E>,
    ) -> Result<(), E> {
        self.storage.check()?;
        for part in &self.parts {
            part.each(&self.path, self.bytes(), |mut clip| {
                let repaired = clip.repair();
                self.missing.fetch_add(repaired.joints, Ordering::Relaxed);
                visit(clip)?;
                // Before the next one is read.
                self.storage.check().map_err(E::from)
            })?;
        }
        Ok(())
    }
}

fn id(split: &str, index: usize) -> String {
    format!("{split}-{index:06}")
}

fn wrong(path: &Path, place: &str, expected: impl Into<String>, found: impl Into<String>) -> Error {
    Error::Arrays {
        path: path.to_owned(),
        place: place.to_owned(),
        expected: expected.into(),
        found: found.into(),
    }
}
