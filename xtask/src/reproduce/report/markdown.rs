//! For people.

use std::fmt::Write;

use super::{Row, Table, points, spell};
use crate::reproduce::scale::ScaleName;
use skeleton_datasets::paper::Metric;

impl Table<'_> {
    /// The page.
    pub fn markdown(&self) -> String {
        let mut page = format!(
            "# {}, scale {}\n\n",
            self.planned.experiment.title,
            self.scale.name()
        );
        // Writing to a string can't fail.
        let _ = writeln!(page, "{}\n", self.about.trim());
        for words in self.planned.experiment.note.iter().chain(self.remarks) {
            let _ = writeln!(page, "{words}\n");
        }
        self.grid(&mut page);
        self.list(&mut page);
        for drawing in &self.drawings {
            let _ = writeln!(page, "![{}]({drawing})\n", self.planned.experiment.title);
        }
        self.made(&mut page);
        page
    }

    /// Rows by columns, where there are several of both: ours, the paper's in brackets.
    fn grid(&self, page: &mut String) {
        let (mut rows, mut columns): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
        for row in &self.rows {
            let cell = row.planned.cell;
            if !rows.contains(&cell.row.as_str()) {
                rows.push(&cell.row);
            }
            if !columns.contains(&cell.column.as_str()) {
                columns.push(&cell.column);
            }
        }
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
            let of = |column: &&str| {
                let cell = |row: &&Row<'_>| {
                    row.planned.cell.row == name && row.planned.cell.column == *column
                };
                self.rows.iter().find(cell).map_or(String::new(), short)
            };
            let cells: Vec<String> = columns.iter().map(of).collect();
            let _ = writeln!(page, "| {name} | {} |", cells.join(" | "));
        }
        let paper = self.rows.iter().any(|row| row.planned.cell.value.is_some());
        let brackets = if paper {
            ", the paper's in brackets"
        } else {
            ""
        };
        let _ = writeln!(page, "\nOurs{brackets}.\n");
    }

    fn list(&self, page: &mut String) {
        let best = self.rows.iter().any(|row| {
            row.numbers
                .as_ref()
                .is_ok_and(|numbers| numbers.best().is_some())
        });
        let head = if best { " best by held-out |" } else { "" };
        let line = if best { "---|" } else { "" };
        let _ = writeln!(
            page,
            "| row | column | measured on | ours, % | n |{head} paper, % | difference |\n|---|---|---|---|---|{line}---|---|"
        );
        for row in &self.rows {
            let cell = row.planned.cell;
            let (ours, n, held) = match &row.numbers {
                Err(why) => (format!("not made: {why}"), String::new(), String::new()),
                Ok(numbers) => (
                    spread(row),
                    numbers.values.len().to_string(),
                    numbers.best().map_or(String::new(), points),
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
        let metric = match self.rows.first().map(|row| row.planned.cell.metric) {
            Some(Metric::MeanClass) => "mean over classes of their accuracies",
            _ => "top-1 accuracy",
        };
        let compared = match self.scale {
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

    fn made(&self, page: &mut String) {
        let _ = writeln!(page, "## How it was made\n\n```sh\n{}\n```\n", self.command);
        for set in &self.sets {
            let _ = writeln!(
                page,
                "- Data {}: {}, {} joints, digest `{}`.",
                set.name, set.facts.layout, set.facts.joints, set.facts.digest
            );
        }
        let seeds: Vec<String> = self.seeds.iter().map(u64::to_string).collect();
        let _ = writeln!(page, "- Seeds {}.", seeds.join(", "));
        let _ = writeln!(page, "- Program at commit {}.", self.commits.join(", "));
        let machine: Vec<String> = self
            .machine
            .iter()
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
        let _ = writeln!(page, "- Machine: {}.", machine.join(", "));
        let _ = writeln!(
            page,
            "- {} runs of one thread each, {} in all, shared ones counted once.\n",
            self.runs.len(),
            spell(self.seconds())
        );
        if self.runs.is_empty() {
            return;
        }
        let _ = writeln!(
            page,
            "<details><summary>The runs</summary>\n\n| wall time | command |\n|---|---|"
        );
        for done in self.runs.values() {
            let _ = writeln!(
                page,
                "| {} | `{}` |",
                spell(done.seconds),
                done.command.replace('|', "\\|")
            );
        }
        let _ = writeln!(page, "\n</details>");
    }
}

/// `65.3 ± 1.2`
fn spread(row: &Row<'_>) -> String {
    match &row.numbers {
        Err(_) => String::new(),
        Ok(numbers) => match numbers.std() {
            Some(std) => format!("{} ± {}", points(numbers.mean()), points(std)),
            None => points(numbers.mean()),
        },
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
