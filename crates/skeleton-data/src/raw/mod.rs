//! Readers of the files other programs write, and writers of those that others read.

mod element;
mod estimators;
mod files;
pub mod jsonl;
mod meaning;
mod npy;
pub mod npz;
pub mod ntu;
pub(crate) mod people;
mod pickle;
mod pyskl;
mod stgcn;

use std::cell::Cell;
use std::fs::File;
use std::io::Read;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use skeleton_graph::Layout;

pub use self::files::{Input, RawFiles, has_recordings};
pub use self::meaning::{Column, Columns, Meaning};
pub use self::people::MOST_PEOPLE;
use crate::error::Mismatch;
use crate::kind::without_mark;
use crate::map::{Storage, unpacked};
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
    /// JSON of a pose estimator about one video: AlphaPose's list, MMPose's frames, or OpenPose's folder of frames. Frames come in the
    /// order of their numbers, and at most [`MOST_PEOPLE`] people are kept, those that are seen in the most frames; where the file
    /// gives them no numbers, they are followed by the distance of their joints.
    Estimates,
    /// An array of clips (n, c, t, v, m) as ST-GCN, 2s-AGCN, MS-G3D, CrosSCLR and AimCLR read it, ending in `.npy`, with the names and
    /// labels of its clips in a pickle beside it: `train_label.pkl` beside `train_data.npy`, `train_data_joint.npy` or
    /// `train_position.npy`. Without that, clips are called `train_data-000000` and so on, and have no labels.
    ///
    /// A person whose numbers are all zero is absent. Frames of zeros at the end are left out, and so is, where an array is filled up
    /// to its end, the clip once more from its first frame.
    StGcn,
}

impl RawFormat {
    /// By its first bytes, else by its name's ending.
    fn of(path: &Path, bytes: &[u8]) -> Result<RawFormat> {
        match Kind::of(bytes) {
            Some(Kind::JsonList) => return Ok(RawFormat::Estimates),
            Some(Kind::JsonObject) if estimators::is_video(bytes) => {
                return Ok(RawFormat::Estimates);
            }
            Some(Kind::JsonObject) if estimators::is_frame(path) => {
                let wrong = Mismatch::new("the folder of all frames", "one frame of OpenPose");
                return Err(wrong.at(Form::Estimates, path, ""));
            }
            Some(Kind::JsonObject) => return Ok(RawFormat::Jsonl),
            Some(Kind::Zip) => return Ok(RawFormat::Npz),
            Some(Kind::Npy) => return Ok(RawFormat::StGcn),
            None | Some(Kind::Pickle) => {}
            Some(other) => {
                let expected = "a pickle, an .npz or JSON lines of clips";
                let wrong = Mismatch::new(expected, other.name());
                return Err(wrong.at(Form::Clips(other), path, ""));
            }
        }
        match ending(path).as_str() {
            "npz" => Ok(RawFormat::Npz),
            "jsonl" => Ok(RawFormat::Jsonl),
            _ => Ok(RawFormat::Pyskl),
        }
    }
}

/// What a name ends in, in lower case; of `clips.pkl.gz` it is `pkl`.
fn ending(path: &Path) -> String {
    let of = |path: &Path| {
        let ending = path.extension().map(|ending| ending.to_ascii_lowercase());
        ending.map_or(String::new(), |ending| {
            ending.to_string_lossy().into_owned()
        })
    };
    match of(path).as_str() {
        "gz" | "xz" => of(&path.with_extension("")),
        ending => ending.to_owned(),
    }
}

/// What the names of files of clips end in.
const ENDINGS: [&str; 6] = ["pkl", "pickle", "npy", "npz", "jsonl", "json"];

