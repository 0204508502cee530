//! Pre-training: paper section 3.2.

use serde::{Deserialize, Serialize};
use skeleton_graph::Layout;

use crate::batch::TrackBatch;
use crate::error::{Error, Result};
use crate::layers::Mode;
use crate::mask::At;
use crate::model::SkeletonMae;
use crate::objective::Objective;
use crate::pretext::Pretext;
use crate::reconstruct::Reconstruction;
use crate::train::engine::{BoxError, EpochReport, Observer, Pass, run_epoch};
use crate::train::{Guard, Optimizer, OptimizerConfig, Schedule};

/// How a model is pre-trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PretrainConfig {
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
    /// What is pursued.
    pub objective: Objective,
    /// Limits of a step.
    #[serde(default)]
    pub guard: Guard,
}

impl PretrainConfig {
    /// Refuses what can't be run on `layout`.
    ///
    /// # Errors
    /// Names the setting.
    pub fn validate(&self, layout: &Layout) -> Result<()> {
        positive("pretrain.batch", self.batch)?;
        positive("pretrain.micro_batch", self.micro_batch)?;
        if self.micro_batch < 2 && self.objective.reconstruction().is_none() {
            return Err(Error::Setting {
                key: "pretrain.micro_batch",
                expected: "2 or more: a contrast needs another clip".into(),
                found: self.micro_batch.to_string(),
            });
        }
        self.optimizer.validate()?;
        self.guard.validate()?;
        self.objective.validate(layout)
    }
}

/// Refuses 0.
///
/// # Errors
/// Names the setting.
pub fn positive(key: &'static str, value: usize) -> Result<()> {
    let (expected, found) = ("a number above 0".into(), value.to_string());
    if value > 0 {
        Ok(())
    } else {
        Err(Error::Setting {
            key,
            expected,
            found,
        })
    }
}

/// One epoch of pre-training, or what `pass` leaves of it. `steps` yields the micro-batches of each update.
///
/// # Errors
/// Those of [`run_epoch`].
pub fn pretrain_epoch(
    model: &Pretext,
    layout: &Layout,
    config: &PretrainConfig,
    optimizer: &mut Optimizer,
    pass: &Pass<'_>,
    steps: impl Iterator<Item = std::result::Result<Vec<TrackBatch>, BoxError>>,
    observer: &mut dyn Observer,
) -> Result<EpochReport> {
    let lr = optimizer.config().lr() * config.schedule.factor(pass.epoch, config.epochs);
    let draw = |index: usize, batch: &TrackBatch| {
        let at = At {
            seed: pass.seed,
            epoch: pass.epoch as u64,
            index: index as u64,
        };
        model.draw(layout, batch, at)
    };
    run_epoch(
        pass,
        (lr, &config.guard),
        optimizer,
        steps,
        draw,
        |batch, draw, total| model.loss(batch, draw, total, Mode::Train),
        observer,
    )
}

/// The loss on held-out batches, by the running statistics; what is drawn is that of epoch 0, so that
/// epochs can be compared.
///
/// # Errors
/// When data can't be had or an operation fails.
pub fn pretrain_loss(
    model: &Pretext,
    layout: &Layout,
    seed: u64,
    batches: impl Iterator<Item = std::result::Result<TrackBatch, BoxError>>,
) -> Result<f64> {
    let (mut sum, mut weights) = (0.0, 0.0);
    for (index, batch) in batches.enumerate() {
        let batch = batch.map_err(Error::Data)?;
        let at = At {
            seed,
            epoch: 0,
            index: index as u64,
        };
        let (loss, weight) = model.held_out(layout, &batch, at)?;
        sum += loss;
        weights += weight;
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
