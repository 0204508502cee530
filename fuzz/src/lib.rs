//! Fuzz targets of the readers; `README.md` beside this folder says how to run them.

mod targets;

pub use targets::*;
