//! `ssl prepare`

mod known;
mod plan;
mod splits;

use skeleton_data::cache::{CacheSummary, CacheWriter};
use skeleton_data::raw::pyskl::PysklFile;
use skeleton_data::{Result as DataResult, Sequence};
use skeleton_datasets::Dataset;

use self::plan::Plan;
use super::next;
use crate::args::PrepareArgs;
use crate::expected;
use crate::failure::{Failure, Outcome};
use crate::printer::Printer;
use crate::report::count;
use crate::signal::Interrupt;

/// Writes a cache from a pickle or from the synthetic generator.
pub fn run(args: &PrepareArgs, printer: &Printer, interrupt: &Interrupt) -> Outcome {
    if args.output.exists() && !args.overwrite {
        return Err(Failure::error(format!(
            "{}: expected no such file, found one",
            args.output.display()
        ))
        .hint("choose another -o, or replace it with --overwrite"));
    }
    let facts = plan::facts(args)?;
    let Some(path) = plan::input(args, facts)? else {
        let (plan, sequences) = Plan::of_synthetic(args)?;
        return write(
            args,
            plan,
            facts,
            sequences.len(),
            sequences.into_iter().map(Ok),
            printer,
            interrupt,
        );
    };
    let file = PysklFile::open(path)?;
    let plan = Plan::of_pickle(args, facts, &file)?;
    write(
        args,
        plan,
        facts,
        file.len(),
        file.sequences(),
        printer,
        interrupt,
    )?;
    let repaired = file.repaired();
    if repaired.joints + repaired.scores > 0 {
        printer.warn(format!(
            "not finite: {} became missing, {} became 0",
            count(repaired.joints, "joint"),
            count(repaired.scores, "score")
        ));
    }
    Ok(())
}

fn write(
    args: &PrepareArgs,
    plan: Plan,
    facts: Option<&Dataset>,
    clips: usize,
    sequences: impl Iterator<Item = DataResult<Sequence>>,
    printer: &Printer,
    interrupt: &Interrupt,
) -> Outcome {
    let mut splits = plan.splits;
    let mut writer = CacheWriter::create(&args.output, plan.header)?;
    let mut progress = printer.progress("writing", clips as u64);
    let mut copies = splits::Copies::default();
    for sequence in sequences {
        if let Some(signal) = interrupt.received() {
            return Err(Failure::Interrupted {
                signal,
                message: format!("{} was not written", args.output.display()),
            });
        }
        let sequence = sequence?;
        if plan.derives {
            copies.see(&sequence);
        }
        writer.push(&sequence)?;
        progress.advance(1);
    }
    drop(progress);
    splits.extend(splits::derived(&splits, facts, &copies));
    let summary = writer.finish(&splits)?;
    report(args, facts, &summary, printer)
}

/// Says what was written, and where it differs from what is known of the data set.
fn report(
    args: &PrepareArgs,
    facts: Option<&Dataset>,
    summary: &CacheSummary,
    printer: &Printer,
) -> Outcome {
    for (split, unknown) in &summary.unknown_ids {
        printer.warn(format!(
            "split {split} names {} that the file lacks",
            count(*unknown, "clip")
        ));
    }
    if let Some(facts) = facts {
        for difference in expected::counts(facts, summary.samples, &summary.splits) {
            printer.warn(difference);
        }
    }
    let megabytes = summary.bytes as f64 / 1e6;
    let mut lines = vec![format!(
        "{}: {} ({megabytes:.1} MB)",
        args.output.display(),
        count(summary.samples, "clip")
    )];
    let width = summary
        .splits
        .iter()
        .map(|(name, _)| name.chars().count())
        .max()
        .unwrap_or(0);
    for (name, clips) in &summary.splits {
        let expected = facts
            .and_then(|facts| facts.split(name))
            .and_then(|split| split.clips);
        let note = if expected == Some(*clips) {
            ", as published"
        } else {
            ""
        };
        lines.push(format!("  {name:width$}  {}{note}", count(*clips, "clip")));
    }
    lines.push(format!("digest: {}", summary.digest));
    lines.push(format!("next: {}", next::after_prepare(&args.output)));
    printer.document(&lines.join("\n"))
}
