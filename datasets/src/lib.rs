#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(clippy::print_stdout, clippy::print_stderr, clippy::dbg_macro)]

mod dataset;
mod error;
pub mod paper;

pub use dataset::{Dataset, Format, Source, SplitFacts, all, find};
pub use error::Error;
