//! Tables: ours, the paper's, how ours came about. Markdown for people, CSV and JSON beside it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::data::Set;
use super::job::{Done, Folder};
use super::numbers::{Numbers, Seeded};
use super::page;
use super::plan::{CellRuns, Planned, PlannedCell};
use super::scale::Scale;
use crate::args::ScaleName;
use crate::checkpoint::{write_json, write_whole};
use crate::failure::{Failure, Outcome};
use crate::run::Info;
use crate::text::read_json;

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
    pub fn collect(planned: &'a Planned, source: &'a Source<'_>) -> Outcome<Table<'a>> {
        let (mut rows, mut runs) = (Vec::new(), BTreeMap::new());
        let mut used = Vec::new();
        for cell in &planned.cells {
            let numbers = match &cell.runs {
                Err(why) => Err(why.clone()),
                Ok(cell_runs) => {
                    for name in cell_runs.iter().flat_map(CellRuns::names) {
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
    pub fn write(&self, folder: &Path) -> Outcome<PathBuf> {
        std::fs::create_dir_all(folder).map_err(Failure::io(folder))?;
        let path = |ending: &str| folder.join(format!("{}.{ending}", self.name()));
        write_whole(&path("csv"), self.csv().as_bytes())?;
        write_json(&path("json"), &self.document())?;
        write_whole(&path("md"), page::markdown(self).as_bytes())?;
        Ok(path("md"))
    }
}

impl Table<'_> {
    /// The names of the rows and of the columns that `of` picks, each once, in their order.
    pub fn axes(&self, of: impl Fn(&Row<'_>) -> bool) -> (Vec<&str>, Vec<&str>) {
        let (mut rows, mut columns): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
        for row in self.rows.iter().filter(|row| of(row)) {
            let cell = row.planned.cell;
            if !rows.contains(&cell.row.as_str()) {
                rows.push(&cell.row);
            }
            if !columns.contains(&cell.column.as_str()) {
                columns.push(&cell.column);
            }
        }
        (rows, columns)
    }

    /// The cell of a row and a column.
    pub fn at(&self, row: &str, column: &str) -> Option<&Row<'_>> {
        let named = |one: &&Row<'_>| {
            let cell = one.planned.cell;
            cell.row == row && cell.column == column
        };
        self.rows.iter().find(named)
    }

    /// For spreadsheets: a line a cell.
    fn csv(&self) -> String {
        let mut text = String::from(
            "experiment,scale,row,column,measured_on,ours_mean,ours_std,n,best_by_held_out,paper,difference,not_made\n",
        );
        let number =
            |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:.4}"));
        for row in &self.rows {
            let cell = row.planned.cell;
            let numbers = row.numbers.as_ref();
            let fields = [
                self.planned.experiment.id.clone(),
                self.scale.name().to_owned(),
                cell.row.clone(),
                cell.column.clone(),
                row.clips(),
                number(numbers.ok().map(|numbers| numbers.accuracy.mean)),
                number(numbers.ok().and_then(|numbers| numbers.accuracy.std)),
                numbers
                    .map_or(0, |numbers| numbers.values.len())
                    .to_string(),
                number(numbers.ok().and_then(|numbers| numbers.best)),
                number(cell.value),
                number(row.difference()),
                numbers.err().cloned().unwrap_or_default(),
            ];
            let fields: Vec<String> = fields.iter().map(|field| quoted(field)).collect();
            // Writing to a string can't fail.
            let _ = writeln!(text, "{}", fields.join(","));
        }
        text
    }
    /// For programs: everything that is known of it.
    fn document(&self) -> Document<'_> {
        let experiment = self.planned.experiment;
        let set = |set: &&'_ Set| {
            let splits = set.splits.iter();
            SetDocument {
                name: set.name.clone(),
                dataset: set.dataset.clone(),
                layout: set.layout.name().to_owned(),
                splits: splits
                    .map(|(name, clips)| (name.clone(), clips.len()))
                    .collect(),
                digest: set.digest.clone(),
            }
        };
        Document {
            experiment: &experiment.id,
            title: &experiment.title,
            scale: self.scale.name(),
            about: self.about.trim(),
            note: experiment.note.as_deref(),
            remarks: self.remarks,
            command: self.command,
            seeds: self.seeds,
            commits: &self.commits,
            machine: self.machine.iter().cloned().collect(),
            data: self.sets.iter().map(set).collect(),
            drawings: &self.drawings,
            seconds: self.seconds(),
            cells: self.rows.iter().map(Row::document).collect(),
            runs: &self.runs,
        }
    }
}

