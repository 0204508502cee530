//! The programs that are measured: one that runs once and prints numbers, and one that is started once and does steps when it is
//! told to.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::Serialize;

use super::{Clock, Rounds, python};
use crate::process::{Failure, output, run};
use crate::workspace::Workspace;

/// Whose work it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    Ours,
    /// PyTorch, operation by operation.
    Eager,
    /// PyTorch through `torch.compile`.
    Compiled,
    /// A Python script that does what our readers do.
    StandIn,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Ours => "ours",
            Kind::Eager => "PyTorch eager",
            Kind::Compiled => "torch.compile",
            Kind::StandIn => "stand-in",
        }
    }
}

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

/// Lets a program compute with so many threads, whichever library it uses.
fn set_threads(command: &mut Command, threads: u16) {
    for library in ["RAYON", "OMP", "OPENBLAS", "MKL"] {
        command.env(format!("{library}_NUM_THREADS"), threads.to_string());
    }
}

/// Numbers by name.
pub type Numbers = BTreeMap<String, f64>;

/// A number by its name, NaN where it isn't there.
pub fn value(numbers: &Numbers, name: &str) -> f64 {
    numbers.get(name).copied().unwrap_or(f64::NAN)
}

/// The middle one, or the mean of the middle two.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    quantile(values, 0.5)
}

/// Between the two values that surround the place `share` of the way through the sorted ones.
pub fn quantile(values: impl Iterator<Item = f64>, share: f64) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    let at = share * last as f64;
    let (low, high) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    low + (high - low) * at.fract()
}

/// Runs a program on one thread and reads the JSON line that it prints.
pub fn numbers_of(command: &mut Command) -> Result<Numbers, Failure> {
    set_threads(command, 1);
    let name = command.get_program().to_string_lossy().into_owned();
    let failed = |why: String| Failure::Task(format!("`{name}`: {why}"));
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        return Err(failed(output.status.to_string()));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().last().unwrap_or_default();
    let numbers: Option<Numbers> = serde_json::from_str(last).ok();
    let needed = |numbers: &Numbers| ["seconds", "bytes"].map(|name| value(numbers, name) > 0.0);
    let numbers = numbers.filter(|numbers| needed(numbers) == [true; 2]);
    numbers.ok_or_else(|| {
        failed(format!(
            "expected a JSON line with numbers, seconds and bytes among them, found {text:?}"
        ))
    })
}

/// How processes are started.
pub struct Start {
    program: PathBuf,
    /// Where PyTorch's side lies.
    scripts: PathBuf,
    pub python: OsString,
    pub rounds: Rounds,
    /// What `taskset` is to be told, where it is there.
    cores: Option<String>,
}

impl Start {
    /// Builds our side.
    pub fn new(workspace: &Workspace, rounds: &Rounds) -> Result<Self, Failure> {
        run(workspace
            .build("build")?
            .args(["--package", "strl", "--example", "bench_step"]))?;
        let has_taskset = succeeds(Command::new("taskset").arg("--version"));
        let allowed = std::fs::read_to_string("/proc/self/status").ok();
        let threads = usize::from(rounds.threads);
        let cores = allowed.and_then(|status| first_cores(&status, threads));
        Ok(Self {
            program: workspace.program("examples/bench_step"),
            scripts: workspace.root().join("tests/reference"),
            python: python(),
            rounds: rounds.clone(),
            cores: cores.filter(|_| has_taskset),
        })
    }

    /// The instruction set that our ops choose.
    pub fn instructions(&self) -> Result<String, Failure> {
        let said = output(Command::new(&self.program).arg("about"))?;
        Ok(said.trim().to_owned())
    }

    /// What belongs beside the numbers.
    pub fn facts(&self) -> Vec<(&'static str, String)> {
        let cores = self.cores.clone();
        vec![
            ("rounds", self.rounds.rounds.to_string()),
            ("clock", self.rounds.clock.name().to_owned()),
            ("threads a side", self.rounds.threads.to_string()),
            (
                "pinned to",
                cores.map_or_else(|| "no core".into(), |list| format!("core {list}")),
            ),
        ]
    }

    /// One side's command line: alone on its cores, with this many threads.
    pub fn command(&self, kind: Kind, work: &Work, frames: usize, layout: &str) -> Command {
        let mut words: Vec<OsString> = match &self.cores {
            Some(cores) => ["taskset", "-c", cores].map(OsString::from).to_vec(),
            None => Vec::new(),
        };
        match kind {
            Kind::Ours => words.push(self.program.clone().into()),
            _ => words.extend([self.python.clone(), self.scripts.join(work.script).into()]),
        }
        let last = match kind {
            Kind::Ours => layout,
            Kind::Eager => "eager",
            _ => "compile",
        };
        let sizes = [work.clips.to_string(), frames.to_string()];
        words.push(work.call.into());
        words.extend(sizes.map(OsString::from));
        words.push(last.into());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        set_threads(&mut command, self.rounds.threads);
        // Candle's own threads would spin beside rayon's; `ssl` keeps them away too.
        command.env("CANDLE_NUM_THREADS", "1");
        command
    }
}

/// Whether there is what torch.compile needs.
pub fn has_compiler() -> bool {
    let chosen = std::env::var_os("CXX").unwrap_or_else(|| "c++".into());
    [chosen, "g++".into(), "clang++".into()]
        .iter()
        .any(|name| succeeds(Command::new(name).arg("--version")))
}

fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

/// The first `n` of the cores that a process may use, as Linux lists them: `0-3,8` and `n` = 2 give `0,1`.
fn first_cores(status: &str, n: usize) -> Option<String> {
    let line = status
        .lines()
        .find(|line| line.starts_with("Cpus_allowed_list:"))?;
    let list = line.split_once(':')?.1.trim();
    let mut cores = Vec::new();
    for range in list.split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        cores.extend((first..=last).take(n - cores.len()));
    }
    let cores: Vec<String> = cores.iter().map(usize::to_string).collect();
    (cores.len() == n).then(|| cores.join(","))
}

