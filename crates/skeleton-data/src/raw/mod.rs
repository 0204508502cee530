//! Readers of the files other programs write.

mod pickle;
pub mod pyskl;
pub mod source;
