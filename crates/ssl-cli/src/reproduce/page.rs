//! A table as a page for people: ours, the paper's, how ours came about; and its drawings, most of which the program's own
//! commands make.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use skeleton_datasets::paper::{Metric, Shows};

use super::clips::Set;
use super::job::Done;
use super::job_pool::Runner;
use super::table::{Machine, Numbers, Row, Source, Table};
use crate::args::ScaleName;
use crate::checkpoint::{write_json, write_whole};
use crate::failure::{Failure, Outcome};
use crate::report::{Bar, Bars, bars_svg, spell};

/// Writes a table as a page, whose path it gives, with CSV and JSON beside it.
pub fn write(table: &Table<'_>, folder: &Path) -> Outcome<PathBuf> {
    std::fs::create_dir_all(folder).map_err(Failure::io(folder))?;
    let path = |ending: &str| folder.join(format!("{}.{ending}", table.name()));
    write_whole(&path("csv"), table.csv().as_bytes())?;
    write_json(&path("json"), table)?;
    write_whole(&path("md"), markdown(table).as_bytes())?;
    Ok(path("md"))
}

/// The page.
pub fn markdown(table: &Table<'_>) -> String {
    let source = table.source;
    let mut parts = vec![format!("# {}, scale {}", table.title, source.scale.name())];
    let remarks = source.remarks.iter().map(String::as_str);
    let words = [source.about.as_str()].into_iter();
    let words = words.chain(table.note).chain(remarks);
    parts.extend(words.map(str::to_owned));
    parts.extend(grid(table));
    parts.push(list(table));
    parts.push(read(table));
    let drawings = table.drawings.iter();
    parts.extend(drawings.map(|drawing| format!("![{}]({drawing})", table.title)));
    parts.push(format!(
        "## How it was made\n\n```sh\n{}\n```",
        source.command
    ));
    parts.push(provenance(source, &table.data, &table.commits, &table.runs));
    parts.extend(runs_made(&table.runs));
    parts.join("\n\n") + "\n"
}

/// The commands of all runs, folded away; nothing where there is none.
pub fn runs_made(runs: &BTreeMap<String, Done>) -> Option<String> {
    let rows = runs.values().map(|done| {
        let command = done.command.replace('|', "\\|");
        vec![spell(done.seconds), format!("`{command}`")]
    });
    let rows = lines(&["wall time", "command"], rows);
    let folded = format!("<details><summary>The runs</summary>\n\n{rows}\n\n</details>");
    (!runs.is_empty()).then_some(folded)
}

/// A table in Markdown.
pub fn lines(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| format!("| {} |", cells.join(" | "));
    let head: Vec<String> = head.iter().map(|&name| name.to_owned()).collect();
    let rule = format!("|{}", "---|".repeat(head.len()));
    let rows = rows.map(|row| line(&row));
    let all: Vec<String> = [line(&head), rule].into_iter().chain(rows).collect();
    all.join("\n")
}

/// Rows by columns, where there are several of both: ours, the paper's in brackets.
fn grid(table: &Table<'_>) -> Option<String> {
    let (rows, columns) = table.axes(|_| true);
    if rows.len() < 2 || columns.len() < 2 {
        return None;
    }
    let cells = rows.into_iter().map(|row| {
        let cell = |&column: &&str| table.at(row, column).map_or(String::new(), short);
        let cells = columns.iter().map(cell);
        [row.to_owned()].into_iter().chain(cells).collect()
    });
    let grid = lines(&[&[""], columns.as_slice()].concat(), cells);
    let paper = table.cells.iter().any(|cell| cell.paper.is_some());
    let brackets = if paper {
        ", the paper's in brackets"
    } else {
        ""
    };
    Some(format!("{grid}\n\nOurs{brackets}."))
}

/// A line a cell.
fn list(table: &Table<'_>) -> String {
    let numbers = || table.cells.iter().filter_map(|cell| cell.numbers.as_ref());
    let held_out = numbers().any(|numbers| numbers.best.is_some());
    let mut head = vec!["row", "column", "measured on", "ours, %", "n"];
    head.extend(held_out.then_some("best by held-out"));
    head.extend(["paper, %", "difference"]);
    let rows = table.cells.iter().map(|cell| {
        let numbers = cell.numbers.as_ref();
        let why = || format!("not made: {}", cell.not_made.unwrap_or_default());
        let best = numbers.and_then(|numbers| numbers.best);
        let mut words = vec![
            cell.row.to_owned(),
            cell.column.to_owned(),
            cell.measured_on.clone(),
            numbers.map_or_else(why, spread),
            numbers.map_or(String::new(), |numbers| numbers.values.len().to_string()),
        ];
        words.extend(held_out.then(|| best.map_or(String::new(), points)));
        words.push(cell.paper.map_or("not known".to_owned(), points));
        let difference = cell.difference.map(|points| format!("{points:+.1}"));
        words.push(difference.unwrap_or_default());
        words
    });
    lines(&head, rows)
}

