//! One epoch over steps of micro-batches, whatever is learnt.

use std::ops::ControlFlow;

use candle_core::Tensor;
use skeleton_kernels::host;

use crate::batch::TrackBatch;
use crate::error::{Error, Result};
use crate::layers::later;
use crate::mask::At;
use crate::params::Store;
use crate::train::ranks::{Alone, Ranks, Reader, Writer, any};
use crate::train::sum::{Part, Sum, shared};
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
    /// The model's tensors; the statistics among them move when a step counts.
    pub store: &'a Store,
    /// Seed of everything random.
    pub seed: u64,
    /// Epoch, from 0.
    pub epoch: usize,
    /// Where to go on; the steps given to the engine are those that remain.
    pub from: Progress,
    /// The processes that train this model together, each a copy of it.
    pub ranks: &'a dyn Ranks,
}

impl<'a> Pass<'a> {
    /// An epoch from its beginning, in one process.
    pub fn new(store: &'a Store, seed: u64, epoch: usize) -> Self {
        Self {
            store,
            seed,
            epoch,
            from: Progress::default(),
            ranks: &Alone,
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
/// With several ranks each calls this with a model of the same numbers, and its `steps` yield [its own
/// micro-batches](crate::train::ranks) of each update, perhaps none. All make the same updates, with the bits of one process
/// that has all micro-batches.
///
/// # Errors
/// When data can't be had, an operation fails, a loss or a gradient isn't finite and the guard says so, or an
/// observer asks to stop. All ranks end with an error then, unless an operation or the exchange itself failed.
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
    let mut next = agreed(pass.ranks, prepare(progress.micro_batches))?;
    while let Some(step) = next {
        let (number, step) = (progress.steps, step?);
        let weight: f64 = step.weights.iter().sum();
        let parts = step.parts(learner, weight, optimizer);
        progress.micro_batches += step.weights.len();
        let sum;
        (sum, next) = together(pass, &step.weights, parts, optimizer, || {
            prepare(progress.micro_batches)
        })?;
        let Sum {
            losses,
            mut gradients,
            moves,
        } = sum;
        let (step_loss, norm) = read(losses, &gradients)?;
        match guard.admit(step_loss, norm, &mut gradients)? {
            None => {
                optimizer.step(gradients.as_slice(), lr)?;
                moves.iter().try_for_each(|of| of.make())?;
                progress.loss += step_loss * weight;
                progress.weight += weight;
                progress.gradient_norm += norm;
            }
            Some((quantity, value)) => {
                if guard.non_finite == OnNonFinite::Stop {
                    return Err(Error::NonFinite {
                        quantity,
                        epoch,
                        step: number,
                        value,
                        clips: step.all_ids(pass.ranks)?,
                    });
                }
                progress.skipped += 1;
            }
        }
        progress.steps += 1;
        progress.clips += step.clips;
        let report = StepReport {
            epoch,
            step: number,
            clips: step.clips,
            loss: step_loss,
            progress: &progress,
            optimizer,
        };
        if any(pass.ranks, observer.step(&report).is_break())? {
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

/// A micro-batch with what is drawn for it and its weight.
type Drawn<D> = (TrackBatch, D, f64);

/// The next step of a rank, if there is one.
type Own<D> = Option<Result<Vec<Drawn<D>>>>;

/// A step as all ranks know it.
struct Step<D> {
    /// This rank's micro-batches.
    own: Vec<Drawn<D>>,
    /// Of all its micro-batches.
    weights: Vec<f64>,
    /// Of all its micro-batches.
    clips: usize,
}

impl<D> Step<D> {
    /// What this rank's micro-batches give, one at a time.
    fn parts<L: Learner<Draw = D>>(
        &self,
        learner: &L,
        weight: f64,
        optimizer: &Optimizer,
    ) -> impl Iterator<Item = Result<Part>> {
        let own = self.own.iter().filter(|(.., weight)| *weight > 0.0);
        own.map(move |(batch, draw, _)| {
            let (loss, moves) = later(|| learner.loss(batch, draw, weight))?;
            Ok(Part {
                gradients: Gradients::of(&loss, optimizer.parameters())?,
                loss: loss.detach().reshape(1)?,
                moves,
            })
        })
    }

    /// The clips of all its micro-batches, in order.
    fn all_ids(&self, ranks: &dyn Ranks) -> Result<Vec<String>> {
        let mut message = Writer::default();
        for (batch, ..) in &self.own {
            message.number(batch.clips());
            batch.ids.iter().for_each(|id| message.text(id));
        }
        let messages = ranks.all_gather(&message.done())?;
        let mut readers: Vec<Reader<'_>> = messages.iter().map(|m| Reader::of(m)).collect();
        let mut ids = Vec::with_capacity(self.clips);
        for at in 0..self.weights.len() {
            let reader = &mut readers[at % ranks.size()];
            for _ in 0..reader.number()? {
                ids.push(reader.text()?);
            }
        }
        Ok(ids)
    }
}

/// This rank's micro-batches of a step, of which `first` is the number of the first in its epoch, with what is drawn for each
/// and its weight.
fn prepared<L: Learner>(
    learner: &L,
    pass: &Pass<'_>,
    first: usize,
    batches: Vec<TrackBatch>,
) -> Result<Vec<Drawn<L::Draw>>> {
    let (rank, size) = (pass.ranks.rank(), pass.ranks.size());
    let each = batches.into_iter().enumerate().map(|(i, batch)| {
        let at = At {
            seed: pass.seed,
            epoch: pass.epoch as u64,
            index: (first + rank + i * size) as u64,
        };
        let (draw, weight) = learner.draw(&batch, at)?;
        Ok((batch, draw, weight))
    });
    each.collect()
}

/// Adds up what the micro-batches of a step give, and prepares the next step meanwhile: a device computes what it was asked
/// for until it is read from.
fn together<D>(
    pass: &Pass<'_>,
    weights: &[f64],
    parts: impl Iterator<Item = Result<Part>>,
    optimizer: &Optimizer,
    prepare: impl FnOnce() -> Own<D>,
) -> Result<(Sum, Option<Result<Step<D>>>)> {
    let parameters = optimizer.parameters();
    if pass.ranks.size() == 1 {
        let mut sum = Sum::none(parameters.len());
        for part in parts {
            sum.add(part?)?;
        }
        return Ok((sum, agreed(pass.ranks, prepare())?));
    }
    let parts = parts.collect::<Result<Vec<_>>>()?;
    let statistics = pass.store.statistics();
    let own = prepare();
    let vars = (parameters, &statistics[..]);
    let (sum, news) = shared(pass.ranks, parts, weights, vars, &told(&own))?;
    Ok((sum, understood(own, &news)?))
}

/// The next step as all ranks know it.
fn agreed<D>(ranks: &dyn Ranks, own: Own<D>) -> Result<Option<Result<Step<D>>>> {
    let news = ranks.all_gather(&told(&own))?;
    understood(own, &news)
}

/// No step is left.
const END: usize = 0;
/// Weights and clips of a rank's micro-batches follow.
const STEP: usize = 1;
/// A rank's error follows.
const FAILED: usize = 2;

/// What a rank tells the others of its next step.
fn told<D>(own: &Own<D>) -> Vec<u8> {
    let mut message = Writer::default();
    match own {
        None => message.number(END),
        Some(Ok(own)) => {
            message.number(STEP);
            message.number(own.iter().map(|(batch, ..)| batch.clips()).sum());
            let weights: Vec<f64> = own.iter().map(|(.., weight)| *weight).collect();
            message.reals(&weights);
        }
        Some(Err(error)) => {
            message.number(FAILED);
            message.text(&error.to_string());
        }
    }
    message.done()
}

/// The step that all ranks told of, in the order of ranks: a rank that couldn't read its clips ends it for all.
fn understood<D>(own: Own<D>, news: &[Vec<u8>]) -> Result<Option<Result<Step<D>>>> {
    let (mut each, mut clips, mut ended) = (Vec::new(), 0, 0);
    for (rank, news) in news.iter().enumerate() {
        let mut news = Reader::of(news);
        match news.number()? {
            END => ended += 1,
            STEP => {
                clips += news.number()?;
                each.push(news.reals()?);
            }
            _ => {
                if let Some(Err(error)) = own {
                    return Ok(Some(Err(error)));
                }
                let message = news.text()?;
                return Ok(Some(Err(Error::OtherRank { rank, message })));
            }
        }
    }
    let own = match own {
        None if ended == news.len() => return Ok(None),
        Some(Ok(own)) if ended == 0 => own,
        _ => {
            return Err(Error::Exchange(
                "ranks have unequal numbers of steps".into(),
            ));
        }
    };
    let size = news.len();
    let n = each.iter().map(Vec::len).sum();
    let weight = |at: usize| each[at % size].get(at / size).copied();
    let weights = (0..n).map(weight).collect::<Option<Vec<_>>>();
    let weights = weights
        .ok_or_else(|| Error::Exchange("micro-batches are not those of the ranks' turns".into()))?;
    Ok(Some(Ok(Step {
        own,
        weights,
        clips,
    })))
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
