//! What of a fine-tuning step goes into its batch, where the batch is made on the same thread.

use std::process::Command;

use super::options::{Clock, Options};
use super::report::milliseconds;
use super::side::{Kind, Side, Start};
use super::{FRAMES, LAYOUT, WORKS};
use crate::bench::measure::{median, numbers_of, value};
use crate::bench::{data, make};
use crate::process::{Failure, run};
use crate::workspace::Workspace;

/// The largest share that is aimed at.
const GOAL: f64 = 0.03;
/// Two people of 17 joints with scores, as the step has them.
const SECTION: &str = "batches-2d";

pub fn bench(workspace: &Workspace, start: &Start, options: &Options) -> Result<(), Failure> {
    let known = |name: &str| Failure::Task(format!("there is no section {name} any more"));
    let sections = data::SECTIONS.iter();
    let mut sections = sections.filter(|section| section.name == SECTION);
    let [package, example] = sections.next().ok_or_else(|| known(SECTION))?.example;
    run(workspace
        .build("build")?
        .args(["--package", package, "--example", example]))?;
    let program = workspace.program(&format!("examples/{example}"));
    let folder = workspace.target().join("bench").join(SECTION);
    make(&program, &folder)?;

    let mut works = WORKS.iter().filter(|work| work.name == "finetune");
    let work = works.next().ok_or_else(|| known("finetune"))?;
    let mut side = Side::start(start.command(Kind::Ours, work, FRAMES, LAYOUT))?;
    let (mut steps, mut batches) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        steps.push(side.step(work.steps, Clock::Wall)?);
        let numbers = numbers_of(Command::new(&program).arg("run").arg(&folder))?;
        batches.push(value(&numbers, "ms_a_batch") / 1e3);
    }
    let (step, batch) = (median(steps.into_iter()), median(batches.into_iter()));
    let share = batch / (batch + step);
    let met = if share <= GOAL { "met" } else { "missed" };
    println!(
        "batch {} on one thread, step {} on {}: {:.1} % of both is the batch's, the goal of {} % {met}",
        milliseconds(batch),
        milliseconds(step),
        start.threads,
        share * 100.0,
        GOAL * 100.0
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_is_made_of_is_measured_elsewhere_too() {
        assert!(data::SECTIONS.iter().any(|section| section.name == SECTION));
        assert!(WORKS.iter().any(|work| work.name == "finetune"));
    }
}
