//! The folder `resume` of a run: the last few states of its training.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::checkpoint::State;
use crate::failure::{Failure, Outcome};
use crate::printer::Printer;

/// The folder's name in a run folder.
pub const FOLDER: &str = "resume";
/// What a state's name ends with.
const ENDING: &str = ".safetensors";
/// What is added to the name of a state that can't be read.
const DAMAGED: &str = ".damaged";

/// Where a state stands: epochs done, steps done in the next.
type Place = (usize, usize);

/// The states of one run.
#[derive(Clone, Debug)]
pub struct States {
    folder: PathBuf,
    keep: usize,
}

impl States {
    /// Those of the run in `run`, of which `keep` are kept, the last and at least one.
    pub fn of(run: &Path, keep: usize) -> States {
        States {
            folder: run.join(FOLDER),
            keep: keep.max(1),
        }
    }

    /// Writes a state and removes those that are older than the last few.
    pub fn save(&self, state: &State) -> Outcome {
        fs::create_dir_all(&self.folder).map_err(Failure::io(&self.folder))?;
        let place = (state.meta.epoch, state.progress.steps);
        state.write(&self.path(place))?;
        let places = self.places()?;
        let older = places.iter().rev().filter(|&&other| other <= place);
        for &place in older.skip(self.keep) {
            remove(&self.path(place))?;
        }
        Ok(())
    }

    /// The newest state that is whole. One that can't be read is set aside, which is said: going back a
    /// little is better than not going on, but nobody should have to guess why.
    pub fn newest(&self, printer: &Printer) -> Outcome<Option<State>> {
        let places = self.places()?;
        let mut damaged: Vec<PathBuf> = Vec::new();
        for &place in places.iter().rev() {
            let path = self.path(place);
            match State::read(&path) {
                Ok(state) if (state.meta.epoch, state.progress.steps) == place => {
                    damaged.iter().try_for_each(|path| set_aside(path))?;
                    return Ok(Some(state));
                }
                Ok(state) => {
                    let (epoch, steps) = (state.meta.epoch, state.progress.steps);
                    let path = path.display();
                    printer.warn(format!(
                        "{path}: the name doesn't fit what is in it, epoch {epoch}, step {steps}; going on from the one before"
                    ));
                }
                Err(failure) => {
                    let why = failure.message();
                    printer.warn(format!("{why}; going on from the one before"));
                }
            }
            damaged.push(path);
        }
        match damaged.first() {
            None => Ok(None),
            Some(newest) => Err(Failure::error(format!(
                "{}: expected a state to go on from, found {} that can't be read, the newest {}",
                self.folder.display(),
                damaged.len(),
                newest.display()
            ))
            .hint("start again: --overwrite in place of --resume")),
        }
    }

    /// Removes all states, whole or not.
    pub fn clear(&self) -> Outcome {
        for name in names(&self.folder)? {
            if is_ours(&name) {
                remove(&self.folder.join(name))?;
            }
        }
        match fs::remove_dir(&self.folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Failure::io(&self.folder)(error))
            }
            _ => Ok(()),
        }
    }

    /// Something in the folder that no run wrote.
    pub fn stranger(&self) -> Outcome<Option<String>> {
        let names = names(&self.folder)?;
        Ok(names.into_iter().find(|name| !is_ours(name)))
    }

    fn path(&self, (epoch, steps): Place) -> PathBuf {
        self.folder.join(format!("{epoch:06}-{steps:06}{ENDING}"))
    }

    /// In ascending order.
    fn places(&self) -> Outcome<Vec<Place>> {
        let names = names(&self.folder)?;
        let mut places: Vec<Place> = names.iter().filter_map(|name| place(name)).collect();
        places.sort_unstable();
        Ok(places)
    }
}

fn place(name: &str) -> Option<Place> {
    let (epoch, steps) = name.strip_suffix(ENDING)?.split_once('-')?;
    Some((epoch.parse().ok()?, steps.parse().ok()?))
}

fn is_ours(name: &str) -> bool {
    let whole = name.strip_suffix(DAMAGED).unwrap_or(name);
    place(whole).is_some() || name.starts_with(crate::checkpoint::BESIDE)
}

fn set_aside(path: &Path) -> Outcome {
    let mut aside = path.as_os_str().to_owned();
    aside.push(DAMAGED);
    fs::rename(path, &aside).map_err(Failure::io(path))
}

/// Removes a file, if it is there.
pub fn remove(path: &Path) -> Outcome {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Failure::io(path)(error)),
        _ => Ok(()),
    }
}

/// The names of what is in a folder; none where there is no folder.
pub fn names(folder: &Path) -> Outcome<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Failure::io(folder)(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(Failure::io(folder))?;
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}
