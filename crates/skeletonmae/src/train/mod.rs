//! Training: what a [`Learner`] is, and the engine, optimizers and schedules by which all of them learn.

mod config;
mod engine;
mod gradients;
mod guard;
mod learner;
mod optimizer;
mod pretrain;
mod schedule;

pub use config::TrainConfig;
pub use engine::{BoxError, EpochReport, Observer, Pass, Progress, StepReport, plan, run_epoch};
pub use gradients::Gradients;
pub use guard::{Guard, OnNonFinite};
pub use learner::Learner;
pub use optimizer::{Optimizer, OptimizerConfig};
pub use pretrain::{PretrainConfig, pretrain_loss, reconstruction};
pub use schedule::{Decay, Schedule};
