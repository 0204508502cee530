//! Training: what a [`Learner`] is, and the engine, optimizers and schedules by which all of them learn.

mod engine;
mod gradients;
mod guard;
mod optimizer;
mod pretrain;
pub mod ranks;
mod schedule;
mod sum;

use candle_core::Tensor;

pub use engine::{BoxError, EpochReport, Observer, Pass, Progress, StepReport, run_epoch};
pub use gradients::Gradients;
pub use guard::{Guard, OnNonFinite};
pub use optimizer::{Optimizer, OptimizerConfig};
pub use pretrain::{PretrainConfig, pretrain_loss, reconstruction};
pub use schedule::{Decay, Schedule};
pub use skeleton_graph::steps::plan;

use crate::batch::TrackBatch;
use crate::error::{Result, positive};
use crate::mask::At;

/// A model with what it pursues. An epoch of any is [`run_epoch`].
pub trait Learner {
    /// What is random of a batch: masks, views, dropout.
    type Draw;

    /// Draws it, a function of seed, epoch and clips or the batch's number alone; with it comes the batch's weight in
    /// a mean over several: its number of targets or of clips.
    ///
    /// # Errors
    /// When an operation fails.
    fn draw(&self, batch: &TrackBatch, at: At) -> Result<(Self::Draw, f64)>;

    /// The batch's share of the step's mean loss in training: the sum over its targets or clips, divided by `total`,
    /// the weight of all batches of the step.
    ///
    /// # Errors
    /// When the batch doesn't fit the model, or an operation fails.
    fn loss(
        &self,
        batch: &TrackBatch,
        draw: &Self::Draw,
        total: f64,
    ) -> candle_core::Result<Tensor>;
}

/// How a training goes. [`PretrainConfig`] and `strl`'s `FinetuneConfig` give it; a
/// training of your own needs no more.
///
/// They repeat these fields, since settings are written as one flat table and serde's `flatten` reads such a table
/// less well: where a key is misspelt it complains of the one that is missing, and doesn't say which there are.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainConfig {
    /// Passes over the training split.
    pub epochs: usize,
    /// Clips an update.
    pub batch: usize,
    /// Clips computed at once; their gradients add up to the update. `BatchNorm` sees these.
    pub micro_batch: usize,
    /// The update rule.
    pub optimizer: OptimizerConfig,
    /// Learning rates by epoch.
    pub schedule: Schedule,
    /// Limits of a step.
    pub guard: Guard,
}

impl TrainConfig {
    /// Refuses what no training can use.
    ///
    /// # Errors
    /// Names the field.
    pub fn validate(&self) -> Result<()> {
        positive("epochs", self.epochs)?;
        positive("batch", self.batch)?;
        positive("micro_batch", self.micro_batch)?;
        let optimizer = self.optimizer.validate();
        optimizer.map_err(|error| error.within("optimizer"))?;
        self.guard.validate().map_err(|error| error.within("guard"))
    }

    /// The same over `clips` clips with at least so many `updates`: few clips are passed more often, and the schedule is
    /// stretched with the epochs.
    #[must_use]
    pub fn with_updates(self, updates: usize, clips: usize) -> Self {
        let of_epoch = (clips as f64 / self.batch.max(1) as f64).round().max(1.0) as usize;
        let epochs = self.epochs.max(updates.div_ceil(of_epoch));
        Self {
            schedule: self.schedule.stretched(self.epochs, epochs),
            epochs,
            ..self
        }
    }

    /// The learning rate of an epoch, from 0.
    pub fn rate(&self, epoch: usize) -> f64 {
        self.optimizer.lr() * self.schedule.factor(epoch, self.epochs)
    }
}

/// Whether a setting is off.
pub fn is_zero(setting: &usize) -> bool {
    *setting == 0
}