/// A process that waits for a line.
pub struct Side {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    parameters: f64,
    /// Bytes in memory before anything was made.
    idle: Option<f64>,
    name: String,
}

impl Side {
    /// Starts it and lets it make its work.
    pub fn start(mut command: Command) -> Result<Side, Failure> {
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let name = words.map(|word| word.to_string_lossy());
        let name = name.collect::<Vec<_>>().join(" ");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let failed = |why: &str| Failure::Task(format!("`{name}`: {why}"));
        let mut child = command.spawn().map_err(|e| failed(&e.to_string()))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(failed("its pipes are gone"));
        };
        let mut side = Side {
            child,
            input,
            output: BufReader::new(output),
            parameters: f64::NAN,
            idle: None,
            name,
        };
        side.answer("ready")?;
        side.idle = side.memory("VmRSS:");
        side.parameters = side.ask("make", "parameters")?;
        Ok(side)
    }

    /// Does steps and gives the seconds of one.
    pub fn step(&mut self, steps: usize, clock: Clock) -> Result<f64, Failure> {
        self.ask(&steps.to_string(), clock.name())
    }

    /// How many numbers its model learns.
    pub fn parameters(&self) -> f64 {
        self.parameters
    }

    /// How far its memory has grown at most since it was idle, in bytes; none where the system doesn't say.
    pub fn growth(&self) -> Option<f64> {
        Some(self.memory("VmHWM:")? - self.idle?)
    }

    fn ask(&mut self, line: &str, name: &str) -> Result<f64, Failure> {
        let sent = writeln!(self.input, "{line}").and_then(|()| self.input.flush());
        sent.map_err(|e| Failure::Task(format!("`{}`: {e}", self.name)))?;
        self.answer(name)
    }

    fn answer(&mut self, name: &str) -> Result<f64, Failure> {
        let mut line = String::new();
        let read = self.output.read_line(&mut line);
        let numbers = read.ok().and_then(|_| serde_json::from_str(&line).ok());
        let number = numbers.and_then(|numbers: Numbers| numbers.get(name).copied());
        number.filter(|&number| number > 0.0).ok_or_else(|| {
            let side = &self.name;
            Failure::Task(format!(
                "`{side}`: expected a JSON line with {name}, found {line:?}"
            ))
        })
    }

    /// A line of what Linux says about the process, in bytes.
    fn memory(&self, name: &str) -> Option<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        kibibytes(&status, name).map(|number| number * 1024.0)
    }
}

impl Drop for Side {
    /// Nothing waits for it any more.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn kibibytes(status: &str, name: &str) -> Option<f64> {
    let line = status.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_cores_are_those_a_process_may_use() {
        let cores = |list: &str, n| first_cores(&format!("x:\nCpus_allowed_list:\t{list}\n"), n);
        assert_eq!(cores("0-3,8", 2).as_deref(), Some("0,1"));
        assert_eq!(cores("3,8-9", 2).as_deref(), Some("3,8"));
        assert_eq!(cores("5", 2), None);
        assert_eq!(first_cores("", 1), None);
    }

    #[test]
    fn memory_is_read_by_its_name() {
        let status = "VmPeak:\t 9 kB\nVmHWM:\t    2164 kB\nVmRSS:\t 100 kB\n";
        assert_eq!(kibibytes(status, "VmHWM:"), Some(2164.0));
        assert_eq!(kibibytes(status, "VmSwap:"), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_side_answers_and_one_that_does_not_is_named() {
        let shell = |script: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            command
        };
        let answers = r#"echo '{"ready": 1}'; read x; echo '{"parameters": 7}'
            while read n; do echo "{\"wall\": $n, \"cpu\": 0.5}"; done"#;
        let mut side = Side::start(shell(answers)).expect("it answers");
        assert_eq!(side.parameters(), 7.0);
        assert_eq!(side.step(3, Clock::Wall).ok(), Some(3.0));
        assert_eq!(side.step(3, Clock::Processor).ok(), Some(0.5));
        let failure = Side::start(shell("echo no such work")).err();
        let message = failure.expect("it says something else").to_string();
        assert!(
            message.contains("ready") && message.contains("no such work"),
            "{message}"
        );
    }

    #[test]
    fn quantiles_lie_between_values() {
        let quantile = |values: &[f64], share| quantile(values.iter().copied(), share);
        assert_eq!(quantile(&[4.0, 1.0, 2.0, 3.0, 5.0], 0.25), 2.0);
        assert_eq!(quantile(&[1.0, 2.0], 0.75), 1.75);
        assert_eq!(quantile(&[7.0], 0.25), 7.0);
        assert!(quantile(&[], 0.5).is_nan());
        assert_eq!(median([4.0, 1.0].into_iter()), 2.5);
        assert!(median(std::iter::empty()).is_nan());
    }

    #[cfg(unix)]
    #[test]
    fn a_line_of_numbers_is_read_and_anything_else_refused() {
        let print = |line: &str| numbers_of(Command::new("echo").arg(line)).ok();
        let numbers = print(r#"{"seconds": 1.5, "bytes":2e9}"#).expect("a flat object");
        assert_eq!(
            (value(&numbers, "seconds"), value(&numbers, "bytes")),
            (1.5, 2e9)
        );
        for wrong in [
            "",
            "1",
            r#"{"seconds": "1", "bytes": 1}"#,
            r#"{"seconds": 1}"#,
        ] {
            assert_eq!(print(wrong), None, "{wrong}");
        }
    }
}
