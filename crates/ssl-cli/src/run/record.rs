//! A run's folder as somebody else reads it: finished, under way, or left behind.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    CONFIG, INFO, Info, LOCK, LONGEST_LOCK, METRICS, NON_FINITE, RECONSTRUCTION, TEST, TEST_BEST,
    TIMINGS,
};
use crate::checkpoint;
use crate::config::flat;
use crate::failure::{Failure, Outcome};
use crate::report::{BestEvaluation, Evaluation, ReconstructionReport, Series};
use crate::text::{read_at_most, read_json, read_json_if_there, read_list, read_text};

/// A line of timings.jsonl.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Timing {
    pub epoch: usize,
    pub train_seconds: f64,
    pub clips_per_second: f64,
    pub seconds: f64,
    /// When the epoch ended, in seconds since 1970; earlier programs didn't say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<f64>,
    /// Of several ranks, what rank 0 has exchanged with the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange: Option<Exchange>,
}

/// What ranks exchanged in the steps of an epoch.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Exchange {
    /// Waiting for slower ranks included.
    pub seconds: f64,
    /// Received.
    pub megabytes: f64,
}

/// The numbers of a line of metrics.jsonl.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "serde_json::Map<String, Value>")]
pub struct Epoch {
    /// Epochs done.
    pub epoch: usize,
    /// The rest by name; what is no number is left out.
    #[serde(flatten)]
    pub numbers: BTreeMap<String, f64>,
}

impl TryFrom<serde_json::Map<String, Value>> for Epoch {
    type Error = &'static str;

    fn try_from(mut line: serde_json::Map<String, Value>) -> Result<Epoch, Self::Error> {
        let epoch = line.remove("epoch").and_then(|epoch| epoch.as_u64());
        let epoch = epoch.ok_or("expected the number of an epoch")?;
        let numbers = line.into_iter();
        Ok(Epoch {
            epoch: usize::try_from(epoch).map_err(|_| "expected the number of an epoch")?,
            numbers: numbers
                .filter_map(|(name, value)| Some((name, value.as_f64()?)))
                .collect(),
        })
    }
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// A process holds the folder.
    Running,
    /// All epochs are done, and everything that is measured after them.
    Finished,
    /// A loss or a gradient wasn't finite.
    Failed,
    /// No process holds the folder, and something is left to do.
    Stopped,
}

impl Stage {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Running => "running",
            Stage::Finished => "finished",
            Stage::Failed => "failed",
            Stage::Stopped => "stopped",
        }
    }
}

/// Settings by their dotted names.
pub type Settings = BTreeMap<String, toml::Value>;

/// What a run's folder holds.
#[derive(Clone, Debug)]
pub struct Record {
    /// The folder.
    pub folder: PathBuf,
    /// run.json.
    pub info: Info,
    /// config.toml by dotted names.
    pub settings: Settings,
    /// metrics.jsonl.
    pub epochs: Vec<Epoch>,
    /// timings.jsonl.
    pub timings: Vec<Timing>,
    /// test.json.
    pub test: Option<Evaluation>,
    /// test_best.json.
    pub test_best: Option<BestEvaluation>,
    /// reconstruction.json.
    pub reconstruction: Option<ReconstructionReport>,
    /// Where the run stands.
    pub stage: Stage,
}

impl Record {
    /// Whether a folder has the two files that every run begins with.
    pub fn is_there(folder: &Path) -> bool {
        [CONFIG, INFO]
            .iter()
            .all(|name| folder.join(name).is_file())
    }

    /// Reads a folder, which may be another process's: each file is there whole or not at all, but for the last lines of
    /// metrics.jsonl and timings.jsonl, which are left out while they are written.
    pub fn read(folder: &Path) -> Outcome<Record> {
        if !Record::is_there(folder) {
            let shown = folder.display();
            let message = format!(
                "{shown}: expected the folder of a run, with {CONFIG} and {INFO}, found none"
            );
            return Err(Failure::error(message)
                .hint("it is what --out named; `ssl runs FOLDER` lists those below a folder"));
        }
        // Before the files: what is held now is not finished, however much is there a moment later.
        let held = is_held(folder);
        let mut record = Record {
            folder: folder.to_owned(),
            settings: settings(&folder.join(CONFIG))?,
            info: read_json(&folder.join(INFO))?,
            epochs: lines(&folder.join(METRICS))?,
            timings: lines(&folder.join(TIMINGS))?,
            test: read_json_if_there(&folder.join(TEST))?,
            test_best: read_json_if_there(&folder.join(TEST_BEST))?,
            reconstruction: read_json_if_there(&folder.join(RECONSTRUCTION))?,
            stage: Stage::Running,
        };
        record.stage = match held {
            true => Stage::Running,
            false if folder.join(NON_FINITE).is_file() => Stage::Failed,
            false if record.is_complete() => Stage::Finished,
            false => Stage::Stopped,
        };
        Ok(record)
    }

    /// Whether everything is done that the settings ask for.
    pub fn is_complete(&self) -> bool {
        let measured = self.test.is_some() || !self.settings.contains_key("run.test");
        let epochs = self.planned().is_some_and(|epochs| self.done() >= epochs);
        epochs && measured && self.folder.join(checkpoint::FILE).is_file()
    }

