//! One epoch over steps of micro-batches, whatever is learnt.

use std::ops::ControlFlow;

use candle_core::Tensor;
use skeleton_kernels::host;

use crate::batch::TrackBatch;
use crate::error::{Error, Result};
use crate::mask::At;
use crate::params::Store;
use crate::train::{Gradients, Learner, OnNonFinite, Optimizer, TrainConfig};

/// An error of whoever supplies the data.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// How far an epoch is: what an interrupted one needs to go on as if nothing had happened. The default is
/// its beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Progress {
    /// Steps done, skipped ones included.
    pub steps: usize,
    /// Micro-batches done; masks are drawn by their number.
    pub micro_batches: usize,
    /// Clips seen.
    pub clips: usize,
    /// Steps that were skipped since their loss or gradient wasn't finite.
    pub skipped: usize,
    /// Sum of the steps' losses, each times its weight.
    pub loss: f64,
    /// Sum of the weights: what losses were averaged over, targets or clips.
    pub weight: f64,
    /// Sum of the gradients' Euclidean norms, a summand a step that wasn't skipped.
    pub gradient_norm: f64,
}

impl Progress {
    /// The epoch's report if it ended here.
    pub fn report(&self) -> EpochReport {
        EpochReport {
            loss: self.loss / self.weight.max(1.0),
            gradient_norm: self.gradient_norm
                / self.steps.saturating_sub(self.skipped).max(1) as f64,
            steps: self.steps,
            clips: self.clips,
            skipped: self.skipped,
        }
    }
}

/// One epoch of a training: which, of what, and from where.
#[derive(Clone, Copy, Debug)]
pub struct Pass<'a> {
    /// The model's tensors; the statistics among them are put back after a step that counts for nothing.
    pub store: &'a Store,
    /// Seed of everything random.
    pub seed: u64,
    /// Epoch, from 0.
    pub epoch: usize,
    /// Where to go on; the steps given to the engine are those that remain.
    pub from: Progress,
}

impl<'a> Pass<'a> {
    /// An epoch from its beginning.
    pub fn new(store: &'a Store, seed: u64, epoch: usize) -> Self {
        Self {
            store,
            seed,
            epoch,
            from: Progress::default(),
        }
    }
}

/// What a step did.
#[derive(Clone, Copy, Debug)]
pub struct StepReport<'a> {
    /// Epoch, from 0.
    pub epoch: usize,
    /// Step in the epoch, from 0.
    pub step: usize,
    /// Clips of the step.
    pub clips: usize,
    /// The step's loss; not finite where the step was skipped for it.
    pub loss: f64,
    /// How far the epoch is now.
    pub progress: &'a Progress,
    /// The optimizer after the step, for whoever saves it.
    pub optimizer: &'a Optimizer,
}

/// What an epoch did.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct EpochReport {
    /// Mean loss, each step weighted by what it averaged over (targets or clips).
    pub loss: f64,
    /// Mean over the steps of the Euclidean norm of the gradient of all parameters, before it is clipped.
    pub gradient_norm: f64,
    /// Steps done, skipped ones included.
    pub steps: usize,
    /// Clips seen.
    pub clips: usize,
    /// Steps skipped since their loss or gradient wasn't finite.
    pub skipped: usize,
}

