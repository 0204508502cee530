#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(clippy::print_stdout, clippy::print_stderr, clippy::dbg_macro)]

mod adjacency;
mod layout;
pub mod random;
pub mod steps;

pub use adjacency::Adjacency;
pub use layout::{Layout, LayoutError, Part};
