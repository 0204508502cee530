//! The settings of a run: one complete TOML, from a preset or a file, changed by `--set` and flags,
//! saved as config.toml.

pub mod set;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::de::{DeserializeOwned, Deserializer};
use serde::{Deserialize, Serialize};
use skeleton_data::augment::Augment;
use skeleton_data::reading::Reading;
use skeleton_data::split::ALL;
use skeletonmae::train::{PretrainConfig, TrainConfig};
use strl::checkpoint::{Model, split_off};
use strl::{FinetuneConfig, StrlConfig};

pub use self::set::{Assignment, flat};
use crate::args::{MachineArgs, SettingsArgs};
use crate::checkpoint::Kind;
use crate::failure::{Failure, Outcome};
use crate::machine::{Device, Precision};
use crate::printer::Printer;
use crate::text::read_text;

/// All settings. Unknown keys are errors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// How clips become arrays.
    pub reading: Reading,
    /// The models' shapes.
    pub model: Model,
    /// The pre-training job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pretrain: Option<Job<PretrainConfig>>,
    /// The fine-tuning job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finetune: Option<Job<FinetuneConfig>>,
    /// Paths, splits, seed, machine: what flags say.
    #[serde(default)]
    pub run: RunSection,
}

impl Config {
    /// The settings of a command: preset or file, then `--set`, then `flags`; only the command's
    /// own job is kept.
    pub fn resolve(
        args: &SettingsArgs,
        kind: Kind,
        flags: impl FnOnce(&mut RunSection),
    ) -> Outcome<Config> {
        let (text, source) = source(args)?;
        let mut config = Config::from_toml(&text, &source).map_err(|failure| {
            failure.hint("`ssl preset quick` prints a file with all settings")
        })?;
        if !args.set.is_empty() {
            config = with_changes(&config.only(kind), &text, &args.set, kind)?;
        }
        config = config.only(kind);
        flags(&mut config.run);
        config.check()?;
        Ok(config)
    }

    /// The settings without those of the other job.
    pub fn only(mut self, kind: Kind) -> Config {
        match kind {
            Kind::Pretrain => {
                self.finetune = None;
                if !self.pretrains_strl() {
                    self.model.strl = None;
                }
            }
            Kind::Finetune => self.pretrain = None,
        }
        self
    }

    /// Whether pre-training goes through the classifier's layers.
    pub fn pretrains_strl(&self) -> bool {
        let job = self.pretrain.as_ref();
        job.is_some_and(|job| !job.engine.objective.through().is_encoder())
    }

    /// The pre-training job.
    pub fn pretrain(&self) -> Outcome<&Job<PretrainConfig>> {
        self.pretrain.as_ref().ok_or_else(|| missing("pretrain"))
    }

    /// The fine-tuning job.
    pub fn finetune(&self) -> Outcome<&Job<FinetuneConfig>> {
        self.finetune.as_ref().ok_or_else(|| missing("finetune"))
    }

    /// What a training is told, how its clips are changed, and its fewest updates.
    pub fn training(&self, kind: Kind) -> Outcome<(TrainConfig, &Augment, usize)> {
        Ok(match kind {
            Kind::Pretrain => {
                let job = self.pretrain()?;
                let updates = job.engine.least_updates;
                (job.engine.training(), &job.augment, updates)
            }
            Kind::Finetune => {
                let job = self.finetune()?;
                let updates = job.engine.least_updates;
                (job.engine.training(), &job.augment, updates)
            }
        })
    }

    /// The split to train on.
    pub fn split(&self, kind: Kind) -> Outcome<&str> {
        let (split, key) = match kind {
            Kind::Pretrain => (&self.run.split, "split"),
            Kind::Finetune => (&self.run.train, "train"),
        };
        split.as_deref().ok_or_else(|| {
            Failure::usage(format!(
                "expected --{key} NAME (or run.{key} in the config)"
            ))
            .hint("`ssl inspect CACHE.h5` lists the splits; `all` is every clip")
        })
    }

