//! Readers of the files other programs write, and writers of those that others read.

mod element;
mod file;
pub mod jsonl;
pub mod npz;
pub mod ntu;
mod pickle;
pub mod pyskl;
pub mod source;

pub use file::RawFile;
