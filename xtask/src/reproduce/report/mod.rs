//! Tables: ours, the paper's, how ours came about. Markdown for people, CSV and JSON beside it.

mod csv;
mod json;
mod markdown;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::data::Set;
use super::job::{Done, Folder, write_whole};
use super::numbers::Numbers;
use super::plan::{Planned, PlannedCell};
use super::scale::{Scale, ScaleName};
use crate::process::Failure;

/// An experiment as it came out.
pub struct Table<'a> {
    pub planned: &'a Planned,
    pub scale: ScaleName,
    pub about: &'a str,
    pub seeds: &'a [u64],
    pub rows: Vec<Row<'a>>,
    /// The data sets of its cells.
    pub sets: Vec<&'a Set>,
    /// Its runs by name, finished.
    pub runs: BTreeMap<String, Done>,
    /// Commits of the programs that made the runs.
    pub commits: Vec<String>,
    /// Name and value.
    pub machine: &'a [(&'static str, String)],
    /// Sentences that `--batch` and the like make necessary.
    pub remarks: &'a [String],
    /// Drawings, by their file names.
    pub drawings: Vec<String>,
    /// The command that makes it again.
    pub command: &'a str,
}

/// A cell as it came out.
pub struct Row<'a> {
    pub planned: &'a PlannedCell,
    pub numbers: Result<Numbers, String>,
    /// Whether data, splits and metric are the paper's.
    pub as_in_paper: bool,
}

/// What tables are made of.
pub struct Source<'a> {
    pub scale: ScaleName,
    pub description: &'a Scale,
    pub seeds: &'a [u64],
    pub sets: &'a [Set],
    pub folder: &'a Folder,
    pub machine: &'a [(&'static str, String)],
    pub remarks: &'a [String],
    pub command: &'a str,
}

impl<'a> Table<'a> {
    /// Collects what the runs of an experiment left.
    pub fn collect(planned: &'a Planned, source: &'a Source<'_>) -> Result<Table<'a>, Failure> {
        let (mut rows, mut runs) = (Vec::new(), BTreeMap::new());
        let mut used = Vec::new();
        for cell in &planned.cells {
            let numbers = match &cell.runs {
                Err(why) => Err(why.clone()),
                Ok(cell_runs) => {
                    for name in cell_runs
                        .iter()
                        .flat_map(|one| one.pretrain.iter().chain([&one.result]))
                    {
                        if let Some(done) = source.folder.done(name) {
                            runs.insert(name.clone(), done);
                        }
                    }
                    used.extend(cell.clips.iter().map(|clips| clips.set.clone()));
                    used.extend(pretrained_on(cell, source));
                    Ok(Numbers::read(cell, cell_runs, source.folder)?)
                }
            };
            rows.push(Row {
                planned: cell,
                numbers,
                as_in_paper: as_in_paper(cell, source),
            });
        }
        let commits = commits(runs.keys(), source.folder);
        Ok(Table {
            planned,
            scale: source.scale,
            about: &source.description.about,
            seeds: source.seeds,
            rows,
            sets: source
                .sets
                .iter()
                .filter(|set| used.contains(&set.name))
                .collect(),
            runs,
            commits,
            machine: source.machine,
            remarks: source.remarks,
            drawings: Vec::new(),
            command: source.command,
        })
    }

    /// `table5a-small`: what its files are called.
    pub fn name(&self) -> String {
        format!("{}-{}", self.planned.experiment.id, self.scale.name())
    }

    /// Wall time of its runs.
    pub fn seconds(&self) -> f64 {
        self.runs.values().map(|done| done.seconds).sum()
    }

    /// Writes the three forms and gives the first's path.
    pub fn write(&self, folder: &Path) -> Result<PathBuf, Failure> {
        std::fs::create_dir_all(folder)
            .map_err(|e| Failure::Task(format!("cannot make {}: {e}", folder.display())))?;
        let path = |ending: &str| folder.join(format!("{}.{ending}", self.name()));
        write_whole(&path("csv"), self.csv().as_bytes())?;
        write_whole(&path("json"), self.json().as_bytes())?;
        write_whole(&path("md"), self.markdown().as_bytes())?;
        Ok(path("md"))
    }
}

impl Row<'_> {
    /// Ours less the paper's in points, where the two are of the same data and metric.
    pub fn difference(&self) -> Option<f64> {
        let (numbers, paper) = (self.numbers.as_ref().ok()?, self.planned.cell.value?);
        self.as_in_paper.then(|| numbers.mean() - paper)
    }

    /// `jhmdb14 test1`: what it was measured on.
    pub fn clips(&self) -> String {
        let clips = self.planned.clips.as_ref();
        clips.map_or(String::new(), |clips| {
            format!("{} {}", clips.set, clips.test)
        })
    }
}

/// Whether a cell's data are the paper's, by what the cache says of itself.
fn as_in_paper(cell: &PlannedCell, source: &Source<'_>) -> bool {
    let theirs = &cell.cell.clips.set;
    let set = source.sets.iter().find(|set| set.name == *theirs);
    source.scale == ScaleName::Paper && set.is_some_and(|set| set.facts.dataset == *theirs)
}

fn pretrained_on(cell: &PlannedCell, source: &Source<'_>) -> Option<String> {
    let (set, train) = cell.cell.setup.pretrained_on.as_ref()?;
    let stand_in = source.description.stand_in(set, train)?;
    Some(stand_in.set.clone())
}

/// The commits that the runs' own records name.
fn commits<'a>(names: impl Iterator<Item = &'a String>, folder: &Folder) -> Vec<String> {
    let commit = |name: &String| {
        let info = super::numbers::json(&folder.run(name).join("run.json")).ok()?;
        Some(info.get("commit")?.as_str()?.to_owned())
    };
    let mut commits: Vec<String> = names.filter_map(commit).collect();
    commits.sort();
    commits.dedup();
    commits
}

/// `77.8`
fn points(value: f64) -> String {
    format!("{value:.1}")
}

/// `1 h 03 min`, `12 min 05 s`, `7.3 s`
pub fn spell(seconds: f64) -> String {
    if seconds < 60.0 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round() as u64;
    match whole / 3600 {
        0 => format!("{} min {:02} s", whole / 60, whole % 60),
        hours => format!("{hours} h {:02} min", whole / 60 % 60),
    }
}

#[cfg(test)]
mod tests;
