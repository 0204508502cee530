//! `cargo xtask bench TOPIC`: our programs beside others that do the same work, measured in one run by turns.

mod data;
mod models;
mod report;
mod side;
mod stream;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::{Args, Subcommand, ValueEnum};

use self::data::DataOptions;
use self::stream::StreamOptions;
use crate::process::{Failure, cannot};
use crate::workspace::Workspace;

/// What is measured.
#[derive(Clone, Debug, PartialEq, Subcommand)]
pub enum Topic {
    /// The readers beside Python stand-ins, as ratios.
    Data(DataOptions),
    /// All works of the models beside PyTorch, as ratios.
    Models(TableOptions),
    /// Steps of pre-training.
    Pretrain(WorkOptions),
    /// Steps of fine-tuning.
    Finetune(WorkOptions),
    /// Inference on 16 clips.
    Infer(WorkOptions),
    /// Inference on one clip.
    Infer1(WorkOptions),
    /// Each op alone.
    Ops(WorkOptions),
    /// Larger and smaller steps of pre-training.
    Sizes(Rounds),
    /// What batches take of a step of fine-tuning.
    Share(Rounds),
    /// Frames as they come, answered every hop.
    Stream(StreamOptions),
    /// Models, ops and readers.
    All(TableOptions),
}

/// How models are measured.
#[derive(Clone, Debug, PartialEq, Args)]
pub struct Rounds {
    /// Rounds, in each of which every side does a few steps.
    #[arg(long, value_name = "N", default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
    /// Threads of each side.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: u16,
    /// Which clock counts.
    #[arg(long, value_enum, default_value_t)]
    pub clock: Clock,
}

/// How a work is measured.
#[derive(Clone, Debug, PartialEq, Args)]
pub struct WorkOptions {
    #[command(flatten)]
    pub rounds: Rounds,
    /// Write rounds and ratios here.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// How all works are measured.
#[derive(Clone, Debug, PartialEq, Args)]
pub struct TableOptions {
    #[command(flatten)]
    pub work: WorkOptions,
    /// Replace the table of docs/speed.md.
    #[arg(long)]
    pub page: bool,
}

/// Which clock counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Clock {
    /// The wall's: what a user waits for.
    #[default]
    Wall,
    /// The processor's: seconds that the process ran, which other work on the machine disturbs less.
    #[value(name = "cpu")]
    Processor,
}

impl Clock {
    /// As it is typed, and as the programs print it.
    pub fn name(self) -> &'static str {
        match self {
            Clock::Wall => "wall",
            Clock::Processor => "cpu",
        }
    }
}

/// Measures one topic.
pub fn bench(workspace: &Workspace, topic: &Topic) -> Result<(), Failure> {
    match topic {
        Topic::Data(options) => data::bench(workspace, options),
        Topic::Sizes(rounds) => models::sizes(workspace, rounds),
        Topic::Share(rounds) => models::share(workspace, rounds),
        Topic::Pretrain(options) => models::bench(workspace, Some("pretrain"), options, false),
        Topic::Finetune(options) => models::bench(workspace, Some("finetune"), options, false),
        Topic::Infer(options) => models::bench(workspace, Some("infer"), options, false),
        Topic::Infer1(options) => models::bench(workspace, Some("infer1"), options, false),
        Topic::Models(table) => models::bench(workspace, None, &table.work, table.page),
        Topic::Ops(options) => models::ops(workspace, options),
        Topic::Stream(options) => stream::bench(workspace, options),
        Topic::All(table) => {
            models::bench(workspace, None, &table.work, table.page)?;
            // The file is the models'.
            let ops = WorkOptions {
                json: None,
                ..table.work.clone()
            };
            models::ops(workspace, &ops)?;
            let readers = DataOptions {
                section: None,
                repetitions: 3,
                json: None,
            };
            data::bench(workspace, &readers)
        }
    }
}

