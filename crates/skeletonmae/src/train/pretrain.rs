//! Pre-training: paper section 3.2.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};
use skeleton_graph::Layout;

use crate::batch::TrackBatch;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::layers::Mode;
use crate::mask::At;
use crate::model::SkeletonMae;
use crate::objective::Objective;
use crate::pretext::{Draw, Pretext};
use crate::reconstruct::Reconstruction;
use crate::train::engine::BoxError;
use crate::train::ranks::{Ranks, Reader, Writer, gathered};
use crate::train::{Guard, Learner, OptimizerConfig, Schedule, TrainConfig, is_zero};

/// How a model is pre-trained: a [`TrainConfig`] and the objective.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PretrainConfig {
    /// Passes over the training split.
    pub epochs: usize,
    /// Fewest updates: where epochs make fewer, there are [more of them](TrainConfig::with_updates).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub least_updates: usize,
    /// Clips an update.
    pub batch: usize,
    /// Clips computed at once.
    pub micro_batch: usize,
    /// The update rule.
    pub optimizer: OptimizerConfig,
    /// Learning rates by epoch.
    pub schedule: Schedule,
    /// What is pursued.
    pub objective: Objective,
    /// What is seen in place of the clips, to tell what helps.
    #[serde(default, skip_serializing_if = "Control::is_none")]
    pub control: Control,
    /// Limits of a step.
    #[serde(default)]
    pub guard: Guard,
}

impl PretrainConfig {
    /// What every training is told.
    pub fn training(&self) -> TrainConfig {
        TrainConfig {
            epochs: self.epochs,
            batch: self.batch,
            micro_batch: self.micro_batch,
            optimizer: self.optimizer,
            schedule: self.schedule.clone(),
            guard: self.guard.clone(),
        }
    }

    /// Refuses what can't be run on `layout`.
    ///
    /// # Errors
    /// Names the field.
    pub fn validate(&self, layout: &Layout) -> Result<()> {
        self.training().validate()?;
        let alone = self.micro_batch < 2 && self.objective.reconstruction().is_none();
        let expected = "2 or more: a contrast needs another clip";
        Error::refuse_unless(!alone, "micro_batch", expected, self.micro_batch)?;
        let objective = self.objective.validate(layout);
        objective.map_err(|error| error.within("objective"))
    }
}

impl Learner for Pretext {
    type Draw = Draw;

    fn draw(&self, batch: &TrackBatch, at: At) -> Result<(Draw, f64)> {
        Ok(self.draw(batch, at))
    }

    fn loss(&self, batch: &TrackBatch, draw: &Draw, total: f64) -> candle_core::Result<Tensor> {
        self.loss(batch, draw, total, Mode::Train)
    }
}

/// The mean loss on held-out batches, of whose sum and weight `held_out` tells one's; what is drawn is that of epoch 0, so
/// that epochs can be compared. Batches come with their numbers: a rank has those that follow the batches of the rank before.
///
/// # Errors
/// When data can't be had or an operation fails, in any rank.
pub fn pretrain_loss(
    held_out: impl Fn(&TrackBatch, At) -> candle_core::Result<(f64, f64)>,
    seed: u64,
    batches: impl Iterator<Item = (usize, std::result::Result<TrackBatch, BoxError>)>,
    ranks: &dyn Ranks,
) -> Result<f64> {
    let own = || -> Result<Vec<u8>> {
        let mut numbers = Vec::new();
        for (index, batch) in batches {
            let at = At {
                seed,
                epoch: 0,
                index: index as u64,
            };
            let (loss, weight) = held_out(&batch.map_err(Error::Data)?, at)?;
            numbers.extend([loss, weight]);
        }
        let mut message = Writer::default();
        message.reals(&numbers);
        Ok(message.done())
    };
    let (mut sum, mut weights) = (0.0, 0.0);
    for message in gathered(ranks, own())? {
        for pair in Reader::of(&message).reals()?.chunks_exact(2) {
            sum += pair[0];
            weights += pair[1];
        }
    }
    Ok(sum / weights.max(1.0))
}

/// How well each part is reconstructed in coordinates when it is masked.
///
/// # Errors
/// When data can't be had or an operation fails.
pub fn reconstruction(
    model: &SkeletonMae,
    layout: &Layout,
    batches: impl Iterator<Item = std::result::Result<TrackBatch, BoxError>>,
) -> Result<Reconstruction> {
    let mut sum = Reconstruction::default();
    for batch in batches {
        sum.add(model, layout, &batch.map_err(Error::Data)?)?;
    }
    Ok(sum)
}
