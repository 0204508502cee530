//! Compressed coordinates: chunks of rows, their bytes sorted by significance (shuffle), deflated.

use std::fs::File as Raw;
use std::io::{BufReader, Read};
use std::path::Path;
use std::sync::OnceLock;

use half::f16;
use hdf5::{Dataset, File, H5Type};
use ndarray::{Array, ArrayView2, ArrayView3, Dimension, Ix2, Ix3, s};

use super::super::schema::Block;
use super::{reason, unwritten};
use crate::{Error, Result, Values, ValuesRef};

/// Bytes of a chunk, about: one is unpacked whole whatever is wanted of it.
const CHUNK_BYTES: usize = 1 << 17;
/// Chunks for which room is made at once.
const AT_ONCE: usize = 64;
/// What deflate is asked for; higher levels gain a percent and take twice the time.
pub(super) const LEVEL: u8 = 4;
/// Deflate can't pack a byte into less than this share of one.
const BEST_RATIO: u64 = 1032;
/// Numbers that people's joints were measured by are never packed better than this: what is, is meant to fill a memory. Small
/// blocks may be, since a memory has room for them.
const LIKELY_RATIO: u64 = 64;
const SMALL: u64 = 1 << 28;

/// Rows of a chunk.
pub(super) fn chunk_rows(block: &Block) -> usize {
    let row = block.row() * block.width();
    (CHUNK_BYTES / row.max(1)).clamp(1, block.shape[0].max(1))
}

/// Fills an object of `file` that was written without data, from the bytes of its numbers; `shown` is the name for messages,
/// `room` makes sure of room on the disk.
pub(in crate::cache) fn fill(
    file: &Path,
    shown: &Path,
    name: &str,
    block: &Block,
    numbers: Raw,
    room: &dyn Fn(u64) -> std::io::Result<()>,
) -> Result<()> {
    let mut numbers = BufReader::with_capacity(1 << 20, numbers);
    let failed = |e: hdf5::Error| unwritten(shown, name, &e);
    let opened = File::with_options()
        .with_fapl(|access| access.libver_v18().alignment(1, 8))
        .open_as(file, hdf5::file::OpenMode::ReadWrite);
    let opened = opened.map_err(failed)?;
    let dataset = opened.dataset(name).map_err(failed)?;
    let (rows, step) = (block.shape[0], chunk_rows(block));
    let mut bytes = Vec::new();
    for (chunk, start) in (0..rows).step_by(step).enumerate() {
        let end = rows.min(start + step);
        bytes.resize((end - start) * block.row() * block.width(), 0);
        numbers.read_exact(&mut bytes).map_err(Error::io(shown))?;
        if chunk % AT_ONCE == 0 {
            // The next chunks and one that is still held back, deflated to hardly more than they are, with what leads to them.
            let chunks = AT_ONCE.min((rows - start).div_ceil(step)) as u64 + 1;
            let each = bytes.len() as u64 * 17 / 16 + 256;
            room(chunks * each + (1 << 16)).map_err(Error::io(shown))?;
        }
        let written = match block.half {
            true => put::<f16>(&dataset, block, start..end, &bytes),
            false => put::<f32>(&dataset, block, start..end, &bytes),
        };
        written.map_err(failed)?;
    }
    drop(dataset);
    opened.close().map_err(failed)
}

/// Whether so many bytes can have been packed into those that are stored.
fn possible(wanted: u64, stored: u64) -> bool {
    let ratio = match wanted <= SMALL {
        true => BEST_RATIO,
        false => LIKELY_RATIO,
    };
    wanted / ratio <= stored
}

