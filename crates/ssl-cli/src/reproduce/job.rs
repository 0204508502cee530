//! One run: a process of this program, named by everything that its result depends on.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::settings::Base;
use crate::args::ProbeMethod;
use crate::checkpoint::{Kind, write_json, write_whole};
use crate::config::Config;
use crate::failure::{Failure, Outcome};
use crate::ranks::SWITCH;
use crate::run::{Record, is_held};
use crate::signal::Interrupt;
use crate::text::{hex, read_json, shell};

/// This program, as it is started for a run.
pub struct Program {
    path: PathBuf,
    /// `ssl 0.1.0`
    pub version: String,
    /// The hash of the program itself.
    pub build: String,
    interrupt: Interrupt,
}

impl Program {
    /// The program that runs now.
    pub fn this(interrupt: &Interrupt) -> Outcome<Program> {
        let path = std::env::current_exe()
            .map_err(|error| Failure::error(format!("finding the running program: {error}")))?;
        let bytes = std::fs::read(&path).map_err(Failure::io(&path))?;
        Ok(Program {
            path,
            version: format!("ssl {}", env!("CARGO_PKG_VERSION")),
            build: short_hash(&bytes),
            interrupt: interrupt.clone(),
        })
    }

    /// A command that prints only warnings and errors, not started yet.
    pub fn command(&self, name: &str) -> Command {
        let mut command = Command::new(&self.path);
        command.args([name, "--quiet"]).stdin(Stdio::null());
        // A run of its own, whoever started this process.
        command.env(SWITCH, "0");
        command
    }

    /// Runs a command to its end. It says itself what is wrong.
    pub fn run(&self, command: &mut Command) -> Outcome {
        let name = command.get_args().next().unwrap_or_default();
        let name = format!("`ssl {}`", name.to_string_lossy());
        let status = command.stdout(Stdio::null()).status();
        let status =
            status.map_err(|error| Failure::error(format!("cannot start {name}: {error}")))?;
        if status.success() {
            return Ok(());
        }
        self.check(&format!("in {name}"))?;
        Err(Failure::error(format!("{name} failed: {status}")))
    }

    /// An error where somebody asked this program to stop, which says what it was doing.
    pub fn check(&self, doing: &str) -> Outcome {
        self.interrupt
            .check(|| format!("{doing}; the same command goes on"))
    }
}

/// A run that has to be there.
#[derive(Clone, Debug)]
pub struct Job {
    /// `pretrain-` and a hash: its folder's name.
    pub name: String,
    /// What it is, for people: `table4c, GIN, head, seed 0`.
    pub title: String,
    /// The command as one would type it, paths by their last names.
    pub shown: String,
    pub task: Task,
    /// The run whose encoder it starts from.
    pub after: Option<String>,
    /// The set that it trains on.
    pub set: String,
}

/// What a run does.
#[derive(Clone, Debug)]
pub enum Task {
    /// `ssl pretrain` or `ssl finetune`, all of it in the settings.
    Train(Kind, Box<Config>),
    /// `ssl probe`
    Probe(Probe),
    /// `ssl evaluate --scores`
    Scores(Scored),
}

/// The clips whose class probabilities a run gives.
#[derive(Clone, Debug)]
pub struct Scored {
    pub run: PathBuf,
    pub data: PathBuf,
    pub split: String,
}

/// What is probed, and how.
#[derive(Clone, Debug)]
pub struct Probe {
    pub method: ProbeMethod,
    pub data: PathBuf,
    pub train: String,
    pub test: String,
    pub seed: u64,
    pub encoder: Encoder,
}

impl Probe {
    fn flags(&self) -> Vec<(&'static str, OsString)> {
        let encoder = match &self.encoder {
            Encoder::Trained(path) => Some(("--encoder", path.into())),
            Encoder::Random(_) => None,
        };
        let rest = [
            ("--data", self.data.clone().into()),
            ("--train", self.train.clone().into()),
            ("--test", self.test.clone().into()),
            ("--method", method(self.method).into()),
            ("--seed", self.seed.to_string().into()),
        ];
        encoder.into_iter().chain(rest).collect()
    }
}

/// A frozen encoder.
#[derive(Clone, Debug)]
pub enum Encoder {
    /// Of a run.
    Trained(PathBuf),
    /// Of settings alone.
    Random(Box<Config>),
}

/// Everything that the result of a run depends on; its settings are without the machine's paths and threads.
#[derive(Serialize)]
struct Identity<'a> {
    command: &'a str,
    program: &'a str,
    data: &'a str,
    encoder: Option<&'a str>,
    settings: Option<Config>,
    probe: Option<(String, &'a str, &'a str, u64)>,
    /// The split. Left out where there is none, so that runs of earlier versions keep their names.
    #[serde(skip_serializing_if = "Option::is_none")]
    scores: Option<&'a str>,
}

