//! How large a reproduction is: which clips stand for the paper's and how they are trained on; and what a cell of the paper is in
//! the program's settings.

use std::collections::BTreeMap;

use serde::Deserialize;
use skeleton_datasets::paper::{self, Masked, Pretraining, Setup};
use skeleton_graph::Layout;
use skeletonmae::train::OptimizerConfig;
use skeletonmae::{Backbone, Contrastive, MaskConfig, Objective};

use crate::args::{Batch, ScaleName};
use crate::checkpoint::Kind;
use crate::config::{Assignment, Config, Preset};
use crate::failure::{Failure, Outcome};

/// A scale's description, from `reproduce/NAME.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    /// What a reader of its tables must know.
    pub about: String,
    /// What a reader of any of its numbers must know.
    #[serde(default)]
    pub spread: String,
    /// Every cell is measured with each of these.
    pub seeds: Vec<u64>,
    pub sets: Vec<ScaleSet>,
    pub stand_ins: Vec<StandIn>,
    #[serde(default)]
    pub lacking: Vec<Lacking>,
    /// The clips on which training is compared.
    #[serde(default)]
    pub compared: Vec<Compared>,
    /// Whether a comparison that names clips of its own, or whole presets, has them.
    #[serde(default)]
    pub own_clips: bool,
}

/// Clips to train and to measure on.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compared {
    pub set: String,
    pub train: String,
    pub test: String,
}

/// How a data set is trained on.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScaleSet {
    pub name: String,
    pub preset: String,
    /// Made by the program instead of given by the user.
    pub made: Option<Made>,
    /// The split whose masked joints are reconstructed after pre-training.
    pub val: Option<String>,
    /// What is other than in the preset, as in a file of settings.
    #[serde(default)]
    pub settings: toml::Table,
}

/// A set that the program makes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Made {
    pub dataset: String,
    pub seed: u64,
}

/// The clips that stand for a data set of the paper.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StandIn {
    /// The paper's set and training split, `SET/SPLIT`.
    pub of: String,
    pub set: String,
    pub train: String,
    pub test: String,
}

/// Clips that nothing stands for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lacking {
    /// The paper's set and training split, `SET/SPLIT`.
    pub of: String,
    pub why: String,
}

impl Scale {
    /// What a reader must know of its numbers.
    pub fn about(&self) -> String {
        let parts = [self.about.as_str(), &self.spread];
        let parts = parts.map(str::trim).into_iter();
        parts
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// Reads its description.
    pub fn read(name: ScaleName) -> Outcome<Scale> {
        let text = match name {
            ScaleName::Ci => include_str!("../../reproduce/ci.toml"),
            ScaleName::Small => include_str!("../../reproduce/small.toml"),
            ScaleName::Paper => include_str!("../../reproduce/paper.toml"),
        };
        let wrong = |why: String| Failure::error(format!("the scale {}: {why}", name.name()));
        let scale: Scale = toml::from_str(text).map_err(|error| wrong(error.to_string()))?;
        for stand_in in &scale.stand_ins {
            if scale.set(&stand_in.set).is_none() {
                return Err(wrong(format!("no set `{}` is described", stand_in.set)));
            }
        }
        Ok(scale)
    }

    /// The names of the sets that a user brings.
    pub fn given(&self) -> String {
        let names = self.sets.iter().filter(|set| set.made.is_none());
        let names: Vec<&str> = names.map(|set| set.name.as_str()).collect();
        match names.is_empty() {
            true => "none: its clips are made".to_owned(),
            false => names.join(", "),
        }
    }

    pub fn set(&self, name: &str) -> Option<&ScaleSet> {
        self.sets.iter().find(|set| set.name == name)
    }

    /// Why nothing stands for the clips `set`/`train` of the paper.
    pub fn lacks(&self, set: &str, train: &str) -> String {
        let of = format!("{set}/{train}");
        let found = self.lacking.iter().find(|one| one.of == of);
        found.map_or_else(
            || format!("nothing stands for {of} at this scale"),
            |one| one.why.clone(),
        )
    }

    /// What stands for the clips `set`/`train` of the paper.
    pub fn stand_in(&self, set: &str, train: &str) -> Option<&StandIn> {
        let of = format!("{set}/{train}");
        self.stand_ins.iter().find(|one| one.of == of)
    }
}

/// The settings of a data set's trainings, but for what a cell changes.
#[derive(Clone, Debug)]
pub struct Base {
    /// What the settings start from.
    pub preset: Preset,
    /// The preset's, by their dotted names.
    pub preset_settings: BTreeMap<String, toml::Value>,
    config: Config,
    /// The same as it was merged.
    table: toml::Table,
    /// What `--batch` changed, a sentence a training.
    pub remarks: Vec<String>,
}

impl Base {
    /// The set's preset, changed by its scale, by `changes` and by `batch`.
    pub fn new(set: &ScaleSet, changes: &[Assignment], batch: Option<Batch>) -> Outcome<Base> {
        let preset = Preset::find(&set.preset)?;
        let preset_settings = Config::from_toml(preset.text, preset.name)?.flat();
        let mut table: toml::Table = toml::from_str(preset.text)?;
        merge(&mut table, &set.settings);
        for change in changes {
            change.apply(&mut table)?;
        }
        let config = Config::deserialize(table.clone())
            .map_err(|error| Failure::error(error.message()).of(&set.name))?;
        let mut base = Base {
            preset,
            preset_settings,
            config,
            table,
            remarks: Vec::new(),
        };
        if let Some(batch) = batch {
            base.scale(&set.preset, batch);
        }
        Ok(base)
    }

