//! `ssl runs`

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Value, json};

use crate::args::RunsArgs;
use crate::failure::{Failure, Outcome};
use crate::printer::{Printer, clock};
use crate::report::{columns, count, grouped, percent};
use crate::run::Record;

/// How deep runs are looked for.
const DEEPEST: usize = 8;
/// Columns of the table; of a key without a value in any run there is none.
const COLUMNS: [&str; 15] = [
    "run",
    "kind",
    "preset",
    "data",
    "split",
    "seed",
    "epochs",
    "stage",
    "loss",
    "val_loss",
    "val_top1",
    "top1",
    "mean_class",
    "parameters",
    "time",
];

/// Lists the runs below a folder.
pub fn run(args: &RunsArgs, printer: &Printer) -> Outcome {
    let conditions = args.conditions.iter().map(|typed| Condition::parse(typed));
    let conditions: Vec<Condition> = conditions.collect::<Outcome<_>>()?;
    let mut found = Found::default();
    found.look(&args.folder, 0)?;
    let all = found.rows.len();
    let keys = args.sort.iter().chain(&args.show);
    let keys = keys.chain(conditions.iter().map(|condition| &condition.key));
    for key in keys {
        known(key, &found.rows)?;
    }
    let mut rows = found.rows;
    rows.retain(|row| conditions.iter().all(|condition| condition.holds(row)));
    sort(
        &mut rows,
        args.sort.as_deref().unwrap_or("run"),
        args.reverse,
    );
    for (folder, why) in &found.broken {
        printer.warn(format!("{folder}: not listed: {why}"));
    }
    if args.json {
        let broken = found.broken.iter();
        let broken = broken.map(|(folder, why)| json!({ "run": folder, "error": why }));
        let broken: Vec<Value> = broken.collect();
        return printer.json(&json!({ "runs": rows, "broken": broken }));
    }
    if rows.is_empty() {
        let folder = args.folder.display();
        let runs = count(all, "run");
        printer.say(match all {
            0 => format!("{folder}: no run below it"),
            _ => format!("{folder}: none of {runs} fits"),
        });
        return Ok(());
    }
    printer.document(&table(&rows, &args.show))
}

/// A run's numbers under the names that can be typed, and its settings.
#[derive(Clone, Debug, Serialize)]
struct Row {
    #[serde(flatten)]
    values: BTreeMap<&'static str, Value>,
    settings: BTreeMap<String, Value>,
}

impl Row {
    fn of(record: &Record) -> Row {
        let last = record.epochs.last();
        let number = |name: &str| last.and_then(|epoch| epoch.numbers.get(name).copied());
        let test = record.test.as_ref();
        let values = [
            ("run", json!(record.folder.display().to_string())),
            ("kind", json!(record.info.command)),
            ("preset", json!(record.text("run.preset"))),
            ("data", json!(record.info.data.dataset)),
            ("split", json!(record.split())),
            ("seed", json!(record.info.seed)),
            ("done", json!(record.done())),
            ("planned", json!(record.planned())),
            ("stage", json!(record.stage.name())),
            ("loss", json!(number("loss"))),
            ("val_loss", json!(number("val_loss"))),
            ("val_top1", json!(number("val_top1"))),
            ("top1", json!(test.map(|test| test.top1))),
            ("mean_class", json!(test.map(|test| test.mean_class))),
            ("parameters", json!(record.info.parameters)),
            ("seconds", json!(record.seconds())),
            ("commit", json!(record.info.commit)),
        ];
        let settings = record.settings.iter();
        let settings = settings.map(|(key, value)| {
            let value = serde_json::to_value(value).unwrap_or_default();
            (key.clone(), value)
        });
        Row {
            values: values.into(),
            settings: settings.collect(),
        }
    }

    /// A value that is there.
    fn get(&self, key: &str) -> Option<&Value> {
        let own = self.values.get(key).or_else(|| self.settings.get(key));
        own.filter(|value| !value.is_null())
    }

    /// As the table shows it.
    fn cell(&self, key: &str) -> Option<String> {
        let number = |key: &str| self.get(key)?.as_f64();
        Some(match key {
            "epochs" => {
                let planned = self.get("planned").map_or("?".to_owned(), Value::to_string);
                format!("{}/{planned}", self.get("done")?)
            }
            "time" => clock(number("seconds")?),
            "loss" | "val_loss" => format!("{:.4}", number(key)?),
            "val_top1" | "top1" | "mean_class" => percent(number(key)?),
            "parameters" => grouped(usize::try_from(self.get(key)?.as_u64()?).ok()?),
            key => match self.get(key)? {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            },
        })
    }
}