impl Task {
    fn command(&self) -> &'static str {
        match self {
            Task::Train(kind, _) => kind.name(),
            Task::Probe(_) => PROBE,
            Task::Scores(_) => SCORES,
        }
    }

    fn settings(&self) -> Option<&Config> {
        match self {
            Task::Train(_, config) => Some(config),
            Task::Probe(probe) => match &probe.encoder {
                Encoder::Random(config) => Some(config),
                Encoder::Trained(_) => None,
            },
            Task::Scores(_) => None,
        }
    }

    /// What the run is called that `program` makes of clips with the digest `data`, with the encoder of the run `after`.
    pub fn name(&self, program: &str, data: &str, after: Option<&str>) -> String {
        let command = self.command();
        let identity = Identity {
            command,
            program,
            data,
            encoder: after,
            settings: self.settings().map(Config::portable),
            scores: match self {
                Task::Scores(scored) => Some(&scored.split),
                _ => None,
            },
            probe: match self {
                Task::Train(..) | Task::Scores(_) => None,
                Task::Probe(probe) => {
                    let method = method(probe.method);
                    Some((method, &probe.train, &probe.test, probe.seed))
                }
            },
        };
        let identity = serde_json::to_vec(&identity).expect("settings are JSON");
        format!("{command}-{}", short_hash(&identity))
    }

    /// The command as one would type it in the folder where all files are, starting from the preset.
    pub fn shown(&self, base: &Base, name: &str) -> String {
        let mut words = vec!["ssl".to_owned(), self.command().to_owned()];
        if let Some(config) = self.settings() {
            words.extend(["--preset".to_owned(), base.preset.name.to_owned()]);
            for (key, value) in config.flat() {
                if base.preset_settings.get(&key) == Some(&value) || key == "run.threads" {
                    continue;
                }
                match key.strip_prefix("run.") {
                    Some(flag) => words.extend([format!("--{flag}"), last_name(&value)]),
                    None => words.extend(["--set".to_owned(), format!("{key}={value}")]),
                }
            }
        }
        if let Task::Probe(probe) = self {
            for (flag, value) in probe.flags() {
                words.extend([flag.to_owned(), file_name(Path::new(&value))]);
            }
        }
        if let Task::Scores(scored) = self {
            let data = file_name(&scored.data);
            words.extend([file_name(&scored.run), "--data".to_owned(), data]);
            words.extend(["--split".to_owned(), scored.split.clone()]);
            words.extend(["--scores".to_owned(), format!("{name}.jsonl")]);
        } else {
            words.extend(["--out".to_owned(), name.to_owned()]);
        }
        let words: Vec<String> = words.iter().map(|word| shell(word)).collect();
        words.join(" ")
    }
}

const PROBE: &str = "probe";
const SCORES: &str = "evaluate";

/// Whether the run of this name is a file of scores.
pub fn is_scores(name: &str) -> bool {
    name.starts_with(SCORES)
}

fn method(method: ProbeMethod) -> String {
    let value = method.to_possible_value().expect("no method is hidden");
    value.get_name().to_owned()
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}

/// A setting of the section `[run]` as its flag takes it, a path by its last name.
fn last_name(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => file_name(Path::new(text)),
        other => other.to_string(),
    }
}

/// The first 16 hexadecimal digits of a SHA-256.
fn short_hash(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes)[..8])
}

/// What stands beside a finished run; beside an unfinished one, its time and processes so far.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Done {
    /// The command as one would type it, paths by their last names.
    pub command: String,
    /// Wall time of the processes that did it.
    pub seconds: f64,
    /// Processes: more than one where it was stopped and went on.
    pub processes: usize,
    /// The program that finished it.
    pub program: String,
}