fn put<T: H5Type + bytemuck::Pod>(
    dataset: &Dataset,
    block: &Block,
    rows: std::ops::Range<usize>,
    bytes: &[u8],
) -> hdf5::Result<()> {
    // Copied, since bytes may lie anywhere.
    let mut numbers = vec![T::zeroed(); bytes.len() / size_of::<T>()];
    bytemuck::cast_slice_mut::<T, u8>(&mut numbers).copy_from_slice(bytes);
    let wrong = |e: ndarray::ShapeError| hdf5::Error::from(e.to_string());
    match block.shape[1..] {
        [v, c] => {
            let view = ArrayView3::from_shape((rows.len(), v, c), &numbers).map_err(wrong)?;
            dataset.write_slice(view, s![rows, .., ..])
        }
        _ => {
            let shape = (rows.len(), block.row());
            let view = ArrayView2::from_shape(shape, &numbers).map_err(wrong)?;
            dataset.write_slice(view, s![rows, ..])
        }
    }
}

/// Compressed numbers in a file: unpacked into memory, all of them, when the first are asked for.
pub(in crate::cache) struct Packed {
    dataset: Dataset,
    block: Block,
    numbers: OnceLock<Values>,
}

impl Packed {
    /// Takes an object of a file of `size` bytes, unless what it claims to hold is more than these can be unpacked to. The
    /// library believes the sizes of chunks, which no checksum guards, and makes room before it reads.
    pub(super) fn new(dataset: Dataset, block: Block, size: u64) -> Result<Packed, String> {
        let mut beyond = None;
        let visited = dataset.chunks_visit(|chunk| {
            let end = chunk.addr.checked_add(chunk.size);
            let fits = end.is_some_and(|end| end <= size);
            if !fits {
                beyond = Some((chunk.size, chunk.addr));
            }
            i32::from(!fits)
        });
        if let Some((len, at)) = beyond {
            return Err(format!("a chunk of {len} bytes at byte {at} of {size}"));
        }
        visited.map_err(|e| reason(&e))?;
        let stored = dataset.storage_size();
        match block.size() {
            Some(wanted) if possible(wanted, stored) => Ok(Packed {
                dataset,
                block,
                numbers: OnceLock::new(),
            }),
            _ => Err(format!("{:?} numbers in {stored} bytes", block.shape)),
        }
    }

    /// All numbers. Those of a damaged chunk are zero here: the checksums of its samples say so.
    pub(in crate::cache) fn numbers(&self) -> ValuesRef<'_> {
        let numbers = self.numbers.get_or_init(|| match self.block.half {
            true => Values::F16(self.unpack(f16::ZERO)),
            false => Values::F32(self.unpack(0.0)),
        });
        numbers.view()
    }

    fn unpack<T: H5Type + Copy>(&self, zero: T) -> Vec<T> {
        let (rows, row) = (self.block.shape[0], self.block.row());
        let mut numbers = vec![zero; rows * row];
        let chunk = self.dataset.chunk();
        let chunk = chunk.and_then(|chunk| chunk.first().copied());
        // Of this many rows at once: whole chunks, so that none is unpacked twice.
        let step = chunk.unwrap_or(1).clamp(1, rows.max(1));
        for start in (0..rows).step_by(step) {
            let end = rows.min(start + step);
            let data = &self.dataset;
            let read = match self.block.shape.len() {
                3 => data.read_slice(s![start..end, .., ..]).map(flat::<T, Ix3>),
                _ => data.read_slice(s![start..end, ..]).map(flat::<T, Ix2>),
            };
            if let Ok(read) = read {
                numbers[start * row..end * row].copy_from_slice(&read);
            }
        }
        numbers
    }
}

fn flat<T, D: Dimension>(array: Array<T, D>) -> Vec<T> {
    array.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bomb_is_told_by_its_ratio() {
        assert!(possible(1000, 1) && !possible(2064, 1));
        assert!(possible(SMALL, SMALL / BEST_RATIO));
        assert!(!possible(SMALL + 64, SMALL / BEST_RATIO));
        assert!(possible(40 * SMALL, SMALL) && !possible(1000 * SMALL, SMALL));
    }
}
