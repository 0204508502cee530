//! Fuzz targets of the readers; `README.md` beside this folder says how to run them.
#![forbid(unsafe_code)]

mod targets;

pub use targets::*;