/// What is written as JSON.
#[derive(Serialize)]
struct Document<'a> {
    experiment: &'a str,
    title: &'a str,
    scale: &'a str,
    about: &'a str,
    note: Option<&'a str>,
    remarks: &'a [String],
    command: &'a str,
    seeds: &'a [u64],
    commits: &'a [String],
    machine: BTreeMap<&'static str, String>,
    data: Vec<SetDocument>,
    drawings: &'a [String],
    seconds: f64,
    cells: Vec<CellDocument<'a>>,
    runs: &'a BTreeMap<String, Done>,
}

#[derive(Serialize)]
struct SetDocument {
    name: String,
    dataset: String,
    layout: String,
    /// Clips of each.
    splits: BTreeMap<String, usize>,
    digest: String,
}

#[derive(Serialize)]
struct CellDocument<'a> {
    row: &'a str,
    column: &'a str,
    measured_on: String,
    mean: Option<f64>,
    std: Option<f64>,
    values: Option<&'a [Seeded]>,
    paper: Option<f64>,
    paper_data: String,
    difference: Option<f64>,
    not_made: Option<&'a str>,
    runs: Option<&'a [CellRuns]>,
}

impl Row<'_> {
    /// Ours less the paper's in points, where the two are of the same data and metric.
    pub fn difference(&self) -> Option<f64> {
        let (numbers, paper) = (self.numbers.as_ref().ok()?, self.planned.cell.value?);
        self.as_in_paper.then_some(numbers.accuracy.mean - paper)
    }

    /// `jhmdb14 test1`: what it was measured on.
    pub fn clips(&self) -> String {
        let clips = self.planned.clips.as_ref();
        clips.map_or(String::new(), |clips| {
            format!("{} {}", clips.set, clips.test)
        })
    }
    fn document(&self) -> CellDocument<'_> {
        let cell = self.planned.cell;
        let numbers = self.numbers.as_ref().ok();
        CellDocument {
            row: &cell.row,
            column: &cell.column,
            measured_on: self.clips(),
            mean: numbers.map(|numbers| numbers.accuracy.mean),
            std: numbers.and_then(|numbers| numbers.accuracy.std),
            values: numbers.map(|numbers| numbers.values.as_slice()),
            paper: cell.value,
            paper_data: format!("{} {}", cell.clips.set, cell.clips.test),
            difference: self.difference(),
            not_made: self.numbers.as_ref().err().map(String::as_str),
            runs: self.planned.runs.as_deref().ok(),
        }
    }
}

/// By RFC 4180.
fn quoted(field: &str) -> String {
    match field.contains([',', '"', '\n']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field.to_owned(),
    }
}

/// Whether a cell's data are the paper's, by what the cache says of itself.
fn as_in_paper(cell: &PlannedCell, source: &Source<'_>) -> bool {
    let theirs = &cell.cell.clips.set;
    let set = source.sets.iter().find(|set| set.name == *theirs);
    source.scale == ScaleName::Paper && set.is_some_and(|set| set.dataset == *theirs)
}

fn pretrained_on(cell: &PlannedCell, source: &Source<'_>) -> Option<String> {
    let (set, train) = cell.cell.setup.pretrained_on.as_ref()?;
    let stand_in = source.description.stand_in(set, train)?;
    Some(stand_in.set.clone())
}

