//! Files mapped or unpacked into memory; the map is the only unsafe code of this crate.
#![allow(unsafe_code, reason = "a map is sound only while its file stays whole")]

use std::fs::{File, Metadata};
use std::io::Read;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::UNIX_EPOCH;

use flate2::read::MultiGzDecoder;
use lzma_rust2::XzReader;
use memmap2::Mmap;

use crate::error::Mismatch;
use crate::{Error, Form, Kind, Result};

/// A file mapped for reading; call [`check`](Self::check) before a part of it is read.
#[derive(Debug)]
pub(crate) struct Mapped {
    map: Mmap,
    /// Open as long as the map, to ask the system about this very file and not about what has its name by now.
    file: File,
    path: PathBuf,
    /// When it was last written to, as far as was seen.
    written: AtomicU64,
}

impl Mapped {
    /// Maps `path`.
    pub(crate) fn open(path: &Path) -> Result<Mapped> {
        let io = || Error::io(path);
        // Asked before it is opened: opening a pipe would wait for its writer.
        if !std::fs::metadata(path).map_err(io())?.is_file() {
            let reason = std::io::Error::new(std::io::ErrorKind::InvalidInput, "not a file");
            return Err(io()(reason));
        }
        let file = File::open(path).map_err(io())?;
        let written = AtomicU64::new(written(&file.metadata().map_err(io())?));
        // SAFETY: a mapping is sound while nobody changes or shortens the file under it. This crate never writes to a
        // file in place: caches are written beside their target and renamed over it, so a mapping keeps the old file.
        // Another program that writes into the file can change the numbers, which every reader bounds-checks and takes
        // as plain integers, floats or unchecked bytes (text is validated where it is read, and what is kept of it is
        // copied). Reading behind the end of a file that was cut off would be a SIGBUS: `check` asks for its length
        // before each clip is read and makes that an error, unless it is cut off within that clip's reading.
        let map = unsafe { Mmap::map(&file) }.map_err(io())?;
        Ok(Mapped {
            map,
            file,
            path: path.to_owned(),
            written,
        })
    }

    /// Makes sure that the file is as long as when it was opened, and calls `changed` where it was written to since the last time.
    pub(crate) fn check(&self, changed: impl FnOnce()) -> Result<()> {
        let metadata = self.file.metadata().map_err(Error::io(&self.path))?;
        let (expected, found) = (self.map.len() as u64, metadata.len());
        if found < expected {
            return Err(Error::Shrunk {
                path: self.path.clone(),
                expected,
                found,
            });
        }
        let now = written(&metadata);
        if self.written.load(Ordering::SeqCst) != now {
            // Before the new time, so that no other thread takes it for known already.
            changed();
            self.written.store(now, Ordering::SeqCst);
        }
        Ok(())
    }
}

impl Deref for Mapped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.map
    }
}

/// The time of the last writing as a number to compare; 0 where the system keeps none.
fn written(metadata: &Metadata) -> u64 {
    let time = metadata.modified().ok();
    let since = time.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since.map_or(0, |since| since.as_nanos() as u64)
}

/// The bytes of a whole file: mapped, or in memory already.
#[derive(Debug)]
pub(crate) enum Storage {
    Map(Mapped),
    Memory(Vec<u8>),
}

impl Storage {
    /// Maps `path`.
    pub(crate) fn open(path: &Path) -> Result<Storage> {
        Mapped::open(path).map(Storage::Map)
    }

    /// Makes sure that nothing was cut off; call it before a part is read.
    pub(crate) fn check(&self) -> Result<()> {
        match self {
            Storage::Map(map) => map.check(|| ()),
            Storage::Memory(_) => Ok(()),
        }
    }
}

impl Deref for Storage {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Storage::Map(map) => map,
            Storage::Memory(bytes) => bytes,
        }
    }
}

// Files that are compressed as a whole, such as `clips.pkl.gz`.

/// Most bytes that are unpacked of one: poses are packed a few times smaller, padding of zeros a hundred times.
const MOST_RATIO: usize = 200;
/// Any file may unpack to this many bytes.
const ALWAYS: usize = 64 << 20;
/// What an xz file may ask of memory, in KiB: its largest preset takes 65 MiB.
const XZ_MEMORY: u32 = 128 << 10;

/// The bytes in a file that is compressed by gzip or xz, in memory; other files as they are.
pub(crate) fn unpacked(path: &Path, storage: Storage) -> Result<Storage> {
    let kind = Kind::of(&storage);
    let packed: &[u8] = &storage;
    let most = packed.len().saturating_mul(MOST_RATIO).max(ALWAYS);
    let mut bytes = Vec::new();
    let limit = most as u64 + 1;
    let read = match kind {
        Some(Kind::Gzip) => MultiGzDecoder::new(packed)
            .take(limit)
            .read_to_end(&mut bytes),
        Some(Kind::Xz) => XzReader::new_mem_limit(packed, true, XZ_MEMORY)
            .take(limit)
            .read_to_end(&mut bytes),
        _ => return Ok(storage),
    };
    let wrong = |expected: String, found: String| {
        let kind = kind.map_or("packed", Kind::name);
        Mismatch::new(format!("{kind} with {expected}"), found).at(Form::Packed, path, "")
    };
    storage.check()?;
    match read {
        Err(error) => Err(wrong("whole contents".into(), error.to_string())),
        Ok(_) if bytes.len() > most => {
            let why = match most {
                ALWAYS => String::new(),
                _ => format!(", {MOST_RATIO} times its own size"),
            };
            let expected = format!("at most {most} bytes{why}");
            Err(wrong(expected, "more".into()))
        }
        Ok(_) => Ok(Storage::Memory(bytes)),
    }
}
