//! What a run's folder says, without its data.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::checkpoint::Kind;
use crate::config::{Config, Preset};
use crate::failure::{Failure, Outcome};
use crate::page::facts::Epoch;
use crate::report::{BestEvaluation, Evaluation, ReconstructionReport, count};
use crate::run::{Info, RECONSTRUCTION, TEST, TEST_BEST, Timing};
use crate::text::{read_at_most, read_json, read_text, shell};

/// The longest file of lines that is read, in bytes.
const LONGEST: u64 = 64 << 20;

/// A run's folder, read.
pub struct RunFolder {
    /// As typed.
    pub path: PathBuf,
    pub kind: Kind,
    pub config: Config,
    pub info: Info,
    pub epochs: Vec<Epoch>,
    /// Seconds of all epochs.
    seconds: Option<f64>,
    pub test: Option<Evaluation>,
    pub best: Option<BestEvaluation>,
    pub reconstruction: Option<ReconstructionReport>,
}

impl RunFolder {
    /// Reads the folder's texts.
    pub fn read(path: &Path) -> Outcome<RunFolder> {
        let info = path.join("run.json");
        if !info.is_file() {
            let path = path.display();
            let message = format!("{path}: expected the folder of a run, found no run.json in it");
            return Err(Failure::error(message)
                .hint("a run is what `ssl pretrain` and `ssl finetune` write to --out; a folder of `ssl reproduce` holds results/"));
        }
        let info: Info = read_json(&info)?;
        let kind = match &*info.command {
            "pretrain" => Kind::Pretrain,
            _ => Kind::Finetune,
        };
        let file = path.join("config.toml");
        let config = Config::from_toml(&read_text(&file)?, &file.display().to_string())?;
        config
            .check()
            .map_err(|failure| failure.of(file.display()))?;
        Ok(RunFolder {
            epochs: epochs(
                &lines(&path.join("metrics.jsonl"))?,
                kind,
                &config,
                info.clips,
            )?,
            seconds: seconds(&path.join("timings.jsonl"))?,
            test: there(path, TEST)?,
            best: there(path, TEST_BEST)?,
            reconstruction: there(path, RECONSTRUCTION)?,
            path: path.to_owned(),
            kind,
            config,
            info,
        })
    }

    /// The folder's name as typed.
    pub fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// All settings by their dotted names.
    pub fn settings(&self) -> BTreeMap<String, String> {
        let text = |value: toml::Value| match value {
            toml::Value::String(text) => text,
            other => other.to_string(),
        };
        let all = self.config.flat().into_iter();
        all.map(|(key, value)| (key, text(value))).collect()
    }

    /// The command that makes the run again, from its preset where that is known, else from its config.toml.
    pub fn command(&self) -> String {
        let mut words = vec!["ssl".to_owned(), self.kind.name().to_owned()];
        let preset = self
            .config
            .run
            .preset
            .as_deref()
            .and_then(|name| Preset::find(name).ok());
        let known = preset.and_then(|preset| {
            let config = Config::from_toml(preset.text, preset.name).ok()?;
            Some((preset.name, config.only(self.kind).flat()))
        });
        match &known {
            Some((name, _)) => words.extend(["--preset".to_owned(), (*name).to_owned()]),
            None => {
                let config = self.path.join("config.toml");
                words.extend(["--config".to_owned(), config.display().to_string()]);
            }
        }
        let known = known.map(|(_, settings)| settings);
        for (key, value) in self.config.flat() {
            let flag = key.strip_prefix("run.");
            let as_before = known
                .as_ref()
                .is_none_or(|known| known.get(&key) == Some(&value));
            match (flag, value) {
                (Some("preset" | "threads"), _) => {}
                (Some("device"), toml::Value::String(device)) if device == "cpu" => {}
                (Some(flag), toml::Value::Boolean(true)) => {
                    words.push(format!("--{}", flag.replace('_', "-")));
                }
                (Some(flag), toml::Value::Array(values)) => {
                    for value in values {
                        words.extend([format!("--{flag}"), plain_value(&value)]);
                    }
                }
                (Some(flag), value) => words.extend([format!("--{flag}"), plain_value(&value)]),
                (None, _) if as_before => {}
                (None, value) => words.extend(["--set".to_owned(), format!("{key}={value}")]),
            }
        }
        words.extend(["--out".to_owned(), self.name()]);
        let words: Vec<String> = words.iter().map(|word| shell(word)).collect();
        words.join(" ")
    }

