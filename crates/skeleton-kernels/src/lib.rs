#![doc = include_str!("../README.md")]
#![warn(clippy::print_stdout, clippy::print_stderr, clippy::dbg_macro)]

pub mod attention;
pub mod branches;
#[doc(hidden)]
pub mod cpu;
pub mod embed;
pub mod gin;
pub mod graph;
pub mod host;
pub mod joints;
pub mod linear;
pub mod norm_prelu;
pub mod params;
pub mod plain;
pub mod rce;
pub mod rows;
pub mod spatial;
pub mod squared_error;
pub mod stats;
pub mod temporal;
pub mod track_mean;

pub use attention::attend;
pub use branches::{Branches, Window};
pub use cpu::real::Real;
pub use cpu::{infer, instruction_set};
pub use embed::embed;
pub use gin::{Readout, gin};
pub use graph::{Attention, JointMatrix};
pub use joints::mix_joints;
pub use linear::linear;
pub use norm_prelu::norm_prelu;
pub use params::{
    Activation, Affine, Embedding, GinEnd, GinLayer, NormedMap, SpatialWeights, TemporalWeights,
};
pub use plain::{constant, reference_only};
pub use rce::reweighted_cosine_error;
pub use rows::take_rows;
pub use spatial::spatial;
pub use squared_error::mean_squared_error;
pub use stats::{BatchStats, Stats};
pub use temporal::temporal;
pub use track_mean::track_mean;
