#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(clippy::print_stdout, clippy::print_stderr, clippy::dbg_macro)]

#[cfg(feature = "checkpoint")]
pub mod checkpoint;
pub mod cost;
pub mod finetune;
pub mod fuse;
pub mod metrics;
pub mod model;
pub mod onnx;
pub mod pca;
#[cfg(feature = "checkpoint")]
pub mod predictor;
pub mod pretraining;
pub mod probe;
pub mod spatial;
pub mod temporal;

pub use finetune::{FinetuneConfig, Finetuning, cross_entropy, score};
pub use metrics::{Metrics, Scores, ranking};
pub use model::{Body, Dropout, Frozen, Strl, StrlConfig, Task, Tuning, load_body, load_encoder};
#[cfg(feature = "checkpoint")]
pub use predictor::Predictor;
pub use pretraining::{ContrastStrl, MaskedStrl, Pretraining};
pub use skeleton_kernels::{Branches, Real, infer};
/// The crate whose encoder this one builds on: signatures here name its types.
pub use skeletonmae;
pub use spatial::{JointPool, Normalised};
