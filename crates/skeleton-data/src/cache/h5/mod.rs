//! The HDF5 side: contents to objects and back. The only place that calls the library.
//!
//! The library prints nothing (its binding silences the error stack of every thread that calls it) and holds one global
//! lock; coordinates pass by it, written and read as bytes at the offset it gives, unless they are compressed.

mod heap;
mod packed;
mod read;
mod write;

use std::path::Path;

pub(super) use packed::{Packed, fill};
pub(super) use read::Reader;
pub(super) use write::write;

use super::wrong;
use crate::Error;

/// What came of writing: where the system refused, its own error, as from any other write.
pub(super) fn unwritten(path: &Path, place: &str, error: &hdf5::Error) -> Error {
    let reason = reason(error);
    let number = reason.split("errno = ").nth(1);
    let number = number.and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next());
    match number.and_then(|digits| digits.parse().ok()) {
        Some(number) => Error::io(path)(std::io::Error::from_raw_os_error(number)),
        None => wrong(path, place, "to write it", reason),
    }
}

/// The longest fixed-length string read or written, in bytes.
pub(super) const LONGEST_FIXED: usize = 255;

/// Where numbers lie in the file.
pub(super) enum Stored {
    /// As they are, from this byte on.
    Contiguous(u64),
    /// Compressed.
    Packed(Packed),
}

/// What the library says, in a line: its innermost message says most.
fn reason(error: &hdf5::Error) -> String {
    let stack = error.stack();
    let innermost = stack.as_ref().and_then(|stack| stack.last());
    innermost.map_or_else(|| error.to_string(), |frame| frame.desc().to_owned())
}
