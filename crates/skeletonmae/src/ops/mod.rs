//! The few operations the models are made of, each with a hand-written backward pass.
//!
//! Rows are the last axis: a feature tensor (n, t, v, d) has n t v rows of d numbers. A kernel is
//! arithmetic over slices ([`Kernel`]); [`kernel`] makes a Candle op of it. Large ones are fused: what
//! can be made anew from a chunk of rows in the cache is not kept in memory.

pub mod attention;
pub(crate) mod columns;
pub mod cosine;
pub mod ending;
pub mod fresh;
pub mod gin;
pub mod joints;
pub mod kernel;
pub mod linear;
pub mod map;
pub mod mix;
pub mod moments;
pub mod next;
pub mod norm;
pub mod pool;
pub mod product;
pub mod real;
pub mod rows;
pub mod squared;
#[cfg(target_arch = "x86_64")]
mod tiles;
pub mod wide;

pub use attention::{Attention, attend};
pub use cosine::reweighted_cosine_error;
pub use ending::{norm_prelu, norm_prelu_fixed};
pub use gin::{Ending, Stack, gin, infer::gin_fixed};
pub use joints::{mix_joints, take_rows};
pub use kernel::{Kernel, Real, View, apply1, apply2, apply3};
pub use linear::linear;
pub use mix::JointMatrix;
pub use moments::Moments;
pub use squared::mean_squared_error;
