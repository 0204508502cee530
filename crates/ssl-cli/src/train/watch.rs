//! What happens between two steps: the bar moves, the training is saved now and then, a signal is obeyed.

use std::ops::ControlFlow;
use std::time::Instant;

use skeletonmae::Store;
use skeletonmae::train::{Observer, Optimizer, Progress, StepReport};

use super::Session;
use crate::checkpoint::{Best, Meta};
use crate::failure::{Failure, Outcome};
use crate::printer;

/// Tells the progress bar of each step, and the engine of a signal; saves now and then.
pub struct Watch<'a> {
    pub session: &'a Session<'a>,
    pub bar: &'a mut printer::Progress,
    pub label: &'a str,
    pub meta: Meta,
    pub store: Store,
    pub best: Option<Best>,
    pub progress: Progress,
    pub saved: Instant,
    /// Why a save failed, which ends the epoch.
    pub failure: Option<Failure>,
}

impl Watch<'_> {
    fn save(&mut self, optimizer: &Optimizer) -> Outcome {
        let meta = self.meta.clone();
        self.session
            .keep(meta, self.progress, self.best, &self.store, optimizer)?;
        self.saved = Instant::now();
        Ok(())
    }
}

impl Observer for Watch<'_> {
    fn step(&mut self, report: &StepReport<'_>) -> ControlFlow<()> {
        if report.progress.skipped > self.progress.skipped {
            let (label, step) = (self.label, report.step + 1);
            self.session.printer.warn(format!(
                "{label}: step {step} skipped, its loss or gradient is not finite"
            ));
        }
        self.progress = *report.progress;
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