/// Where runs, caches and tables of reproductions are.
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    pub fn at(root: PathBuf) -> Folder {
        Folder { root }
    }

    pub fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    pub fn results(&self) -> PathBuf {
        self.root.join("results")
    }

    fn runs(&self) -> PathBuf {
        self.root.join("runs")
    }

    /// What the run NAME writes: a folder, or a file where it is a measurement.
    pub fn run(&self, name: &str) -> PathBuf {
        match name {
            _ if name.starts_with(PROBE) => self.beside(name, "json"),
            _ if is_scores(name) => self.beside(name, "jsonl"),
            _ => self.runs().join(name),
        }
    }

    /// A file beside the run: `toml` (its settings), `log`, `lock`, `spent`, `done`.
    pub fn beside(&self, name: &str, ending: &str) -> PathBuf {
        self.runs().join(format!("{name}.{ending}"))
    }

    /// Makes the folder of runs.
    pub fn make(&self) -> Outcome {
        let runs = self.runs();
        std::fs::create_dir_all(&runs).map_err(Failure::io(&runs))
    }

    /// The command that makes a run, or goes on with it, on one thread. Its settings are written beside it.
    pub fn command(&self, job: &Job, program: &Program) -> Outcome<Command> {
        let mut command = program.command(job.task.command());
        if !is_scores(&job.name) {
            command.arg("--out").arg(self.run(&job.name));
        }
        if let Some(config) = job.task.settings() {
            let settings = self.beside(&job.name, "toml");
            write_whole(&settings, config.to_toml()?.as_bytes())?;
            command.arg("--config").arg(settings);
        }
        match &job.task {
            Task::Train(..) => {
                command.arg("--resume");
            }
            Task::Probe(probe) => {
                for (flag, value) in probe.flags() {
                    command.arg(flag).arg(value);
                }
                command.args(["--overwrite", "--threads", "1"]);
            }
            Task::Scores(scored) => {
                command.arg(&scored.run).arg("--data").arg(&scored.data);
                command.args(["--split", &scored.split, "--scores"]);
                command.arg(self.run(&job.name));
                command.args(["--overwrite", "--threads", "1"]);
            }
        }
        Ok(command)
    }

    /// What is said of the run, where it is finished.
    pub fn done(&self, name: &str) -> Option<Done> {
        read_json(&self.beside(name, "done")).ok()
    }

    /// Notes the wall time of a process that was stopped.
    pub fn spend(&self, name: &str, seconds: f64) {
        let mut spent = self.spent(name);
        spent.seconds += seconds;
        spent.processes += 1;
        // Lost, it makes a run seem cheaper than it was, nothing else.
        let _ = write_json(&self.beside(name, "spent"), &spent);
    }

    fn spent(&self, name: &str) -> Done {
        read_json(&self.beside(name, "spent")).unwrap_or_default()
    }

    /// What the run's own clock says of all its epochs: more than ours where we were killed before our child.
    fn clocked(&self, name: &str) -> f64 {
        Record::read(&self.run(name)).map_or(0.0, |record| record.seconds())
    }

    /// Whether a process that we were killed before still works on the run: it holds the lock of its folder.
    pub fn in_use(&self, name: &str) -> bool {
        is_held(&self.run(name))
    }

    /// Marks the run as finished, in one step.
    pub fn finish(&self, job: &Job, seconds: f64, program: &str) -> Outcome<Done> {
        let before = self.spent(&job.name);
        let done = Done {
            command: job.shown.clone(),
            seconds: (before.seconds + seconds).max(self.clocked(&job.name)),
            processes: before.processes + 1,
            program: program.to_owned(),
        };
        write_json(&self.beside(&job.name, "done"), &done)?;
        let _ = std::fs::remove_file(self.beside(&job.name, "spent"));
        Ok(done)
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::args::ScaleName;
    use crate::config::Preset;
    use crate::reproduce::settings::Scale;

    fn task(change: impl Fn(&mut Config)) -> Task {
        let preset = Preset::find("quick").expect("it is the default");
        let config = Config::from_toml(preset.text, preset.name).expect("valid");
        let mut config = config.only(Kind::Pretrain);
        change(&mut config);
        Task::Train(Kind::Pretrain, Box::new(config))
    }

    /// A run that waits for none.
    pub fn job() -> Job {
        Job {
            name: "pretrain-00".into(),
            title: String::new(),
            shown: String::new(),
            task: task(|_| {}),
            after: None,
            set: String::new(),
        }
    }

    #[test]
    fn a_name_follows_everything_that_is_named_and_no_path() {
        let name = |change: &dyn Fn(&mut Config)| task(change).name("ssl 1", "digest", None);
        let plain = name(&|_| {});
        assert!(
            plain.starts_with("pretrain-") && plain.len() == 25,
            "{plain}"
        );
        let elsewhere = |config: &mut Config| {
            config.run.data = Some("/elsewhere/x.h5".into());
            config.run.threads = Some(1);
        };
        assert_eq!(plain, name(&elsewhere));
        for other in [
            name(&|config| config.run.seed = 1),
            name(&|config| config.model.mae.width = 32),
            task(|_| {}).name("ssl 2", "digest", None),
            task(|_| {}).name("ssl 1", "another", None),
            task(|_| {}).name("ssl 1", "digest", Some("pretrain-00")),
        ] {
            assert_ne!(plain, other);
        }
    }

    #[test]
    fn a_shown_command_has_what_differs_from_the_preset_and_no_folders() {
        let scale = Scale::read(ScaleName::Ci).expect("the scales are valid");
        let base = Base::new(&scale.sets[0], &[], None).expect("valid settings");
        let changed = task(|config| {
            config.model.mae.width = 16;
            config.run.data = Some("/home/me/x.h5".into());
            config.run.split = Some("train".to_owned());
            config.run.threads = Some(1);
        });
        let shown = changed.shown(&base, "pretrain-00");
        assert_eq!(
            shown,
            "ssl pretrain --preset quick --set model.width=16 --data x.h5 --split train --out pretrain-00"
        );
    }

    #[test]
    fn stopped_time_counts_and_a_finished_run_is_known() {
        let root = tempfile::tempdir().expect("the temporary folder is writable");
        let folder = Folder::at(root.path().to_owned());
        folder.make().expect("the temporary folder is writable");
        let job = job();
        assert!(folder.done(&job.name).is_none());
        folder.spend(&job.name, 2.0);
        folder.spend(&job.name, 1.5);
        folder
            .finish(&job, 1.0, "ssl 1")
            .expect("the folder is there");
        let done = folder.done(&job.name).expect("it was marked");
        assert_eq!((done.seconds, done.processes), (4.5, 3));
    }
}
