//! What is printed and saved: rows as they are made, so that a run cut short has shown what it found.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};

pub type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// All results so far.
pub struct Report {
    json: Option<String>,
    all: serde_json::Map<String, Value>,
    failed: Vec<String>,
    checked: usize,
}

impl Report {
    pub fn new(device: &str, about: &str, json: Option<&str>) -> Self {
        let kernels = match skeleton_kernels::reference_only() {
            true => "definitions everywhere (SSL_REFERENCE=1)",
            false => "fused forms on the CPU",
        };
        let instructions = skeleton_kernels::instruction_set();
        println!("# gpu_check {device}\n\n{about}\n\n{kernels}, {instructions}");
        let all = json!({"device": device, "about": about, "kernels": kernels});
        Self {
            json: json.map(str::to_owned),
            all: all.as_object().cloned().unwrap_or_default(),
            failed: Vec::new(),
            checked: 0,
        }
    }

    /// A table's head.
    pub fn table(&self, title: &str, columns: &[&str]) {
        println!("\n## {title}\n\n| {} |", columns.join(" | "));
        println!("|{}", "---|".repeat(columns.len()));
    }

    /// A table's row, which goes to the list `list` of the file too.
    pub fn row(&mut self, list: &str, cells: &[String], value: Value) {
        println!("| {} |", cells.join(" | "));
        let rows = self.all.entry(list).or_insert_with(|| json!([]));
        if let Some(rows) = rows.as_array_mut() {
            rows.push(value);
        }
        self.save();
    }

    /// A check that passed or didn't; the row says which.
    pub fn verdict(&mut self, name: &str, passed: bool) -> String {
        self.checked += 1;
        if !passed {
            self.failed.push(name.to_owned());
        }
        if passed { "PASS" } else { "**FAIL**" }.to_owned()
    }

    /// Does something that may fail or panic; an error is a failed check, and what follows goes on.
    pub fn guarded(&mut self, name: &str, work: impl FnOnce(&mut Self) -> Outcome<()>) {
        let outcome = catch_unwind(AssertUnwindSafe(|| work(self)));
        let error = match outcome {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "a panic, see above".to_owned(),
        };
        let verdict = self.verdict(name, false);
        // Candle appends a backtrace.
        let error = error.lines().next().unwrap_or_default();
        let cells = [name.to_owned(), verdict, error.replace('|', "/")];
        self.row("errors", &cells, json!({"name": name, "error": error}));
    }

    /// How long a part took.
    pub fn part_ended(&mut self, part: &str, time: Duration) {
        println!("\n{part}: {:.1} s", time.as_secs_f64());
        self.all
            .insert(format!("seconds of {part}"), json!(time.as_secs_f64()));
        self.save();
    }

    /// The sum of it all.
    pub fn end(mut self) -> ExitCode {
        let failed = self.failed.len();
        println!("\n{} checks, {failed} failed", self.checked);
        for name in &self.failed {
            println!("- FAIL {name}");
        }
        let passed = self.checked - failed;
        let summary = json!({"passed": passed, "failed": self.failed.clone()});
        self.all.insert("summary".into(), summary);
        self.save();
        ExitCode::from(u8::from(failed > 0))
    }

    fn save(&self) {
        let Some(path) = &self.json else { return };
        let text = serde_json::to_string_pretty(&self.all).unwrap_or_default();
        if let Err(error) = std::fs::write(path, text + "\n") {
            eprintln!("gpu_check: cannot write {path}: {error}");
        }
    }
}

/// A small number in a table.
pub fn short(x: f64) -> String {
    format!("{x:.1e}")
}
