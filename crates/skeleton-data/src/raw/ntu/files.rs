//! Where the `.skeleton` files are: in folders and in zip archives as the authors distribute them.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zip::ZipArchive;

use super::super::files_below;
use super::Name;
use crate::error::Mismatch;
use crate::map::Mapped;
use crate::{Error, Form, Result};

/// The ending of a recording's file.
const ENDING: &str = ".skeleton";
/// The largest file that is read. The largest of NTU RGB+D have some megabytes.
const LARGEST: u64 = 64 << 20;

/// Deflate packs the numbers of a recording to a fifth; what is packed to less than this share is meant to fill a memory.
const LIKELY_RATIO: u64 = 32;
/// Small ones may be, such as those of nobody.
const SMALL: u64 = 1 << 20;

/// The recordings of some folders, archives and single files, in the order of their names.
#[derive(Clone, Debug)]
pub struct Files(Arc<Found>);

#[derive(Debug, Default)]
struct Found {
    inputs: Vec<Input>,
    entries: Vec<Entry>,
    /// `.skeleton` files whose names aren't SsssCcccPpppRrrrAaaa.
    foreign: Vec<PathBuf>,
}

/// A folder, archive or file that was named.
#[derive(Debug)]
struct Input {
    path: PathBuf,
    archive: Option<Archive>,
}

/// A mapped archive and its directory.
#[derive(Debug)]
struct Archive {
    bytes: Bytes,
    entries: ZipArchive<Cursor<Bytes>>,
}

/// A mapped archive that every thread can read.
#[derive(Clone, Debug)]
struct Bytes(Arc<Mapped>);

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// One recording.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: Name,
    /// What messages call it: an archive's entry stands below the archive.
    pub(super) path: PathBuf,
    /// Which input it belongs to.
    pub(super) input: usize,
    /// Its number in the archive.
    index: Option<usize>,
    /// Bytes of the text, as the folder or the archive has it.
    pub(super) size: u64,
}

impl Files {
    /// Finds the recordings of each input: a folder with all folders in it, a zip archive, or one `.skeleton` file.
    /// Other files in them are passed over.
    ///
    /// # Errors
    /// An input that can't be read or is none of these, a `.skeleton` file whose name isn't `SsssCcccPpppRrrrAaaa`, a
    /// sample that occurs twice, or no recording at all.
    pub fn open(inputs: &[impl AsRef<Path>]) -> Result<Files> {
        let (files, foreign) = Files::open_named(inputs)?;
        match foreign.first() {
            None => Ok(files),
            Some(path) => {
                let found = path.file_name().unwrap_or_default().display().to_string();
                let expected = "a name like S001C001P001R001A001.skeleton";
                Err(wrong(path, expected, found))
            }
        }
    }

    /// The same without the `.skeleton` files whose names are no sample's, such as copies; they come second.
    ///
    /// # Errors
    /// As [`open`](Self::open), but for such names.
    pub fn open_named(inputs: &[impl AsRef<Path>]) -> Result<(Files, Vec<PathBuf>)> {
        let mut found = Found::default();
        for path in inputs {
            found.add(path.as_ref())?;
        }
        let foreign = std::mem::take(&mut found.foreign);
        found.entries.sort_by_key(|entry| entry.name);
        let mut pairs = found.entries.windows(2);
        if let Some([one, other]) = pairs.find(|two| two[0].name == two[1].name) {
            let found = other.path.display().to_string();
            return Err(wrong(&one.path, "a sample in one file only", found));
        }
        match (
            found.entries.is_empty() && foreign.is_empty(),
            inputs.first(),
        ) {
            (true, Some(path)) => Err(wrong(path.as_ref(), "files named *.skeleton", "none")),
            _ => Ok((Files(Arc::new(found)), foreign)),
        }
    }

    /// How many recordings there are.
    pub fn len(&self) -> usize {
        self.entries().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries().is_empty()
    }

    /// Their names, in order.
    pub fn names(&self) -> impl Iterator<Item = &Name> {
        self.entries().iter().map(|entry| &entry.name)
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.0.entries
    }

    /// The inputs' own names, without their folders.
    pub(super) fn inputs(&self) -> impl Iterator<Item = String> {
        self.0.inputs.iter().map(|input| {
            // A folder can be typed as `.` or `..`, which name nothing.
            let whole = input.path.canonicalize();
            let path = whole.as_deref().unwrap_or(&input.path);
            let name = path.file_name().unwrap_or(path.as_os_str());
            name.to_string_lossy().into_owned()
        })
    }

