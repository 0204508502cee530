//! Models: a step of ours beside the same step in PyTorch, eager and compiled, as ratios of medians.
//!
//! Each side is one process that lives for all rounds ([`side`]), so that starting and compiling are paid once; in a round
//! each does a few steps, one side after the other, on the same cores.

mod ops;
mod options;
mod outcome;
mod report;
mod share;
mod side;
mod sizes;

use std::ffi::OsString;

use super::{imports, machine, python};
use crate::process::{Failure, run};
use crate::workspace::Workspace;
use options::Options;
pub use options::USAGE;
use outcome::{Outcome, Taken};
use side::{Kind, Side, Start};

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

const FRAMES: usize = 64;
const LAYOUT: &str = "coco17";
/// The largest share of PyTorch's growth in memory that is aimed at.
const MEMORY_GOAL: f64 = 0.5;

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

/// Whether this is one of the topics that end here.
pub fn knows(topic: &str) -> bool {
    ["models", "all", "sizes", "share", "ops"].contains(&topic)
        || WORKS.iter().any(|work| work.name == topic)
}

/// Measures a topic; of `all` the readers are the caller's.
pub fn bench(workspace: &Workspace, topic: &str, args: &[OsString]) -> Result<(), Failure> {
    let options = Options::parse(args)?;
    options.fit(topic)?;
    run(workspace
        .build("build")?
        .args(["--package", "strl", "--example", "bench_step"]))?;
    let start = Start::new(workspace, python(), &options);
    match topic {
        "sizes" => return sizes::bench(&start, &options),
        "share" => return share::bench(workspace, &start, &options),
        _ => {}
    }
    let kinds = sides(&start);
    let facts = machine::of_models(
        &start.python,
        workspace.root(),
        &start.instructions()?,
        kinds.contains(&Kind::Eager),
    );
    let facts = [facts, start.facts()].concat();
    let measured = |works: &mut dyn Iterator<Item = &'static Work>| {
        let outcomes = works.map(|work| measure(&start, work, &kinds, &options));
        outcomes.collect::<Result<Vec<_>, _>>()
    };
    let mut models = WORKS
        .iter()
        .filter(|work| ["models", "all"].contains(&topic) || work.name == topic);
    let models = measured(&mut models)?;
    if !models.is_empty() {
        report::write(workspace, &facts, &models, &options)?;
    }
    if ["ops", "all"].contains(&topic) {
        // The files of `all` are the models'.
        let options = if topic == "ops" {
            options.clone()
        } else {
            options.to_read()
        };
        report::write(
            workspace,
            &facts,
            &measured(&mut ops::OPS.iter())?,
            &options,
        )?;
        ops::alone(workspace, &options)?;
    }
    Ok(())
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
    if side::has_compiler() {
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
    options: &Options,
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
    for _ in 0..options.rounds {
        for (_, side, seconds) in &mut sides {
            seconds.push(side.step(work.steps, options.clock)?);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_the_works_and_what_else_is_measured() {
        for topic in ["pretrain", "infer1", "models", "all", "sizes", "share"] {
            assert!(knows(topic), "{topic}");
            assert!(USAGE.contains(topic), "{topic}");
        }
        assert!(!knows("data") && !knows("infer16"));
    }
}
