#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod dataset;
mod error;
pub mod paper;

pub use dataset::{Dataset, Format, Source, SplitFacts, all, find};
pub use error::Error;
