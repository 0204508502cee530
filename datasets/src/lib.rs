#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod dataset;
mod embedded;
mod error;
pub mod paper;

pub use dataset::{Dataset, Format, Source, SplitFacts};
pub use error::Error;

/// All data sets, in a fixed order: the synthetic ones first.
pub fn all() -> &'static [Dataset] {
    embedded::sets()
}

/// The data set of this name, such as `ntu60_2d`.
pub fn find(name: &str) -> Option<&'static Dataset> {
    all().iter().find(|set| set.name == name)
}
