//! The tables that a reproduction left in its folder's `results`.

use std::path::{Component, Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;
use skeleton_datasets::paper::Metric;

use crate::checkpoint::folder_of;
use crate::failure::{Failure, Outcome};
use crate::page::html::{Cell, Grid, Gridded, Tables};
use crate::page::{Share, t_interval};
use crate::report::{count, distinct, spell};
use crate::reproduce::{CellRuns, Gain, Machine, Seeded};
use crate::run::INFO;
use crate::text::read_json;

const RESULTS: &str = "results";
const RUNS: &str = "runs";

/// Whether a folder is `ssl reproduce`'s, and not a run's.
pub fn is_reproduction(folder: &Path) -> bool {
    folder.join(RESULTS).is_dir() && !folder.join(INFO).exists()
}

/// What all tables have; a table of the paper has cells, a comparison has results and trials.
#[derive(Deserialize)]
struct Written {
    title: String,
    scale: String,
    about: String,
    command: String,
    #[serde(default)]
    note: Option<String>,
    #[serde(default)]
    remarks: Vec<String>,
    commits: Vec<String>,
    seeds: Vec<u64>,
    machine: Machine,
    #[serde(default)]
    seconds: Option<f64>,
    #[serde(default)]
    cells: Vec<WrittenCell>,
    #[serde(default)]
    results: Vec<Summary>,
    #[serde(default)]
    trials: Vec<Trial>,
}

#[derive(Deserialize)]
struct WrittenCell {
    /// Older tables don't say it.
    #[serde(default)]
    metric: Option<Metric>,
    row: String,
    column: String,
    measured_on: String,
    mean: Option<f64>,
    std: Option<f64>,
    #[serde(default)]
    values: Vec<Seeded>,
    paper: Option<f64>,
    difference: Option<f64>,
    not_made: Option<String>,
    runs: Option<Vec<CellRuns>>,
}

/// An arm of a comparison by a protocol.
#[derive(Deserialize)]
struct Summary {
    protocol: String,
    arm: String,
    mean: f64,
    runs: usize,
    gain: Option<Gain>,
}

#[derive(Deserialize)]
struct Trial {
    measured_on: String,
    protocol: String,
    arm: String,
    top1: f64,
    runs: Vec<String>,
}

/// Reads the tables; `page` is where the page will be, from which links lead to the runs.
pub fn read(folder: &Path, page: &Path) -> Outcome<Tables> {
    let results = folder.join(RESULTS);
    let entries = std::fs::read_dir(&results).map_err(Failure::io(&results))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(Failure::io(&results))?.path();
        if path.extension().is_some_and(|ending| ending == "json") {
            files.push(path);
        }
    }
    files.sort();
    let mut tables = Vec::new();
    for file in files {
        // What else may lie there is no table: it has no title.
        let value: Value = read_json(&file)?;
        if value.get("title").is_none() {
            continue;
        }
        let table: Written = serde_json::from_value(value).map_err(|error| {
            Failure::error(format!(
                "{}: expected a table of ssl reproduce, found {error}",
                file.display()
            ))
            .hint("make it again: the same `ssl reproduce` takes the runs that are there")
        })?;
        let name = file
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let runs = Runs { folder, page };
        tables.push(gridded(name, table, &runs));
    }
    if tables.is_empty() {
        let message = format!(
            "{}: expected tables of ssl reproduce, found none",
            results.display()
        );
        return Err(Failure::error(message)
            .hint("ssl reproduce table5a --scale small --out FOLDER makes one"));
    }
    Ok(Tables {
        folder: folder.display().to_string(),
        tables,
        sets: [],
        runs: [],
    })
}

