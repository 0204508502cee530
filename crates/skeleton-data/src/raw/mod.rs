//! Readers of the files other programs write, and writers of those that others read.

mod element;
pub mod jsonl;
pub mod npz;
pub mod ntu;
mod pickle;
mod pyskl;

use std::cell::Cell;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use skeleton_graph::Layout;

use crate::error::Mismatch;
use crate::kind::without_mark;
use crate::map::Storage;
use crate::{Error, Form, Kind, Repaired, Result, Sequence};

/// What a file of clips is, told by the ending of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RawFormat {
    /// An annotation file of pyskl or its relatives (any ending but the others'): a pickle with a list of clips and, mostly, named
    /// splits. It is read by an interpreter that runs nothing.
    ///
    /// The fields of an annotation that are read: `frame_dir` (or `filename`), `label`, `keypoint` (m, t, v, c),
    /// `keypoint_score` (m, t, v), `total_frames`, `img_shape`. A file may be the bare list without splits, or one annotation. Ids as NTU
    /// RGB+D writes them (`S001C002P003R002A013`) give setup, camera and subject.
    Pyskl,
    /// The four arrays of CTR-GCN's kind ([`npz`]), ending in `.npz`.
    Npz,
    /// JSON lines ([`jsonl`]), ending in `.jsonl`.
    Jsonl,
}

impl RawFormat {
    /// By its first bytes, else by its name's ending.
    fn of(path: &Path, bytes: &[u8]) -> Result<RawFormat> {
        match Kind::of(bytes) {
            Some(Kind::JsonObject) => return Ok(RawFormat::Jsonl),
            Some(Kind::Zip) => return Ok(RawFormat::Npz),
            None | Some(Kind::Pickle) => {}
            Some(other) => {
                let expected = "a pickle, an .npz or JSON lines of clips";
                let wrong = Mismatch::new(expected, other.name());
                return Err(wrong.at(Form::Clips(other), path, ""));
            }
        }
        let ending = path.extension().map(|ending| ending.to_ascii_lowercase());
        match ending.as_deref().and_then(|ending| ending.to_str()) {
            Some("npz") => Ok(RawFormat::Npz),
            Some("jsonl") => Ok(RawFormat::Jsonl),
            _ => Ok(RawFormat::Pyskl),
        }
    }
}

/// A file of clips in any [`RawFormat`], mapped: opening it checks everything but the numbers, [`each`](Self::each) reads these.
///
/// A joint with a coordinate that is not finite (some trackers write NaN for one they lost) becomes a missing joint,
/// all zeros with score zero, and a score that is not finite becomes zero; both are counted ([`repaired`](Self::repaired)).
pub struct RawFile {
    path: PathBuf,
    format: RawFormat,
    storage: Arc<Storage>,
    contents: Contents,
    clips: Clips,
    repaired: Cell<Repaired>,
}

/// What opening a file finds out.
#[derive(Default)]
struct Contents {
    clips: usize,
    joints: usize,
    coordinates: usize,
    classes: usize,
    element_types: Vec<&'static str>,
    splits: Vec<(String, Vec<String>)>,
}

/// Where the clips are.
enum Clips {
    Pyskl(pyskl::Annotations),
    Npz(Vec<npz::Part>),
    Jsonl(jsonl::Lines),
}

impl RawFile {
    /// Opens a file.
    ///
    /// # Errors
    /// A damaged file, or one whose contents aren't those of the format that its name says; the error names the place.
    pub fn open(path: &Path) -> Result<RawFile> {
        RawFile::read(path, Storage::open(path)?)
    }