    /// The classifier's shape.
    pub fn strl(&self) -> Outcome<&StrlConfig> {
        self.model
            .strl
            .as_ref()
            .ok_or_else(|| missing("model.strl"))
    }

    /// Parses a complete TOML; `source` is for messages.
    pub fn from_toml(text: &str, source: &str) -> Outcome<Config> {
        toml::from_str(text)
            .map_err(|error| Failure::error(format!("{source}: {}", error.to_string().trim_end())))
    }

    /// The whole settings as TOML, which [`from_toml`](Self::from_toml) reads again.
    pub fn to_toml(&self) -> Outcome<String> {
        Ok(toml::to_string(self)?)
    }

    /// All values by their dotted paths.
    pub fn flat(&self) -> BTreeMap<String, toml::Value> {
        flat(&toml::Table::try_from(self).unwrap_or_default())
    }

    /// The same settings without what differs between machines: what a checkpoint carries.
    pub fn portable(&self) -> Config {
        let run = RunSection {
            threads: None,
            data: None,
            // Which cache it was is in the metadata.
            also: self
                .run
                .also
                .iter()
                .map(|typed| also(typed).1.to_owned())
                .collect(),
            encoder: None,
            ..self.run.clone()
        };
        Config {
            run,
            ..self.clone()
        }
    }

    /// Checks the ranges that no engine checks.
    pub fn check(&self) -> Outcome {
        self.reading.check()?;
        self.model.check()?;
        if let Some(job) = &self.pretrain {
            // The objective's own settings are checked beside the layout that they are about.
            let training = job.engine.training().validate();
            training.map_err(|error| error.within("pretrain"))?;
            job.augment.check()?;
        }
        if let Some(job) = &self.finetune {
            let all = job.engine.validate();
            all.map_err(|error| error.within("finetune"))?;
            job.augment.check()?;
        }
        if self.run.seed > i64::MAX as u64 {
            let (most, found) = (i64::MAX, self.run.seed);
            let message = format!("run.seed: expected at most {most}, found {found}");
            return Err(Failure::error(message).hint("for example --seed 0"));
        }
        self.run.check()
    }
}

/// `[pretrain]` or `[finetune]`, with `augment` beside the engine's settings: augmentation is the
/// data's.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Job<T> {
    /// What the engine needs.
    #[serde(flatten)]
    pub engine: T,
    /// How clips are changed before an epoch sees them.
    pub augment: Augment,
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Job<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (engine, augment) = split_off(deserializer, "augment")?;
        Ok(Job {
            engine,
            augment: augment.unwrap_or_default(),
        })
    }
}

impl Config {
    /// The text of `preset` with the reading and the encoder of these settings, which are a pre-training's.
    pub fn beside(&self, preset: &Preset) -> Outcome<String> {
        let failed = |error: &dyn std::error::Error| Failure::error(error.to_string());
        let mut table: toml::Table = toml::from_str(preset.text).map_err(|e| failed(&e))?;
        let own = toml::Table::try_from(self).map_err(|e| failed(&e))?;
        for section in ["reading", "model"] {
            let Some(toml::Value::Table(own)) = own.get(section) else {
                continue;
            };
            let strl = table.get(section).and_then(|section| section.get("strl"));
            let mut own = own.clone();
            // A pre-training has no classifier.
            own.extend(strl.map(|strl| ("strl".to_owned(), strl.clone())));
            table.insert(section.to_owned(), toml::Value::Table(own));
        }
        toml::to_string(&table).map_err(|e| failed(&e))
    }
}

/// `[run]`: what flags say.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RunSection {
    /// Seed of everything random.
    pub seed: u64,
    /// The preset that the settings began with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<String>,
    /// Whether clips that show nobody are left out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub skip_empty: bool,
    /// What computes.
    pub device: Device,
    /// The type of features.
    #[serde(skip_serializing_if = "Precision::is_f32")]
    pub precision: Precision,
    /// Threads to compute with; one a core where it isn't said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<u16>,
    /// The cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<PathBuf>,
    /// Pre-training: more caches, each with its split.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
    /// Pre-training: the split to train on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split: Option<String>,
    /// Pre-training: the split of the validation curve.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub val: Option<String>,
    /// Fine-tuning: the split to train on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train: Option<String>,
    /// Fine-tuning: share of it kept away for the validation curve.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holdout: Option<f64>,
    /// Fine-tuning: share of each class's training clips whose labels are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<f64>,
    /// Fine-tuning: the split evaluated once, after the last epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<String>,
    /// Fine-tuning: the checkpoint whose encoder is the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoder: Option<PathBuf>,
}

