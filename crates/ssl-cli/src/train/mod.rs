//! What pre-training and fine-tuning share: epochs one after the other, each watched, recorded and
//! saved, from the beginning or from where an earlier process was stopped.

mod copies;
mod setup;

use std::ops::ControlFlow;
use std::time::{Duration, Instant, SystemTime};

use serde::Serialize;
use skeletonmae::Store;
use skeletonmae::train::ranks::Ranks;
use skeletonmae::train::{EpochReport, Observer, Optimizer, Progress, StepReport};

pub use self::copies::numbers as agree_on_numbers;
pub use self::setup::{Setup, Task, Training, run};
use crate::checkpoint::{Best, Checkpoint, Meta, State};
use crate::failure::{Failure, Outcome};
use crate::printer::{self, Printer};
use crate::ranks::world;
use crate::report::{self, count};
use crate::run::{Exchange, Run, Timing, unix};
use crate::signal::Interrupt;
use crate::tensorboard::Events;

/// What an epoch measured on held-out clips, if there are any.
pub trait Metrics: Serialize {
    /// `, val 0.1300`, or nothing.
    fn words(&self) -> String;

    /// What the best epoch is chosen by: higher is better.
    fn score(&self) -> Option<f64>;
}

/// A line of metrics.jsonl.
#[derive(Serialize)]
struct Line<M> {
    epoch: usize,
    /// The mean over the epoch.
    loss: f64,
    #[serde(flatten)]
    measured: M,
    /// The learning rate of its updates.
    lr: f64,
    /// The mean over its updates of the gradient's Euclidean norm, before it is clipped.
    gradient_norm: f64,
    /// Steps left out since they weren't finite.
    #[serde(skip_serializing_if = "report::none")]
    skipped: usize,
}

impl<M: Metrics> Line<M> {
    /// `loss 0.1234, val 0.1300, 2 steps skipped`
    fn words(&self) -> String {
        let skipped = match self.skipped {
            0 => String::new(),
            steps => format!(", {} skipped", count(steps, "step")),
        };
        format!("loss {:.4}{}{skipped}", self.loss, self.measured.words())
    }
}

/// What was exchanged since this was asked last; none where there is nobody to exchange anything with.
fn exchanged() -> Option<Exchange> {
    let traffic = world().traffic();
    (world().size() > 1).then(|| Exchange {
        seconds: traffic.time.as_secs_f64(),
        megabytes: traffic.received as f64 / 1e6,
    })
}

/// An epoch of `clips` clips: the time of its steps, and with all that follows them.
fn timing(epoch: usize, clips: usize, train: Duration, all: Duration) -> Timing {
    let (train_seconds, seconds) = (train.as_secs_f64(), all.as_secs_f64());
    Timing {
        epoch,
        train_seconds,
        clips_per_second: clips as f64 / train_seconds.max(1e-9),
        seconds,
        exchange: None,
        ended: Some(unix(SystemTime::now())),
    }
}

/// Where and how long a training goes.
pub struct Session<'a> {
    /// The run's folder.
    pub run: &'a mut Run,
    /// What TensorBoard sees.
    pub events: &'a mut Events,
    /// What the user sees.
    pub printer: &'a Printer,
    /// Whether to stop.
    pub interrupt: &'a Interrupt,
    /// Epochs to do.
    pub epochs: usize,
    /// Clips of one epoch.
    pub clips: usize,
    /// How long a training may go on without being saved.
    pub save_every: Duration,
}

/// The contents of non_finite.json; epochs and steps count from 1.
#[derive(Serialize)]
struct Replay<'a> {
    epoch: usize,
    step: usize,
    quantity: String,
    value: String,
    clips: &'a [String],
}

/// How far a training is.
#[derive(Clone, Copy, Default)]
struct Place {
    /// Epochs done.
    done: usize,
    /// Of the next epoch.
    progress: Progress,
    /// The best epoch so far, where there are held-out clips.
    best: Option<Best>,
}

/// Why an epoch did not end.
struct Unfinished {
    failure: Failure,
    /// Whether the model is as the last whole step left it.
    sound: bool,
}

