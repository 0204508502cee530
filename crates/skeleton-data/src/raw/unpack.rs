//! Files that are compressed as a whole, such as `clips.pkl.gz`.

use std::io::Read;
use std::path::Path;

use flate2::read::MultiGzDecoder;
use lzma_rust2::XzReader;

use crate::error::Mismatch;
use crate::map::Storage;
use crate::{Form, Kind, Result};

/// Most bytes that are unpacked of one: poses are packed a few times smaller, padding of zeros a hundred times.
const MOST_RATIO: usize = 200;
/// Any file may unpack to this many bytes.
const ALWAYS: usize = 64 << 20;
/// What an xz file may ask of memory, in KiB: its largest preset takes 65 MiB.
const XZ_MEMORY: u32 = 128 << 10;

/// The bytes in a file that is compressed by gzip or xz, in memory; other files as they are.
pub(super) fn unpacked(path: &Path, storage: Storage) -> Result<Storage> {
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
            let expected = format!("at most {most} bytes, {MOST_RATIO} times its own size");
            Err(wrong(expected, "more".into()))
        }
        Ok(_) => Ok(Storage::Memory(bytes)),
    }
}
