//! The caches of a reproduction: made, prepared or given.

use std::path::{Path, PathBuf};

use super::scale::{Made, Scale};
use super::ssl::{Facts, Ssl};
use crate::process::{Failure, run};

/// A data set that is here.
#[derive(Clone, Debug)]
pub struct Set {
    /// As the scale calls it.
    pub name: String,
    pub path: PathBuf,
    pub facts: Facts,
}

/// The sets of the scale that are here: those in `wanted` that the program makes, and what the user gave.
pub fn sets(
    ssl: &Ssl,
    scale: &Scale,
    wanted: &[&str],
    given: &[(Option<String>, PathBuf)],
    folder: &Path,
) -> Result<Vec<Set>, Failure> {
    std::fs::create_dir_all(folder)
        .map_err(|e| Failure::Task(format!("cannot make {}: {e}", folder.display())))?;
    let mut sets = Vec::new();
    for set in scale
        .sets
        .iter()
        .filter(|set| wanted.contains(&set.name.as_str()))
    {
        if let Some(made) = &set.made {
            let path = make(ssl, &set.name, made, folder)?;
            sets.push(open(ssl, &set.name, path)?);
        }
    }
    for (name, path) in given {
        let path = match path.extension().is_some_and(|end| end == "h5") {
            true => path.clone(),
            false => prepared(ssl, scale, name.as_deref(), path, folder)?,
        };
        let facts = ssl.inspect(&path)?;
        let name = name.clone().unwrap_or_else(|| facts.dataset.clone());
        if scale.set(&name).is_none_or(|set| set.made.is_some()) {
            return Err(Failure::Usage(format!(
                "{}: this scale has no use for the set `{name}`; it takes {}",
                path.display(),
                given_sets(scale)
            )));
        }
        if sets.iter().any(|set: &Set| set.name == name) {
            return Err(Failure::Usage(format!("--data: two files of {name}")));
        }
        sets.push(Set { name, path, facts });
    }
    Ok(sets)
}

/// The names of the sets that a user brings.
pub fn given_sets(scale: &Scale) -> String {
    let names = scale.sets.iter().filter(|set| set.made.is_none());
    let names: Vec<&str> = names.map(|set| set.name.as_str()).collect();
    match names.is_empty() {
        true => "none: its clips are made".to_owned(),
        false => names.join(", "),
    }
}

fn open(ssl: &Ssl, name: &str, path: PathBuf) -> Result<Set, Failure> {
    let facts = ssl.inspect(&path)?;
    Ok(Set {
        name: name.to_owned(),
        path,
        facts,
    })
}

/// Made clips are the same whenever they are made by one version of the program.
fn make(ssl: &Ssl, name: &str, made: &Made, folder: &Path) -> Result<PathBuf, Failure> {
    let version = ssl.version.replace(|c: char| !c.is_alphanumeric(), "-");
    let path = folder.join(format!("{name}-{version}.h5"));
    if !path.exists() {
        let (dataset, seed) = (&made.dataset, made.seed.to_string());
        let mut command = ssl.command(["prepare", "--dataset", dataset, "--seed", &seed]);
        run(command
            .arg("--quiet")
            .arg("-o")
            .arg(&path)
            .stdout(std::process::Stdio::null()))?;
    }
    Ok(path)
}

/// A cache of a raw file, made once for a file of this name and size.
fn prepared(
    ssl: &Ssl,
    scale: &Scale,
    name: Option<&str>,
    raw: &Path,
    folder: &Path,
) -> Result<PathBuf, Failure> {
    let file = raw
        .file_name()
        .map(|name| name.to_string_lossy())
        .unwrap_or_default();
    let named = |set: &&super::scale::ScaleSet| file.starts_with(&set.name);
    let name = name.or_else(|| scale.sets.iter().find(named).map(|set| set.name.as_str()));
    let Some(name) = name else {
        return Err(Failure::Usage(format!(
            "{}: which set is it? Say --data SET=FILE; this scale takes {}",
            raw.display(),
            given_sets(scale)
        )));
    };
    let size = raw
        .metadata()
        .map_err(|e| Failure::Usage(format!("cannot read {}: {e}", raw.display())))?
        .len();
    let path = folder.join(format!("{name}-{size}.h5"));
    if !path.exists() {
        let mut command = ssl.command(["prepare"]);
        command
            .arg(raw)
            .arg("-o")
            .arg(&path)
            .args(["--dataset", name, "--quiet"]);
        run(command.stdout(std::process::Stdio::null()))?;
    }
    Ok(path)
}
