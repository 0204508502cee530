//! One model on several skeletons.

use candle_core::Tensor;

use crate::batch::TrackBatch;
use crate::error::Result;
use crate::mask::At;
use crate::train::Learner;

/// A learner for each set of clips, all with the parameters of one [`Store`](crate::Store): no weight is a joint's own, so a
/// model is built on each set's skeleton from one builder.
#[derive(Clone, Debug)]
pub struct Several<L>(pub Vec<L>);

impl<L> Several<L> {
    fn of(&self, batch: &TrackBatch) -> candle_core::Result<&L> {
        let sets = self.0.len();
        let found = self.0.get(batch.set);
        found.ok_or_else(|| candle_core::Error::msg(format!("set {} of {sets}", batch.set)))
    }
}

impl<L: Learner> Learner for Several<L> {
    type Draw = L::Draw;

    fn draw(&self, batch: &TrackBatch, at: At) -> Result<(L::Draw, f64)> {
        self.of(batch)?.draw(batch, at)
    }

    fn loss(&self, batch: &TrackBatch, draw: &L::Draw, total: f64) -> candle_core::Result<Tensor> {
        self.of(batch)?.loss(batch, draw, total)
    }
}
