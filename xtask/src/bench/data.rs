//! Reading data: our programs and Python stand-ins measured in one run, as ratios.
//!
//! A section is an example program and a Python script that do the same work. The section's data are made once
//! (`EXAMPLE make FOLDER`), then `EXAMPLE run FOLDER` and `python SCRIPT FOLDER` run by turns, on one thread each, so that
//! whatever else the machine does slows both. Either prints one JSON line of numbers, of which `seconds` and `bytes` are
//! needed; others are shown beside them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;
use clap::builder::PossibleValuesParser;

use super::report::{self, Outcome, Taken};
use super::side::{Kind, Numbers, median, numbers_of, value};
use super::{facts, imports, python};
use crate::process::{Failure, cannot, run};
use crate::workspace::Workspace;

/// Two programs that do the same work.
pub struct Section {
    /// What `--section` calls it.
    pub name: &'static str,
    /// What is measured, in a few words.
    title: &'static str,
    /// The package with the example, and the example: `EXAMPLE make FOLDER`, `EXAMPLE run FOLDER`.
    example: [&'static str; 2],
    /// The stand-in below `tests/reference`, which imports numpy: `python SCRIPT FOLDER`.
    script: &'static str,
    /// The smallest ratio of bytes a second, ours to the stand-in's, that is aimed at.
    goal: f64,
}

/// The sections of `cargo xtask bench data`.
pub const SECTIONS: [Section; 4] = [
    Section {
        name: "raw",
        title: "parse 2,000 generated .skeleton files of 1 to 4 bodies and 30 to 300 frames (the stand-in: every tenth)",
        example: ["skeleton-data", "bench_raw"],
        script: "bench_raw.py",
        goal: 30.0,
    },
    Section {
        name: "pickle",
        title: "500 MB of annotations in a protocol 2 pickle become a cache, hashing and fsync apart (the stand-in: pickle.load alone)",
        example: ["skeleton-data", "bench_pickle"],
        script: "bench_pickle.py",
        goal: 1.0,
    },
    Section {
        name: "batches-3d",
        title: "training batches of 16 clips from a cache: two people, 25 joints, 50 to 200 frames, to 64 (the stand-in: every fourth)",
        example: ["skeleton-data", "bench_batches"],
        script: "bench_batches.py",
        goal: 20.0,
    },
    BATCHES_2D,
];

/// Two people of 17 joints with scores, as the steps of the models have them.
pub const BATCHES_2D: Section = Section {
    name: "batches-2d",
    title: "the same of two people, 17 joints with scores",
    example: ["skeleton-data", "bench_batches"],
    script: "bench_batches.py",
    goal: 20.0,
};

/// How readers are measured.
#[derive(Clone, Debug, PartialEq, Args)]
pub struct DataOptions {
    /// One section [default: all].
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(SECTIONS.map(|one| one.name)))]
    pub section: Option<String>,
    /// How often each is measured.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub repetitions: u32,
    /// Write what was found here.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// Measures the readers.
pub fn bench(workspace: &Workspace, options: &DataOptions) -> Result<(), Failure> {
    let python = python();
    let chosen = |section: &&Section| {
        let name = options.section.as_ref();
        name.is_none_or(|name| name == section.name)
    };
    let mut outcomes = Vec::new();
    for section in SECTIONS.iter().filter(chosen) {
        outcomes.push(measure(workspace, section, &python, options.repetitions)?);
    }
    let facts = facts(&python, Some("numpy"));
    let file = options.json.as_deref();
    report::write(workspace, &facts, &outcomes, file, false)
}

impl Section {
    /// Builds the example and makes its data; the program and the folder of the data.
    pub fn make(&self, workspace: &Workspace) -> Result<(PathBuf, PathBuf), Failure> {
        let [package, example] = self.example;
        run(workspace
            .build("build")?
            .args(["--package", package, "--example", example]))?;
        let program = workspace.program(&format!("examples/{example}"));
        let folder = workspace.target().join("bench").join(self.name);
        make(&program, &folder)?;
        Ok((program, folder))
    }
}

/// Runs both sides by turns.
fn measure(
    workspace: &Workspace,
    section: &Section,
    python: &OsString,
    repetitions: u32,
) -> Result<Outcome, Failure> {
    let (program, folder) = section.make(workspace)?;
    let script = workspace
        .root()
        .join("tests/reference")
        .join(section.script);
    let mut ours = Command::new(program);
    ours.arg("run").arg(&folder);
    let mut sides = vec![(Kind::Ours, ours, Vec::new())];
    if imports(python, "numpy") {
        let mut theirs = Command::new(python);
        theirs.arg(script).arg(&folder);
        sides.push((Kind::StandIn, theirs, Vec::new()));
    } else {
        eprintln!(
            "xtask: {} lacks numpy: the stand-in is not run, and there is no ratio",
            python.to_string_lossy()
        );
    }
    for _ in 0..repetitions {
        for (_, command, numbers) in &mut sides {
            numbers.push(numbers_of(command)?);
        }
    }
    let sides = sides.into_iter();
    let sides = sides.map(|(side, _, numbers)| taken(side, &numbers));
    let names = (section.name, section.title);
    let goals = [(Kind::StandIn, section.goal)];
    Ok(Outcome::new(names, sides.collect(), &goals, speed))
}

/// Seconds a byte, and beside them the median of every number that was printed.
fn taken(side: Kind, repetitions: &[Numbers]) -> Taken {
    let names = repetitions.first().into_iter().flat_map(BTreeMap::keys);
    let over = |name: &String| median(repetitions.iter().map(|one| value(one, name)));
    let rounds = repetitions.iter();
    Taken {
        side,
        rounds: rounds
            .map(|one| value(one, "seconds") / value(one, "bytes"))
            .collect(),
        beside: names.map(|name| (name.clone(), over(name))).collect(),
    }
}

fn speed(seconds_a_byte: f64) -> String {
    format!("{:.1} MB/s", 1e-6 / seconds_a_byte)
}

/// Makes the data where they are absent or older than the program.
fn make(program: &Path, folder: &Path) -> Result<(), Failure> {
    let stamp = folder.join("made");
    let time = |path: &Path| path.metadata().and_then(|meta| meta.modified()).ok();
    if matches!((time(&stamp), time(program)), (Some(made), Some(from)) if made >= from) {
        return Ok(());
    }
    let failed = cannot("make", folder);
    if folder.exists() {
        std::fs::remove_dir_all(folder).map_err(&failed)?;
    }
    std::fs::create_dir_all(folder).map_err(&failed)?;
    run(Command::new(program).arg("make").arg(folder))?;
    std::fs::write(&stamp, "").map_err(&failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(seconds: f64, bytes: f64) -> Numbers {
        [("seconds".to_owned(), seconds), ("bytes".to_owned(), bytes)].into()
    }

    #[test]
    fn speeds_are_medians_over_repetitions() {
        let repetitions = [(1.0, 10.0), (2.0, 10.0), (1.0, 90.0)].map(|(s, b)| numbers(s, b));
        let side = taken(Kind::Ours, &repetitions);
        assert_eq!(side.median(), 0.1);
        assert_eq!(side.beside, numbers(1.0, 10.0));
        assert_eq!(speed(0.5 / 8e6), "16.0 MB/s");
    }
}
