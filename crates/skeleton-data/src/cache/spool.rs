//! Numbers on their way into a cache, kept in a nameless file until their count and type are known.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, Write};
use std::path::Path;

use half::f16;

use crate::ValuesRef;

/// An append-only file that vanishes with its last handle, whatever happens to the program.
pub(super) struct Spool {
    file: BufWriter<File>,
    len: u64,
}

impl Spool {
    /// A spool in `folder`, where the cache will be: it needs as much room.
    pub(super) fn create(folder: &Path) -> std::io::Result<Spool> {
        Ok(Spool {
            file: BufWriter::with_capacity(1 << 20, tempfile::tempfile_in(folder)?),
            len: 0,
        })
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn push(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.file.write_all(bytes)?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// The bytes from the start.
    pub(super) fn rewind(self) -> std::io::Result<File> {
        let mut file = self.file.into_inner().map_err(|e| e.into_error())?;
        file.rewind()?;
        Ok(file)
    }

    /// The same numbers in a new spool, in single precision if `widen` says so: `parts` says how many there are of which
    /// type, in order, and each part's new bytes are shown to `seen`.
    pub(super) fn copy(
        self,
        folder: &Path,
        parts: impl Iterator<Item = Part>,
        widen: bool,
        mut seen: impl FnMut(&[u8]),
    ) -> std::io::Result<Spool> {
        let mut source = BufReader::with_capacity(1 << 20, self.rewind()?);
        let mut copy = Spool::create(folder)?;
        for part in parts {
            let width = if part.half { 2 } else { 4 };
            let mut bytes = vec![0; part.numbers * width];
            source.read_exact(&mut bytes)?;
            if widen && part.half {
                let halves = bytes
                    .chunks_exact(2)
                    .map(|b| f16::from_le_bytes([b[0], b[1]]));
                bytes = halves
                    .flat_map(|half| half.to_f32().to_le_bytes())
                    .collect();
            }
            seen(&bytes);
            copy.push(&bytes)?;
        }
        Ok(copy)
    }
}

/// Makes sure that `folder` has room for so many bytes: they are written and taken back. libhdf5 2.2.0 reads through a null
/// pointer when it closes a file that it found no room for, so it is not let near a full disk.
pub(super) fn room(folder: &Path, mut bytes: u64) -> std::io::Result<()> {
    let mut file = tempfile::tempfile_in(folder)?;
    let block = vec![0x5a; 1 << 16];
    while bytes > 0 {
        let part = bytes.min(block.len() as u64);
        file.write_all(&block[..part as usize])?;
        bytes -= part;
    }
    Ok(())
}

/// Numbers of one type in a spool.
pub(super) struct Part {
    pub(super) numbers: usize,
    pub(super) half: bool,
}

/// Numbers as the bytes they are stored as.
pub(super) fn stored<'a>(values: ValuesRef<'a>) -> &'a [u8] {
    match values {
        ValuesRef::F16(values) => bytemuck::cast_slice(values),
        ValuesRef::F32(values) => bytemuck::cast_slice(values),
    }
}