impl Session<'_> {
    /// Does the epochs that are left after `from`, all of them where there is none.
    pub fn train<T: Task>(
        &mut self,
        training: &mut Training<'_, T>,
        from: Option<State>,
    ) -> Outcome {
        let mut at = self.begin(training, from)?;
        let all = (self.epochs.saturating_sub(at.done) * self.clips) as u64;
        let mut bar = self.printer.progress("training", all);
        bar.advance(at.progress.clips as u64);
        while at.done < self.epochs {
            let started = Instant::now();
            let label = format!("epoch {}/{}", at.done + 1, self.epochs);
            let seen = at.progress.clips;
            exchanged();
            let trained = self.epoch(training, &mut at, (&mut bar, &label))?;
            let (spent, clips) = (started.elapsed(), at.progress.clips - seen);
            let exchange = exchanged();
            let line = match trained.and_then(|report| measured(training, at.done, &report)) {
                Ok(line) => line,
                Err(unfinished) => return self.stop(training, at, unfinished),
            };
            self.run.note(&line)?;
            let done = at.done + 1;
            let score = line.measured.score();
            let better = score.filter(|&score| at.best.is_none_or(|best| score > best.score));
            at = Place {
                done,
                progress: Progress::default(),
                best: better.map(|score| Best { epoch: done, score }).or(at.best),
            };
            self.save(training, at)?;
            self.run.publish()?;
            self.write_checkpoints(training, at)?;
            let timing = Timing {
                exchange,
                ..timing(done, clips, spent, started.elapsed())
            };
            self.run.timings(&timing)?;
            self.events.epoch(&line, timing, self.printer);
            self.printer.say(format!(
                "{label}: {} ({:.1} s, {:.0} clips/s{})",
                line.words(),
                timing.seconds,
                timing.clips_per_second,
                bar.left()
            ));
        }
        Ok(())
    }

    /// Where the training begins, which is saved: after `from`, or before the first epoch. All ranks begin there.
    fn begin<T: Task>(
        &self,
        training: &mut Training<'_, T>,
        from: Option<State>,
    ) -> Outcome<Place> {
        let mut at = Place::default();
        if let Some(state) = from {
            state.restore(&training.setup.store, &mut training.optimizer)?;
            at = Place {
                done: state.meta.epoch,
                progress: state.progress,
                best: state.best,
            };
            self.printer
                .say(self.resumed_message(at.done, at.progress.steps));
            self.write_checkpoints(training, at)?;
        } else {
            self.save(training, at)?;
        }
        match world().size() {
            1 => Ok(at),
            _ => copies::agree(&training.setup.store, &mut training.optimizer, at),
        }
    }

    /// Trains one epoch; the inner error is one of training, which is left behind in good order.
    fn epoch<T: Task>(
        &self,
        training: &mut Training<'_, T>,
        at: &mut Place,
        (bar, label): (&mut printer::Progress, &str),
    ) -> Outcome<Result<EpochReport, Unfinished>> {
        let mut watch = Watch {
            session: self,
            bar,
            label,
            meta: training.meta(at.done)?,
            store: training.setup.store.clone(),
            at: *at,
            saved: Instant::now(),
            failure: None,
        };
        let (task, optimizer) = (&training.task, &mut training.optimizer);
        let place = (at.done, at.progress);
        let trained = training
            .setup
            .epoch(task.learner(), optimizer, place, &mut watch);
        at.progress = watch.at.progress;
        Ok(match (watch.failure, trained) {
            (Some(failure), _) => return Err(failure),
            (None, Ok(report)) => Ok(report),
            (None, Err(error)) => Err(Unfinished {
                sound: !matches!(
                    error,
                    skeletonmae::Error::Tensor(_) | skeletonmae::Error::Exchange(_)
                ),
                failure: self.failed(error)?,
            }),
        })
    }

    /// Saves what `--resume` goes on from.
    fn save<T: Task>(&self, training: &Training<'_, T>, at: Place) -> Outcome {
        let (meta, store) = (training.meta(at.done)?, &training.setup.store);
        self.save_state(meta, at, store, &training.optimizer)
    }

    /// The same with all that a state is made of at hand, as an epoch has it between two steps.
    fn save_state(&self, meta: Meta, at: Place, store: &Store, optimizer: &Optimizer) -> Outcome {
        if !self.run.is_ours() {
            return Ok(());
        }
        let noted = self.run.noted().to_owned();
        let state = State::of(meta, at.progress, noted, at.best, store, optimizer)?;
        self.run.save(&state)
    }

    /// Writes the files that follow from a state between two epochs.
    fn write_checkpoints<T: Task>(&self, training: &Training<'_, T>, at: Place) -> Outcome {
        if at.done == 0 || at.progress.steps > 0 || !self.run.is_ours() {
            return Ok(());
        }
        let (meta, tensors) = (training.meta(at.done)?, training.setup.store.tensors());
        let checkpoint = Checkpoint { meta, tensors };
        self.run.checkpoint(&checkpoint)?;
        match at.best {
            Some(best) if best.epoch == at.done => self.run.best(&checkpoint),
            _ => Ok(()),
        }
    }

    /// An engine that was told to stop says so by an error, which doesn't know the signal; a step that
    /// isn't finite leaves its clips behind.
    fn failed(&self, error: skeletonmae::Error) -> Outcome<Failure> {
        let received = match &error {
            skeletonmae::Error::Stopped { .. } => world().signal(self.interrupt.received())?,
            _ => None,
        };
        match (&error, received) {
            (skeletonmae::Error::Stopped { .. }, Some(signal)) => {
                Ok(Failure::interrupted(signal, ""))
            }
            (
                skeletonmae::Error::NonFinite {
                    quantity,
                    epoch,
                    step,
                    value,
                    clips,
                },
                _,
            ) => {
                let file = self.run.non_finite(&Replay {
                    epoch: epoch + 1,
                    step: step + 1,
                    quantity: quantity.to_string(),
                    value: value.to_string(),
                    clips,
                })?;
                let file = file.display().to_string();
                Ok(world().failure(error).hint(format!(
                    "{file} names all clips, and --resume repeats exactly this step; lower the learning rate (optimizer.lr), look at the clips, or leave such steps out (guard.non_finite) in another run"
                )))
            }
            _ => Ok(world().failure(error)),
        }
    }

    /// Saves where an interrupted or failed epoch stands, and says so.
    fn stop<T: Task>(
        &self,
        training: &Training<'_, T>,
        at: Place,
        unfinished: Unfinished,
    ) -> Outcome {
        if unfinished.sound {
            self.save(training, at)?;
        }
        let Failure::Interrupted { signal, .. } = unfinished.failure else {
            return Err(unfinished.failure);
        };
        let (epoch, epochs, steps) = (at.done + 1, self.epochs, at.progress.steps);
        let folder = self.run.folder().display();
        let message = format!(
            "in epoch {epoch} of {epochs}, after step {steps}; {folder} is saved: the same command with --resume goes on from here"
        );
        Err(Failure::interrupted(signal, message))
    }

    fn resumed_message(&self, done: usize, steps: usize) -> String {
        let folder = self.run.folder().display();
        match (done, steps) {
            (done, 0) if done >= self.epochs => format!("{folder}: all epochs are done"),
            (done, 0) => format!("{folder}: going on after epoch {done}"),
            (done, steps) => format!(
                "{folder}: going on in epoch {} after step {steps}",
                done + 1
            ),
        }
    }
}

