//! Other sizes: how the time of a pre-training step grows with clips, frames and joints, one at a time; and what of a
//! fine-tuning step goes into its batch, where the batch is made on the same thread.

use std::process::Command;

use super::data::BATCHES_2D;
use super::measure::{median, numbers_of, value};
use super::options::{Clock, Rounds};
use super::report::milliseconds;
use super::side::{Kind, Side, Start};
use super::work::{FRAMES, LAYOUT, MODELS, WORKS, Work};
use crate::process::Failure;
use crate::workspace::Workspace;

const CLIPS: usize = 16;
/// Layouts and their joints.
const LAYOUTS: [(&str, usize); 4] = [("jhmdb15", 15), (LAYOUT, 17), ("ucla20", 20), ("ntu25", 25)];

struct Size {
    work: Work,
    frames: usize,
    layout: &'static str,
    rows: usize,
}

/// The sizes, each once: the middle of all three rows of the table stands first.
fn sizes() -> Vec<Size> {
    let size = |clips, frames, (layout, joints)| Size {
        work: Work {
            name: "sizes",
            title: "pre-training step",
            call: "pretrain",
            script: MODELS,
            clips,
            steps: 3,
            goals: [0.0; 2],
        },
        frames,
        layout,
        rows: clips * frames * joints,
    };
    let middle = (CLIPS, FRAMES, LAYOUTS[1]);
    let clips = [4, 8, 32].map(|clips| (clips, middle.1, middle.2));
    let frames = [16, 32, 128].map(|frames| (middle.0, frames, middle.2));
    let layouts = LAYOUTS.map(|layout| (middle.0, middle.1, layout));
    let others = layouts.into_iter().filter(|other| *other != middle);
    let all = std::iter::once(middle).chain(clips).chain(frames);
    all.chain(others).map(|(b, t, v)| size(b, t, v)).collect()
}

/// Measures all sizes, on our side alone.
pub fn bench(workspace: &Workspace, rounds: &Rounds) -> Result<(), Failure> {
    let start = Start::new(workspace, rounds)?;
    let sizes = sizes();
    let mut sides = Vec::new();
    for size in &sizes {
        let command = start.command(Kind::Ours, &size.work, size.frames, size.layout);
        sides.push((size, Side::start(command)?, Vec::new()));
    }
    for _ in 0..rounds.rounds {
        for (size, side, seconds) in &mut sides {
            seconds.push(side.step(size.work.steps, rounds.clock)?);
        }
    }
    println!("a pre-training step; threads: {}", rounds.threads);
    println!("clips  frames  layout    joint rows        time  a row");
    for (size, _, seconds) in sides {
        let time = median(seconds.into_iter());
        println!(
            "{:5}  {:6}  {:8}  {:10}  {:>10}  {:.2} us",
            size.work.clips,
            size.frames,
            size.layout,
            size.rows,
            milliseconds(time),
            time / size.rows as f64 * 1e6
        );
    }
    Ok(())
}

/// The largest share of batches that is aimed at.
const GOAL: f64 = 0.03;
/// The work whose share it is.
const FINETUNE: usize = 1;

/// Measures a step and its batch by turns.
pub fn share(workspace: &Workspace, rounds: &Rounds) -> Result<(), Failure> {
    let (program, folder) = BATCHES_2D.make(workspace)?;
    let start = Start::new(workspace, rounds)?;
    let work = &WORKS[FINETUNE];
    let mut side = Side::start(start.command(Kind::Ours, work, FRAMES, LAYOUT))?;
    let (mut steps, mut batches) = (Vec::new(), Vec::new());
    for _ in 0..rounds.rounds {
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
        rounds.threads,
        share * 100.0,
        GOAL * 100.0
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_size_changes_at_a_time() {
        let sizes = sizes();
        assert_eq!(sizes.len(), 10);
        assert_eq!(sizes[0].rows, 17_408);
        let middle = &sizes[0];
        for size in &sizes[1..] {
            let changed = [
                size.work.clips != middle.work.clips,
                size.frames != middle.frames,
                size.layout != middle.layout,
            ];
            assert_eq!(changed.iter().filter(|&&changed| changed).count(), 1);
        }
    }

    #[test]
    fn the_share_is_that_of_fine_tuning() {
        assert_eq!(WORKS[FINETUNE].name, "finetune");
    }
}
