//! One epoch over steps of micro-batches, whatever the loss.

use std::ops::ControlFlow;

use candle_core::Tensor;

use crate::batch::TrackBatch;
use crate::error::{Error, Result};
use crate::train::{Gradients, Optimizer};

/// An error of whoever supplies the data.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepReport {
    /// Epoch, from 0.
    pub epoch: usize,
    /// Step in the epoch, from 0.
    pub step: usize,
    /// Clips of the step.
    pub clips: usize,
    /// The step's loss.
    pub loss: f64,
}

/// What an epoch did.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct EpochReport {
    /// Mean loss, each step weighted by what it averaged over (targets or clips).
    pub loss: f64,
    /// Steps done.
    pub steps: usize,
    /// Clips seen.
    pub clips: usize,
}

/// Told of every step; engines themselves neither print nor write.
pub trait Observer {
    /// After a step. `Break` ends the epoch with [`Error::Stopped`].
    fn step(&mut self, report: &StepReport) -> ControlFlow<()>;
}

/// Closures observe too.
impl<F: FnMut(&StepReport) -> ControlFlow<()>> Observer for F {
    fn step(&mut self, report: &StepReport) -> ControlFlow<()> {
        self(report)
    }
}

/// Splits `order` into steps of about `batch` clips, and each into micro-batches of at most
/// `micro_batch`. The parts are as equal as they can be: no clip is dropped and no step is tiny, which
/// `BatchNorm`'s statistics would suffer from.
pub fn plan(order: &[u32], batch: usize, micro_batch: usize) -> Vec<Vec<Vec<u32>>> {
    let steps = even(
        order,
        (order.len() as f64 / batch.max(1) as f64).round().max(1.0) as usize,
    );
    let micro = |step: &[u32]| {
        let parts = even(step, step.len().div_ceil(micro_batch.max(1)));
        parts.into_iter().map(<[u32]>::to_vec).collect()
    };
    steps
        .into_iter()
        .filter(|step| !step.is_empty())
        .map(micro)
        .collect()
}

/// `parts` slices whose lengths differ by one at most.
fn even(order: &[u32], parts: usize) -> Vec<&[u32]> {
    let at = |i: usize| i * order.len() / parts;
    (0..parts).map(|i| &order[at(i)..at(i + 1)]).collect()
}

/// Runs an epoch: for each step, `losses` gives a closure a micro-batch, each the micro-batch's share
/// of the step's mean loss; their gradients are added and the optimizer makes one update.
///
/// `weigh` says what a micro-batch's part of the mean is: its number of targets or of clips.
///
/// # Errors
/// When data can't be had, an operation fails, the loss isn't finite, or the observer asks to stop.
pub fn run_epoch<M>(
    epoch: usize,
    lr: f64,
    optimizer: &mut Optimizer,
    steps: impl Iterator<Item = std::result::Result<Vec<TrackBatch>, BoxError>>,
    mut prepare: impl FnMut(usize, &TrackBatch) -> (M, f64),
    mut loss: impl FnMut(&TrackBatch, &M, f64) -> candle_core::Result<Tensor>,
    observer: &mut dyn Observer,
) -> Result<EpochReport> {
    let (mut report, mut weights) = (EpochReport::default(), 0.0);
    let mut index = 0;
    for (step, batches) in steps.enumerate() {
        let batches = batches.map_err(Error::Data)?;
        let mut prepared = Vec::with_capacity(batches.len());
        for batch in batches {
            let (material, weight) = prepare(index, &batch);
            prepared.push((batch, material, weight));
            index += 1;
        }
        let weight: f64 = prepared.iter().map(|(.., weight)| weight).sum();
        let mut gradients = Gradients::none(optimizer.parameters().len());
        let mut step_loss = 0.0;
        for (batch, material, _) in prepared.iter().filter(|(.., weight)| *weight > 0.0) {
            let part = loss(batch, material, weight)?;
            step_loss += part.to_dtype(candle_core::DType::F64)?.to_scalar::<f64>()?;
            gradients.add(&part, optimizer.parameters())?;
        }
        let ids = || {
            prepared
                .iter()
                .flat_map(|(batch, ..)| batch.ids.iter().cloned())
        };
        if !step_loss.is_finite() {
            let clips = ids().collect();
            return Err(Error::NonFinite {
                epoch,
                step,
                loss: step_loss,
                clips,
            });
        }
        optimizer.step(gradients.as_slice(), lr)?;
        let clips = ids().count();
        report.steps += 1;
        report.clips += clips;
        report.loss += step_loss * weight;
        weights += weight;
        if observer
            .step(&StepReport {
                epoch,
                step,
                clips,
                loss: step_loss,
            })
            .is_break()
        {
            return Err(Error::Stopped {
                epoch,
                steps: report.steps,
            });
        }
    }
    report.loss /= weights.max(1.0);
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_even_and_drop_no_clip() {
        for (n, batch, micro) in [
            (433, 32, 32),
            (433, 16, 5),
            (7, 16, 16),
            (100, 100, 33),
            (1, 1, 1),
        ] {
            let order: Vec<u32> = (0..n).collect();
            let plan = plan(&order, batch, micro);
            let all: Vec<u32> = plan.iter().flatten().flatten().copied().collect();
            assert_eq!(all, order, "every clip once, in order");
            let sizes: Vec<usize> = plan
                .iter()
                .map(|step| step.iter().map(Vec::len).sum())
                .collect();
            let (min, max) = (sizes.iter().min().unwrap(), sizes.iter().max().unwrap());
            assert!(max - min <= 1, "{sizes:?}");
            assert!(
                plan.iter()
                    .flatten()
                    .all(|part| !part.is_empty() && part.len() <= micro)
            );
        }
        assert!(plan(&[], 4, 4).is_empty());
    }
}
