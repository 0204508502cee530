#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(clippy::print_stdout, clippy::print_stderr, clippy::dbg_macro)]

pub mod batch;
pub mod contrast;
pub mod control;
pub mod encoder;
pub mod error;
pub mod layers;
pub mod learners;
pub mod mask;
pub mod model;
pub mod objective;
pub mod params;
pub mod pretext;
pub mod reconstruct;
pub mod target;
pub mod train;
pub mod trunk;

pub use batch::TrackBatch;
pub use contrast::GraphCl;
pub use control::Control;
pub use encoder::{Backbone, Input, Readout};
pub use error::{Error, Quantity, Result};
pub use layers::Mode;
pub use learners::{Controlled, Several};
pub use mask::{Mask, MaskConfig, MaskScope};
pub use model::SkeletonMae;
pub use objective::{Contrastive, LossConfig, Objective, Reconstruction, Through};
pub use params::Store;
pub use pretext::Pretext;
pub use target::Target;
pub use trunk::{MaeConfig, Trunk};

pub use skeleton_graph::{Adjacency, Layout};
pub use skeleton_kernels::{Affine, BatchStats, Real, infer};