    /// The same from bytes in memory; `name` says the format, and is what messages call them.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_bytes(name: &Path, bytes: Vec<u8>) -> Result<RawFile> {
        RawFile::read(name, Storage::Memory(bytes))
    }

    fn read(path: &Path, storage: Storage) -> Result<RawFile> {
        let (format, storage) = (RawFormat::of(path, &storage)?, Arc::new(storage));
        let (contents, clips) = match format {
            RawFormat::Pyskl => pyskl::open(path, &storage).map(|(a, b)| (a, Clips::Pyskl(b)))?,
            RawFormat::Npz => npz::open(path, &storage).map(|(a, b)| (a, Clips::Npz(b)))?,
            RawFormat::Jsonl => {
                jsonl::open(path, without_mark(&storage)).map(|(a, b)| (a, Clips::Jsonl(b)))?
            }
        };
        Ok(RawFile {
            path: path.to_owned(),
            format,
            storage,
            contents,
            clips,
            repaired: Cell::default(),
        })
    }

    /// What the file is.
    pub fn format(&self) -> RawFormat {
        self.format
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many clips there are.
    pub fn len(&self) -> usize {
        self.contents.clips
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// v, the same in all clips; 0 where there are none.
    pub fn joints(&self) -> usize {
        self.contents.joints
    }

    /// c, the same in all clips; 0 where there are none.
    pub fn coordinates(&self) -> usize {
        self.contents.coordinates
    }

    /// How many classes the labels ask for.
    pub fn classes(&self) -> usize {
        self.contents.classes
    }

    /// The number types of the keypoints, by numpy's names.
    pub fn element_types(&self) -> &[&'static str] {
        &self.contents.element_types
    }

    /// The named splits, each id once in its split; they may name clips that the file lacks.
    pub fn splits(&self) -> &[(String, Vec<String>)] {
        &self.contents.splits
    }

    /// What the file says of its data set, units and classes: only JSON lines do.
    pub fn header(&self) -> Option<&jsonl::Header> {
        match &self.clips {
            Clips::Jsonl(lines) => Some(lines.header()),
            _ => None,
        }
    }

    /// The layout, where the file or its format says it.
    ///
    /// # Errors
    /// A name in the first of JSON lines that isn't built in, or a text there that is no layout.
    pub fn layout(&self) -> Result<Option<Layout>> {
        match &self.clips {
            Clips::Pyskl(_) => Ok(None),
            Clips::Npz(_) => Ok(Layout::built_in("ntu25").ok()),
            Clips::Jsonl(lines) => lines.header().layout(&self.path),
        }
    }

    /// What was repaired in the clips read so far.
    pub fn repaired(&self) -> Repaired {
        self.repaired.get()
    }

    /// Shows all clips to `visit`, in the order of the file, and stops at its first error.
    ///
    /// # Errors
    /// Those of `visit`, and of damaged data; the error names the place.
    pub fn each<E: From<Error>>(
        &self,
        mut visit: impl FnMut(Sequence) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut show = |mut clip: Sequence| {
            let (before, now) = (self.repaired.get(), clip.repair());
            self.repaired.set(Repaired {
                joints: before.joints + now.joints,
                scores: before.scores + now.scores,
            });
            visit(clip)?;
            // Before the next one is read.
            self.storage.check().map_err(E::from)
        };
        self.storage.check()?;
        match &self.clips {
            Clips::Pyskl(clips) => (0..self.len()).try_for_each(|clip| show(clips.read(clip)?)),
            Clips::Npz(parts) => parts
                .iter()
                .try_for_each(|part| part.each(&self.path, &self.storage, &mut show)),
            Clips::Jsonl(lines) => lines.each(&self.path, without_mark(&self.storage), show),
        }
    }
}

/// The JSON a cache keeps in `source`: the files it was made from, and every preparation rule with its value.
///
/// Files are recorded by name, size and SHA-256, without their folder: the same bytes give the same record anywhere.
///
/// # Errors
/// A file that can't be read.
pub fn describe(files: &[&Path], rules: Value) -> Result<Value> {
    let files: Result<Vec<Value>> = files.iter().map(|path| describe_file(path)).collect();
    Ok(json!({ "files": files?, "rules": rules }))
}

fn describe_file(path: &Path) -> Result<Value> {
    let mut file = File::open(path).map_err(Error::io(path))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut size = 0u64;
    loop {
        let read = file.read(&mut buffer).map_err(Error::io(path))?;
        if read == 0 {
            break;
        }
        hasher.update(&buffer[..read]);
        size += read as u64;
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Ok(json!({ "name": name, "size": size, "sha256": hex(&hasher.finalize()) }))
}

/// Bytes in lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
