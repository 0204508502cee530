//! Learners made of others: one model on several skeletons, one that sees something else than its clips.

use candle_core::Tensor;

use crate::batch::TrackBatch;
use crate::control::Control;
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

/// A learner that sees what a [`Control`] makes of its batches.
#[derive(Clone, Debug)]
pub struct Controlled<L> {
    /// What learns.
    pub learner: L,
    /// What it sees.
    pub control: Control,
}

impl<L: Learner> Learner for Controlled<L> {
    type Draw = (TrackBatch, L::Draw);

    fn draw(&self, batch: &TrackBatch, at: At) -> Result<(Self::Draw, f64)> {
        let seen = self.control.of(batch, at.seed)?;
        let (draw, weight) = self.learner.draw(&seen, at)?;
        Ok(((seen, draw), weight))
    }

    fn loss(
        &self,
        _: &TrackBatch,
        (seen, draw): &Self::Draw,
        total: f64,
    ) -> candle_core::Result<Tensor> {
        self.learner.loss(seen, draw, total)
    }
}
