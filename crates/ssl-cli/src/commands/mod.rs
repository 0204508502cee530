//! The commands: each puts together what the engines need and says what came of it.

mod convert;
mod doctor;
mod evaluate;
mod finetune;
mod fuse;
mod import;
mod info;
mod inspect;
mod labelled;
mod next;
mod predict;
mod prepare;
mod preset;
mod pretrain;
mod probe;
mod summary;

use std::ops::ControlFlow;

use skeleton_data::ClipSource;
use skeleton_data::survey::Survey;
use skeletonmae::Store;

use crate::args::{Command, RunArgs, SettingsArgs};
use crate::config::RunSection;
use crate::failure::{Failure, Outcome};
use crate::printer::Printer;
use crate::run::Resumed;
use crate::signal::Interrupt;

/// Runs what was typed.
pub fn dispatch(command: &Command, printer: &Printer, interrupt: &Interrupt) -> Outcome {
    match command {
        Command::Prepare(args) => prepare::run(args, printer, interrupt),
        Command::Convert(args) => convert::run(args, printer, interrupt),
        Command::Inspect(args) => inspect::run(args, printer, interrupt),
        Command::Doctor(args) => doctor::run(args, printer, interrupt),
        Command::Pretrain(args) => pretrain::run(args, printer, interrupt),
        Command::Finetune(args) => finetune::run(args, printer, interrupt),
        Command::Evaluate(args) => evaluate::run(args, printer, interrupt),
        Command::Fuse(args) => fuse::run(args, printer),
        Command::Summary(args) => summary::run(args, printer),
        Command::Predict(args) => predict::run(args, printer, interrupt),
        Command::Probe(args) => probe::run(args, printer, interrupt),
        Command::Info(args) => info::run(args, printer),
        Command::Import(args) => import::run(args, printer),
        Command::Preset(args) => preset::run(args, printer),
    }
}

/// Flags that both training commands have, as settings.
fn flags(args: &RunArgs, run: &mut RunSection) {
    take(&args.data, &mut run.data);
    take(&args.machine.threads, &mut run.threads);
    run.seed = args.seed.unwrap_or(run.seed);
    run.device = args.machine.device.unwrap_or(run.device);
}

/// The settings as typed; those of the run that goes on where none are.
fn settings(typed: &SettingsArgs, resumed: Option<&Resumed>) -> SettingsArgs {
    let mut settings = typed.clone();
    if let Some(resumed) = resumed
        && settings.preset.is_none()
        && settings.config.is_none()
    {
        settings.config = Some(resumed.config());
    }
    settings
}

/// Whether a count needs no mention in a line.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
fn none(count: &usize) -> bool {
    *count == 0
}

/// `, 2 steps skipped`
fn skipped(steps: usize) -> String {
    match steps {
        0 => String::new(),
        steps => format!(", {} skipped", crate::report::count(steps, "step")),
    }
}

/// A flag that was given wins over the config.
fn take<T: Clone>(flag: &Option<T>, setting: &mut Option<T>) {
    if flag.is_some() {
        setting.clone_from(flag);
    }
}

/// A setting that a flag or the config must give.
fn required<'a>(value: &'a Option<String>, flag: &str, key: &str) -> Outcome<&'a str> {
    value
        .as_deref()
        .ok_or_else(|| Failure::usage(format!("expected {flag} NAME (or {key} in the config)")))
}

/// One pass over all clips, with progress; joints of scores up to `threshold` are missing.
fn survey(
    source: &dyn ClipSource,
    threshold: f32,
    printer: &Printer,
    interrupt: &Interrupt,
) -> Outcome<Survey> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut progress = printer.progress("reading", source.len() as u64);
    let started = std::time::Instant::now();
    let mut watch = |clips: usize| {
        progress.advance(clips as u64);
        match interrupt.received() {
            Some(_) => ControlFlow::Break(()),
            None => ControlFlow::Continue(()),
        }
    };
    let survey = Survey::of(source, threshold, threads, &mut watch)?;
    drop(progress);
    match (survey, interrupt.received()) {
        (Some(survey), _) => {
            let seconds = started.elapsed().as_secs_f64();
            let (megabytes, clips) = (survey.bytes as f64 / 1e6, survey.clips.len());
            tracing::info!(clips, megabytes, seconds, "all clips read");
            Ok(survey)
        }
        (None, signal) => Err(Failure::Interrupted {
            signal: signal.unwrap_or(crate::signal::Signal::Interrupt),
            message: "nothing was changed".to_owned(),
        }),
    }
}

/// Numbers that training changes.
fn parameters(store: &Store) -> usize {
    store
        .parameters()
        .iter()
        .map(|(_, var)| var.elem_count())
        .sum()
}

/// BatchNorm's statistics depend on it, so the reader of a log should know.
fn say_micro_batches(printer: &Printer, batch: usize, micro_batch: usize) {
    if micro_batch < batch {
        printer.say(format!(
            "an update takes {batch} clips, BatchNorm sees micro-batches of {micro_batch}"
        ));
    }
}
