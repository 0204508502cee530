//! Readers of the files other programs write.

pub mod ntu;
mod pickle;
pub mod pyskl;
pub mod source;
