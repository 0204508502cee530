#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod cost;
pub mod finetune;
pub mod fuse;
pub mod metrics;
pub mod model;
pub mod pca;
pub mod probe;
pub mod spatial;
pub mod temporal;
pub mod tuning;

pub use finetune::{FinetuneConfig, Finetuning, cross_entropy, score};
pub use metrics::{Metrics, Scores, ranking};
pub use model::{Dropout, Frozen, Strl, StrlConfig, Task, load_encoder};
pub use skeleton_kernels::{Branches, Real, infer};
/// The crate whose encoder this one builds on: signatures here name its types.
pub use skeletonmae;
pub use spatial::{JointPool, Normalised};
pub use tuning::Tuning;
