//! `ssl finetune`

mod job;

use std::time::Duration;

use serde::Serialize;

use self::job::Job;
use super::next;
use crate::args::FinetuneArgs;
use crate::checkpoint::{Checkpoint, Kind};
use crate::config::Config;
use crate::failure::Outcome;
use crate::printer::Printer;
use crate::report::{Evaluation, percent};
use crate::run::{Info, Resumed, Run};
use crate::signal::Interrupt;
use crate::train::Session;

/// Trains an STRL classifier.
pub fn run(args: &FinetuneArgs, printer: &Printer, interrupt: &Interrupt) -> Outcome {
    let resumed = Resumed::find(&args.run, Kind::Finetune, printer)?;
    let config = resolve(args, resumed.as_ref())?;
    if resumed.is_none() {
        Run::check(&args.run.out, args.run.overwrite)?;
    }
    let mut job = Job::set_up(&config, printer, interrupt)?;
    let (seed, data) = (config.run.seed, job.data.fingerprint());
    let mut info = Info::new(Kind::Finetune, seed, data, &job.machine, job.origin());
    (info.clips, info.labels) = (Some(job.train.len()), job.labels.take());
    let (mut run, state) = Run::open(resumed, &args.run, &config, &info, &job, printer)?;
    job.announce(printer);
    let mut session = Session {
        run: &mut run,
        printer,
        interrupt,
        epochs: job.engine.epochs,
        clips: job.train.len(),
        save_every: Duration::from_secs(args.run.save_every),
    };
    session.train(&mut job, state)?;
    test(&mut job, &run, printer)?;
    printer.document(&format!("checkpoint: {}", run.checkpoint_path().display()))?;
    printer.document(&format!("next: {}", next::after_finetune(args, &config)))
}

fn resolve(args: &FinetuneArgs, resumed: Option<&Resumed>) -> Outcome<Config> {
    let settings = super::settings(&args.settings, resumed);
    Config::resolve(&settings, Kind::Finetune, |run| {
        super::flags(&args.run, run);
        super::take(&args.train, &mut run.train);
        super::take(&args.holdout, &mut run.holdout);
        super::take(&args.labels, &mut run.labels);
        super::take(&args.test, &mut run.test);
        super::take(&args.encoder, &mut run.encoder);
        (run.split, run.val) = (None, None);
    })
}

/// The contents of test_best.json.
#[derive(Serialize)]
struct BestEvaluation {
    /// Epochs done when the model was best on the held-out clips.
    epoch: usize,
    #[serde(flatten)]
    evaluation: Evaluation,
}

/// The one measurement on the test split, after the last epoch; beside it, where clips were held out, that
/// of the epoch that was best on them.
fn test(job: &mut Job<'_>, run: &Run, printer: &Printer) -> Outcome {
    let Some(evaluation) = job.test()? else {
        return Ok(());
    };
    run.test(&evaluation)?;
    printer.document(&evaluation.text())?;
    if !job.has_held_out() {
        return Ok(());
    }
    let (best, _) = Checkpoint::read(&run.best_path())?;
    job.store.load(&best.tensors)?;
    let epoch = best.meta.epoch;
    let Some(evaluation) = job.test()? else {
        return Ok(());
    };
    let (top1, mean_class) = (evaluation.top1, evaluation.mean_class);
    run.test_best(&BestEvaluation { epoch, evaluation })?;
    printer.document(&format!(
        "the epoch that was best on held-out clips, {epoch} of {}: top-1 {}, mean class {}\n",
        job.engine.epochs,
        percent(top1),
        percent(mean_class)
    ))
}