    /// The text of a recording: as many bytes as its folder or archive says, and an archive's checksum over them.
    pub(super) fn read(&self, entry: &Entry) -> Result<Vec<u8>> {
        let mut text = Vec::with_capacity(usize::try_from(entry.size).unwrap_or(0));
        let limit = entry.size + 1;
        let input = &self.0.inputs[entry.input];
        let read = match (&input.archive, entry.index) {
            (Some(archive), Some(index)) => {
                archive.bytes.0.check(|| ())?;
                // Clones share the directory and the map.
                let mut entries = archive.entries.clone();
                let file = entries
                    .by_index(index)
                    .map_err(|e| wrong(&entry.path, "a readable entry", e.to_string()))?;
                file.take(limit).read_to_end(&mut text)
            }
            _ => File::open(&entry.path).and_then(|file| file.take(limit).read_to_end(&mut text)),
        };
        read.map_err(Error::io(&entry.path))?;
        if text.len() as u64 != entry.size {
            let found = match text.len() as u64 {
                len if len > entry.size => "more".to_owned(),
                len => len.to_string(),
            };
            return Err(wrong(&entry.path, &format!("{} bytes", entry.size), found));
        }
        Ok(text)
    }
}

impl Found {
    fn add(&mut self, path: &Path) -> Result<()> {
        let metadata = std::fs::metadata(path).map_err(Error::io(path))?;
        let input = self.inputs.len();
        let mut archive = None;
        if metadata.is_dir() {
            self.add_folder(path, input)?;
        } else if is_recording(path) {
            self.push(path.to_owned(), metadata.len(), input, None)?;
        } else {
            archive = Some(self.add_archive(path, input)?);
        }
        self.inputs.push(Input {
            path: path.to_owned(),
            archive,
        });
        Ok(())
    }

    fn add_folder(&mut self, folder: &Path, input: usize) -> Result<()> {
        for path in files_below(folder)? {
            if is_recording(&path) {
                let metadata = std::fs::metadata(&path).map_err(Error::io(&path))?;
                self.push(path, metadata.len(), input, None)?;
            }
        }
        Ok(())
    }

    fn add_archive(&mut self, path: &Path, input: usize) -> Result<Archive> {
        let expected = "a folder, a zip archive or a .skeleton file";
        let bytes = Bytes(Arc::new(Mapped::open(path)?));
        let entries = ZipArchive::new(Cursor::new(bytes.clone()))
            .map_err(|e| wrong(path, expected, e.to_string()))?;
        if entries.has_duplicate_names() {
            return Err(wrong(path, "each name once", "a name twice"));
        }
        for index in 0..entries.len() {
            let entry = entries
                .by_index_data(index)
                .map_err(|e| wrong(path, &format!("entry {index}"), e.to_string()))?;
            let inner = path.join(&*String::from_utf8_lossy(entry.name_raw()));
            if entry.is_file() && is_recording(&inner) {
                let (size, packed) = (entry.size(), entry.compressed_size());
                let likely = size <= SMALL || size / LIKELY_RATIO <= packed;
                if size <= LARGEST && !(likely && packed <= bytes.0.len() as u64) {
                    let expected =
                        format!("at most {LIKELY_RATIO} times the {packed} bytes that hold it");
                    return Err(wrong(&inner, &expected, format!("{size} bytes")));
                }
                self.push(inner, size, input, Some(index))?;
            }
        }
        Ok(Archive { bytes, entries })
    }

    fn push(&mut self, path: PathBuf, size: u64, input: usize, index: Option<usize>) -> Result<()> {
        // Some systems and archivers write names in lower case.
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        let stem = stem.map(str::to_ascii_uppercase);
        let Some(name) = stem.as_deref().and_then(Name::parse) else {
            self.foreign.push(path);
            return Ok(());
        };
        if size > LARGEST {
            let found = format!("{size} bytes");
            return Err(wrong(&path, &format!("at most {LARGEST} bytes"), found));
        }
        self.entries.push(Entry {
            name,
            path,
            input,
            index,
            size,
        });
        Ok(())
    }
}

fn wrong(path: &Path, expected: &str, found: impl Into<String>) -> Error {
    Mismatch::new(expected, found).at(Form::Recordings, path, "")
}

/// Whether a file is named like a recording; macOS puts `._NAME` beside files in archives and on foreign disks.
pub(in crate::raw) fn is_recording(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.to_ascii_lowercase().ends_with(ENDING) && !name.starts_with("._")
}
