//! Models: a step of ours beside the same step in PyTorch, eager and compiled, as ratios of medians.
//!
//! Each side is one process that lives for all rounds ([`side`](super::side)), so that starting and compiling are paid once;
//! in a round each does a few steps, one side after the other, on the same cores.

use serde::Serialize;

use super::machine::{self, Facts};
use super::measure::{median, quantile};
use super::options::{Rounds, TableOptions, WorkOptions};
use super::side::{Kind, Side, Start, has_compiler};
use super::{imports, report};
use crate::process::{Failure, run};
use crate::workspace::Workspace;

/// The shapes of a work, the same on both sides.
pub struct Work {
    /// The topic.
    pub name: &'static str,
    /// What is measured, in a few words.
    pub title: &'static str,
    /// What the programs call it.
    pub call: &'static str,
    /// PyTorch's side, below `tests/reference`.
    pub script: &'static str,
    pub clips: usize,
    /// Steps a round.
    pub steps: usize,
    /// The smallest ratios that are aimed at: against eager PyTorch and against the compiled.
    pub goals: [f64; 2],
}

pub const FRAMES: usize = 64;
pub const LAYOUT: &str = "coco17";
/// The largest share of PyTorch's growth in memory that is aimed at.
pub const MEMORY_GOAL: f64 = 0.5;

pub const MODELS: &str = "bench_models.py";

pub const WORKS: [Work; 4] = [
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

/// Measures works of these names.
pub fn bench(
    workspace: &Workspace,
    names: &[&str],
    options: &WorkOptions,
    readme: bool,
) -> Result<(), Failure> {
    let works = WORKS.iter().filter(|work| names.contains(&work.name));
    measure_all(workspace, works, options, readme)
}

/// Measures all works.
pub fn all(workspace: &Workspace, table: &TableOptions) -> Result<(), Failure> {
    bench(
        workspace,
        &WORKS.map(|work| work.name),
        &table.work,
        table.readme,
    )
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
    readme: bool,
) -> Result<(), Failure> {
    let start = Start::new(workspace, &options.rounds)?;
    let kinds = sides(&start);
    let torch = kinds.contains(&Kind::Eager).then_some("torch");
    let mut facts: Facts = machine::facts(&start.python, torch);
    facts.push(("vectors", start.instructions()?));
    facts.extend(machine::of_now(workspace.root()));
    facts.extend(start.facts());
    let mut outcomes = Vec::new();
    for work in works {
        outcomes.push(measure(&start, work, &kinds, &options.rounds)?);
    }
    report::write(workspace, &facts, &outcomes, &options.files, readme)
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
    let taken = sides.into_iter().map(|(kind, side, seconds)| Taken {
        kind,
        seconds,
        bytes: side.growth(),
        parameters: side.parameters(),
    });
    Ok(Outcome {
        work,
        taken: taken.collect(),
    })
}

/// One side's rounds.
#[derive(Clone)]
pub struct Taken {
    pub kind: Kind,
    /// Seconds of a step, round by round.
    pub seconds: Vec<f64>,
    /// Growth of its memory.
    pub bytes: Option<f64>,
    pub parameters: f64,
}

impl Taken {
    pub fn median(&self) -> f64 {
        median(self.seconds.iter().copied())
    }
}

/// A work, all sides.
pub struct Outcome {
    pub work: &'static Work,
    pub taken: Vec<Taken>,
}

/// How many times faster we are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Ratio {
    /// Of the medians.
    pub ratio: f64,
    /// Quartiles of the rounds' ratios.
    pub quartiles: [f64; 2],
    pub goal: f64,
}

impl Ratio {
    pub fn met(&self) -> bool {
        self.ratio >= self.goal
    }
}

impl Outcome {
    pub fn of(&self, kind: Kind) -> Option<&Taken> {
        self.taken.iter().find(|taken| taken.kind == kind)
    }

    /// Against a side of PyTorch, where that was run.
    pub fn ratio(&self, kind: Kind) -> Option<Ratio> {
        let (ours, theirs) = (self.of(Kind::Ours)?, self.of(kind)?);
        let rounds = ours.seconds.iter().zip(&theirs.seconds);
        let by_round: Vec<f64> = rounds.map(|(ours, theirs)| theirs / ours).collect();
        let [eager, compiled] = self.work.goals;
        Some(Ratio {
            ratio: theirs.median() / ours.median(),
            quartiles: [0.25, 0.75].map(|share| quantile(by_round.iter().copied(), share)),
            goal: if kind == Kind::Eager { eager } else { compiled },
        })
    }

    /// Our growth in memory as a share of eager PyTorch's. The compiled side's holds the compiler itself.
    pub fn memory(&self) -> Option<f64> {
        Some(self.of(Kind::Ours)?.bytes? / self.of(Kind::Eager)?.bytes?)
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn outcome() -> Outcome {
        let taken = |kind, seconds: &[f64], bytes| Taken {
            kind,
            seconds: seconds.to_vec(),
            bytes: Some(bytes),
            parameters: 38535.0,
        };
        Outcome {
            work: &WORKS[0],
            taken: vec![
                taken(Kind::Ours, &[0.04, 0.05, 0.03], 40e6),
                taken(Kind::Eager, &[0.16, 0.1, 0.12], 100e6),
                taken(Kind::Compiled, &[0.06, 0.06, 0.06], 300e6),
            ],
        }
    }

    #[test]
    fn ratios_are_of_medians_and_quartiles_of_rounds() {
        let found = outcome().ratio(Kind::Eager).expect("both were run");
        let close = |a: f64, b: f64| (a - b).abs() < 1e-12;
        assert!(close(found.ratio, 3.0) && found.met(), "{found:?}");
        // By round 4, 2 and 4.
        assert!(close(found.quartiles[0], 3.0) && close(found.quartiles[1], 4.0));
        let found = outcome().ratio(Kind::Compiled).expect("both were run");
        assert!(close(found.ratio, 1.5) && !found.met(), "{found:?}");
        assert!(close(outcome().memory().expect("both are known"), 0.4));
        let mut alone = outcome();
        alone.taken.truncate(1);
        assert_eq!(alone.ratio(Kind::Eager), None);
        assert_eq!(alone.memory(), None);
    }
}