    /// The settings with these changes, one after the other.
    pub fn changed(&self, over: &[&toml::Table]) -> Outcome<Config> {
        let mut table = self.table.clone();
        over.iter().for_each(|over| merge(&mut table, over));
        let config = Config::deserialize(table).map_err(|error| Failure::error(error.message()))?;
        config.check()?;
        Ok(config)
    }

    /// Batches of another size, with the learning rate in proportion.
    fn scale(&mut self, preset: &str, batch: Batch) {
        if let Some(job) = &mut self.config.pretrain {
            let (own, new) = (&mut job.engine, batch.pretrain);
            let rate = rate(&mut own.optimizer);
            let said = scaled(preset, Kind::Pretrain, own.batch, new, rate);
            self.remarks.push(said);
            (own.batch, own.micro_batch) = (new, own.micro_batch.min(new));
        }
        if let (Some(job), Some(new)) = (&mut self.config.finetune, batch.finetune) {
            let own = &mut job.engine;
            let rate = rate(&mut own.optimizer);
            let said = scaled(preset, Kind::Finetune, own.batch, new, rate);
            self.remarks.push(said);
            (own.batch, own.micro_batch) = (new, own.micro_batch.min(new));
        }
    }

    /// An encoder that was never trained.
    pub fn encoder(&self, setup: &Setup) -> Config {
        let mut config = self.config.clone();
        config.model.mae.backbone = match setup.backbone {
            paper::Backbone::Gcn => Backbone::Gcn,
            paper::Backbone::Gat => Backbone::Gat,
            _ => Backbone::Gin,
        };
        config.model.mae.encoder_layers = setup.encoder_layers;
        config.pretrain = None;
        config.only(Kind::Pretrain)
    }

    /// A pre-training on a skeleton; why not, where it lacks a part.
    pub fn pretraining(&self, setup: &Setup, layout: &Layout) -> Result<Config, String> {
        let mut pretrain = self.config.pretrain.clone();
        if let Some(job) = &mut pretrain {
            let objective = &mut job.engine.objective;
            if setup.pretraining == Pretraining::GraphCl {
                *objective = Objective::Contrastive(Contrastive::default());
            } else if let Some(mask) = mask(&setup.masked, layout)?
                && let Objective::Reconstruction(own) = objective
            {
                own.mask = mask;
            }
        }
        Ok(Config {
            pretrain,
            ..self.encoder(setup)
        })
    }

    /// A fine-tuning.
    pub fn finetuning(&self, setup: &Setup) -> Config {
        let mut config = self.config.clone().only(Kind::Finetune);
        config.model.mae = self.encoder(setup).model.mae;
        if let Some(strl) = &mut config.model.strl {
            strl.layers = setup.layers;
        }
        config
    }
}

/// Puts the values of `over` in the place of those in `table`. A table of another kind has other keys: it is replaced.
fn merge(table: &mut toml::Table, over: &toml::Table) {
    if over
        .get("kind")
        .is_some_and(|kind| table.get("kind") != Some(kind))
    {
        table.clone_from(over);
        return;
    }
    for (key, value) in over {
        match (table.get_mut(key), value) {
            (Some(toml::Value::Table(inner)), toml::Value::Table(over)) => merge(inner, over),
            _ => {
                table.insert(key.clone(), value.clone());
            }
        }
    }
}

fn mask(masked: &Masked, layout: &Layout) -> Result<Option<MaskConfig>, String> {
    Ok(match masked {
        Masked::Parts(names) => {
            let index = |name: &String| {
                let index = layout.parts().iter().position(|part| part.name == *name);
                index.ok_or_else(|| format!("its skeleton has no {name}"))
            };
            let parts = names.iter().map(index).collect::<Result<_, _>>()?;
            Some(MaskConfig::Parts { parts })
        }
        // The paper's skeleton has 17 joints; four decimals are what runs were made with from the beginning.
        Masked::Joints(joints) => Some(MaskConfig::RandomJoints {
            ratio: (*joints as f64 / 17.0 * 1e4).round() / 1e4,
        }),
        _ => None,
    })
}

fn rate(optimizer: &mut OptimizerConfig) -> &mut f64 {
    let (OptimizerConfig::Adam { lr, .. } | OptimizerConfig::Sgd { lr, .. }) = optimizer;
    lr
}

/// Changes the rate for batches of `new` clips in place of `old` ones, and says so.
fn scaled(preset: &str, kind: Kind, old: usize, new: usize, rate: &mut f64) -> String {
    let before = *rate;
    *rate = before * new as f64 / old as f64;
    format!(
        "{} by preset {preset}: {new} clips an update in place of {old}, so a learning rate of {before:e} x {new}/{old} = {rate:e}",
        kind.name()
    )
}

#[cfg(test)]
mod tests {
    use skeleton_datasets::paper::experiments;

