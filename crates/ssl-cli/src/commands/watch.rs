//! `ssl watch`

use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use crate::args::WatchArgs;
use crate::failure::{Failure, Outcome};
use crate::printer::{Panel, Printer, clock};
use crate::report::{percent, with_title};
use crate::run::{Epoch, Record, Stage, unix};
use crate::signal::Interrupt;

/// How often signals are looked at.
const PAUSE: Duration = Duration::from_millis(50);
/// Characters of a bar.
const BAR: usize = 30;

/// Shows a run until it ends.
pub fn run(args: &WatchArgs, printer: &Printer, interrupt: &Interrupt) -> Outcome {
    let panel = printer.draws().then(|| printer.panel());
    let interval = Duration::from_secs_f64(args.interval);
    // The last epoch that has a line on stdout.
    let mut printed = 0;
    loop {
        let record = Record::read(&args.run)?;
        match &panel {
            Some(panel) => draw(&record, panel, printer),
            None => match print(&record, printed, printer)? {
                ControlFlow::Continue(epochs) => printed = epochs,
                ControlFlow::Break(()) => return Ok(()),
            },
        }
        if record.stage != Stage::Running {
            drop(panel);
            return end(&record, printer);
        }
        let looked = Instant::now();
        while looked.elapsed() < interval {
            interrupt.check(|| format!("watching; {} goes on", args.run.display()))?;
            std::thread::sleep(PAUSE.min(interval));
        }
    }
}

/// Draws the run's headline, progress, last epoch and curves over those drawn before.
fn draw(record: &Record, panel: &Panel, printer: &Printer) {
    let mut lines = vec![headline(record)];
    let (done, planned) = (record.done(), record.planned());
    if let Some(planned) = planned.filter(|&planned| planned > 0) {
        let full = (BAR * done / planned).min(BAR);
        let (on, off) = match printer.unicode() {
            true => ("█", "░"),
            false => ("#", "."),
        };
        let left = left(record, unix(SystemTime::now()));
        let left = left.map_or(String::new(), |seconds| format!(", ETA {}", clock(seconds)));
        lines.push(format!(
            "{}{} {done}/{planned} epochs{left}",
            on.repeat(full),
            off.repeat(BAR - full)
        ));
    }
    lines.extend(record.epochs.last().map(|last| line(record, last)));
    lines.extend(with_title(&record.series(), printer.unicode()));
    panel.show(&lines);
}

/// A line for each epoch after the first `printed`; breaks off where nobody reads them any more.
fn print(record: &Record, printed: usize, printer: &Printer) -> Outcome<ControlFlow<(), usize>> {
    for epoch in record.epochs.iter().filter(|epoch| epoch.epoch > printed) {
        if printer.answer(&line(record, epoch))?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(record.done().max(printed)))
}

/// What the run is.
fn headline(record: &Record) -> String {
    let info = &record.info;
    let process = record.holder().filter(|_| record.stage == Stage::Running);
    let process = process.map_or(String::new(), |id| format!(" (process {id})"));
    format!(
        "{}: {} on {} {}, seed {}, {}{process}",
        record.folder.display(),
        info.command.name(),
        info.data.dataset,
        record.split().unwrap_or_default(),
        info.seed,
        record.stage.name()
    )
}

/// `epoch 3/10: loss 0.1234, val_top1 50.0 %, lr 0.001 (2.0 s)`
fn line(record: &Record, epoch: &Epoch) -> String {
    let planned = record
        .planned()
        .map_or("?".to_owned(), |epochs| epochs.to_string());
    let number = |(name, &value): (&String, &f64)| match name.as_str() {
        "val_top1" | "val_mean_class" => format!("{name} {}", percent(value)),
        "lr" => format!("lr {value:.3e}"),
        "skipped" => format!("{value} steps skipped"),
        _ => format!("{name} {value:.4}"),
    };
    let loss = epoch.numbers.get_key_value("loss");
    let rest = epoch.numbers.iter().filter(|(name, _)| *name != "loss");
    let numbers: Vec<String> = loss.into_iter().chain(rest).map(number).collect();
    let timing = record
        .timings
        .iter()
        .find(|timing| timing.epoch == epoch.epoch);
    let seconds = timing.map_or(String::new(), |timing| {
        format!(" ({:.1} s)", timing.seconds)
    });
    format!(
        "epoch {}/{planned}: {}{seconds}",
        epoch.epoch,
        numbers.join(", ")
    )
}

/// Seconds to the end of a run under way: what its epochs took on average, less what has passed since the last one ended.
fn left(record: &Record, now: f64) -> Option<f64> {
    let n = record.timings.len();
    let planned = record.planned()?;
    if n == 0 || record.done() >= planned || record.stage != Stage::Running {
        return None;
    }
    let each = record.seconds() / n as f64;
    let passed = (now - record.ended()?).clamp(0.0, each);
    Some(each * (planned - record.done()) as f64 - passed)
}

/// How the run ended.
fn end(record: &Record, printer: &Printer) -> Outcome {
    let lines = with_title(&record.series(), printer.unicode());
    let folder = record.folder.display();
    let (done, planned) = (record.done(), record.planned());
    let planned = planned.map_or("?".to_owned(), |epochs| epochs.to_string());
    let time = clock(record.seconds());
    lines.iter().for_each(|line| printer.say(line));
    match record.stage {
        Stage::Finished | Stage::Running => {
            let test = record.test.as_ref().map_or(String::new(), |test| {
                let (top1, mean) = (percent(test.top1), percent(test.mean_class));
                format!(", {}: top-1 {top1}, mean class {mean}", test.split)
            });
            printer.document(&format!("{folder}: finished, {done}/{planned} epochs in {time}{test}"))
        }
        Stage::Failed => Err(Failure::error(format!(
            "{folder}: failed after {done}/{planned} epochs in {time}: a loss or a gradient was not finite"
        ))
        .hint(format!("{} names the clips", non_finite(&record.folder)))),
        Stage::Stopped => Err(Failure::error(format!(
            "{folder}: stopped after {done}/{planned} epochs in {time}; no process works on it"
        ))
        .hint(format!("`ssl {} --out {folder} --resume` goes on with it", record.info.command.name()))),
    }
}

fn non_finite(folder: &Path) -> String {
    folder.join(crate::run::NON_FINITE).display().to_string()
}