/// What lies below a folder.
#[derive(Default)]
struct Found {
    rows: Vec<Row>,
    /// Folders that look like runs and can't be read, with the reason.
    broken: Vec<(String, String)>,
}

impl Found {
    /// Runs are not looked for within runs, nor through links. Only the first folder has to be readable.
    fn look(&mut self, folder: &Path, depth: usize) -> Outcome {
        if Record::is_there(folder) {
            match Record::read(folder) {
                Ok(record) => self.rows.push(Row::of(&record)),
                Err(failure) => {
                    let shown = folder.display().to_string();
                    self.broken.push((shown, failure.message().to_owned()));
                }
            }
            return Ok(());
        }
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if depth == 0 => {
                let failure = Failure::io(folder)(error);
                return Err(failure.hint("expected a folder with runs in it, such as runs"));
            }
            Err(error) => {
                self.broken
                    .push((folder.display().to_string(), error.to_string()));
                return Ok(());
            }
        };
        let is_folder = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
        let folders = entries
            .flatten()
            .filter(is_folder)
            .map(|entry| entry.path());
        let mut folders: Vec<PathBuf> = folders.collect();
        folders.sort();
        match depth < DEEPEST {
            true => folders
                .iter()
                .try_for_each(|folder| self.look(folder, depth + 1)),
            false => Ok(()),
        }
    }
}

/// Refuses a key that no run has.
fn known(key: &str, rows: &[Row]) -> Outcome {
    let own = |row: &Row| row.values.contains_key(key) || row.settings.contains_key(key);
    if rows.is_empty() || rows.iter().any(own) {
        return Ok(());
    }
    let settings = rows.iter().flat_map(|row| row.settings.keys());
    let close = |name: &&String| name.rsplit('.').next() == key.rsplit('.').next();
    let mut near: Vec<&str> = settings.filter(close).map(String::as_str).collect();
    near.sort_unstable();
    near.dedup();
    let hint = match near.is_empty() {
        true => {
            let keys: Vec<&str> = rows[0].values.keys().copied().collect();
            format!(
                "there are {}, and the settings of a config.toml",
                keys.join(", ")
            )
        }
        false => format!("did you mean {}?", near.join(" or ")),
    };
    Err(Failure::usage(format!("no run has the key `{key}`")).hint(hint))
}

/// Sorts by a key, then by the runs' names; runs without it come last either way.
fn sort(rows: &mut [Row], key: &str, reverse: bool) {
    rows.sort_by(|a, b| {
        let by = match (a.get(key), b.get(key)) {
            (Some(a), Some(b)) if reverse => order(b, a),
            (Some(a), Some(b)) => order(a, b),
            (a, b) => b.is_some().cmp(&a.is_some()),
        };
        let name = |row: &Row| row.get("run").map(Value::to_string);
        by.then_with(|| name(a).cmp(&name(b)))
    });
}

/// Numbers by their size, before all else by its text.
fn order(a: &Value, b: &Value) -> Ordering {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        (None, None) => text(a).cmp(&text(b)),
        (a, b) => b.is_some().cmp(&a.is_some()),
    }
}

/// What is asked of a run.
#[derive(Clone, Debug, PartialEq)]
struct Condition {
    key: String,
    sign: Sign,
    value: Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sign {
    Equal,
    Other,
    Less,
    More,
}

impl Condition {
    fn parse(typed: &str) -> Outcome<Condition> {
        let at = typed.find(['=', '!', '<', '>']);
        let parts = at.and_then(|at| {
            let (key, rest) = typed.split_at(at);
            let signs = [
                ("!=", Sign::Other),
                ("=", Sign::Equal),
                ("<", Sign::Less),
                (">", Sign::More),
            ];
            let sign = signs.into_iter().find(|(sign, _)| rest.starts_with(sign));
            let (text, sign) = sign?;
            Some((key.trim(), sign, rest[text.len()..].trim()))
        });
        let Some((key, sign, value)) = parts.filter(|(key, ..)| !key.is_empty()) else {
            return Err(Failure::usage(format!(
                "--where {typed}: expected KEY=VALUE, KEY!=VALUE, KEY<VALUE or KEY>VALUE"
            ))
            .hint("for example --where kind=finetune --where 'top1>0.7'"));
        };
        Ok(Condition {
            key: key.to_owned(),
            sign,
            value: match value.parse::<f64>() {
                Ok(number) => json!(number),
                Err(_) => json!(value),
            },
        })
    }

