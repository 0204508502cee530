//! What a run's folder says, without its data.

use std::collections::BTreeMap;
use std::path::Path;

use crate::checkpoint::Kind;
use crate::config::{Config, Preset};
use crate::failure::Outcome;
use crate::report::{count, spell};
use crate::run::{CONFIG, Record, Stage};
use crate::text::{read_text, shell};

/// A run's folder, read.
pub struct RunFolder {
    pub record: Record,
    pub kind: Kind,
    pub config: Config,
}

impl RunFolder {
    /// Reads the folder's texts.
    pub fn read(path: &Path) -> Outcome<RunFolder> {
        let record = Record::read(path)?;
        let kind = record.info.command;
        let file = path.join(CONFIG);
        let config = Config::from_toml(&read_text(&file)?, &file.display().to_string())?;
        config
            .check()
            .map_err(|failure| failure.of(file.display()))?;
        Ok(RunFolder {
            record,
            kind,
            config,
        })
    }

    /// The folder's name as typed.
    pub fn name(&self) -> String {
        self.record.folder.display().to_string()
    }

    /// All settings by their dotted names.
    pub fn settings(&self) -> BTreeMap<String, String> {
        let all = self.config.flat().into_iter();
        all.map(|(key, value)| (key, plain_value(&value))).collect()
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
                let config = self.record.folder.join(CONFIG);
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
        let (info, run) = (&self.record.info, &self.config.run);
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
        let (done, all) = (self.record.done(), self.record.planned());
        let epochs = match all {
            Some(all) if all != done => format!("{done} of {all}"),
            _ => done.to_string(),
        };
        say("epochs", Some(epochs));
        let stage = self.record.stage;
        say(
            "state",
            (stage != Stage::Finished).then(|| stage.name().to_owned()),
        );
        let clocked = !self.record.timings.is_empty();
        say("time", clocked.then(|| spell(self.record.seconds())));
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
