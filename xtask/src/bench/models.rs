//! Models: a step of ours beside the same step in PyTorch, eager and compiled, as ratios of medians.
//!
//! Each side is one process that lives for all rounds ([`side`](super::side)), so that starting and compiling are paid once;
//! in a round each does a few steps, one side after the other, on the same cores.

use super::imports;
use super::machine::{self, Facts};
use super::options::{Rounds, TableOptions, WorkOptions};
use super::report::{self, Outcome, Taken};
use super::side::{Kind, Side, Start, has_compiler};
use super::work::{FRAMES, LAYOUT, OPS, WORKS, Work};
use crate::process::{Failure, run};
use crate::workspace::Workspace;

/// Measures works of these names.
pub fn bench(
    workspace: &Workspace,
    names: &[&str],
    options: &WorkOptions,
    page: bool,
) -> Result<(), Failure> {
    let works = WORKS.iter().filter(|work| names.contains(&work.name));
    measure_all(workspace, works, options, page)
}

/// Measures all works.
pub fn all(workspace: &Workspace, table: &TableOptions) -> Result<(), Failure> {
    bench(
        workspace,
        &WORKS.map(|work| work.name),
        &table.work,
        table.page,
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
    page: bool,
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
    report::write(workspace, &facts, &outcomes, &options.files, page)
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
