//! Models: a step of ours beside the same step in PyTorch, eager and compiled, as ratios of medians.
//!
//! Each side is one process that lives for all rounds ([`side`](super::side)), so that starting and compiling are paid once;
//! in a round each does a few steps, one side after the other, on the same cores.

use std::process::Command;

use super::data::BATCHES_2D;
use super::report::{self, MEMORY, Outcome, Taken, milliseconds, verdict};
use super::side::{Kind, Side, Start, Work, has_compiler, median, numbers_of, value};
use super::{Clock, Rounds, WorkOptions, facts, facts_of_now, imports};
use crate::process::{Failure, run};
use crate::workspace::Workspace;

const FRAMES: usize = 64;
const LAYOUT: &str = "coco17";

const MODELS: &str = "bench_models.py";

const WORKS: [Work; 4] = [
    Work {
        name: "pretrain",
        title: "pre-training step, 16 clips",
        call: "pretrain",
        script: MODELS,
        clips: 16,
        steps: 5,
        goals: [3.0, 2.0],
    },
    Work {
        name: "finetune",
        title: "fine-tuning step, 16 clips x 2 persons",
        call: "finetune",
        script: MODELS,
        clips: 16,
        steps: 3,
        goals: [4.0, 3.3],
    },
    Work {
        name: "infer",
        title: "inference, 16 clips x 2 persons",
        call: "infer",
        script: MODELS,
        clips: 16,
        steps: 5,
        goals: [3.5, 1.6],
    },
    Work {
        name: "infer1",
        title: "inference, 1 clip x 2 persons",
        call: "infer",
        script: MODELS,
        clips: 1,
        steps: 41,
        goals: [3.5, 1.75],
    },
];

/// An op of the models; the goal is that none be slower than PyTorch's.
const fn op(call: &'static str, title: &'static str) -> Work {
    Work {
        name: call,
        title,
        call,
        script: "bench_ops.py",
        clips: 16,
        steps: 5,
        goals: [1.0; 2],
    }
}

const OPS: [Work; 8] = [
    op("op_gin", "three GIN layers, 16 tracks"),
    op(
        "op_decoder",
        "a GIN layer of which four joints are wanted, 16 tracks",
    ),
    op("op_linear", "a linear map, 16 tracks"),
    op("op_rce", "re-weighted cosine error, 16 tracks"),
    op("op_embed", "embedding with positions, 32 tracks"),
    op(
        "op_spatial",
        "the spatial half behind its encoder, 32 tracks",
    ),
    op("op_temporal", "the temporal half, 32 tracks"),
    op(
        "op_temporal_stride_2",
        "the temporal half of every second frame, 32 tracks",
    ),
];

/// Measures the work of this name, or all works.
pub fn bench(
    workspace: &Workspace,
    name: Option<&str>,
    options: &WorkOptions,
    page: bool,
) -> Result<(), Failure> {
    let chosen = |work: &&Work| name.is_none_or(|name| name == work.name);
    measure_all(workspace, WORKS.iter().filter(chosen), options, page)
}

/// Measures each op by turns with what it is in PyTorch, then ours alone by Criterion, as rows a second.
pub fn ops(workspace: &Workspace, options: &WorkOptions) -> Result<(), Failure> {
    measure_all(workspace, OPS.iter(), options, false)?;
    for (package, bench) in [("skeleton-kernels", "ops"), ("strl", "inference")] {
        let mut command = workspace.cargo("bench");
        command.args(["--package", package, "--bench", bench, "--", "--quiet"]);
        command.env("RAYON_NUM_THREADS", options.rounds.threads.to_string());
        command.env("CANDLE_NUM_THREADS", "1");
        // What `ssl` asks of glibc's allocator itself: freed blocks are kept.
        command.env("MALLOC_MMAP_THRESHOLD_", (32 << 20).to_string());
        command.env("MALLOC_TRIM_THRESHOLD_", i32::MAX.to_string());
        run(&mut command)?;
    }
    Ok(())
}

fn measure_all(
    workspace: &Workspace,
    works: impl Iterator<Item = &'static Work>,
    options: &WorkOptions,
    page: bool,
) -> Result<(), Failure> {
    let start = Start::new(workspace, &options.rounds)?;
    let kinds = sides(&start);
    let torch = kinds.contains(&Kind::Eager).then_some("torch");
    let mut facts = facts(&start.python, torch);
    facts.push(("vectors", start.instructions()?));
    facts.extend(facts_of_now(workspace.root()));
    facts.extend(start.facts());
    let mut outcomes = Vec::new();
    for work in works {
        outcomes.push(measure(&start, work, &kinds, &options.rounds)?);
    }
    report::write(workspace, &facts, &outcomes, options.json.as_deref(), page)
}

/// Ours, and what of PyTorch is there.
fn sides(start: &Start) -> Vec<Kind> {
    let mut kinds = vec![Kind::Ours];
    if !imports(&start.python, "torch") {
        eprintln!(
            "xtask: {} lacks torch: there is nothing to compare with, and no ratio",
            start.python.to_string_lossy()
        );
        return kinds;
    }
    kinds.push(Kind::Eager);
    if has_compiler() {
        kinds.push(Kind::Compiled);
    } else {
        eprintln!("xtask: no C++ compiler: torch.compile is left out");
    }
    kinds
}

/// Starts the sides, then lets them work by turns.
fn measure(
    start: &Start,
    work: &'static Work,
    kinds: &[Kind],
    rounds: &Rounds,
) -> Result<Outcome, Failure> {
    eprintln!("xtask: {}", work.title);
    let mut sides = Vec::new();
    for &kind in kinds {
        match Side::start(start.command(kind, work, FRAMES, LAYOUT)) {
            Ok(side) => sides.push((kind, side, Vec::new())),
            // A compiler that PyTorch can't use is no reason to give up the rest.
            Err(why) if kind == Kind::Compiled => {
                eprintln!("xtask: torch.compile is left out: {why}");
            }
            Err(why) => return Err(why),
        }
    }
    for _ in 0..rounds.rounds {
        for (_, side, seconds) in &mut sides {
            seconds.push(side.step(work.steps, rounds.clock)?);
        }
    }
    let taken = sides.into_iter().map(|(side, process, rounds)| {
        let parameters = ("parameters".to_owned(), process.parameters());
        let memory = process.growth().map(|bytes| (MEMORY.to_owned(), bytes));
        Taken {
            side,
            rounds,
            beside: [parameters].into_iter().chain(memory).collect(),
        }
    });
    let [eager, compiled] = work.goals;
    let goals = [(Kind::Eager, eager), (Kind::Compiled, compiled)];
    let names = (work.name, work.title);
    Ok(Outcome::new(names, taken.collect(), &goals, milliseconds))
}

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
fn all_sizes() -> Vec<Size> {
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
pub fn sizes(workspace: &Workspace, rounds: &Rounds) -> Result<(), Failure> {
    let start = Start::new(workspace, rounds)?;
    let sizes = all_sizes();
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
const SHARE_GOAL: f64 = 0.03;
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
    let met = verdict(share <= SHARE_GOAL);
    println!(
        "batch {} on one thread, step {} on {}: {:.1} % of both is the batch's, the goal of {} % {met}",
        milliseconds(batch),
        milliseconds(step),
        rounds.threads,
        share * 100.0,
        SHARE_GOAL * 100.0
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_size_changes_at_a_time() {
        let sizes = all_sizes();
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