/// The interpreter that tests use too.
fn python() -> OsString {
    let chosen = std::env::var_os("SSL_TEST_PYTHON").filter(|path| !path.is_empty());
    chosen.unwrap_or_else(|| "python3".into())
}

fn imports(python: &OsString, packages: &str) -> bool {
    let outcome = Command::new(python)
        .args(["-c", &format!("import {packages}")])
        .output();
    outcome.is_ok_and(|output| output.status.success())
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(cannot("write", path))
}

/// Names and values.
pub type Facts = Vec<(&'static str, String)>;

/// Processor, system, compiler; Python and the package `beside` it, where one is used.
pub fn facts(python: &OsString, beside: Option<&str>) -> Facts {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let rustc = said(Command::new("rustc").arg("--version"));
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    let mut facts = vec![
        ("processor", processor().unwrap_or_else(unknown)),
        ("cores", cores.to_string()),
        ("system", format!("{os} {arch}")),
        ("rustc", rustc.trim_start_matches("rustc ").to_owned()),
    ];
    if let Some(package) = beside {
        let script = format!(
            "import platform, {package}; print(platform.python_version(), 'with {package}', {package}.__version__)"
        );
        facts.push(("python", said(Command::new(python).args(["-c", &script]))));
    }
    facts
}

/// The commit, and how busy the machine is now.
pub fn facts_of_now(root: &Path) -> Facts {
    let mut git = Command::new("git");
    git.current_dir(root);
    git.args(["describe", "--always", "--dirty", "--exclude", "*"]);
    let load = std::fs::read_to_string("/proc/loadavg").ok();
    let load = load.and_then(|text| Some(text.split_whitespace().next()?.to_owned()));
    vec![
        ("commit", said(&mut git)),
        ("load before", load.unwrap_or_else(unknown)),
    ]
}

fn unknown() -> String {
    "unknown".to_owned()
}

/// What a command prints, where it succeeds.
fn said(command: &mut Command) -> String {
    let output = command.output().ok().filter(|o| o.status.success());
    output.map_or_else(unknown, |o| {
        String::from_utf8_lossy(&o.stdout).trim().to_owned()
    })
}

/// Its name, where the system has a file that says so.
fn processor() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Bench {
        #[command(subcommand)]
        topic: Topic,
    }

    fn parse(words: &str) -> Option<Topic> {
        let words = format!("bench {words}");
        let parsed = Bench::try_parse_from(words.split_whitespace());
        Some(parsed.ok()?.topic)
    }

    #[test]
    fn options_are_read_and_others_refused() {
        let read = parse("data --section raw --repetitions 5 --json x.json");
        let expected = DataOptions {
            section: Some("raw".into()),
            repetitions: 5,
            json: Some("x.json".into()),
        };
        assert_eq!(read, Some(Topic::Data(expected)));
        let read = parse("all --rounds 5 --page --threads 2 --clock cpu --json x.json");
        let Some(Topic::All(table)) = read else {
            panic!("all are known")
        };
        let Rounds {
            rounds,
            threads,
            clock,
        } = table.work.rounds;
        assert_eq!((rounds, threads, table.page), (5, 2, true));
        assert_eq!(clock, Clock::Processor);
        assert_eq!(table.work.json, Some("x.json".into()));
        for right in [
            "data",
            "models --page",
            "infer1 --json x",
            "ops --json x",
            "stream --seconds 9 --hop 1",
        ] {
            assert!(parse(right).is_some(), "{right}");
        }
        for wrong in [
            "",
            "infer16",
            "data --repetitions 0",
            "data --repetitions",
            "data --sections raw",
            "data --section rwa",
            "data raw",
            "models --rounds 0",
            "models --rounds",
            "models --clock sun",
            "models --section raw",
            "models x",
            "ops --page",
            "infer --page",
            "sizes --json x",
        ] {
            assert!(parse(wrong).is_none(), "{wrong}");
        }
    }
}
