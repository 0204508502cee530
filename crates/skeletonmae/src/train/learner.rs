//! What a training teaches.

use candle_core::Tensor;

use crate::batch::TrackBatch;
use crate::error::Result;
use crate::mask::At;

/// A model with what it pursues. An epoch of any is [`run_epoch`](crate::train::run_epoch).
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
