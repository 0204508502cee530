//! Files mapped into memory: the only unsafe code of this crate.

use std::fs::File;
use std::path::Path;

use memmap2::Mmap;

use crate::{Error, Result};

/// Maps `path` for reading.
pub(crate) fn map(path: &Path) -> Result<Mmap> {
    let file = File::open(path).map_err(Error::io(path))?;
    let metadata = file.metadata().map_err(Error::io(path))?;
    if !metadata.is_file() {
        let reason = std::io::Error::new(std::io::ErrorKind::InvalidInput, "not a file");
        return Err(Error::Io {
            path: path.to_owned(),
            source: reason,
        });
    }
    // SAFETY: a mapping is sound while nobody changes or shortens the file under it. This crate never writes to a file
    // in place: caches are written beside their target and renamed over it, so a mapping keeps the old file. Another
    // program that writes into the file can change the numbers, which every reader bounds-checks and takes as plain
    // integers, floats or unchecked bytes (text is validated where it is read); one that cuts it off gets this process
    // a SIGBUS instead of an error, as with every memory-mapped reader.
    unsafe { Mmap::map(&file) }.map_err(Error::io(path))
}