/// A name without its folder and its ending: `clips.pkl.gz` is `clips`.
fn stem(path: &Path) -> String {
    // A folder can be typed as `.` or `..`, which name nothing.
    let whole = match path.file_name() {
        Some(_) => Ok(path.to_owned()),
        None => path.canonicalize(),
    };
    let mut name = whole.unwrap_or_else(|_| path.to_owned());
    if ["gz", "xz"].iter().any(|packed| {
        let ending = name.extension();
        ending.is_some_and(|ending| ending.eq_ignore_ascii_case(packed))
    }) {
        name.set_extension("");
    }
    if ENDINGS.contains(&ending(&name).as_str()) {
        name.set_extension("");
    }
    let name = name.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// A clip with the setup, camera and subject that its id says, where it is a name as NTU RGB+D has them.
fn with_ids_of_ntu(clip: Sequence) -> Sequence {
    let name = ntu::Name::parse(&clip.id);
    Sequence {
        setup: name.map(|name| name.setup),
        camera: name.map(|name| name.camera),
        subject: name.map(|name| name.person),
        ..clip
    }
}

/// The files of a folder and of the folders in it, in the system's order. Links to folders are not followed, since they can lead
/// back here.
fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).map_err(Error::io(&folder))? {
            let entry = entry.map_err(Error::io(&folder))?;
            let path = entry.path();
            match entry.file_type().map_err(Error::io(&path))?.is_dir() {
                true => folders.push(path),
                false => files.push(path),
            }
        }
    }
    Ok(files)
}

/// A file of clips in any [`RawFormat`], mapped, or unpacked into memory where it is compressed by gzip or xz: opening it checks everything but the numbers, [`each`](Self::each) reads these.
///
/// A joint with a coordinate that is not finite (some trackers write NaN for one they lost) becomes a missing joint,
/// all zeros with score zero, and a score that is not finite becomes zero; both are counted ([`repaired`](Self::repaired)).
pub struct RawFile {
    path: PathBuf,
    format: RawFormat,
    storage: Arc<Storage>,
    contents: Contents,
    clips: Clips,
    meaning: Meaning,
    repaired: Cell<Repaired>,
}

/// What opening a file, or several, finds out.
#[derive(Default)]
pub struct Contents {
    ids: Vec<String>,
    joints: usize,
    coordinates: usize,
    classes: usize,
    element_types: Vec<&'static str>,
    splits: Vec<(String, Vec<String>)>,
}

impl Contents {
    /// How many clips there are.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The clips' names, in the order in which they are read.
    pub fn ids(&self) -> &[String] {
        &self.ids
    }

    /// v, the same in all clips; 0 where there are none.
    pub fn joints(&self) -> usize {
        self.joints
    }

    /// How many classes the labels ask for.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The number types of the keypoints, by numpy's names.
    pub fn element_types(&self) -> &[&'static str] {
        &self.element_types
    }

    /// The named splits, each id once in its split; they may name clips that aren't there.
    pub fn splits(&self) -> &[(String, Vec<String>)] {
        &self.splits
    }
}

/// Where the clips are.
enum Clips {
    Pyskl(pyskl::Annotations),
    Npz(Vec<npz::Part>),
    Jsonl(jsonl::Lines),
    Estimates(Sequence),
    StGcn(stgcn::Clips),
}

impl Deref for RawFile {
    type Target = Contents;

    fn deref(&self) -> &Contents {
        &self.contents
    }
}

impl RawFile {
    /// Opens a file.
    ///
    /// # Errors
    /// A damaged file, or one whose contents aren't those of the format that its name says; the error names the place.
    pub fn open(path: &Path) -> Result<RawFile> {
        RawFile::read(path, Storage::open(path)?, true)
    }