/// Measures what the epoch after `done` made.
fn measured<T: Task>(
    training: &Training<'_, T>,
    done: usize,
    report: &EpochReport,
) -> Result<Line<T::Measured>, Unfinished> {
    let measured = T::measure(training).map_err(|failure| Unfinished {
        failure,
        sound: true,
    })?;
    Ok(Line {
        epoch: done + 1,
        loss: report.loss,
        measured,
        lr: training.setup.settings.rate(done),
        gradient_norm: report.gradient_norm,
        skipped: report.skipped,
    })
}

/// What happens between two steps: the bar moves, the training is saved now and then, a signal is obeyed.
struct Watch<'a> {
    session: &'a Session<'a>,
    bar: &'a mut printer::Progress,
    label: &'a str,
    meta: Meta,
    store: Store,
    at: Place,
    saved: Instant,
    /// Why a save failed, which ends the epoch.
    failure: Option<Failure>,
}

impl Watch<'_> {
    fn save(&mut self, optimizer: &Optimizer) -> Outcome {
        let meta = self.meta.clone();
        self.session
            .save_state(meta, self.at, &self.store, optimizer)?;
        self.saved = Instant::now();
        Ok(())
    }
}

impl Observer for Watch<'_> {
    fn step(&mut self, report: &StepReport<'_>) -> ControlFlow<()> {
        if report.progress.skipped > self.at.progress.skipped {
            let (label, step) = (self.label, report.step + 1);
            self.session.printer.warn(format!(
                "{label}: step {step} skipped, its loss or gradient is not finite"
            ));
        }
        self.at.progress = *report.progress;
        self.bar.advance(report.clips as u64);
        self.bar
            .note(format!("{}, loss {:.4}", self.label, report.loss));
        tracing::debug!(
            epoch = report.epoch,
            step = report.step,
            loss = report.loss,
            "step"
        );
        if self.session.interrupt.received().is_some() {
            // The session saves what an interruption leaves.
            return ControlFlow::Break(());
        }
        if self.saved.elapsed() >= self.session.save_every
            && let Err(failure) = self.save(report.optimizer)
        {
            self.failure = Some(failure);
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }
}