impl RunSection {
    /// Takes what was typed of the machine in place of what the settings say; `auto` becomes what it stands for.
    pub fn on(&mut self, typed: MachineArgs, printer: &Printer) {
        self.device = typed.device.unwrap_or(self.device).settled(printer);
        self.precision = typed.precision.unwrap_or(self.precision);
        self.threads = typed.threads.or(self.threads);
    }

    /// Checks the shares.
    pub fn check(&self) -> Outcome {
        let refuse = |flag: &str, expected: &str, share: f64| {
            Err(Failure::usage(format!(
                "{flag}: expected a share {expected}, found {share}"
            ))
            .hint(format!("for example {flag} 0.1")))
        };
        match (self.holdout, self.labels) {
            (Some(share), _) if !(0.0..1.0).contains(&share) => {
                refuse("--holdout", "from 0, below 1", share)
            }
            (_, Some(share)) if !(share > 0.0 && share <= 1.0) => {
                refuse("--labels", "above 0, at most 1", share)
            }
            _ => Ok(()),
        }
    }
}

/// One embedded TOML; its first line says what it is for.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// What `--preset` takes.
    pub name: &'static str,
    /// The whole TOML.
    pub text: &'static str,
}

/// All presets; the first is taken where none is named.
pub const PRESETS: [Preset; 7] = [
    Preset::new("default", include_str!("../../presets/default.toml")),
    Preset::new("quick", include_str!("../../presets/quick.toml")),
    Preset::new("jhmdb", include_str!("../../presets/jhmdb.toml")),
    Preset::new("nw_ucla", include_str!("../../presets/nw_ucla.toml")),
    Preset::new("utd_mhad", include_str!("../../presets/utd_mhad.toml")),
    Preset::new("paper", include_str!("../../presets/paper.toml")),
    Preset::new("ntu3d", include_str!("../../presets/ntu3d.toml")),
];

impl Preset {
    const fn new(name: &'static str, text: &'static str) -> Preset {
        Preset { name, text }
    }

    /// The preset of this name.
    pub fn find(name: &str) -> Outcome<Preset> {
        PRESETS
            .into_iter()
            .find(|preset| preset.name == name)
            .ok_or_else(|| {
                let names = PRESETS.map(|preset| preset.name).join(", ");
                Failure::usage(format!("no preset named {name:?}; there are: {names}"))
                    .hint("`ssl preset` lists them; a file of your own goes with --config FILE")
            })
    }

    /// Its first line, without the comment sign.
    pub fn about(&self) -> &'static str {
        self.text
            .lines()
            .next()
            .unwrap_or_default()
            .trim_start_matches(['#', ' '])
    }
}

/// A cache and its split, as `--also` takes them: `CACHE.h5:SPLIT`, or `CACHE.h5`, all of it.
pub fn also(typed: &str) -> (&str, &str) {
    match typed.rsplit_once(".h5:") {
        Some((path, split)) => (&typed[..path.len() + 3], split),
        None => (typed, ALL),
    }
}

fn missing(section: &str) -> Failure {
    Failure::error(format!(
        "the settings: expected a section [{section}], found none"
    ))
    .hint(format!(
        "`ssl preset quick` prints settings with all sections; copy [{section}] from there"
    ))
}

