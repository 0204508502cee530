//! `cargo xtask bench TOPIC`: our programs and Python stand-ins measured in one run, as ratios.
//!
//! A section is an example program and a Python script that do the same work. The frame makes the section's data once
//! (`EXAMPLE make FOLDER`), then runs `EXAMPLE run FOLDER` and `python SCRIPT FOLDER` by turns, on one thread each, so that
//! whatever else the machine does slows both. Either prints one JSON line of numbers, of which `seconds` and `bytes` are
//! needed; others are shown beside them. Models are measured differently: see [`models`].

mod data;
mod machine;
mod measure;
mod models;
mod report;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{Failure, run};
use crate::workspace::Workspace;
use measure::{Run, numbers_of};
use report::Outcome;

/// Two programs that do the same work.
pub struct Section {
    /// What `--section` calls it.
    name: &'static str,
    /// What is measured, in a few words.
    title: &'static str,
    /// The package with the example, and the example: `EXAMPLE make FOLDER`, `EXAMPLE run FOLDER`.
    example: [&'static str; 2],
    /// The stand-in below `tests/reference`: `python SCRIPT FOLDER`; and what it imports.
    script: [&'static str; 2],
    /// The smallest ratio of bytes a second, ours to the stand-in's, that is aimed at.
    goal: f64,
}

const USAGE: &str =
    "usage: cargo xtask bench data [--section NAME] [--repetitions N] [--json FILE]";

/// What was typed.
#[derive(Debug, PartialEq)]
struct Options {
    section: Option<String>,
    repetitions: usize,
    json: Option<PathBuf>,
}

impl Options {
    fn parse(args: &[OsString]) -> Result<Options, Failure> {
        let mut options = Options {
            section: None,
            repetitions: 3,
            json: None,
        };
        let mut words = args.iter();
        while let Some(word) = words.next() {
            let usage = || Failure::Usage(format!("{}: {USAGE}", word.to_string_lossy()));
            let value = words.next().ok_or_else(usage)?;
            match word.to_str() {
                Some("--section") => options.section = Some(value.to_string_lossy().into_owned()),
                Some("--json") => options.json = Some(value.into()),
                Some("--repetitions") => {
                    let number = value.to_str().and_then(|value| value.parse().ok());
                    options.repetitions = number.filter(|&n| n > 0).ok_or_else(usage)?;
                }
                _ => return Err(usage()),
            }
        }
        Ok(options)
    }
}

/// Measures one topic.
pub fn bench(workspace: &Workspace, args: &[OsString]) -> Result<(), Failure> {
    let usage = || format!("{USAGE}\n{}", models::USAGE);
    let Some((topic, rest)) = args.split_first() else {
        return Err(Failure::Usage(usage()));
    };
    match topic.to_str() {
        Some("data") => data(workspace, Options::parse(rest)?),
        Some(topic) if models::knows(topic) => {
            models::bench(workspace, topic, rest)?;
            match topic {
                "all" => data(workspace, Options::parse(&[])?),
                _ => Ok(()),
            }
        }
        _ => {
            let topic = topic.to_string_lossy();
            Err(Failure::Usage(format!(
                "unknown topic `{topic}`: {}",
                usage()
            )))
        }
    }
}

/// Measures the readers.
fn data(workspace: &Workspace, options: Options) -> Result<(), Failure> {
    let sections = chosen(&data::SECTIONS, options.section.as_deref())?;
    let python = python();
    let mut outcomes = Vec::new();
    for section in sections {
        outcomes.push(measure(workspace, section, &python, options.repetitions)?);
    }
    let machine = machine::facts(&python);
    print!("{}", report::text(&machine, &outcomes));
    if let Some(path) = &options.json {
        std::fs::write(path, report::json(&machine, &outcomes))
            .map_err(|e| Failure::Task(format!("cannot write {}: {e}", path.display())))?;
    }
    Ok(())
}

fn chosen<'a>(all: &'a [Section], name: Option<&str>) -> Result<Vec<&'a Section>, Failure> {
    let found: Vec<&Section> = all
        .iter()
        .filter(|section| name.is_none_or(|name| name == section.name))
        .collect();
    if found.is_empty() {
        let known: Vec<&str> = all.iter().map(|section| section.name).collect();
        let (name, known) = (name.unwrap_or_default(), known.join(", "));
        return Err(Failure::Usage(format!(
            "unknown section `{name}`; the sections are {known}"
        )));
    }
    Ok(found)
}

