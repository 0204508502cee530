//! One command line of `ssl`, named by everything that its result depends on.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ssl::short_hash;
use crate::process::Failure;

/// Where runs, caches and tables of reproductions are.
pub struct Folder {
    root: PathBuf,
}

/// A run that has to be there.
#[derive(Clone, Debug)]
pub struct Job {
    /// `pretrain-` and a hash: its folder's name.
    pub name: String,
    /// What it is, for people: `Table 4c, GIN, head, seed 0`.
    pub title: String,
    /// After `ssl`.
    pub args: Vec<String>,
    /// The run whose encoder it starts from.
    pub after: Option<String>,
    /// Set and split it trains on.
    pub clips: (String, String),
}

/// What stands beside a finished run.
#[derive(Clone, Debug, Serialize, Deserialize)]
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

impl Job {
    /// A run of `kind`; `identity` is everything its result depends on but the arguments' paths.
    pub fn name(kind: &str, identity: &Value) -> String {
        format!("{kind}-{}", short_hash(identity.to_string().as_bytes()))
    }

    /// The command as one would type it, paths by their last names.
    pub fn shown(&self) -> String {
        let mut words = vec!["ssl".to_owned()];
        let mut path = false;
        for arg in &self.args {
            let word = match path {
                true => Path::new(arg)
                    .file_name()
                    .map_or_else(|| arg.clone(), |name| name.to_string_lossy().into_owned()),
                false => arg.clone(),
            };
            path = ["--data", "--out", "--encoder"].contains(&arg.as_str());
            let plain = |c: char| c.is_alphanumeric() || "-_=./,".contains(c);
            words.push(match word.chars().all(plain) {
                true => word,
                false => format!("'{word}'"),
            });
        }
        words.join(" ")
    }
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
        match name.starts_with("probe-") {
            true => self.beside(name, "json"),
            false => self.runs().join(name),
        }
    }

    /// A file beside the run: `log`, `lock`, `done`, `spent`.
    pub fn beside(&self, name: &str, ending: &str) -> PathBuf {
        self.runs().join(format!("{name}.{ending}"))
    }

    /// Makes the folder of runs.
    pub fn make(&self) -> Result<(), Failure> {
        std::fs::create_dir_all(self.runs())
            .map_err(|e| Failure::Task(format!("cannot make {}: {e}", self.runs().display())))
    }

    /// What is said of the run, where it is finished.
    pub fn done(&self, name: &str) -> Option<Done> {
        let text = std::fs::read_to_string(self.beside(name, "done")).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Notes the wall time of a process that was stopped.
    pub fn spend(&self, name: &str, seconds: f64) {
        let (before, processes) = self.spent(name);
        let text = format!("{} {}", before + seconds, processes + 1);
        // Lost, it makes a run seem cheaper than it was, nothing else.
        let _ = std::fs::write(self.beside(name, "spent"), text);
    }

    /// Wall time and number of earlier processes of an unfinished run.
    fn spent(&self, name: &str) -> (f64, usize) {
        let text = std::fs::read_to_string(self.beside(name, "spent")).unwrap_or_default();
        let mut words = text.split_whitespace();
        let seconds = words.next().and_then(|n| n.parse().ok()).unwrap_or(0.0);
        let processes = words.next().and_then(|n| n.parse().ok()).unwrap_or(0);
        (seconds, processes)
    }

    /// What the run's own clock says of all its epochs: more than ours where we were killed before our child.
    fn clocked(&self, name: &str) -> f64 {
        let text = std::fs::read_to_string(self.run(name).join("timings.jsonl"));
        let seconds = |line: &str| {
            let line: Value = serde_json::from_str(line).ok()?;
            line.get("seconds")?.as_f64()
        };
        text.unwrap_or_default().lines().filter_map(seconds).sum()
    }

    /// Whether a process that we were killed before still works on the run: it holds the lock of its folder.
    pub fn in_use(&self, name: &str) -> bool {
        let lock = File::options()
            .write(true)
            .open(self.run(name).join("lock"));
        lock.is_ok_and(|lock| matches!(lock.try_lock(), Err(TryLockError::WouldBlock)))
    }

    /// Marks the run as finished, in one step.
    pub fn finish(&self, job: &Job, seconds: f64, program: &str) -> Result<Done, Failure> {
        let (before, processes) = self.spent(&job.name);
        let done = Done {
            command: job.shown(),
            seconds: (before + seconds).max(self.clocked(&job.name)),
            processes: processes + 1,
            program: program.to_owned(),
        };
        let path = self.beside(&job.name, "done");
        let text = serde_json::to_string_pretty(&done).expect("strings and numbers are JSON");
        write_whole(&path, text.as_bytes())?;
        let _ = std::fs::remove_file(self.beside(&job.name, "spent"));
        Ok(done)
    }
}

/// Writes a file beside its place and renames it.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let partial = path.with_extension(format!("partial-{}", std::process::id()));
    std::fs::write(&partial, bytes)
        .and_then(|()| std::fs::rename(&partial, path))
        .map_err(|e| Failure::Task(format!("cannot write {}: {e}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(args: &[&str]) -> Job {
        Job {
            name: "pretrain-00".into(),
            title: String::new(),
            args: args.iter().map(|&arg| arg.to_owned()).collect(),
            after: None,
            clips: (String::new(), String::new()),
        }
    }

    #[test]
    fn a_name_follows_everything_that_is_named() {
        let name = |seed: u64| Job::name("pretrain", &serde_json::json!({ "seed": seed }));
        assert_eq!(name(1), name(1));
        assert_ne!(name(1), name(2));
        assert!(
            name(1).starts_with("pretrain-") && name(1).len() == 25,
            "{}",
            name(1)
        );
    }

    #[test]
    fn a_shown_command_has_no_folders() {
        let shown = job(&[
            "pretrain",
            "--data",
            "/home/me/x.h5",
            "--set",
            "a={b=[1]}",
            "--out",
            "/tmp/runs/pretrain-00",
        ])
        .shown();
        assert_eq!(
            shown,
            "ssl pretrain --data x.h5 --set 'a={b=[1]}' --out pretrain-00"
        );
    }

    #[test]
    fn stopped_time_counts_and_a_finished_run_is_known() {
        let root = std::env::temp_dir().join(format!("xtask-job-{}", std::process::id()));
        let folder = Folder::at(root.clone());
        folder.make().expect("the temporary folder is writable");
        let job = job(&["pretrain"]);
        assert!(folder.done(&job.name).is_none());
        folder.spend(&job.name, 2.0);
        folder.spend(&job.name, 1.5);
        folder
            .finish(&job, 1.0, "ssl 1")
            .expect("the folder is there");
        let done = folder.done(&job.name).expect("it was marked");
        assert_eq!((done.seconds, done.processes), (4.5, 3));
        std::fs::remove_dir_all(&root).expect("we made it");
    }
}
