//! The HDF5 cache: a data set as one file that training reads through a memory map.
//!
//! # The file, schema 1 (little endian)
//!
//! Root attributes: `format` = "skeleton-cache", `schema` = 1 (u32), `dataset`, `layout` (the layout's TOML text),
//! `units` ("pixel", "metre", "normalised"), `source` (JSON: file names, sizes, SHA-256, every preparation rule with
//! its value), `created_by`, `digest` (below).
//!
//! | object | type, shape | meaning |
//! |---|---|---|
//! | /keypoints | f16 or f32 (R, V, C) | row r: one person in one frame; sample i owns rows offset\[i\] .. offset\[i\] + persons\[i\] * frames\[i\], person-major: (m, t) |
//! | /scores | f16 or f32 (R, V), optional | confidence of each joint |
//! | /samples/id | variable-length UTF-8 (S) | unique |
//! | /samples/label | i32 (S), -1 = unlabelled | |
//! | /samples/offset, persons, frames | u64, u32, u32 (S) | |
//! | /samples/height, width | u32 (S), 0 = unknown | size of the image |
//! | /samples/subject, camera, setup | i32 (S), -1 = unknown | |
//! | /samples/checksum | u32 (S) | CRC-32C of the sample's keypoint bytes and then its score bytes |
//! | /classes | variable-length UTF-8 (K) | |
//! | /splits/NAME | u32 (n) | sample indices in the order of the source's split |
//!
//! Coordinates are as the source has them; a person absent in a frame, and a joint that is missing, is all zeros.
//! Keypoints and scores are finite. They are contiguous, and read through a map of the file; or, where the cache was written
//! compressed ([`CacheWriter::compress`]), chunked along the rows, shuffled and deflated: then the first clip that is read
//! unpacks all of them into memory. Strings are contiguous references to HDF5's global heap. Objects and attributes that aren't listed here are ignored.
//!
//! # What guards a stored byte
//!
//! Coordinates and scores: the checksum of their sample, checked at its first read and by [`Cache::verify`].
//! Everything else that is listed: the digest, checked at each open. `created_by` is left out of it, so that the same data
//! prepared by two versions has one fingerprint; it is a fixed-length string, which HDF5 keeps in an object header
//! under a checksum of its own, as it does shapes, types and names (files are written with the format of HDF5 1.8 or
//! later, since older object headers have none).
//!
//! A file is not to be changed while it is open. Should another program do it all the same, the length is checked before each
//! read of a clip, and after a write (which the time of the file's last change tells) every sample's checksum is checked again.
//!
//! # The digest
//!
//! SHA-256, in hexadecimal, over these records, one after the other:
//! attributes `format`, `schema`, `dataset`, `layout`, `units`, `source`; then `/keypoints`, `/scores` (when there),
//! `/samples/id`, `label`, `offset`, `persons`, `frames`, `height`, `width`, `subject`, `camera`, `setup`, `checksum`,
//! `/classes`, and the splits in the order of the bytes of their names.
//! A record is: its name (`format`, `/samples/id`), its type (`str`, `f16`, `f32`, `i32`, `u32`, `u64`), the number of
//! its axes and their lengths (attributes have none), then its numbers in row-major order. Lengths are u64, numbers are
//! as stored, all little endian; a name, a type and each string is its length in bytes and the bytes. Of `/keypoints`
//! and `/scores` the numbers are left out: the checksums stand for them; so is how they are stored: the same data have the
//! same digest, compressed or not. In Python:
//!
//! ```python
//! def record(name, kind, shape, body):
//!     text = lambda s: struct.pack("<Q", len(s.encode())) + s.encode()
//!     return text(name) + text(kind) + struct.pack(f"<{1 + len(shape)}Q", len(shape), *shape) + body
//! ```
//!
//! # Versions
//!
//! A reader of schema N reads every schema up to N. It refuses a newer one by its number and looks no further, since it
//! can't know what changed. Additions that an old reader may ignore (new objects, new attributes) don't raise the
//! number.

mod h5;
mod read;
mod schema;
mod write;

use std::path::Path;

pub use read::{Cache, SampleInfo, VerifyReport};
pub use schema::SCHEMA;
pub use write::{CacheHeader, CacheSummary, CacheWriter};

use crate::error::Mismatch;
use crate::{Error, Form};

// Mapped bytes are taken as numbers as they are.
const _: () = assert!(
    cfg!(target_endian = "little"),
    "caches are read and written on little-endian machines only"
);

/// An error of a place in a cache.
fn wrong(
    path: &Path,
    place: impl Into<String>,
    expected: impl Into<String>,
    found: impl Into<String>,
) -> Error {
    Mismatch::new(expected, found).at(Form::Cache, path, place)
}
