//! How large a reproduction is: which clips stand for the paper's, how they are trained on.

use serde::Deserialize;

use crate::args::ScaleName;
use crate::failure::{Failure, Outcome};

/// A scale's description, from `reproduce/NAME.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    /// What a reader of its numbers must know.
    pub about: String,
    /// Every cell is measured with each of these.
    pub seeds: Vec<u64>,
    pub sets: Vec<ScaleSet>,
    pub stand_ins: Vec<StandIn>,
    #[serde(default)]
    pub lacking: Vec<Lacking>,
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

#[cfg(test)]
mod tests {
    use skeleton_datasets::paper::experiments;

    use super::*;

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