    use super::*;

    fn setup(id: &str, row: &str) -> &'static Setup {
        let experiment = experiments().iter().find(|one| one.id == id).expect(id);
        let cell = experiment.cells.iter().find(|cell| cell.row == row);
        &cell.expect(row).setup
    }

    fn base(scale: ScaleName, batch: Option<Batch>) -> Base {
        let scale = Scale::read(scale).expect("the scales are valid");
        Base::new(&scale.sets[0], &[], batch).expect("the scales' settings are valid")
    }

    /// The mask, on a layout of these parts, of two joints each.
    fn mask(row: &str, parts: &[&str]) -> Result<MaskConfig, String> {
        let layout = crate::reproduce::plan::tests::layout("toy", parts);
        let config = base(ScaleName::Ci, None).pretraining(setup("table5b", row), &layout)?;
        let job = config.pretrain.expect("a pre-training");
        let objective = job.engine.objective;
        Ok(objective
            .reconstruction()
            .expect("no contrast")
            .mask
            .clone())
    }

    #[test]
    fn parts_are_found_by_name_whatever_their_order() {
        let row = "best three parts (0, 3, 5)";
        let found = mask(row, &["right leg", "head", "tail", "right arm"]);
        let parts = vec![1, 3, 0];
        assert_eq!(found, Ok(MaskConfig::Parts { parts }));
        let why = mask(row, &["head", "right arm"]).expect_err("no leg");
        assert_eq!(why, "its skeleton has no right leg");
    }

    #[test]
    fn random_joints_are_a_share_of_seventeen() {
        let found = mask("9 random joints", &["head", "torso"]);
        assert_eq!(found, Ok(MaskConfig::RandomJoints { ratio: 0.5294 }));
    }

    #[test]
    fn every_scale_has_valid_settings() {
        for name in [ScaleName::Ci, ScaleName::Small, ScaleName::Paper] {
            for set in Scale::read(name).expect("the scales are valid").sets {
                let base = Base::new(&set, &[], None).expect("valid settings");
                assert!(base.config.check().is_ok(), "{}", set.name);
            }
        }
        let config = base(ScaleName::Ci, None).config;
        let finetune = config.finetune.expect("the preset has it").engine;
        assert_eq!((config.reading.frames, config.model.mae.width), (8, 16));
        assert_eq!((finetune.epochs, finetune.schedule.warmup_epochs), (6, 1));
    }

    #[test]
    fn the_rate_follows_the_batch_and_it_is_said() {
        let batch = Batch {
            pretrain: 256,
            finetune: Some(32),
        };
        let base = base(ScaleName::Paper, Some(batch));
        let mut pretrain = base.config.pretrain.expect("the preset has it").engine;
        let mut finetune = base.config.finetune.expect("the preset has it").engine;
        assert_eq!((pretrain.batch, finetune.batch), (256, 32));
        assert!(finetune.micro_batch <= 32);
        assert!((*rate(&mut pretrain.optimizer) - 3.75e-5).abs() < 1e-12);
        assert_eq!(*rate(&mut finetune.optimizer), 2.5e-2);
        let words = &base.remarks[0];
        assert!(words.contains("1.5e-4 x 256/1024 = 3.75e-5"), "{words}");
    }

    #[test]
    fn the_scales_are_valid_and_ci_and_paper_have_everything() {
        for name in [ScaleName::Ci, ScaleName::Small, ScaleName::Paper] {
            let scale = Scale::read(name).unwrap_or_else(|failure| panic!("{}", failure.message()));
            assert!(!scale.seeds.is_empty());
            for cell in experiments().iter().flat_map(|one| &one.cells) {
                let found = scale.stand_in(&cell.clips.set, &cell.clips.train);
                let said = scale
                    .lacking
                    .iter()
                    .any(|one| one.of == format!("{}/{}", cell.clips.set, cell.clips.train));
                assert!(
                    found.is_some() != said && (found.is_some() || name == ScaleName::Small),
                    "{}",
                    cell.column
                );
                if name == ScaleName::Paper {
                    let own = found.expect("checked above");
                    assert_eq!((&own.set, &own.test), (&cell.clips.set, &cell.clips.test));
                }
            }
        }
    }
}
