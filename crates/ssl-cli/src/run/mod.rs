//! A run's folder, which nothing else writes to.
//!
//! | file | what |
//! |---|---|
//! | config.toml | the resolved settings, usable again with `--config` |
//! | run.json | seed, commit, data fingerprint, device, threads, instruction set, versions |
//! | metrics.jsonl | one JSON line an epoch: the same for the same settings, seed and data |
//! | timings.jsonl | one JSON line an epoch: what the clock says, kept apart for that reason |
//! | model.safetensors | the checkpoint after the last finished epoch |
//! | reconstruction.json | pre-training with `--val`: how well masked joints are put back |
//! | test.json | fine-tuning with `--test`: the measurement after the last epoch |

mod info;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

pub use self::info::{Info, Labels};
use crate::checkpoint::{self, Checkpoint, write_whole};
use crate::failure::{Failure, Outcome};

const CONFIG: &str = "config.toml";
const INFO: &str = "run.json";
const METRICS: &str = "metrics.jsonl";
const TIMINGS: &str = "timings.jsonl";
const RECONSTRUCTION: &str = "reconstruction.json";
const TEST: &str = "test.json";

/// What a run writes, and so what `--overwrite` may remove.
const OURS: [&str; 7] = [
    CONFIG,
    INFO,
    METRICS,
    TIMINGS,
    RECONSTRUCTION,
    TEST,
    checkpoint::FILE,
];

/// The one owner of a run folder.
#[derive(Debug)]
pub struct Run {
    folder: PathBuf,
    metrics: File,
    timings: File,
}

impl Run {
    /// Refuses a folder in use; call it before anything slow starts, and [`create`](Self::create)
    /// once everything else is known to fit.
    pub fn check(folder: &Path, overwrite: bool) -> Outcome {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => {
                return Err(Failure::io(folder)(error).hint("--out names a folder for the run"));
            }
        };
        let mut names = Vec::new();
        for entry in entries {
            names.push(
                entry
                    .map_err(Failure::io(folder))?
                    .file_name()
                    .to_string_lossy()
                    .into_owned(),
            );
        }
        names.sort();
        let Some(first) = names.first() else {
            return Ok(());
        };
        if !overwrite {
            return Err(Failure::error(format!(
                "{}: expected an empty folder, found {first} in it",
                folder.display()
            ))
            .hint("choose another --out, or replace the run that is there with --overwrite"));
        }
        match names.iter().find(|name| !OURS.contains(&name.as_str())) {
            None => Ok(()),
            Some(other) => {
                let folder = folder.display();
                let message =
                    format!("{folder}: expected the folder of a run, found {other} in it");
                Err(Failure::error(message).hint(
                    "--overwrite removes only what a run wrote: move other files away, \
                     or choose another --out",
                ))
            }
        }
    }

    /// Makes the folder and records the settings and the circumstances.
    pub fn create(folder: &Path, overwrite: bool, config: &str, info: &Info) -> Outcome<Run> {
        Run::check(folder, overwrite)?;
        fs::create_dir_all(folder).map_err(Failure::io(folder))?;
        for name in OURS {
            remove_if_there(&folder.join(name))?;
        }
        // Of two runs started into one folder the second stops here.
        let mut file = create_new(&folder.join(CONFIG))?;
        file.write_all(config.as_bytes())
            .map_err(Failure::io(&folder.join(CONFIG)))?;
        let run = Run {
            folder: folder.to_owned(),
            metrics: create_new(&folder.join(METRICS))?,
            timings: create_new(&folder.join(TIMINGS))?,
        };
        run.write_json(INFO, info)?;
        Ok(run)
    }

    /// The checkpoint's path.
    pub fn checkpoint_path(&self) -> PathBuf {
        self.folder.join(checkpoint::FILE)
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// One line of metrics.jsonl: no clock, no path, no machine.
    pub fn metrics(&mut self, line: &impl Serialize) -> Outcome {
        append(&mut self.metrics, line)
            .map_err(|failure| failure.of(self.folder.join(METRICS).display()))
    }

    /// One line of timings.jsonl.
    pub fn timings(&mut self, line: &impl Serialize) -> Outcome {
        append(&mut self.timings, line)
            .map_err(|failure| failure.of(self.folder.join(TIMINGS).display()))
    }

    /// Replaces the checkpoint.
    pub fn checkpoint(&self, checkpoint: &Checkpoint) -> Outcome {
        checkpoint.write(&self.checkpoint_path())
    }

    /// How well masked joints are put back after the last epoch.
    pub fn reconstruction(&self, report: &impl Serialize) -> Outcome {
        self.write_json(RECONSTRUCTION, report)
    }

    /// The measurement on the test split after the last epoch.
    pub fn test(&self, measurement: &impl Serialize) -> Outcome {
        self.write_json(TEST, measurement)
    }

    fn write_json(&self, name: &str, value: &impl Serialize) -> Outcome {
        let mut text =
            serde_json::to_string_pretty(value).map_err(|error| Failure::from_error(&error))?;
        text.push('\n');
        write_whole(&self.folder.join(name), text.as_bytes())
    }
}

fn create_new(path: &Path) -> Outcome<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .map_err(|error| Failure::io(path)(error).hint("is another run using this folder?"))
}

fn remove_if_there(path: &Path) -> Outcome {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Failure::io(path)(error)),
        _ => Ok(()),
    }
}

/// A line is written with one call, so that a stopped program leaves whole lines.
fn append(file: &mut File, line: &impl Serialize) -> Outcome {
    let mut text = serde_json::to_string(line).map_err(|error| Failure::from_error(&error))?;
    text.push('\n');
    file.write_all(text.as_bytes())
        .map_err(|error| Failure::error(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    use crate::checkpoint::{Fingerprint, Kind};
    use crate::machine::Machine;

    fn create(folder: &Path, overwrite: bool) -> Outcome<Run> {
        let data = Fingerprint {
            dataset: "synthetic".into(),
            digest: "00".into(),
        };
        let machine = Machine {
            device: Device::Cpu,
            name: "cpu",
            threads: 1,
        };
        let info = Info::new(Kind::Pretrain, 1, data, &machine, None);
        Run::create(folder, overwrite, "[run]\n", &info)
    }

    #[test]
    fn a_folder_in_use_is_refused_and_replaced_only_when_asked() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("deep/run");
        create(&folder, false).unwrap().metrics(&1).unwrap();
        let refused = create(&folder, false).unwrap_err();
        assert!(
            refused.message().contains("expected an empty folder"),
            "{}",
            refused.message()
        );
        create(&folder, true).unwrap();
        assert_eq!(fs::read_to_string(folder.join(METRICS)).unwrap(), "");
    }

    #[test]
    fn overwrite_never_removes_what_no_run_wrote() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("thesis.tex"), "years").unwrap();
        let refused = create(folder.path(), true).unwrap_err();
        assert!(
            refused.message().contains("thesis.tex"),
            "{}",
            refused.message()
        );
        assert!(folder.path().join("thesis.tex").exists());
    }

    #[test]
    fn lines_are_json_and_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let mut run = create(folder.path(), false).unwrap();
        for epoch in 1..3 {
            run.metrics(&serde_json::json!({ "epoch": epoch })).unwrap();
        }
        assert_eq!(
            fs::read_to_string(folder.path().join(METRICS)).unwrap(),
            "{\"epoch\":1}\n{\"epoch\":2}\n"
        );
    }
}
