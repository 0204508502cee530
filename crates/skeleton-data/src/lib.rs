#![cfg_attr(feature = "hdf5", doc = include_str!("../README.md"))]
#![cfg_attr(
    not(feature = "hdf5"),
    doc = "Clips of body poses: readers, sampling and batches, without the HDF5 cache."
)]
#![warn(clippy::print_stdout, clippy::print_stderr, clippy::dbg_macro)]

pub mod augment;
#[cfg(feature = "hdf5")]
pub mod cache;
pub mod draw;
pub mod error;
mod geometry;
pub mod health;
mod kind;
pub mod live;
pub mod loader;
mod map;
mod names;
pub mod normalize;
mod parallel;
mod partial;
pub mod raw;
pub mod reading;
pub mod sample;
pub mod sequence;
pub mod split;
pub mod stream;
pub mod survey;
pub mod synthetic;

pub use error::{Error, Form, Result};
pub use kind::Kind;
pub use names::MOST_CLASSES;
pub use sequence::{
    ClipSource, ClipView, MemoryClips, Repaired, Sequence, Units, Values, ValuesRef,
};
pub use skeleton_graph;
