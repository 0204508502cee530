//! The caches of a reproduction: made, prepared or given.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::{Serialize, Serializer};
use serde_json::json;
use skeleton_data::Units;
use skeleton_data::raw::describe;
use skeleton_graph::Layout;

use super::job::Program;
use super::settings::{Scale, ScaleSet};
use crate::data::{Data, is_cache};
use crate::failure::{Failure, Outcome};

/// How often a lock is asked for.
const PAUSE: Duration = Duration::from_millis(100);

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
    /// The people of each clip of a split, or of a fold of it.
    pub fn people(&self, split: &str) -> Outcome<Vec<usize>> {
        if let Some(people) = self.splits.get(split) {
            return Ok(people.clone());
        }
        let data = Data::open(Some(&self.path))?;
        let people = |clip: u32| data.sample(clip as usize).persons;
        Ok(data.split(split)?.into_iter().map(people).collect())
    }

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
        let path = folder.join(format!("{}-{}.h5", set.name, version(program)));
        let mut command = program.command("prepare");
        command.args(["--dataset", &made.dataset]);
        command.args(["--seed", &made.seed.to_string()]);
        once(program, &mut command, &path)?;
        sets.push(Set::open(Some(&set.name), path)?);
    }
    for typed in given {
        let (name, path) = match typed.to_str().and_then(|typed| typed.split_once('=')) {
            Some((name, path)) => (Some(name), path.into()),
            None => (None, typed.clone()),
        };
        let set = match is_cache(&path) {
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

/// The program's version, as part of a file's name.
fn version(program: &Program) -> String {
    program.version.replace(|c: char| !c.is_alphanumeric(), "-")
}

/// Makes a cache that isn't there. Another process that makes it is waited for; where the folder's file system keeps locks from
/// other machines, both make the same bytes, and the later one finds that it is there.
pub fn once(program: &Program, command: &mut Command, path: &Path) -> Outcome {
    if path.exists() {
        return Ok(());
    }
    let lock = path.with_extension("lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&lock);
    let file = file.map_err(Failure::io(&lock))?;
    while let Err(TryLockError::WouldBlock) = file.try_lock() {
        program.check("waiting for clips that another process prepares")?;
        std::thread::sleep(PAUSE);
    }
    if path.exists() {
        return Ok(());
    }
    match program.run(command.arg("--output").arg(path)) {
        Err(failure @ Failure::Error { .. }) if !path.exists() => Err(failure),
        Err(failure @ Failure::Interrupted { .. }) => Err(failure),
        _ => Ok(()),
    }
}

/// A cache of a raw file, made once for these bytes by this version of the program.
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
    let described = describe(&[raw], json!({}))?;
    let digest = described["files"][0]["sha256"].as_str().unwrap_or_default();
    let path = folder.join(format!("{name}-{digest:.16}-{}.h5", version(program)));
    let mut command = program.command("prepare");
    command.arg(raw).args(["--dataset", name]);
    once(program, &mut command, &path)?;
    Set::open(Some(name), path)
}
