//! What pre-training and fine-tuning share: epochs one after the other, each watched, recorded and
//! saved.

use std::ops::ControlFlow;
use std::time::Duration;

use serde::Serialize;
use skeletonmae::train::{Observer, StepReport};

use crate::checkpoint::Checkpoint;
use crate::failure::{Failure, Outcome};
use crate::printer::{Printer, Progress};
use crate::run::Run;
use crate::signal::Interrupt;

/// Where and how long a training goes.
pub struct Session<'a> {
    /// The run's folder.
    pub run: &'a mut Run,
    /// What the user sees.
    pub printer: &'a Printer,
    /// Whether to stop.
    pub interrupt: &'a Interrupt,
    /// Epochs to do.
    pub epochs: usize,
    /// Clips of one epoch.
    pub clips: usize,
}

/// What an epoch measured: a line of metrics.jsonl, and a few words for people.
pub trait Metrics: Serialize {
    /// `loss 0.1234, val 0.1300`
    fn words(&self) -> String;
}

/// A line of timings.jsonl.
#[derive(Serialize)]
struct Timing {
    epoch: usize,
    train_seconds: f64,
    clips_per_second: f64,
    seconds: f64,
}

impl Session<'_> {
    /// Does the epochs: `train` one, `measure` what it reached, and save what `checkpoint` makes of
    /// it. An interrupted epoch leaves no trace: the folder stays as the last whole one left it.
    pub fn epochs<T, M: Metrics>(
        &mut self,
        mut train: impl FnMut(usize, &mut dyn Observer) -> skeletonmae::Result<T>,
        mut measure: impl FnMut(usize, T) -> Outcome<M>,
        checkpoint: impl Fn(usize) -> Outcome<Checkpoint>,
    ) -> Outcome {
        let mut progress = self
            .printer
            .progress("training", (self.epochs * self.clips) as u64);
        for epoch in 0..self.epochs {
            let started = std::time::Instant::now();
            let label = format!("epoch {}/{}", epoch + 1, self.epochs);
            let mut watch = Watch {
                progress: &mut progress,
                interrupt: self.interrupt,
                label: &label,
            };
            let trained = train(epoch, &mut watch).map_err(|error| self.failed(error));
            let spent = started.elapsed();
            let measured = trained
                .and_then(|trained| measure(epoch, trained))
                .map_err(|failure| self.left(epoch, failure))?;
            self.run.metrics(&measured)?;
            self.run.checkpoint(&checkpoint(epoch + 1)?)?;
            let timing = self.timing(epoch, spent, started.elapsed());
            self.run.timings(&timing)?;
            self.printer.say(format!(
                "{label}: {} ({:.1} s, {:.0} clips/s{})",
                measured.words(),
                timing.seconds,
                timing.clips_per_second,
                progress.left()
            ));
        }
        Ok(())
    }

    fn timing(&self, epoch: usize, train: Duration, all: Duration) -> Timing {
        let (train_seconds, seconds) = (train.as_secs_f64(), all.as_secs_f64());
        Timing {
            epoch: epoch + 1,
            train_seconds,
            clips_per_second: self.clips as f64 / train_seconds.max(1e-9),
            seconds,
        }
    }

    /// An engine that was told to stop says so by an error, which doesn't know the signal.
    fn failed(&self, error: skeletonmae::Error) -> Failure {
        match (error, self.interrupt.received()) {
            (skeletonmae::Error::Stopped { .. }, Some(signal)) => Failure::Interrupted {
                signal,
                message: String::new(),
            },
            (error, _) => Failure::from(error),
        }
    }

    /// Adds to an interruption what it leaves behind.
    fn left(&self, epoch: usize, failure: Failure) -> Failure {
        let Failure::Interrupted { signal, .. } = failure else {
            return failure;
        };
        let left = match epoch {
            0 => format!("{} holds no checkpoint yet", self.run.folder().display()),
            done => format!(
                "{} holds the model after epoch {done}",
                self.run.checkpoint_path().display()
            ),
        };
        Failure::Interrupted {
            signal,
            message: format!("in epoch {} of {}; {left}", epoch + 1, self.epochs),
        }
    }
}

/// Tells the progress bar of each step, and the engine of a signal.
struct Watch<'a> {
    progress: &'a mut Progress,
    interrupt: &'a Interrupt,
    label: &'a str,
}

impl Observer for Watch<'_> {
    fn step(&mut self, report: &StepReport) -> ControlFlow<()> {
        self.progress.advance(report.clips as u64);
        self.progress
            .note(format!("{}, loss {:.4}", self.label, report.loss));
        tracing::debug!(
            epoch = report.epoch,
            step = report.step,
            loss = report.loss,
            "step"
        );
        match self.interrupt.received() {
            Some(_) => ControlFlow::Break(()),
            None => ControlFlow::Continue(()),
        }
    }
}
