//! Training: optimizers, schedules and the engine that `strl` shares.

mod engine;
mod gradients;
mod guard;
mod optimizer;
mod pretrain;
mod schedule;

pub use engine::{BoxError, EpochReport, Observer, Pass, Progress, StepReport, plan, run_epoch};
pub use gradients::Gradients;
pub use guard::{Guard, OnNonFinite};
pub use optimizer::{Optimizer, OptimizerConfig};
pub use pretrain::{PretrainConfig, positive, pretrain_epoch, pretrain_loss, reconstruction};
pub use schedule::{Decay, Schedule};
