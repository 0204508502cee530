//! Fused forms for the CPU, and the pieces they are made of.
//!
//! Rows are the last axis: a feature tensor (n, t, v, d) has n t v rows of d numbers. A kernel is arithmetic over slices
//! ([`kernel::Kernel`]), generic over `f32` and `f64`; `kernel` makes a Candle op of it. What can be made anew from a
//! chunk of rows in the cache is not kept in memory.

pub mod attention;
pub mod buffer;
pub mod chunks;
pub mod embed;
pub mod folded_linear;
pub mod gin;
pub mod infer;
pub mod joints;
pub mod kernel;
pub mod linear;
pub mod matrix;
pub mod mixing;
pub mod moments;
pub mod norm;
pub mod norm_prelu;
pub mod prefetch;
pub mod product;
pub mod rce;
pub mod real;
pub mod simd;
pub mod spatial;
pub mod temporal;
#[cfg(target_arch = "x86_64")]
pub mod tiles;
pub mod track_mean;
pub mod uninit;

pub use buffer::{Buffer, SavedForBackward};
pub use folded_linear::{FoldedLinear, add_leak, leak};
pub use kernel::{ArgGradients, BackwardArgs, Kernel, SideResult, View, apply1, apply2, apply3};
pub use matrix::{Matrix, MatrixMut, transpose};
pub use mixing::{Mixing, add_to_joints, repeat_joints, sum_joints};
pub use moments::{Moments, Sums};
pub use norm::{Norm, NormBackward};
pub use prefetch::Prefetch;
pub use product::{add_product, product, weight_gradient};
pub use real::Real;
pub use simd::instruction_set;
pub use uninit::Uninit;
