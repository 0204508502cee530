//! What finished runs say, as numbers of cells, and tables of them: ours, the paper's, how ours came about.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};
use skeleton_datasets::paper::Metric;

use super::clips::Set;
use super::job::{Done, Folder};
use super::plan::{CellRuns, Planned, PlannedCell};
use super::settings::Scale;
use crate::args::ScaleName;
use crate::failure::Outcome;
use crate::report::{BestEvaluation, Evaluation, Statistic, distinct};
use crate::run::{INFO, Info, Record, TEST, TEST_BEST};
use crate::text::{read_json, read_json_if_there};

/// One seed's numbers. Accuracies are percent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seeded {
    pub seed: u64,
    /// By the cell's metric, after the last epoch.
    pub accuracy: f64,
    /// By the cell's metric, at the epoch that was best on held-out training clips.
    #[serde(rename = "best_by_held_out")]
    pub best: Option<f64>,
    pub clips: usize,
    #[serde(flatten)]
    pub pretext: Pretext,
}

/// How the pre-training ended, if there was one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pretext {
    /// Mean of the last epoch.
    #[serde(rename = "pretraining_loss")]
    pub loss: Option<f64>,
    /// Error of reconstructed joints, in errors of their nearest visible neighbours; none without held-out clips.
    pub reconstruction: Option<f64>,
}

/// A cell's numbers over seeds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Numbers {
    /// Of the accuracies.
    pub mean: f64,
    /// Sample standard deviation of the accuracies; none of one seed.
    pub std: Option<f64>,
    pub values: Vec<Seeded>,
    /// The mean of the accuracies at the best epochs by held-out clips, where all have one.
    #[serde(skip)]
    pub best: Option<f64>,
}

impl Numbers {
    /// Of at least one seed.
    pub fn new(values: Vec<Seeded>) -> Numbers {
        let accuracy = Statistic::of(values.iter().map(|value| value.accuracy).collect());
        let best: Option<Vec<f64>> = values.iter().map(|value| value.best).collect();
        Numbers {
            mean: accuracy.mean,
            std: accuracy.std,
            best: best.map(|best| Statistic::of(best).mean),
            values,
        }
    }

    /// Reads what the cell's runs wrote.
    pub fn read(cell: &PlannedCell, runs: &[CellRuns], folder: &Folder) -> Outcome<Numbers> {
        let percent = |measured: &Evaluation| match cell.cell.metric {
            Metric::MeanClass => 100.0 * measured.mean_class,
            _ => 100.0 * measured.top1,
        };
        let one = |runs: &CellRuns| {
            let path = folder.run(&runs.result);
            let last = measured(&path)?;
            let best = read_json_if_there::<BestEvaluation>(&path.join(TEST_BEST))?;
            let pretrain = runs.pretrain.as_ref().map(|name| folder.run(name));
            let pretext = pretrain.map(|run| pretext(&run)).transpose()?;
            Ok(Seeded {
                seed: runs.seed,
                accuracy: percent(&last),
                best: best.map(|best| percent(&best.evaluation)),
                clips: last.n,
                pretext: pretext.unwrap_or_default(),
            })
        };
        let values: Outcome<Vec<Seeded>> = runs.iter().map(one).collect();
        Ok(Numbers::new(values?))
    }
}

/// What a run measured; what a probe writes is the measurement itself.
fn measured(run: &Path) -> Outcome<Evaluation> {
    match run.is_dir() {
        true => read_json(&run.join(TEST)),
        false => read_json(run),
    }
}

/// A run's top-1, percent.
pub fn top1(run: &Path) -> Outcome<f64> {
    Ok(100.0 * measured(run)?.top1)
}

/// The commits of the programs that made runs, each once.
pub fn commits<'a>(runs: impl Iterator<Item = &'a String>, folder: &Folder) -> Vec<String> {
    let infos = runs.filter_map(|name| read_json::<Info>(&folder.run(name).join(INFO)).ok());
    let commits: BTreeSet<String> = infos.map(|info| info.commit).collect();
    commits.into_iter().collect()
}

