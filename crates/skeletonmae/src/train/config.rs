//! What every training is told, whatever it learns.

use crate::error::{Result, positive};
use crate::train::{Guard, OptimizerConfig, Schedule};

/// How a training goes. [`PretrainConfig`](crate::train::PretrainConfig) and `strl`'s `FinetuneConfig` give it; a
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

    /// The learning rate of an epoch, from 0.
    pub fn rate(&self, epoch: usize) -> f64 {
        self.optimizer.lr() * self.schedule.factor(epoch, self.epochs)
    }
}