    /// Where it comes from, as names and values.
    pub fn provenance(&self) -> Vec<(String, String)> {
        let (info, run) = (&self.info, &self.config.run);
        let mut rows = Vec::new();
        let mut say = |name: &str, value: Option<String>| {
            rows.extend(value.map(|value| (name.to_owned(), value)));
        };
        let data = format!("{}, digest {:.12}", info.data.dataset, info.data.digest);
        say("data", Some(data));
        let cache = run.data.as_ref();
        say("cache", cache.map(|path| path.display().to_string()));
        say(
            "trained on",
            run.train.clone().or_else(|| run.split.clone()),
        );
        say(
            "held out",
            run.holdout.map(|share| format!("{share} of it")),
        );
        say("validated on", run.val.clone());
        say("tested on", run.test.clone());
        say("clips", info.clips.map(|clips| clips.to_string()));
        let labels = info.labels.as_ref();
        say(
            "known labels",
            labels.map(|labels| format!("{} of each class", labels.share)),
        );
        let encoder = info.encoder.as_ref();
        let encoder =
            encoder.map(|encoder| format!("{}, SHA-256 {:.12}", encoder.path, encoder.sha256));
        let scratch = || "none: from scratch".to_owned();
        if self.kind == Kind::Finetune {
            say("encoder", Some(encoder.unwrap_or_else(scratch)));
        }
        let epochs = self
            .config
            .training(self.kind)
            .ok()
            .map(|(training, _, least)| {
                training.with_updates(least, info.clips.unwrap_or(0)).epochs
            });
        let done = self.epochs.len();
        say(
            "epochs",
            Some(match epochs {
                Some(all) if all != done => format!("{done} of {all}: it is not finished"),
                _ => done.to_string(),
            }),
        );
        say("time", self.seconds.map(crate::report::spell));
        say("seed", Some(info.seed.to_string()));
        say(
            "device",
            Some(format!(
                "{}, {}, {}",
                info.device,
                count(info.threads, "thread"),
                info.instruction_set
            )),
        );
        say("commit", Some(info.commit.clone()));
        let versions = &info.versions;
        say(
            "program",
            Some(format!(
                "ssl {}, candle {}, {}, {}",
                versions.ssl, versions.candle, versions.rustc, versions.target
            )),
        );
        let resumed = info.resumed.len();
        say(
            "went on",
            (resumed > 0).then(|| match resumed {
                1 => "once after it was stopped".to_owned(),
                times => format!("{times} times after it was stopped"),
            }),
        );
        rows
    }
}

fn plain_value(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A JSON document of the run, where it wrote one.
fn there<T: DeserializeOwned>(run: &Path, name: &str) -> Outcome<Option<T>> {
    let path = run.join(name);
    path.exists().then(|| read_json(&path)).transpose()
}

/// The whole lines of a file of JSON lines: the last one of a run under way may be half written. None where there is no file.
fn lines(path: &Path) -> Outcome<Vec<serde_json::Map<String, Value>>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text = read_at_most(path, LONGEST)?;
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let parse = |(at, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|error| {
            Failure::error(format!("{}: line {}: {error}", path.display(), at + 1))
                .hint("the file is damaged: it has a JSON object a line, as training wrote it")
        })
    };
    whole.lines().enumerate().map(parse).collect()
}

fn epochs(
    lines: &[serde_json::Map<String, Value>],
    kind: Kind,
    config: &Config,
    clips: Option<usize>,
) -> Outcome<Vec<Epoch>> {
    let (training, _, least) = config.training(kind)?;
    let training = clips.map(|clips| training.with_updates(least, clips));
    let epoch = |(at, line): (usize, &serde_json::Map<String, Value>)| {
        let numbers = line.iter().filter(|(key, _)| *key != "epoch");
        Epoch {
            epoch: line
                .get("epoch")
                .and_then(Value::as_u64)
                .map_or(at + 1, |epoch| epoch as usize),
            rate: training.as_ref().map(|training| training.rate(at)),
            measured: numbers
                .filter_map(|(key, value)| Some((key.clone(), value.as_f64()?)))
                .collect(),
        }
    };
    Ok(lines.iter().enumerate().map(epoch).collect())
}

fn seconds(path: &Path) -> Outcome<Option<f64>> {
    let lines = lines(path)?;
    let each = lines.into_iter().filter_map(|line| {
        let timing: Timing = serde_json::from_value(Value::Object(line)).ok()?;
        Some(timing.seconds)
    });
    Ok(each.reduce(|sum, seconds| sum + seconds))
}