    /// The same from bytes in memory; `name` says the format, and is what messages call them.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_bytes(name: &Path, bytes: Vec<u8>) -> Result<RawFile> {
        RawFile::read(name, Storage::Memory(bytes), false)
    }

    /// Where `on_disk` says so, the labels of an array are looked for beside it.
    fn read(path: &Path, storage: Storage, on_disk: bool) -> Result<RawFile> {
        let storage = unpacked(path, storage)?;
        let (format, storage) = (RawFormat::of(path, &storage)?, Arc::new(storage));
        let (contents, clips) = match format {
            RawFormat::Pyskl => pyskl::open(path, &storage).map(|(a, b)| (a, Clips::Pyskl(b)))?,
            RawFormat::Npz => npz::open(path, &storage).map(|(a, b)| (a, Clips::Npz(b)))?,
            RawFormat::Jsonl => {
                jsonl::open(path, without_mark(&storage)).map(|(a, b)| (a, Clips::Jsonl(b)))?
            }
            RawFormat::Estimates => {
                estimators::open(path, &storage).map(|(a, b)| (a, Clips::Estimates(b)))?
            }
            RawFormat::StGcn => {
                let labels = on_disk.then(|| stgcn::labels_of(path)).flatten();
                let read = stgcn::open(path, &storage, labels.as_deref());
                read.map(|(a, b)| (a, Clips::StGcn(b)))?
            }
        };
        Ok(RawFile::of(path, format, storage, (contents, clips)))
    }

    /// The clip of a video whose frames OpenPose wrote as a file each.
    fn of_frames(folder: &Path, files: &[PathBuf]) -> Result<RawFile> {
        let read = |path: &Path| Ok(Storage::open(path)?.to_vec());
        let (contents, video) = estimators::open_frames(folder, files, read)?;
        let storage = Arc::new(Storage::Memory(Vec::new()));
        let read = (contents, Clips::Estimates(video));
        Ok(RawFile::of(folder, RawFormat::Estimates, storage, read))
    }

    fn of(
        path: &Path,
        format: RawFormat,
        storage: Arc<Storage>,
        (contents, clips): (Contents, Clips),
    ) -> RawFile {
        RawFile {
            path: path.to_owned(),
            format,
            storage,
            contents,
            clips,
            meaning: Meaning::default(),
            repaired: Cell::default(),
        }
    }

    /// The same file, whose numbers mean this.
    pub fn meaning(mut self, meaning: Meaning) -> RawFile {
        self.meaning = meaning;
        self
    }

    /// What the file is.
    pub fn format(&self) -> RawFormat {
        self.format
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// c, the same in all clips; 0 where there are none.
    pub fn coordinates(&self) -> usize {
        self.meaning.coordinates(self.contents.coordinates)
    }

    /// What the file says of its data set, units and classes: only JSON lines do.
    pub fn header(&self) -> Option<&jsonl::Header> {
        match &self.clips {
            Clips::Jsonl(lines) => Some(lines.header()),
            Clips::Pyskl(_) | Clips::Npz(_) | Clips::Estimates(_) | Clips::StGcn(_) => None,
        }
    }

    /// The layout, where the file or its format says it.
    ///
    /// # Errors
    /// A name in the first of JSON lines that isn't built in, or a text there that is no layout.
    pub fn layout(&self) -> Result<Option<Layout>> {
        match &self.clips {
            Clips::Pyskl(_) | Clips::Estimates(_) | Clips::StGcn(_) => Ok(None),
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
        let mut show = |clip: Sequence| {
            let (clip, now) = self.meaning.apply(clip)?;
            self.repaired.set(self.repaired.get() + now);
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
            Clips::Estimates(clip) => show(clip.clone()),
            Clips::StGcn(clips) => {
                let mut ids = self.contents.ids.iter().enumerate();
                ids.try_for_each(|(at, id)| show(clips.read(&self.storage, at, id.clone())))
            }
        }
    }
}

/// The JSON a cache keeps in `source`: the files it was made from, and every preparation rule with its value.
///
/// Files are recorded by name, size and SHA-256, without their folder: the same bytes give the same record anywhere. More than
/// [`MOST_RECORDED`] are one entry: their number, their size, and the SHA-256 of their own, as `sha256sum * | sha256sum` has it.
///
/// # Errors
/// A file that can't be read.
pub fn describe(files: &[&Path], rules: Value) -> Result<Value> {
    let mut entries = Vec::new();
    let (mut all, mut bytes) = (Sha256::new(), 0);
    for path in files {
        let (name, size, sha256) = describe_file(path)?;
        all.update(format!("{sha256}  {name}\n"));
        bytes += size;
        if files.len() <= MOST_RECORDED {
            entries.push(json!({ "name": name, "size": size, "sha256": sha256 }));
        }
    }
    if files.len() > MOST_RECORDED {
        let name = format!("{} files", files.len());
        let sha256 = hex(&all.finalize());
        entries.push(json!({ "name": name, "size": bytes, "sha256": sha256 }));
    }
    Ok(json!({ "files": entries, "rules": rules }))
}

/// Files that [`describe`] names one by one.
pub const MOST_RECORDED: usize = 64;

/// A file's name, size and SHA-256.
fn describe_file(path: &Path) -> Result<(String, u64, String)> {
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
    Ok((name.into_owned(), size, hex(&hasher.finalize())))
}

/// Bytes in lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