    fn holds(&self, row: &Row) -> bool {
        let Some(value) = row.get(&self.key) else {
            return self.sign == Sign::Other;
        };
        // A text that looks like a number is one here, as it is where it was typed.
        let number = value.as_str().and_then(|text| text.parse::<f64>().ok());
        let value = number.map_or_else(|| value.clone(), |number| json!(number));
        let by = order(&value, &self.value);
        match self.sign {
            Sign::Equal => by.is_eq(),
            Sign::Other => by.is_ne(),
            // A number is neither less nor more than a word.
            _ if value.is_number() != self.value.is_number() => false,
            Sign::Less => by.is_lt(),
            Sign::More => by.is_gt(),
        }
    }
}

/// The runs, a line each, below the names of the columns.
fn table(rows: &[Row], shown: &[String]) -> String {
    let (mut right, mut lines) = (Vec::new(), vec![Vec::new(); rows.len() + 1]);
    for key in COLUMNS.into_iter().chain(shown.iter().map(String::as_str)) {
        let cells: Vec<Option<String>> = rows.iter().map(|row| row.cell(key)).collect();
        if cells.iter().all(Option::is_none) {
            continue;
        }
        let number = |cell: &String| cell.starts_with(|c: char| c.is_ascii_digit() || c == '-');
        right.push(cells.iter().flatten().all(number));
        let cells = cells
            .into_iter()
            .map(|cell| cell.unwrap_or_else(|| "-".to_owned()));
        let cells = [key.to_owned()].into_iter().chain(cells);
        lines
            .iter_mut()
            .zip(cells)
            .for_each(|(line, cell)| line.push(cell));
    }
    columns(&right, &lines).join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(run: &str, top1: Option<f64>, lr: f64) -> Row {
        let values = [
            ("run", json!(run)),
            ("top1", json!(top1)),
            ("done", json!(3)),
            ("planned", json!(4)),
        ];
        let settings = [
            ("finetune.optimizer.lr", json!(lr)),
            ("run.train", json!("train1")),
        ];
        Row {
            values: values.into(),
            settings: settings.map(|(key, value)| (key.to_owned(), value)).into(),
        }
    }

    fn names(rows: &[Row]) -> Vec<&str> {
        rows.iter()
            .filter_map(|row| row.get("run")?.as_str())
            .collect()
    }

    #[test]
    fn runs_are_sorted_by_numbers_and_those_without_come_last() {
        let mut rows = [
            row("a", Some(0.9), 1.0),
            row("b", None, 1.0),
            row("c", Some(0.10), 0.5),
        ];
        sort(&mut rows, "top1", false);
        assert_eq!(names(&rows), ["c", "a", "b"]);
        sort(&mut rows, "top1", true);
        assert_eq!(names(&rows), ["a", "c", "b"]);
        sort(&mut rows, "finetune.optimizer.lr", true);
        assert_eq!(names(&rows), ["a", "b", "c"], "equal ones by name");
    }

    #[test]
    fn conditions_compare_numbers_as_numbers() {
        let holds = |typed: &str| {
            Condition::parse(typed)
                .unwrap()
                .holds(&row("a", Some(0.7), 0.01))
        };
        for typed in [
            "finetune.optimizer.lr=0.01",
            "finetune.optimizer.lr=1e-2",
            "finetune.optimizer.lr<0.1",
            "top1 > 0.65",
            "run.train=train1",
            "run.train!=train2",
            "loss!=3",
            "done=3",
        ] {
            assert!(holds(typed), "{typed}");
        }
        for typed in [
            "top1<0.65",
            "top1>word",
            "run.train=train",
            "loss=3",
            "done!=3",
        ] {
            assert!(!holds(typed), "{typed}");
        }
        for typed in ["top1", "=3", "top1~3", ""] {
            assert!(Condition::parse(typed).is_err(), "{typed}");
        }
    }

    #[test]
    fn a_key_that_no_run_has_is_refused_with_near_ones() {
        let rows = [row("a", None, 0.1)];
        assert!(known("top1", &rows).is_ok() && known("run.train", &rows).is_ok());
        let Err(Failure::Usage { hint, .. }) = known("optimizer.lr", &rows) else {
            panic!("no mistake")
        };
        assert_eq!(hint.as_deref(), Some("did you mean finetune.optimizer.lr?"));
    }

    #[test]
    fn columns_that_no_run_has_are_left_out() {
        let rows = [row("a", Some(0.7), 0.01), row("long", None, 0.1)];
        let table = table(&rows, &["finetune.optimizer.lr".to_owned()]);
        assert_eq!(
            table,
            "run   epochs    top1  finetune.optimizer.lr\n\
             a        3/4  70.0 %                   0.01\n\
             long     3/4       -                    0.1"
        );
    }
}
