//! What the scale `ci` is expected to find: ranges that are a part of the program. Outside of one, something has moved.

use serde::{Deserialize, Serialize};

use super::table::{Row, Seeded, Table};
use crate::failure::{Failure, Outcome};

const TEXT: &str = include_str!("../../reproduce/ci-expected.toml");

/// How far beyond the recorded values a range goes; accuracies in points, the others relative. Sums that another processor,
/// or the next version's ops, round otherwise drift apart in training: between two versions that differ in rounding only, accuracies
/// of these few clips and epochs moved by up to 9.4 points (3.2 on average), losses of pre-training by 0.5 %, reconstruction errors by
/// 0.2 %. So it is pre-training that is watched closely.
const SLACK: [f64; 3] = [12.0, 0.04, 0.04];

/// From and to.
type Range = [f64; 2];

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Ranges {
    #[serde(default)]
    cells: Vec<Cell>,
}

#[derive(Debug, Deserialize, Serialize)]
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

impl Cell {
    /// The least and the largest of a cell's seeds.
    fn of(experiment: &str, row: &Row<'_>) -> Option<Cell> {
        let numbers = row.numbers.as_ref()?;
        let over = |of: fn(&Seeded) -> Option<f64>| {
            let values = || numbers.values.iter().filter_map(of);
            Some([values().reduce(f64::min)?, values().reduce(f64::max)?])
        };
        Some(Cell {
            experiment: experiment.to_owned(),
            row: row.row.to_owned(),
            column: row.column.to_owned(),
            accuracy: over(|value| Some(value.accuracy))?,
            loss: over(|value| value.pretext.loss),
            reconstruction: over(|value| value.pretext.reconstruction),
        })
    }

    fn names(&self) -> [&str; 3] {
        [&self.experiment, &self.row, &self.column]
    }

    /// What the ranges are called in messages.
    fn ranges(&self) -> [(&'static str, Option<Range>); 3] {
        [
            ("accuracy, %", Some(self.accuracy)),
            ("loss of pre-training", self.loss),
            ("reconstruction error : neighbours'", self.reconstruction),
        ]
    }
}

fn stored() -> Outcome<Ranges> {
    toml::from_str(TEXT).map_err(|error| Failure::error(format!("the ranges: {error}")))
}

/// Compares every cell of the tables with its range; the number of cells.
pub fn check(tables: &[Table<'_>]) -> Outcome<usize> {
    let stored = stored()?.cells;
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for table in tables {
        for row in &table.cells {
            let names = [table.experiment, row.row, row.column];
            let place = names.join(", ");
            let range = stored.iter().find(|stored| stored.names() == names);
            match (range, Cell::of(table.experiment, row)) {
                (None, _) => wrong.push(format!("{place}: no range is stored")),
                (Some(_), None) => wrong.push(format!("{place}: not made")),
                (Some(range), Some(found)) => {
                    compared += 1;
                    let sides = range.ranges().into_iter().zip(found.ranges());
                    wrong.extend(sides.filter_map(|((name, range), (_, found))| {
                        moved(&place, name, range, found)
                    }));
                }
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
pub fn record(tables: &[Table<'_>]) -> Outcome<String> {
    let rounded =
        |range: Range, digits: usize| range.map(|x| format!("{x:.digits$}").parse().unwrap_or(x));
    let around =
        |[low, high]: Range, slack| rounded([low * (1.0 - slack), high * (1.0 + slack)], 4);
    let mut ranges = Ranges::default();
    for table in tables {
        for row in &table.cells {
            let Some(mut cell) = Cell::of(table.experiment, row) else {
                continue;
            };
            let [low, high] = cell.accuracy;
            let wide = [(low - SLACK[0]).max(0.0), (high + SLACK[0]).min(100.0)];
            cell.accuracy = rounded(wide, 1);
            cell.loss = cell.loss.map(|range| around(range, SLACK[1]));
            cell.reconstruction = cell.reconstruction.map(|range| around(range, SLACK[2]));
            ranges.cells.push(cell);
        }
    }
    let seeds = tables.first().map_or(&[][..], |table| table.source.seeds);
    let seeds: Vec<String> = seeds.iter().map(u64::to_string).collect();
    let seeds = seeds.join(",");
    let ranges = toml::to_string(&ranges)?;
    Ok(format!(
        "# What `ssl reproduce all` finds on synthetic clips, as ranges: what was found, and slack for processors that\n\
         # round otherwise. Written by `ssl reproduce all --seeds {seeds} --record FILE`.\n\n{ranges}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_ranges_are_valid() {
        for cell in stored().expect("the stored ranges are TOML").cells {
            for range in cell.ranges().into_iter().filter_map(|(_, range)| range) {
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
