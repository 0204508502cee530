#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod adjacency;
mod error;
mod layout;
pub mod random;
mod text;
mod validate;

pub use adjacency::Adjacency;
pub use error::{JointRef, LayoutError};
pub use layout::{Layout, Part};