/// The TOML to begin with, and its name for messages.
fn source(args: &SettingsArgs) -> Outcome<(String, String)> {
    match (&args.preset, &args.config) {
        (Some(name), _) => {
            let text = Preset::find(name)?.text.to_owned();
            Ok((args.text.clone().unwrap_or(text), format!("preset {name}")))
        }
        (None, Some(path)) => Ok((read(path)?, path.display().to_string())),
        (None, None) => Err(Failure::usage("expected --preset NAME or --config FILE")
            .hint("`ssl preset` lists the presets")),
    }
}

fn read(path: &Path) -> Outcome<String> {
    read_text(path)
        .map_err(|failure| failure.hint("`ssl preset quick > FILE.toml` makes one to start from"))
}

/// The settings of `text` after the `--set`s; `config` knows the keys that may have been meant.
fn with_changes(config: &Config, text: &str, typed: &[String], kind: Kind) -> Outcome<Config> {
    let mut table: toml::Table = toml::from_str(text)?;
    let mut sets = Vec::new();
    for typed in typed {
        let set = Assignment::parse(typed)?;
        let other = if kind == Kind::Pretrain {
            Kind::Finetune
        } else {
            Kind::Pretrain
        };
        // A script may give both commands the same settings.
        if set.path[0] == other.name() {
            let (command, section) = (kind.name(), other.name());
            tracing::warn!("--set {typed}: `ssl {command}` has no use for the section {section}");
        } else {
            sets.push(set);
        }
    }
    // A kind first, wherever it was typed: what else is set is said of it.
    let (kinds, others): (Vec<_>, Vec<_>) = sets.iter().partition(|set| set.chooses_kind());
    for set in kinds.into_iter().chain(others) {
        set.apply(&mut table)?;
    }
    Config::deserialize(table).map_err(|error| explain(&sets, config, text, error.message()))
}

/// Finds which `--set` the parser complains about, and what may have been meant.
fn explain(sets: &[Assignment], config: &Config, text: &str, complaint: &str) -> Failure {
    let unknown = complaint
        .split("unknown field `")
        .nth(1)
        .and_then(|rest| rest.split('`').next());
    let guilty = sets
        .iter()
        .find(|set| unknown.is_some_and(|key| set.path.iter().any(|part| part == key)));
    let Some(set) = guilty else {
        let alone = sets.iter().find(|set| complains(set, text, complaint));
        let typed: Vec<String> = alone
            .map_or(sets, std::slice::from_ref)
            .iter()
            .map(|set| format!("--set {}", set.typed))
            .collect();
        let kind = sets.iter().find(|set| set.chooses_kind());
        return Failure::usage(format!("{}: {complaint}", typed.join(" "))).hint(
            match kind.filter(|_| complaint.starts_with("missing field")) {
                Some(kind) => format!(
                    "another kind has settings of its own, say all: --set '{}={{ kind = {}, ... }}'",
                    kind.section(),
                    kind.value
                ),
                None => "`ssl preset quick` shows every setting with a value of its kind".to_owned(),
            },
        );
    };
    let table = toml::Table::try_from(config).unwrap_or_default();
    let known: Vec<String> = flat(&table).into_keys().collect();
    let near = set::near(&set.path.join("."), &known);
    let expected = complaint.split_once(", expected ");
    let hint = match (near.is_empty(), expected) {
        (_, Some((_, expected))) if set.beside_a_kind(&table) => {
            let section = set.section();
            let other = format!("--set {section}.kind=NAME takes another");
            format!("{section} of this kind has: {expected} ({other})")
        }
        (false, _) => format!("did you mean {}?", near.join(" or ")),
        (true, Some((_, expected))) => format!("expected {expected}"),
        (true, None) => "`ssl preset quick` prints all settings".to_owned(),
    };
    Failure::usage(format!("--set {}: no setting of this name", set.typed)).hint(hint)
}

/// Whether this `--set` alone brings the same complaint.
fn complains(set: &Assignment, text: &str, complaint: &str) -> bool {
    let Ok(mut table) = toml::from_str::<toml::Table>(text) else {
        return false;
    };
    set.apply(&mut table).is_ok()
        && Config::deserialize(table).is_err_and(|error| error.message() == complaint)
}

#[cfg(test)]
mod tests;