fn gridded(name: String, table: Written, runs: &Runs<'_>) -> Gridded {
    let grids = match table.results.is_empty() {
        true => vec![Grid {
            title: None,
            intervals: "95 % interval",
            cells: table
                .cells
                .into_iter()
                .map(|cell| of_cell(cell, runs))
                .collect(),
        }],
        false => comparison(&table.results, &table.trials, runs),
    };
    let seeds: Vec<String> = table.seeds.iter().map(u64::to_string).collect();
    let Machine {
        processor,
        cores,
        system,
        ..
    } = table.machine;
    let mut provenance = vec![
        ("seeds".to_owned(), seeds.join(", ")),
        ("commit".to_owned(), table.commits.join(", ")),
        (
            "machine".to_owned(),
            format!("{processor}, {cores} cores, {system}"),
        ),
    ];
    provenance.extend(
        table
            .seconds
            .map(|seconds| ("time of its runs".to_owned(), spell(seconds))),
    );
    let compared = match &*table.scale {
        _ if !table.results.is_empty() => {
            "The difference is from the first row, in points, with the interval that holds 95 % of the bootstrap's means.".to_owned()
        }
        "paper" => "Where the data are the paper's, the difference is ours less the paper's in points.".to_owned(),
        scale => format!("Scale {scale}: the paper's numbers are of other data and settings, so no difference from them is formed."),
    };
    let words = [table.about]
        .into_iter()
        .chain(table.note)
        .chain(table.remarks);
    let words = words
        .map(|words| words.trim().to_owned())
        .filter(|words| !words.is_empty());
    Gridded {
        name,
        title: format!("{}, scale {}", table.title, table.scale),
        words: words.chain([compared]).collect(),
        command: table.command,
        provenance,
        grids,
    }
}

fn of_cell(cell: WrittenCell, runs: &Runs<'_>) -> Cell {
    let n = cell.values.len();
    let seeds = cell.mean.zip(cell.std).and_then(|(mean, std)| {
        let half = t_interval(std, n)?;
        Some(((mean - half).max(0.0), (mean + half).min(100.0)))
    });
    // Of one run there is only what its clips say, where the number is the share of those that are right.
    let is_share = cell.metric == Some(Metric::Top1);
    let clips = cell.values.first().filter(|_| is_share).and_then(|one| {
        let right = (one.accuracy / 100.0 * one.clips as f64).round() as u64;
        let share = Share::of(right, one.clips as u64)?;
        Some((100.0 * share.low, 100.0 * share.high))
    });
    let of = match n {
        0 | 1 => "of one run's clips (Wilson)".to_owned(),
        n => format!("of the mean over {} (Student)", count(n, "seed")),
    };
    let names = cell
        .runs
        .into_iter()
        .flatten()
        .flat_map(|one| one.pretrain.into_iter().chain([one.result]));
    Cell {
        interval: if n > 1 { seeds } else { clips },
        of,
        n,
        ours: cell.mean,
        difference: cell.difference.map(|points| (points, None)),
        runs: runs.places(names),
        row: cell.row,
        column: cell.column,
        measured_on: cell.measured_on,
        paper: cell.paper,
        not_made: cell.not_made,
    }
}

/// A grid a protocol: each arm, with by how much the first is better.
fn comparison(results: &[Summary], trials: &[Trial], runs: &Runs<'_>) -> Vec<Grid> {
    let protocols = distinct(results.iter().map(|one| one.protocol.as_str()));
    let cell = |one: &Summary| {
        let of = || {
            trials
                .iter()
                .filter(|trial| trial.protocol == one.protocol && trial.arm == one.arm)
        };
        let clips = distinct(of().map(|trial| trial.measured_on.as_str()));
        let each: Vec<f64> = of().map(|trial| trial.top1).collect();
        let (low, high) = each.iter().fold((f64::MAX, f64::MIN), |(low, high), &x| {
            (low.min(x), high.max(x))
        });
        Cell {
            row: one.arm.clone(),
            column: "top-1".to_owned(),
            measured_on: clips.join(", "),
            ours: Some(one.mean),
            interval: (each.len() > 1).then_some((low, high)),
            of: "the lowest and the highest run, which are of several splits".to_owned(),
            n: one.runs,
            paper: None,
            difference: one
                .gain
                .as_ref()
                .map(|gain| (-gain.mean, Some((-gain.high, -gain.low)))),
            not_made: None,
            runs: runs.places(of().flat_map(|trial| trial.runs.iter().cloned())),
        }
    };
    let grid = |protocol: &&str| {
        let of = results.iter().filter(|one| one.protocol == *protocol);
        Grid {
            title: Some((*protocol).to_owned()),
            intervals: "lowest to highest",
            cells: of.map(cell).collect(),
        }
    };
    protocols.iter().map(grid).collect()
}

