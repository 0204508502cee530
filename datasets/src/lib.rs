#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(clippy::print_stdout, clippy::print_stderr, clippy::dbg_macro)]

mod dataset;
pub mod paper;

pub use dataset::{Dataset, Error, Format, Source, SplitFacts, all, find};
