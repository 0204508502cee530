//! A table as a page for people: ours, the paper's, how ours came about.

use std::fmt::Write;

use skeleton_datasets::paper::Metric;

use super::table::{Row, Table, spell};
use crate::args::ScaleName;

/// The page.
pub fn markdown(table: &Table<'_>) -> String {
    let experiment = table.planned.experiment;
    let mut page = format!("# {}, scale {}\n\n", experiment.title, table.scale.name());
    // Writing to a string can't fail.
    let _ = writeln!(page, "{}\n", table.about.trim());
    for words in experiment.note.iter().chain(table.remarks) {
        let _ = writeln!(page, "{words}\n");
    }
    grid(table, &mut page);
    list(table, &mut page);
    for drawing in &table.drawings {
        let _ = writeln!(page, "![{}]({drawing})\n", experiment.title);
    }
    made(table, &mut page);
    page
}

/// Rows by columns, where there are several of both: ours, the paper's in brackets.
fn grid(table: &Table<'_>, page: &mut String) {
    let (rows, columns) = table.axes(|_| true);
    if rows.len() < 2 || columns.len() < 2 {
        return;
    }
    let _ = writeln!(
        page,
        "| | {} |\n|---{}|",
        columns.join(" | "),
        "|---".repeat(columns.len())
    );
    for name in rows {
        let of = |column: &&str| table.at(name, column).map_or(String::new(), short);
        let cells: Vec<String> = columns.iter().map(of).collect();
        let _ = writeln!(page, "| {name} | {} |", cells.join(" | "));
    }
    let paper = table
        .rows
        .iter()
        .any(|row| row.planned.cell.value.is_some());
    let brackets = if paper {
        ", the paper's in brackets"
    } else {
        ""
    };
    let _ = writeln!(page, "\nOurs{brackets}.\n");
}

fn list(table: &Table<'_>, page: &mut String) {
    let best = table.rows.iter().any(|row| {
        let numbers = row.numbers.as_ref();
        numbers.is_ok_and(|numbers| numbers.best.is_some())
    });
    let head = if best { " best by held-out |" } else { "" };
    let line = if best { "---|" } else { "" };
    let _ = writeln!(
        page,
        "| row | column | measured on | ours, % | n |{head} paper, % | difference |\n|---|---|---|---|---|{line}---|---|"
    );
    for row in &table.rows {
        let cell = row.planned.cell;
        let (ours, n, held) = match &row.numbers {
            Err(why) => (format!("not made: {why}"), String::new(), String::new()),
            Ok(numbers) => (
                spread(row),
                numbers.values.len().to_string(),
                numbers.best.map_or(String::new(), points),
            ),
        };
        let held = if best {
            format!(" {held} |")
        } else {
            String::new()
        };
        let paper = cell.value.map_or("not known".to_owned(), points);
        let difference = row
            .difference()
            .map_or("".to_owned(), |d| format!("{d:+.1}"));
        let _ = writeln!(
            page,
            "| {} | {} | {} | {ours} | {n} |{held} {paper} | {difference} |",
            cell.row,
            cell.column,
            row.clips()
        );
    }
    let metric = match table.rows.first().map(|row| row.planned.cell.metric) {
        Some(Metric::MeanClass) => "mean over classes of their accuracies",
        _ => "top-1 accuracy",
    };
    let compared = match table.scale {
        ScaleName::Paper => "The difference is in points.",
        _ => {
            "The paper's numbers are of other data and settings: context, no difference is formed."
        }
    };
    let _ = writeln!(
        page,
        "\nThe number is the {metric} after the last epoch, ± the standard deviation over n seeds; the test split chose nothing. {compared}\n"
    );
}

fn made(table: &Table<'_>, page: &mut String) {
    let _ = writeln!(
        page,
        "## How it was made\n\n```sh\n{}\n```\n",
        table.command
    );
    for set in &table.sets {
        let _ = writeln!(
            page,
            "- Data {}: {}, {} joints, digest `{}`.",
            set.name,
            set.layout.name(),
            set.layout.len(),
            set.digest
        );
    }
    let seeds: Vec<String> = table.seeds.iter().map(u64::to_string).collect();
    let _ = writeln!(page, "- Seeds {}.", seeds.join(", "));
    let _ = writeln!(page, "- Program at commit {}.", table.commits.join(", "));
    let machine: Vec<String> = table
        .machine
        .iter()
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    let _ = writeln!(page, "- Machine: {}.", machine.join(", "));
    let _ = writeln!(
        page,
        "- {} runs of one thread each, {} in all, shared ones counted once.\n",
        table.runs.len(),
        spell(table.seconds())
    );
    if table.runs.is_empty() {
        return;
    }
    let _ = writeln!(
        page,
        "<details><summary>The runs</summary>\n\n| wall time | command |\n|---|---|"
    );
    for done in table.runs.values() {
        let _ = writeln!(
            page,
            "| {} | `{}` |",
            spell(done.seconds),
            done.command.replace('|', "\\|")
        );
    }
    let _ = writeln!(page, "\n</details>");
}

/// `77.8`
fn points(value: f64) -> String {
    format!("{value:.1}")
}

/// `65.3 ± 1.2`
fn spread(row: &Row<'_>) -> String {
    match &row.numbers {
        Err(_) => String::new(),
        Ok(numbers) => {
            let (mean, std) = (points(numbers.accuracy.mean), numbers.accuracy.std);
            std.map_or(mean.clone(), |std| format!("{mean} ± {}", points(std)))
        }
    }
}

/// `65.3 ± 1.2 (88.6)`
fn short(row: &Row<'_>) -> String {
    let paper = row
        .planned
        .cell
        .value
        .map_or(String::new(), |value| format!(" ({})", points(value)));
    match &row.numbers {
        Ok(_) => format!("{}{paper}", spread(row)),
        Err(_) => format!("not made{paper}"),
    }
}