fn pretext(run: &Path) -> Outcome<Pretext> {
    let record = Record::read(run)?;
    let last = record.epochs.last();
    // Neither without held-out clips nor of a contrastive model, which has no decoder.
    let all = record.reconstruction.map(|report| report.all);
    Ok(Pretext {
        loss: last.and_then(|last| last.numbers.get("loss").copied()),
        reconstruction: all.and_then(|all| Some(all.model? / all.neighbours?)),
    })
}

/// An experiment as it came out; all of it is written as JSON.
#[derive(Serialize)]
pub struct Table<'a> {
    #[serde(skip)]
    pub planned: &'a Planned,
    #[serde(flatten)]
    pub source: &'a Source<'a>,
    pub experiment: &'a str,
    pub title: &'a str,
    pub note: Option<&'a str>,
    /// Commits of the programs that made the runs.
    pub commits: Vec<String>,
    /// The data sets of its cells.
    pub data: Vec<&'a Set>,
    /// Drawings, by their file names.
    pub drawings: Vec<String>,
    /// Wall time of its runs.
    pub seconds: f64,
    pub cells: Vec<Row<'a>>,
    /// Its runs by name, finished.
    pub runs: BTreeMap<String, Done>,
}

/// What all tables of a call share.
#[derive(Clone, Serialize)]
pub struct Source<'a> {
    #[serde(skip)]
    pub description: &'a Scale,
    #[serde(skip)]
    pub sets: &'a [Set],
    #[serde(skip)]
    pub folder: &'a Folder,
    pub scale: ScaleName,
    /// What a reader must know of the scale.
    pub about: String,
    /// Sentences that `--batch` and the like make necessary.
    pub remarks: &'a [String],
    /// The command that makes the tables again.
    pub command: &'a str,
    pub seeds: &'a [u64],
    pub machine: Machine,
}

/// What numbers were measured on.
#[derive(Clone, Serialize, Deserialize)]
pub struct Machine {
    pub processor: String,
    pub cores: String,
    pub system: String,
    pub rustc: String,
}

/// A cell as it came out.
#[derive(Serialize)]
pub struct Row<'a> {
    pub row: &'a str,
    pub column: &'a str,
    /// `jhmdb14 test1`
    pub measured_on: String,
    pub metric: Metric,
    #[serde(flatten)]
    pub numbers: Option<Numbers>,
    pub paper: Option<f64>,
    pub paper_data: String,
    /// Ours less the paper's in points, where the two are of the same data and metric.
    pub difference: Option<f64>,
    /// Why there are no numbers.
    pub not_made: Option<&'a str>,
    pub runs: Option<&'a [CellRuns]>,
}