    /// Epochs done.
    pub fn done(&self) -> usize {
        self.epochs.last().map_or(0, |last| last.epoch)
    }

    /// Epochs of the whole run.
    pub fn planned(&self) -> Option<usize> {
        self.info.epochs.or_else(|| {
            let setting = self
                .settings
                .get(&format!("{}.epochs", self.info.command.name()))?;
            usize::try_from(setting.as_integer()?).ok()
        })
    }

    /// Wall time of all epochs, in seconds.
    pub fn seconds(&self) -> f64 {
        self.timings.iter().map(|timing| timing.seconds).sum()
    }

    /// A setting that is a text.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.settings.get(key)?.as_str()
    }

    /// The split trained on.
    pub fn split(&self) -> Option<&str> {
        self.text("run.split").or_else(|| self.text("run.train"))
    }

    /// The curves worth a look.
    pub fn series(&self) -> Vec<Series> {
        series(&self.epochs)
    }

    /// When the last epoch ended, in seconds since 1970.
    pub fn ended(&self) -> Option<f64> {
        let said = self.timings.last().and_then(|last| last.ended);
        said.or_else(|| {
            let written = fs::metadata(self.folder.join(TIMINGS)).ok()?.modified();
            Some(unix(written.ok()?))
        })
    }

    /// The number of the process that holds the folder, where it says it.
    pub fn holder(&self) -> Option<u32> {
        let text = read_at_most(&self.folder.join(LOCK), LONGEST_LOCK).ok()?;
        text.trim().parse().ok()
    }
}

/// A run's config.toml by dotted names.
pub fn settings(path: &Path) -> Outcome<Settings> {
    let table: toml::Table = toml::from_str(&read_text(path)?)
        .map_err(|error| Failure::error(format!("{}: {}", path.display(), error.message())))?;
    Ok(flat(&table))
}

/// What of metrics.jsonl is drawn: name, what it is called, whether it is a share of 1, whether it should fall.
const CURVES: [(&str, &str, bool, bool); 3] = [
    ("loss", "loss", false, true),
    ("val_loss", "validation loss", false, true),
    ("val_top1", "held-out top-1", true, false),
];

/// The curves of some epochs.
pub fn series(epochs: &[Epoch]) -> Vec<Series> {
    let series = |(name, label, share, falls): (&str, &'static str, bool, bool)| Series {
        label,
        points: epochs
            .iter()
            .filter_map(|epoch| Some((epoch.epoch, *epoch.numbers.get(name)?)))
            .collect(),
        share,
        falls,
    };
    let all = CURVES.map(series).into_iter();
    all.filter(|series| !series.points.is_empty()).collect()
}

/// The whole lines of a text that are such; others, which a foreign or a torn file may have, are left out.
pub fn epochs(text: &str) -> Vec<Epoch> {
    whole_lines(text)
}

fn whole_lines<T: DeserializeOwned>(text: &str) -> Vec<T> {
    let whole = text
        .split_inclusive('\n')
        .filter(|line| line.ends_with('\n'));
    whole
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

/// The lines of a file; none where there is no file.
fn lines<T: DeserializeOwned>(path: &Path) -> Outcome<Vec<T>> {
    match path.exists() {
        true => Ok(whole_lines(&read_list(path)?)),
        false => Ok(Vec::new()),
    }
}

/// Whether a process holds the folder's lock. A shared lock is asked for, so that several who look don't see each other.
pub fn is_held(folder: &Path) -> bool {
    let lock = File::open(folder.join(LOCK));
    lock.is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// A time in seconds since 1970, to the millisecond: so few digits come back from JSON bit for bit.
pub fn unix(time: SystemTime) -> f64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0.0, |since| since.as_millis() as f64 / 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn torn_and_foreign_lines_are_left_out() {
        let text = "{\"epoch\":1,\"loss\":0.5}\nnonsense\n{\"epoch\":2,\"loss\":0.25,\"val_top1\":0.5}\n{\"epoch\":3,\"lo";
        let epochs = epochs(text);
        assert_eq!(epochs.len(), 2);
        let series = series(&epochs);
        let names: Vec<&str> = series.iter().map(|one| one.label).collect();
        assert_eq!(names, ["loss", "held-out top-1"]);
        assert_eq!(series[0].points, [(1, 0.5), (2, 0.25)]);
        assert_eq!(series[1].points, [(2, 0.5)]);
    }

    #[test]
    fn who_looks_doesnt_take_the_lock_and_sees_who_has() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_held(folder.path()));
        let lock = File::create(folder.path().join(LOCK)).unwrap();
        assert!(!is_held(folder.path()));
        lock.lock_shared().unwrap();
        assert!(!is_held(folder.path()), "another who looks");
        lock.unlock().unwrap();
        lock.lock().unwrap();
        assert!(is_held(folder.path()));
        drop(lock);
        assert!(!is_held(folder.path()));
    }

    #[test]
    fn a_folder_of_something_else_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(CONFIG), "").unwrap();
        let refused = Record::read(folder.path()).unwrap_err();
        refused.assert_says("run.json");
    }
}
