//! For spreadsheets.

use std::fmt::Write;

use super::Table;

impl Table<'_> {
    /// A line a cell.
    pub fn csv(&self) -> String {
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
                number(numbers.ok().map(super::Numbers::mean)),
                number(numbers.ok().and_then(super::Numbers::std)),
                numbers
                    .map_or(0, |numbers| numbers.values.len())
                    .to_string(),
                number(numbers.ok().and_then(super::Numbers::best)),
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
}

/// By RFC 4180.
fn quoted(field: &str) -> String {
    match field.contains([',', '"', '\n']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field.to_owned(),
    }
}
