#![doc = include_str!("../README.md")]

pub mod batch;
pub mod error;
pub mod gin;
pub mod layers;
pub mod mask;
pub mod model;
pub mod ops;
pub mod params;
pub mod reconstruct;
pub mod train;

pub use batch::TrackBatch;
pub use error::{Error, Quantity, Result};
pub use layers::Mode;
pub use mask::{Mask, MaskConfig, MaskScope};
pub use model::{MaeConfig, RceConfig, SkeletonMae};
pub use params::Store;