/// The interpreter that tests use too.
fn python() -> OsString {
    let chosen = std::env::var_os("SSL_TEST_PYTHON").filter(|path| !path.is_empty());
    chosen.unwrap_or_else(|| "python3".into())
}

/// Makes the data where they are absent or older than the program, then runs both sides by turns.
fn measure(
    workspace: &Workspace,
    section: &Section,
    python: &OsString,
    repetitions: usize,
) -> Result<Outcome, Failure> {
    let [package, example] = section.example;
    run(workspace
        .build("build")?
        .args(["--package", package, "--example", example]))?;
    let program = workspace.program(&format!("examples/{example}"));
    let folder = workspace.target().join("bench").join(section.name);
    make(&program, &folder)?;

    let [script, packages] = section.script;
    let script = workspace.root().join("tests/reference").join(script);
    let stand_in = imports(python, packages);
    if !stand_in {
        eprintln!(
            "xtask: {} lacks {packages}: the stand-in is not run, and there is no ratio",
            python.to_string_lossy()
        );
    }
    let (mut ours, mut theirs) = (Run::default(), Run::default());
    for _ in 0..repetitions {
        ours.push(numbers_of(Command::new(&program).arg("run").arg(&folder))?);
        if stand_in {
            theirs.push(numbers_of(Command::new(python).arg(&script).arg(&folder))?);
        }
    }
    Ok(Outcome {
        name: section.name,
        title: section.title,
        goal: section.goal,
        ours,
        theirs: stand_in.then_some(theirs),
    })
}

fn make(program: &Path, folder: &Path) -> Result<(), Failure> {
    let stamp = folder.join("made");
    let time = |path: &Path| path.metadata().and_then(|meta| meta.modified()).ok();
    if matches!((time(&stamp), time(program)), (Some(made), Some(from)) if made >= from) {
        return Ok(());
    }
    let failed = |e| Failure::Task(format!("cannot make {}: {e}", folder.display()));
    if folder.exists() {
        std::fs::remove_dir_all(folder).map_err(failed)?;
    }
    std::fs::create_dir_all(folder).map_err(failed)?;
    run(Command::new(program).arg("make").arg(folder))?;
    std::fs::write(&stamp, "").map_err(failed)
}

fn imports(python: &OsString, packages: &str) -> bool {
    let outcome = Command::new(python)
        .args(["-c", &format!("import {packages}")])
        .output();
    outcome.is_ok_and(|output| output.status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_others_refused() {
        let parse = |words: &str| {
            let words: Vec<OsString> = words.split_whitespace().map(OsString::from).collect();
            Options::parse(&words)
        };
        let read = parse("--section raw --repetitions 5 --json x.json").expect("all are known");
        assert_eq!(read.section.as_deref(), Some("raw"));
        assert_eq!((read.repetitions, read.json), (5, Some("x.json".into())));
        assert_eq!(parse("").expect("none is needed").repetitions, 3);
        for wrong in ["--repetitions 0", "--repetitions", "--sections raw", "raw"] {
            assert!(matches!(parse(wrong), Err(Failure::Usage(_))), "{wrong}");
        }
    }

    #[test]
    fn sections_are_chosen_by_name() {
        assert_eq!(
            chosen(&data::SECTIONS, None).map(|all| all.len()).ok(),
            Some(data::SECTIONS.len())
        );
        assert_eq!(
            chosen(&data::SECTIONS, Some("raw"))
                .map(|one| one.len())
                .ok(),
            Some(1)
        );
        assert!(chosen(&data::SECTIONS, Some("rwa")).is_err());
    }
}