/// Where runs are, seen from the page.
struct Runs<'a> {
    folder: &'a Path,
    page: &'a Path,
}

impl Runs<'_> {
    /// Each name once, with its link where it is there.
    fn places(&self, names: impl Iterator<Item = String>) -> Vec<(String, Option<String>)> {
        let place = |name: String| {
            // A name from a file leads to no other place than the folder of runs.
            let single = matches!(
                Path::new(&name).components().collect::<Vec<_>>()[..],
                [Component::Normal(_)]
            );
            let place = self.folder.join(RUNS).join(&name);
            let link = (single && place.exists())
                .then(|| link(self.page, &place))
                .flatten();
            (name, link)
        };
        distinct(names).into_iter().map(place).collect()
    }
}

/// A link from a page to a folder or file; none where the two have nothing in common.
fn link(page: &Path, to: &Path) -> Option<String> {
    let (from, to) = (
        folder_of(page).canonicalize().ok()?,
        to.canonicalize().ok()?,
    );
    let shared = from
        .components()
        .zip(to.components())
        .take_while(|(a, b)| a == b)
        .count();
    let mut way: PathBuf = from.components().skip(shared).map(|_| "..").collect();
    way.extend(to.components().skip(shared));
    let mut url = String::new();
    for byte in way.to_str()?.replace('\\', "/").bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' | b'~' => {
                url.push(byte as char)
            }
            other => url.push_str(&format!("%{other:02X}")),
        }
    }
    Some(if to.is_dir() { url + "/" } else { url })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_from_the_page_to_the_runs() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        std::fs::create_dir_all(at("my runs/runs/pretrain-0")).unwrap();
        std::fs::create_dir_all(at("pages")).unwrap();
        let run = at("my runs/runs/pretrain-0");
        assert_eq!(
            link(&at("pages/x.html"), &run).unwrap(),
            "../my%20runs/runs/pretrain-0/"
        );
        assert_eq!(
            link(&at("x.html"), &run).unwrap(),
            "my%20runs/runs/pretrain-0/"
        );
        let (folder, page) = (at("my runs"), at("x.html"));
        let runs = Runs {
            folder: &folder,
            page: &page,
        };
        let names = ["pretrain-0", "gone", "../runs", "pretrain-0"].map(str::to_owned);
        let found = runs.places(names.into_iter());
        let links: Vec<bool> = found.iter().map(|one| one.1.is_some()).collect();
        assert_eq!(links, [true, false, false]);
    }

    /// The tables of datasets/results, as the program wrote them.
    #[test]
    fn both_kinds_of_tables_are_read() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join(RESULTS)).unwrap();
        read(root.path(), Path::new("x.html"))
            .unwrap_err()
            .assert_says("found none");
        let known = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/results");
        for name in ["table4c-small.json", "helps-pretext-small.json"] {
            std::fs::copy(known.join(name), root.path().join(RESULTS).join(name)).unwrap();
        }
        assert!(is_reproduction(root.path()));
        let tables = read(root.path(), Path::new("x.html")).unwrap().tables;
        assert_eq!(tables.len(), 2);
        let (gain, interval) = tables[0].grids[0].cells[1].difference.unwrap();
        let written = std::fs::read(known.join("helps-pretext-small.json")).unwrap();
        let written: serde_json::Value = serde_json::from_slice(&written).unwrap();
        let first = &written["results"][1]["gain"];
        let less = ["mean", "high", "low"].map(|key| -first[key].as_f64().unwrap());
        let (low, high) = interval.unwrap();
        assert_eq!([gain, low, high], less, "less by the first arm's gain");
        let cell = &tables[1].grids[0].cells[0];
        let (low, high) = cell.interval.unwrap();
        assert_eq!((cell.paper, cell.n), (Some(86.8), 2));
        // Two seeds, a deviation of 1.64: 12.706 * 1.64 / sqrt(2) = 14.8 to either side.
        assert!((high - low - 2.0 * 14.78).abs() < 0.02, "{low} {high}");
        let page = crate::page::html::reproduced(&Tables {
            folder: "f".into(),
            tables,
            sets: [],
            runs: [],
        });
        assert!(page.contains("86.8") && page.contains("reproduce table4c --scale small"));
    }
}
