//! The commands: each puts together what the engines need and says what came of it.

mod convert;
mod doctor;
mod evaluate;
mod export;
mod finetune;
mod fuse;
mod import;
mod info;
mod inspect;
mod labelled;
mod manual;
mod next;
mod predict;
mod prepare;
mod pretrain;
mod probe;
mod reconstruct;
mod report;
mod represent;
mod runs;
mod stream;
mod summary;
mod tensorboard;
mod watch;

use std::ops::ControlFlow;

use skeleton_data::ClipSource;
use skeleton_data::survey::Survey;
use skeleton_graph::Layout;

use crate::args::{Command, LayoutArgs, PresetArgs, ZooArgs};
use crate::checkpoint::write_whole;
use crate::config::{PRESETS, Preset};
use crate::failure::{Failure, Outcome};
use crate::outputs::vacant;
use crate::printer::Printer;
use crate::process::cores;
use crate::ranks::{missing_mpi, share_nothing, world};
use crate::reproduce;
use crate::signal::Interrupt;
use crate::zoo::{Entry, ZOO};

/// Runs what was typed.
pub fn dispatch(command: &Command, printer: &Printer, interrupt: &Interrupt) -> Outcome {
    let shared = matches!(
        command,
        Command::Pretrain(_)
            | Command::Finetune(_)
            | Command::Evaluate(_)
            | Command::Predict(_)
            | Command::Probe(_)
            | Command::Represent(_)
    );
    if !shared {
        if !world().is_root() {
            // Rank 0 does it.
            return Ok(());
        }
        share_nothing();
    }
    if let Some(warning) = missing_mpi().filter(|_| shared) {
        printer.warn(warning);
    }
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
        Command::Runs(args) => runs::run(args, printer),
        Command::Watch(args) => watch::run(args, printer, interrupt),
        Command::Tensorboard(args) => tensorboard::run(args, printer),
        Command::Predict(args) => predict::run(args, printer, interrupt),
        Command::Probe(args) => probe::run(args, printer, interrupt),
        Command::Represent(args) => represent::run(args, printer, interrupt),
        Command::Reconstruct(args) => reconstruct::run(args, printer, interrupt),
        Command::Report(args) => report::run(args, printer, interrupt),
        Command::Info(args) => info::run(args, printer),
        Command::Import(args) => import::run(args, printer),
        Command::Export(args) => export::run(args, printer),
        Command::Reproduce(args) => reproduce::run(args, printer, interrupt),
        Command::Preset(args) => preset(args, printer),
        Command::Layout(args) => layout(args, printer),
        Command::Zoo(args) => zoo(args, printer),
        Command::Completions(args) => manual::completions(args, printer),
        Command::Man(args) => manual::pages(args, printer),
    }
}

/// Prints a preset, or lists them.
fn preset(args: &PresetArgs, printer: &Printer) -> Outcome {
    match &args.name {
        Some(name) => printer.document(Preset::find(name)?.text),
        None => {
            let lines: Vec<String> = PRESETS
                .iter()
                .map(|preset| format!("{:8}  {}", preset.name, preset.about()))
                .collect();
            printer.document(&lines.join("\n"))
        }
    }
}

/// Prints a layout, or lists them.
fn layout(args: &LayoutArgs, printer: &Printer) -> Outcome {
    if let Some(name) = &args.name {
        return printer.document(&Layout::built_in(name)?.to_toml());
    }
    let mut lines = Vec::new();
    for name in Layout::BUILT_IN {
        let layout = Layout::built_in(name)?;
        let joints = layout.joints();
        let (first, last) = (&joints[0], &joints[joints.len() - 1]);
        lines.push(format!(
            "{name:14}  {:3} joints, {first} to {last}",
            layout.len()
        ));
    }
    printer.document(&lines.join("\n"))
}

/// Prints the card of an encoder of the program's own, writes its checkpoint, or lists them.
fn zoo(args: &ZooArgs, printer: &Printer) -> Outcome {
    match (&args.name, &args.output) {
        (Some(name), Some(output)) => {
            let entry = Entry::find(name)?;
            vacant([output], &[], args.overwrite)?;
            write_whole(output, entry.bytes)?;
            printer.document(&format!("{}: {}", output.display(), entry.about()))
        }
        (Some(name), None) => printer.document(Entry::find(name)?.card.trim_end()),
        (None, _) => {
            let line = |entry: &Entry| format!("zoo:{:10}  {}", entry.name, entry.about());
            let lines: Vec<String> = ZOO.iter().map(line).collect();
            printer.document(&lines.join("\n"))
        }
    }
}

/// A flag that was given wins over the config.
fn take<T: Clone>(flag: &Option<T>, setting: &mut Option<T>) {
    if flag.is_some() {
        setting.clone_from(flag);
    }
}

/// One pass over all clips, with progress, on so many `threads` or on all cores; joints of scores up to `threshold` are missing.
fn survey(
    source: &dyn ClipSource,
    threads: Option<u16>,
    threshold: f32,
    printer: &Printer,
    interrupt: &Interrupt,
) -> Outcome<Survey> {
    let threads = threads.map_or_else(cores, usize::from);
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
        (None, signal) => {
            let signal = signal.unwrap_or(crate::signal::Signal::Interrupt);
            Err(Failure::interrupted(signal, "nothing was changed"))
        }
    }
}