/// How to read the numbers.
fn read(table: &Table<'_>) -> String {
    let mut cells = table.planned.experiment.cells.iter();
    let metric = match cells.next().map(|cell| cell.metric) {
        Some(Metric::MeanClass) => "mean over classes of their accuracies",
        _ => "top-1 accuracy",
    };
    let compared = match table.source.scale {
        ScaleName::Paper => "The difference is in points.",
        _ => {
            "The paper's numbers are of other data and settings: context, no difference is formed."
        }
    };
    format!(
        "The number is the {metric} after the last epoch, ± the standard deviation over n seeds; the test split chose nothing. {compared}"
    )
}

/// What went in.
pub fn provenance(
    source: &Source<'_>,
    data: &[&Set],
    commits: &[String],
    runs: &BTreeMap<String, Done>,
) -> String {
    let data = data.iter().map(|set| {
        let (name, layout, digest) = (&set.name, set.layout.name(), &set.digest);
        let joints = set.layout.len();
        format!("- Data {name}: {layout}, {joints} joints, digest `{digest}`.")
    });
    let seeds: Vec<String> = source.seeds.iter().map(u64::to_string).collect();
    let Machine {
        processor,
        cores,
        system,
        rustc,
    } = &source.machine;
    let seconds = runs.values().map(|done| done.seconds).sum();
    let (runs, time) = (runs.len(), spell(seconds));
    let rest = [
        format!("- Seeds {}.", seeds.join(", ")),
        format!("- Program at commit {}.", commits.join(", ")),
        format!("- Machine: processor {processor}, cores {cores}, system {system}, rustc {rustc}."),
        format!("- {runs} runs of one thread each, {time} in all, shared ones counted once."),
    ];
    let all: Vec<String> = data.chain(rest).collect();
    all.join("\n")
}

/// `77.8`
pub fn points(value: f64) -> String {
    format!("{value:.1}")
}

/// `65.3 ± 1.2`
fn spread(numbers: &Numbers) -> String {
    let mean = points(numbers.mean);
    match numbers.std {
        Some(std) => format!("{mean} ± {}", points(std)),
        None => mean,
    }
}

/// `65.3 ± 1.2 (88.6)`
fn short(cell: &Row<'_>) -> String {
    let ours = cell.numbers.as_ref().map_or("not made".to_owned(), spread);
    match cell.paper {
        Some(paper) => format!("{ours} ({})", points(paper)),
        None => ours,
    }
}

/// Draws what the experiment shows into `results` and notes the files' names in the table.
pub fn draw(table: &mut Table<'_>, runner: Runner<'_>, results: &Path) -> Outcome {
    std::fs::create_dir_all(results).map_err(Failure::io(results))?;
    let name = table.name();
    let file = |ending: &str| format!("{name}{ending}.svg");
    if table.planned.experiment.shows == Shows::Bars {
        if table.cells.iter().any(|cell| cell.numbers.is_some()) {
            write_whole(&results.join(file("")), bars(table).as_bytes())?;
            table.drawings.push(file(""));
        }
        return Ok(());
    }
    // The first seed of the first cell that was made.
    let made = table.planned.cells.iter().find_map(|cell| {
        let runs = cell.runs.as_ref().ok()?.first()?;
        let clips = cell.clips.as_ref()?;
        let set = table.data.iter().find(|set| set.name == clips.set)?;
        Some((runs, clips, set))
    });
    let Some((runs, clips, set)) = made else {
        return Ok(());
    };
    let result = Some(&runs.result);
    let pretrain = runs.pretrain.as_ref();
    let drawings: &[(&str, Option<&String>, &str)] = match table.planned.experiment.shows {
        Shows::Representations => &[
            ("represent", pretrain, "-pretrained"),
            ("represent", result, "-finetuned"),
        ],
        Shows::Confusion => &[("evaluate", result, "")],
        Shows::Reconstructions => &[("reconstruct", pretrain, "")],
        _ => &[],
    };
    for (command, of, ending) in drawings {
        let Some(of) = of else { continue };
        let svg = file(ending);
        let mut command = runner.program.command(command);
        command
            .arg(runner.folder.run(of))
            .arg("--data")
            .arg(&set.path);
        command.args(["--split", &clips.test, "--overwrite", "--svg"]);
        runner.program.run(command.arg(results.join(&svg)))?;
        table.drawings.push(svg);
    }
    Ok(())
}

/// Accuracies as bars. Cells that were not made leave a gap.
pub fn bars(table: &Table<'_>) -> String {
    let (rows, columns) = table.axes(|cell| cell.numbers.is_some());
    let bar = |row: &str, column: &str| {
        let numbers = table.at(row, column)?.numbers.as_ref()?;
        Some(Bar {
            mean: numbers.mean,
            deviation: numbers.std.unwrap_or(0.0),
        })
    };
    let row = |name: &&str| {
        let cell = table.cells.iter().find(|cell| cell.row == *name);
        let measured = cell.map_or("", |cell| &cell.measured_on);
        let bars = columns.iter().map(|column| bar(name, column)).collect();
        (format!("{name} (ours: {measured})"), bars)
    };
    bars_svg(&Bars {
        title: format!("{}, scale {}", table.title, table.source.scale.name()),
        rows: rows.iter().map(row).collect(),
        columns: columns.iter().map(|&column| column.to_owned()).collect(),
    })
}