/// Told of every step; engines themselves neither print nor write.
pub trait Observer {
    /// After a step. `Break` ends the epoch with [`Error::Stopped`].
    fn step(&mut self, report: &StepReport<'_>) -> ControlFlow<()>;
}

/// Closures observe too.
impl<F: FnMut(&StepReport<'_>) -> ControlFlow<()>> Observer for F {
    fn step(&mut self, report: &StepReport<'_>) -> ControlFlow<()> {
        self(report)
    }
}

/// Runs an epoch, or what `pass` leaves of it. `steps` yields the micro-batches of each update: their gradients are
/// added, and the optimizer makes one update.
///
/// # Errors
/// When data can't be had, an operation fails, a loss or a gradient isn't finite and the guard says so, or the
/// observer asks to stop.
pub fn run_epoch<L: Learner>(
    learner: &L,
    pass: &Pass<'_>,
    config: &TrainConfig,
    optimizer: &mut Optimizer,
    steps: impl Iterator<Item = std::result::Result<Vec<TrackBatch>, BoxError>>,
    observer: &mut dyn Observer,
) -> Result<EpochReport> {
    let (epoch, mut progress) = (pass.epoch, pass.from);
    let (lr, guard) = (config.rate(epoch), &config.guard);
    let mut steps = steps.fuse();
    let mut prepare = |first: usize| {
        let batches = steps.next()?.map_err(Error::Data);
        Some(batches.and_then(|batches| prepared(learner, pass, first, batches)))
    };
    let mut next = prepare(progress.micro_batches);
    while let Some(batches) = next {
        let (step, batches) = (progress.steps, batches?);
        let weight: f64 = batches.iter().map(|(.., weight)| weight).sum();
        let statistics = pass.store.statistics()?;
        let mut gradients = Gradients::none(optimizer.parameters().len());
        let mut losses = Vec::with_capacity(batches.len() + 1);
        for (batch, draw, _) in batches.iter().filter(|(.., weight)| *weight > 0.0) {
            let part = learner.loss(batch, draw, weight)?;
            gradients.add(&part, optimizer.parameters())?;
            losses.push(part.detach().reshape(1)?);
        }
        progress.micro_batches += batches.len();
        // A device computes what it was asked for until it is read from.
        next = prepare(progress.micro_batches);
        let (step_loss, norm) = read(losses, &gradients)?;
        let ids = || batches.iter().flat_map(|(batch, ..)| &batch.ids);
        match guard.admit(step_loss, norm, &mut gradients)? {
            None => {
                optimizer.step(gradients.as_slice(), lr)?;
                progress.loss += step_loss * weight;
                progress.weight += weight;
                progress.gradient_norm += norm;
            }
            Some((quantity, value)) => {
                // The step moved the running statistics; it shall not have happened.
                statistics.restore()?;
                if guard.non_finite == OnNonFinite::Stop {
                    return Err(Error::NonFinite {
                        quantity,
                        epoch,
                        step,
                        value,
                        clips: ids().cloned().collect(),
                    });
                }
                progress.skipped += 1;
            }
        }
        let clips = ids().count();
        progress.steps += 1;
        progress.clips += clips;
        let report = StepReport {
            epoch,
            step,
            clips,
            loss: step_loss,
            progress: &progress,
            optimizer,
        };
        if observer.step(&report).is_break() {
            let steps = progress.steps;
            return Err(Error::Stopped { epoch, steps });
        }
    }
    if progress.skipped > 0 && progress.skipped == progress.steps {
        let steps = progress.steps;
        return Err(Error::AllSkipped { epoch, steps });
    }
    Ok(progress.report())
}

/// The micro-batches of a step, of which `first` is the number of the first in its epoch, with what is drawn for each and
/// its weight.
fn prepared<L: Learner>(
    learner: &L,
    pass: &Pass<'_>,
    first: usize,
    batches: Vec<TrackBatch>,
) -> Result<Vec<(TrackBatch, L::Draw, f64)>> {
    let each = batches.into_iter().enumerate().map(|(i, batch)| {
        let at = At {
            seed: pass.seed,
            epoch: pass.epoch as u64,
            index: (first + i) as u64,
        };
        let (draw, weight) = learner.draw(&batch, at)?;
        Ok((batch, draw, weight))
    });
    each.collect()
}

/// The sum of the losses, (1) each, and the gradients' norm: the one read of a step.
fn read(mut losses: Vec<Tensor>, gradients: &Gradients) -> Result<(f64, f64)> {
    let parts = losses.len();
    if let Some(square) = gradients.square()? {
        losses = losses
            .iter()
            .map(|loss| loss.to_dtype(square.dtype()))
            .collect::<candle_core::Result<_>>()?;
        losses.push(square);
    }
    if losses.is_empty() {
        return Ok((0.0, 0.0));
    }
    let numbers = host::read::<f64>(&Tensor::cat(&losses, 0)?)?;
    let square = numbers.get(parts).copied().unwrap_or_default();
    Ok((numbers[..parts].iter().sum(), square.sqrt()))
}