impl<'a> Table<'a> {
    /// Collects what the runs of an experiment left.
    pub fn collect(planned: &'a Planned, source: &'a Source<'a>) -> Outcome<Table<'a>> {
        let (mut table, mut used) = (Table::empty(planned, source), Vec::new());
        for cell in &planned.cells {
            let numbers = match &cell.runs {
                Err(_) => None,
                Ok(runs) => {
                    for name in runs.iter().flat_map(CellRuns::names) {
                        let done = source.folder.done(name);
                        table.runs.extend(done.map(|done| (name.clone(), done)));
                    }
                    used.extend(cell.clips.iter().map(|clips| &clips.set));
                    let from = cell.cell.setup.pretrained_on.as_ref();
                    let from =
                        from.and_then(|(set, train)| source.description.stand_in(set, train));
                    used.extend(from.map(|stand_in| &stand_in.set));
                    Some(Numbers::read(cell, runs, source.folder)?)
                }
            };
            // By what the cache says of itself.
            let theirs = &cell.cell.clips.set;
            let set = source.sets.iter().find(|set| set.name == *theirs);
            let same = set.is_some_and(|set| set.dataset == *theirs);
            let as_in_paper = source.scale == ScaleName::Paper && same;
            table.cells.push(Row::new(cell, numbers, as_in_paper));
        }
        let sets = source.sets.iter();
        table.data = sets.filter(|set| used.contains(&&set.name)).collect();
        table.seconds = table.runs.values().map(|done| done.seconds).sum();
        table.commits = commits(table.runs.keys(), source.folder);
        Ok(table)
    }

    fn empty(planned: &'a Planned, source: &'a Source<'a>) -> Table<'a> {
        let experiment = planned.experiment;
        Table {
            planned,
            source,
            experiment: &experiment.id,
            title: &experiment.title,
            note: experiment.note.as_deref(),
            commits: Vec::new(),
            data: Vec::new(),
            drawings: Vec::new(),
            seconds: 0.0,
            cells: Vec::new(),
            runs: BTreeMap::new(),
        }
    }

    /// `table5a-small`: what its files are called.
    pub fn name(&self) -> String {
        format!("{}-{}", self.experiment, self.source.scale.name())
    }

    /// The names of the rows and of the columns that `of` picks, each once, in their order.
    pub fn axes(&self, of: impl Fn(&Row<'_>) -> bool) -> (Vec<&str>, Vec<&str>) {
        let cells = || self.cells.iter().filter(|cell| of(cell));
        let rows = distinct(cells().map(|cell| cell.row));
        (rows, distinct(cells().map(|cell| cell.column)))
    }

    /// The cell of a row and a column.
    pub fn at(&self, row: &str, column: &str) -> Option<&Row<'_>> {
        let mut cells = self.cells.iter();
        cells.find(|cell| cell.row == row && cell.column == column)
    }

    /// For spreadsheets: a line a cell.
    pub fn csv(&self) -> String {
        let mut text = String::from(
            "experiment,scale,row,column,measured_on,ours_mean,ours_std,n,best_by_held_out,paper,difference,not_made\n",
        );
        let number =
            |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:.4}"));
        for cell in &self.cells {
            let numbers = cell.numbers.as_ref();
            let fields = [
                self.experiment.to_owned(),
                self.source.scale.name().to_owned(),
                cell.row.to_owned(),
                cell.column.to_owned(),
                cell.measured_on.clone(),
                number(numbers.map(|numbers| numbers.mean)),
                number(numbers.and_then(|numbers| numbers.std)),
                numbers
                    .map_or(0, |numbers| numbers.values.len())
                    .to_string(),
                number(numbers.and_then(|numbers| numbers.best)),
                number(cell.paper),
                number(cell.difference),
                cell.not_made.unwrap_or_default().to_owned(),
            ];
            let fields: Vec<String> = fields.iter().map(|field| quoted(field)).collect();
            text.push_str(&fields.join(","));
            text.push('\n');
        }
        text
    }
}

impl<'a> Row<'a> {
    fn new(planned: &'a PlannedCell, numbers: Option<Numbers>, as_in_paper: bool) -> Row<'a> {
        let (cell, clips) = (planned.cell, planned.clips.as_ref());
        let both = numbers.as_ref().zip(cell.value).filter(|_| as_in_paper);
        Row {
            row: &cell.row,
            column: &cell.column,
            measured_on: clips.map_or(String::new(), |clips| {
                format!("{} {}", clips.set, clips.test)
            }),
            difference: both.map(|(ours, paper)| ours.mean - paper),
            paper: cell.value,
            paper_data: format!("{} {}", cell.clips.set, cell.clips.test),
            metric: cell.metric,
            not_made: planned.runs.as_ref().err().map(String::as_str),
            runs: planned.runs.as_deref().ok(),
            numbers,
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

#[cfg(test)]
mod tests {
    use skeleton_datasets::paper::experiments;

    use super::*;
    use crate::reproduce::page::{bars, markdown};
    use crate::reproduce::settings::StandIn;

    /// The last cell was not made.
    fn planned(id: &str) -> Planned {
        let experiment = experiments().iter().find(|one| one.id == id).expect(id);
        let clips = StandIn {
            of: "gym99/train".into(),
            set: "jhmdb14".into(),
            train: "train1".into(),
            test: "test1".into(),
        };
        let last = experiment.cells.len() - 1;
        let cell = |(at, cell)| PlannedCell {
            cell,
            clips: Some(clips.clone()),
            runs: match at == last {
                true => Err("its skeleton has no right leg".to_owned()),
                false => Ok(Vec::new()),
            },
        };
        Planned {
            experiment,
            cells: experiment.cells.iter().enumerate().map(cell).collect(),
        }
    }

    const MACHINE: Machine = Machine {
        processor: String::new(),
        cores: String::new(),
        system: String::new(),
        rustc: String::new(),
    };

    /// The cells' accuracies are 70 and 72 with two seeds.
    fn with_table(id: &str, scale: ScaleName, look: impl Fn(&Table<'_>)) {
        let planned = planned(id);
        let source = Source {
            description: &Scale::read(scale).expect("the scales are valid"),
            sets: &[],
            folder: &Folder::at("/out".into()),
            scale,
            about: "Small.".to_owned(),
            remarks: &[],
            command: "ssl reproduce table4c --scale small",
            seeds: &[0, 1],
            machine: MACHINE,
        };
        let seeded = |seed, accuracy| Seeded {
            seed,
            accuracy,
            best: None,
            clips: 176,
            pretext: Pretext::default(),
        };
        let numbers = || Numbers::new(vec![seeded(0, 70.0), seeded(1, 72.0)]);
        let mut table = Table::empty(&planned, &source);
        for cell in &planned.cells {
            let numbers = cell.runs.is_ok().then(numbers);
            let row = Row::new(cell, numbers, scale == ScaleName::Paper);
            table.cells.push(row);
        }
        look(&table);
    }

    #[test]
    fn the_page_has_ours_beside_the_papers_and_no_difference_across_data() {
        with_table("table4c", ScaleName::Small, |table| {
            let page = markdown(table);
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
        });
    }

    #[test]
    fn with_the_papers_data_a_difference_is_shown() {
        with_table("table5a", ScaleName::Paper, |table| {
            let page = markdown(table);
            assert!(
                page.contains(
                    "| M = 1 | FineGym | jhmdb14 test1 | 71.0 ± 1.4 | 2 | 89.1 | -18.1 |"
                ),
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
            let json: serde_json::Value = serde_json::to_value(table).expect("one document");
            assert_eq!(json["cells"][0]["values"][1]["accuracy"], 72.0);
            assert_eq!(
                json["cells"][4]["not_made"],
                "its skeleton has no right leg"
            );
        });
    }

    #[test]
    fn a_number_that_is_not_known_is_not_invented() {
        with_table("table3", ScaleName::Paper, |table| {
            let page = markdown(table);
            assert!(
                page.contains("| not known |") && page.contains("not legible"),
                "{page}"
            );
        });
    }

    #[test]
    fn bars_are_drawn_for_what_was_made() {
        with_table("figure5", ScaleName::Ci, |table| {
            let svg = bars(table);
            // 24 cells of which one was not made, four rows in the legend, the background.
            assert_eq!(svg.matches("<rect").count(), 23 + 4 + 1, "{svg}");
            assert!(!svg.contains("NaN") && svg.ends_with("</svg>\n"), "{svg}");
        });
    }

    #[test]
    fn mean_and_spread_are_over_seeds() {
        let value = |accuracy| Seeded {
            seed: 0,
            accuracy,
            best: None,
            clips: 10,
            pretext: Pretext::default(),
        };
        let numbers = Numbers::new([70.0, 72.0, 77.0].map(value).to_vec());
        assert_eq!(numbers.mean, 73.0);
        let std = numbers.std.expect("three seeds");
        assert!((std - 13f64.sqrt()).abs() < 1e-12);
        let one = Numbers::new(vec![value(70.0)]);
        assert_eq!((one.std, one.best), (None, None));
    }
}
