//! Operations of STRL beyond those of `skeletonmae::ops`, in the same form.

pub mod embed;
pub mod mean;
pub mod spatial;
pub mod temporal;

pub use embed::embed;
pub use mean::track_mean;
pub use spatial::spatial;
pub use temporal::{Branches, Window, temporal};
