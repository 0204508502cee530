//! What the scale `ci` is expected to find: ranges that are a part of the program. Outside of one, something has moved.

use std::fmt::Write;

use serde::Deserialize;

use super::numbers::Seeded;
use super::table::{Row, Table};
use crate::failure::{Failure, Outcome};

const TEXT: &str = include_str!("../../reproduce/ci-expected.toml");

/// How far beyond the recorded values a range goes; accuracies in points, the others relative. Sums that another processor,
/// or the next version's ops, round otherwise drift apart in training: between two versions that differ in rounding only, accuracies
/// of these few clips and epochs moved by up to 9.4 points (3.2 on average), losses of pre-training by 0.5 %, reconstruction errors by
/// 0.2 %. So it is pre-training that is watched closely.
const SLACK: [f64; 3] = [12.0, 0.04, 0.04];

/// From and to.
type Range = [f64; 2];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    #[serde(default)]
    cells: Vec<Cell>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cell {
    experiment: String,
    row: String,
    column: String,
    /// Percent.
    accuracy: Range,
    /// The pre-training's last epoch.
    loss: Option<Range>,
    /// Error of reconstructed joints, in errors of their nearest visible neighbours.
    reconstruction: Option<Range>,
}

/// Of the accuracy, the loss and the reconstruction, the least and the largest of a cell's seeds.
fn found(row: &Row<'_>) -> Option<[Option<Range>; 3]> {
    let numbers = row.numbers.as_ref().ok()?;
    let over = |of: fn(&Seeded) -> Option<f64>| {
        let values = || numbers.values.iter().filter_map(of);
        Some([values().reduce(f64::min)?, values().reduce(f64::max)?])
    };
    Some([
        over(|value| Some(value.accuracy)),
        over(|value| value.pretext.loss),
        over(|value| value.pretext.reconstruction),
    ])
}

/// Compares every cell of the tables with its range; the number of cells.
pub fn check(tables: &[Table<'_>]) -> Outcome<usize> {
    let expected: Expected =
        toml::from_str(TEXT).map_err(|error| Failure::error(format!("the ranges: {error}")))?;
    let mut wrong = Vec::new();
    let mut compared = 0;
    let rows = tables.iter().flat_map(|table| {
        let id = &table.planned.experiment.id;
        table.rows.iter().map(move |row| (id, row))
    });
    for (id, row) in rows {
        let cell = row.planned.cell;
        let place = format!("{id}, {}, {}", cell.row, cell.column);
        let stored = expected.cells.iter().find(|stored| {
            stored.experiment == *id && stored.row == cell.row && stored.column == cell.column
        });
        match (stored, found(row)) {
            (None, _) => wrong.push(format!("{place}: no range is stored")),
            (Some(_), None) => wrong.push(format!("{place}: not made")),
            (Some(stored), Some(found)) => {
                compared += 1;
                let ranges = [Some(stored.accuracy), stored.loss, stored.reconstruction];
                let names = [
                    "accuracy, %",
                    "loss of pre-training",
                    "reconstruction error : neighbours'",
                ];
                let sides = names.into_iter().zip(ranges).zip(found);
                wrong.extend(
                    sides.filter_map(|((name, range), found)| moved(&place, name, range, found)),
                );
            }
        }
    }
    if wrong.is_empty() {
        return Ok(compared);
    }
    let (left, lines) = (wrong.len(), wrong.join("\n  "));
    Err(
        Failure::error(format!("{left} numbers left the ranges:\n  {lines}")).hint(
            "if that is meant, say why in the commit and store new ranges: --record crates/ssl-cli/reproduce/ci-expected.toml",
        ),
    )
}

fn moved(place: &str, name: &str, range: Option<Range>, found: Option<Range>) -> Option<String> {
    match (range, found) {
        (None, None) => None,
        (Some([low, high]), Some([least, most])) if low <= least && most <= high => None,
        (Some([low, high]), Some([least, most])) => {
            let value = if least < low { least } else { most };
            Some(format!(
                "{place}: {name} {value:.4}, expected {low} to {high}"
            ))
        }
        (Some(_), None) => Some(format!("{place}: {name} is gone")),
        (None, Some(_)) => Some(format!("{place}: {name} has no range")),
    }
}

/// The tables' values as ranges, in the form of the file.
pub fn record(tables: &[Table<'_>]) -> String {
    let seeds = tables.first().map_or(&[][..], |table| table.seeds);
    let seeds: Vec<String> = seeds.iter().map(u64::to_string).collect();
    let seeds = seeds.join(",");
    let mut text = format!(
        "# What `ssl reproduce all` finds on synthetic clips, as ranges: what was found, and slack for processors that\n\
         # round otherwise. Written by `ssl reproduce all --seeds {seeds} --record FILE`.\n",
    );
    for table in tables {
        for row in &table.rows {
            let Some([accuracy, loss, reconstruction]) = found(row) else {
                continue;
            };
            let (cell, id) = (row.planned.cell, &table.planned.experiment.id);
            // Writing to a string can't fail.
            let _ = write!(
                text,
                "\n[[cells]]\nexperiment = {id:?}\nrow = {:?}\ncolumn = {:?}\n",
                cell.row, cell.column
            );
            if let Some([low, high]) = accuracy {
                let (low, high) = ((low - SLACK[0]).max(0.0), (high + SLACK[0]).min(100.0));
                let _ = writeln!(text, "accuracy = [{low:.1}, {high:.1}]");
            }
            for (name, range, slack) in [
                ("loss", loss, SLACK[1]),
                ("reconstruction", reconstruction, SLACK[2]),
            ] {
                if let Some([low, high]) = range {
                    let (low, high) = (low * (1.0 - slack), high * (1.0 + slack));
                    let _ = writeln!(text, "{name} = [{low:.4}, {high:.4}]");
                }
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_ranges_are_valid() {
        let expected: Expected = toml::from_str(TEXT).expect("the stored ranges are TOML");
        for cell in expected.cells {
            for range in [Some(cell.accuracy), cell.loss, cell.reconstruction]
                .into_iter()
                .flatten()
            {
                assert!(
                    range[0] <= range[1],
                    "{}, {}: {range:?}",
                    cell.row,
                    cell.column
                );
            }
        }
    }

    #[test]
    fn what_moved_is_named_with_both_numbers() {
        assert_eq!(moved("a", "loss", Some([1.0, 2.0]), Some([1.0, 2.0])), None);
        let said = moved("a", "loss", Some([1.0, 2.0]), Some([0.5, 1.5])).expect("below");
        assert_eq!(said, "a: loss 0.5000, expected 1 to 2");
        assert!(moved("a", "loss", Some([1.0, 2.0]), Some([1.5, f64::NAN])).is_some());
        assert!(moved("a", "loss", Some([1.0, 2.0]), None).is_some());
        assert!(moved("a", "loss", None, Some([1.0, 2.0])).is_some());
    }
}