/// The commits that the runs' own records name.
fn commits<'a>(names: impl Iterator<Item = &'a String>, folder: &Folder) -> Vec<String> {
    let info = |name: &String| read_json::<Info>(&folder.run(name).join("run.json")).ok();
    let mut commits: Vec<String> = names.filter_map(info).map(|info| info.commit).collect();
    commits.sort();
    commits.dedup();
    commits
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
mod tests {
    use skeleton_datasets::paper::experiments;

    use super::*;
    use crate::reproduce::drawings::bars;
    use crate::reproduce::numbers::Pretext;
    use crate::reproduce::scale::StandIn;

    fn planned(id: &str) -> Planned {
        let experiment = experiments().iter().find(|one| one.id == id).expect(id);
        let clips = StandIn {
            of: "gym99/train".into(),
            set: "jhmdb14".into(),
            train: "train1".into(),
            test: "test1".into(),
        };
        let cell = |cell| PlannedCell {
            cell,
            clips: Some(clips.clone()),
            runs: Ok(Vec::new()),
        };
        Planned {
            experiment,
            cells: experiment.cells.iter().map(cell).collect(),
        }
    }

    /// The cells' accuracies are 70 and 72 with two seeds; the last cell was not made.
    fn table<'a>(planned: &'a Planned, scale: ScaleName) -> Table<'a> {
        let seeded = |seed, accuracy| Seeded {
            seed,
            accuracy,
            best: None,
            clips: 176,
            pretext: Pretext::default(),
        };
        let numbers = |at: usize| match at + 1 == planned.cells.len() {
            true => Err("its skeleton has no right leg".to_owned()),
            false => Ok(Numbers::new(vec![seeded(0, 70.0), seeded(1, 72.0)])),
        };
        let row = |(at, cell)| Row {
            planned: cell,
            numbers: numbers(at),
            as_in_paper: scale == ScaleName::Paper,
        };
        Table {
            planned,
            scale,
            about: "Small.",
            seeds: &[0, 1],
            rows: planned.cells.iter().enumerate().map(row).collect(),
            sets: Vec::new(),
            runs: BTreeMap::new(),
            commits: vec!["abc".into()],
            machine: &[],
            remarks: &[],
            drawings: Vec::new(),
            command: "ssl reproduce table4c --scale small",
        }
    }

    #[test]
    fn the_page_has_ours_beside_the_papers_and_no_difference_across_data() {
        let planned = planned("table4c");
        let page = page::markdown(&table(&planned, ScaleName::Small));
        assert!(page.contains("| GAT | 71.0 ± 1.4 (86.8) |"), "{page}");
        assert!(
            page.contains("| GIN | right arm | jhmdb14 test1 | 71.0 ± 1.4 | 2 | 91.2 |  |"),
            "{page}"
        );
        assert!(
            page.contains("not made: its skeleton has no right leg"),
            "{page}"
        );
        assert!(
            page.contains("no difference is formed") && page.contains("Seeds 0, 1."),
            "{page}"
        );
    }

    #[test]
    fn with_the_papers_data_a_difference_is_shown() {
        let planned = planned("table5a");
        let table = table(&planned, ScaleName::Paper);
        let page = page::markdown(&table);
        assert!(
            page.contains("| M = 1 | FineGym | jhmdb14 test1 | 71.0 ± 1.4 | 2 | 89.1 | -18.1 |"),
            "{page}"
        );
        let csv = table.csv();
        assert!(
            csv.contains(
                "table5a,paper,M = 1,FineGym,jhmdb14 test1,71.0000,1.4142,2,,89.1000,-18.1000,\n"
            ),
            "{csv}"
        );
        assert!(csv.contains("\"M = 3, without pre-training\""), "{csv}");
        let json: serde_json::Value = serde_json::to_value(table.document()).expect("one document");
        assert_eq!(json["cells"][0]["values"][1]["accuracy"], 72.0);
        assert_eq!(
            json["cells"][4]["not_made"],
            "its skeleton has no right leg"
        );
    }

    #[test]
    fn a_number_that_is_not_known_is_not_invented() {
        let planned = planned("table3");
        let page = page::markdown(&table(&planned, ScaleName::Paper));
        assert!(
            page.contains("| not known |") && page.contains("not legible"),
            "{page}"
        );
    }

    #[test]
    fn times_are_spelt() {
        assert_eq!(
            [7.31, 125.0, 3780.0].map(spell),
            ["7.3 s", "2 min 05 s", "1 h 03 min"]
        );
    }

    #[test]
    fn bars_are_drawn_for_what_was_made() {
        let planned = planned("figure5");
        let svg = bars(&table(&planned, ScaleName::Ci));
        // 24 cells of which one was not made, four rows in the legend, the background.
        assert_eq!(svg.matches("<rect").count(), 23 + 4 + 1, "{svg}");
        assert!(!svg.contains("NaN") && svg.ends_with("</svg>\n"), "{svg}");
    }
}
