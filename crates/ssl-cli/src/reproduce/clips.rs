//! How large a reproduction is: which clips stand for the paper's and how they are trained on; and the caches of those that are
//! here, made, prepared or given.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize, Serializer};
use skeleton_data::Units;
use skeleton_graph::Layout;

use super::job::Program;
use crate::args::ScaleName;
use crate::data::Data;
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

/// A data set that is here.
#[derive(Clone, Debug, Serialize)]
pub struct Set {
    /// As the scale calls it.
    pub name: String,
    #[serde(skip)]
    pub path: PathBuf,
    /// As the cache calls it.
    pub dataset: String,
    #[serde(serialize_with = "layout_name")]
    pub layout: Layout,
    #[serde(skip)]
    pub coordinates: usize,
    #[serde(skip)]
    pub units: Units,
    pub digest: String,
    /// Of every split, the number of people of each clip; in JSON the number of clips.
    #[serde(serialize_with = "clips")]
    pub splits: BTreeMap<String, Vec<usize>>,
}

fn layout_name<S: Serializer>(layout: &Layout, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(layout.name())
}

fn clips<S: Serializer>(
    splits: &BTreeMap<String, Vec<usize>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(splits.iter().map(|(name, clips)| (name, clips.len())))
}

impl Set {
    /// What a cache holds; without a name the set is called as the cache calls it.
    pub fn open(name: Option<&str>, path: PathBuf) -> Outcome<Set> {
        let data = Data::open(Some(&path))?;
        let cache = data.cache();
        let mut splits = BTreeMap::new();
        for (split, _) in cache.splits() {
            let people = |&clip: &u32| cache.sample(clip as usize).persons;
            let people = cache.split(split)?.iter().map(people).collect();
            splits.insert(split.to_owned(), people);
        }
        Ok(Set {
            name: name.unwrap_or(cache.dataset()).to_owned(),
            dataset: cache.dataset().to_owned(),
            layout: cache.layout().clone(),
            coordinates: cache.coordinates(),
            units: cache.units(),
            digest: cache.digest().to_owned(),
            splits,
            path,
        })
    }
}

/// The sets of the scale that are here: those in `wanted` that the program makes, and what the user gave as `[SET=]FILE`.
pub fn sets(
    program: &Program,
    scale: &Scale,
    wanted: &[&str],
    given: &[PathBuf],
    folder: &Path,
) -> Outcome<Vec<Set>> {
    std::fs::create_dir_all(folder).map_err(Failure::io(folder))?;
    let mut sets: Vec<Set> = Vec::new();
    let wanted = |set: &&ScaleSet| wanted.contains(&set.name.as_str());
    for set in scale.sets.iter().filter(wanted) {
        let Some(made) = &set.made else { continue };
        // Made clips are the same whenever they are made by one version of the program.
        let version = program.version.replace(|c: char| !c.is_alphanumeric(), "-");
        let path = folder.join(format!("{}-{version}.h5", set.name));
        if !path.exists() {
            let mut command = program.command("prepare");
            command.args(["--dataset", &made.dataset]);
            command.args(["--seed", &made.seed.to_string()]);
            program.run(command.arg("--output").arg(&path))?;
        }
        sets.push(Set::open(Some(&set.name), path)?);
    }
    for typed in given {
        let (name, path) = match typed.to_str().and_then(|typed| typed.split_once('=')) {
            Some((name, path)) => (Some(name), path.into()),
            None => (None, typed.clone()),
        };
        let cache = path.extension().is_some_and(|end| end == "h5");
        let set = match cache {
            true => Set::open(name, path)?,
            false => prepared(program, scale, name, &path, folder)?,
        };
        if scale.set(&set.name).is_none_or(|set| set.made.is_some()) {
            return Err(Failure::usage(format!(
                "{}: this scale has no use for the set `{}`",
                set.path.display(),
                set.name
            ))
            .hint(format!("it takes {}", scale.given())));
        }
        if sets.iter().any(|other| other.name == set.name) {
            return Err(Failure::usage(format!("--data: two files of {}", set.name))
                .hint("give each data set once, its splits in one file"));
        }
        sets.push(set);
    }
    match sets.is_empty() {
        true => Err(Failure::usage(
            "this scale takes clips that you have: expected --data SET=FILE",
        )
        .hint(format!("it takes {}", scale.given()))),
        false => Ok(sets),
    }
}

/// A cache of a raw file, made once for a file of this name and size.
fn prepared(
    program: &Program,
    scale: &Scale,
    name: Option<&str>,
    raw: &Path,
    folder: &Path,
) -> Outcome<Set> {
    let file = raw.file_name().unwrap_or_default().to_string_lossy();
    let named = |set: &&ScaleSet| file.starts_with(&set.name);
    let name = name.or_else(|| Some(scale.sets.iter().find(named)?.name.as_str()));
    let Some(name) = name else {
        return Err(
            Failure::usage(format!("{}: which data set is it?", raw.display())).hint(format!(
                "say --data SET=FILE; this scale takes {}",
                scale.given()
            )),
        );
    };
    let size = raw.metadata().map_err(Failure::io(raw))?.len();
    let path = folder.join(format!("{name}-{size}.h5"));
    if !path.exists() {
        let mut command = program.command("prepare");
        command.arg(raw).args(["--dataset", name]);
        program.run(command.arg("--output").arg(&path))?;
    }
    Set::open(Some(name), path)
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
