//! The few operations the models are made of, each with a hand-written backward pass.
//!
//! Rows are the last axis: a feature tensor (n, t, v, d) has n t v rows of d numbers. A kernel is
//! arithmetic over slices ([`Kernel`]); [`kernel`] makes a Candle op of it.

pub mod cosine;
pub mod kernel;
pub mod linear;
pub mod mix;
pub mod norm;
pub mod pointwise;
pub mod product;
pub mod rows;

pub use cosine::reweighted_cosine_error;
pub use kernel::{Kernel, Real, View, apply1, apply2, apply3};
pub use linear::linear;
pub use mix::{JointMatrix, aggregate, mix};
pub use norm::{Activation, Moments, batch_norm, fixed_norm};
pub use pointwise::{mask_rows, prelu};
