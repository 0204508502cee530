//! Operations of STRL beyond those of `skeletonmae::ops`, in the same form.

pub mod pooling;
pub mod temporal;

pub use pooling::{add_relu, add_time, pool_repeat_add, track_mean};
pub use temporal::{Window, temporal_convolution, temporal_max_pool};
