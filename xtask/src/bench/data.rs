//! Reading data: our programs and Python stand-ins measured in one run, as ratios.
//!
//! A section is an example program and a Python script that do the same work. The section's data are made once
//! (`EXAMPLE make FOLDER`), then `EXAMPLE run FOLDER` and `python SCRIPT FOLDER` run by turns, on one thread each, so that
//! whatever else the machine does slows both. Either prints one JSON line of numbers, of which `seconds` and `bytes` are
//! needed; others are shown beside them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;
use clap::builder::PossibleValuesParser;
use serde::Serialize;

use super::machine::{self, Facts};
use super::measure::{Numbers, median, numbers_of, value};
use super::{imports, python, write_json};
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

/// What a section found.
struct Outcome<'a> {
    section: &'a Section,
    ours: Side,
    /// None where Python lacks what the stand-in needs.
    theirs: Option<Side>,
}

/// One side's numbers over the repetitions.
#[derive(Serialize)]
struct Side {
    /// The median.
    bytes_per_second: f64,
    /// The median of every number.
    #[serde(flatten)]
    medians: Numbers,
}

impl Side {
    fn new(repetitions: &[Numbers]) -> Side {
        let over = |of: &dyn Fn(&Numbers) -> f64| median(repetitions.iter().map(of));
        let names = repetitions.first().into_iter().flat_map(BTreeMap::keys);
        Side {
            bytes_per_second: over(&|one| value(one, "bytes") / value(one, "seconds")),
            medians: names
                .map(|name| (name.clone(), over(&|one| value(one, name))))
                .collect(),
        }
    }
}

impl Outcome<'_> {
    /// How many times the stand-in's bytes a second are ours.
    fn ratio(&self) -> Option<f64> {
        let theirs = self.theirs.as_ref()?;
        Some(self.ours.bytes_per_second / theirs.bytes_per_second)
    }
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
    let machine = machine::facts(&python, Some("numpy"));
    print!("{}", text(&machine, &outcomes));
    match &options.json {
        Some(path) => write_json(path, &document(&machine, &outcomes)),
        None => Ok(()),
    }
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
fn measure<'a>(
    workspace: &Workspace,
    section: &'a Section,
    python: &OsString,
    repetitions: u32,
) -> Result<Outcome<'a>, Failure> {
    let (program, folder) = section.make(workspace)?;
    let script = workspace
        .root()
        .join("tests/reference")
        .join(section.script);
    let stand_in = imports(python, "numpy");
    if !stand_in {
        eprintln!(
            "xtask: {} lacks numpy: the stand-in is not run, and there is no ratio",
            python.to_string_lossy()
        );
    }
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..repetitions {
        ours.push(numbers_of(Command::new(&program).arg("run").arg(&folder))?);
        if stand_in {
            theirs.push(numbers_of(Command::new(python).arg(&script).arg(&folder))?);
        }
    }
    Ok(Outcome {
        section,
        ours: Side::new(&ours),
        theirs: stand_in.then(|| Side::new(&theirs)),
    })
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

/// Lines to read.
fn text(machine: &Facts, outcomes: &[Outcome<'_>]) -> String {
    let mut out = String::new();
    // Writing to a string can't fail.
    for (name, value) in machine {
        let _ = writeln!(out, "{name}: {value}");
    }
    for outcome in outcomes {
        let Section {
            name, title, goal, ..
        } = outcome.section;
        let _ = writeln!(out, "\n{name}: {title}");
        for (name, side) in [
            ("ours", Some(&outcome.ours)),
            ("stand-in", outcome.theirs.as_ref()),
        ] {
            let Some(side) = side else { continue };
            let _ = write!(out, "  {name:8}  {:8.1} MB/s", side.bytes_per_second / 1e6);
            for (name, value) in &side.medians {
                let _ = write!(out, ", {name} {}", rounded(*value));
            }
            out.push('\n');
        }
        if let Some(ratio) = outcome.ratio() {
            let verdict = if ratio >= *goal { "reached" } else { "missed" };
            let _ = writeln!(
                out,
                "  ratio     {ratio:8.1} x, the goal of {goal} x {verdict}"
            );
        }
    }
    out
}

/// Whole where it is large, else four digits.
fn rounded(value: f64) -> String {
    if value.abs() >= 1000.0 || value.fract() == 0.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.3}")
    }
}

/// What is written as JSON.
#[derive(Serialize)]
struct Document<'a> {
    machine: BTreeMap<&'a str, &'a str>,
    sections: Vec<Found<'a>>,
}

#[derive(Serialize)]
struct Found<'a> {
    name: &'a str,
    title: &'a str,
    ours: &'a Side,
    stand_in: Option<&'a Side>,
    ratio: Option<f64>,
    goal: f64,
}

fn document<'a>(machine: &'a Facts, outcomes: &'a [Outcome<'_>]) -> Document<'a> {
    let found = |outcome: &'a Outcome<'_>| Found {
        name: outcome.section.name,
        title: outcome.section.title,
        ours: &outcome.ours,
        stand_in: outcome.theirs.as_ref(),
        ratio: outcome.ratio(),
        goal: outcome.section.goal,
    };
    Document {
        machine: machine::by_name(machine),
        sections: outcomes.iter().map(found).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(seconds: f64, bytes: f64) -> Numbers {
        [("seconds".to_owned(), seconds), ("bytes".to_owned(), bytes)].into()
    }

    #[test]
    fn speeds_are_medians_over_repetitions() {
        let side = Side::new(&[(1.0, 10.0), (2.0, 10.0), (1.0, 90.0)].map(|(s, b)| numbers(s, b)));
        assert_eq!(side.bytes_per_second, 10.0);
        assert_eq!(side.medians, numbers(1.0, 10.0));
    }

    #[test]
    fn a_ratio_says_how_many_times_faster_we_are() {
        let side = |seconds| Side::new(&[numbers(seconds, 8e6)]);
        let mut outcomes = [Outcome {
            section: &SECTIONS[0],
            ours: side(0.5),
            theirs: Some(side(16.0)),
        }];
        let machine = vec![("cores", "2".to_owned())];
        let found = text(&machine, &outcomes);
        assert!(found.contains("cores: 2\n"), "{found}");
        assert!(
            found.contains("16.0 MB/s, bytes 8000000, seconds 0.500"),
            "{found}"
        );
        assert!(
            found.contains("32.0 x, the goal of 30 x reached"),
            "{found}"
        );
        outcomes[0].theirs = None;
        let json = document(&machine, &outcomes);
        let json = serde_json::to_string(&json).expect("plain numbers");
        assert!(
            json.contains(r#""ratio":null"#) && json.contains(r#""bytes":8000000.0"#),
            "{json}"
        );
    }
}
