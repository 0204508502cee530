//! What the rounds come to, as text, JSON and Markdown.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

use super::machine::{self, Facts};
use super::measure::{median, quantile};
use super::options::Files;
use super::side::Kind;
use super::work::Work;
use super::{write as save, write_json};
use crate::process::{Failure, cannot};
use crate::workspace::Workspace;

const NAMES: [(Kind, &str); 3] = [
    (Kind::Ours, "ours"),
    (Kind::Eager, "PyTorch eager"),
    (Kind::Compiled, "torch.compile"),
];

/// What stands around the table of the page on speed.
const MARKS: [&str; 2] = [
    "<!-- cargo xtask bench models --page -->",
    "<!-- end of the table -->",
];

/// The largest share of PyTorch's growth in memory that is aimed at.
const MEMORY_GOAL: f64 = 0.5;

/// One side's rounds.
#[derive(Clone)]
pub struct Taken {
    pub kind: Kind,
    /// Seconds of a step, round by round.
    pub seconds: Vec<f64>,
    /// Growth of its memory.
    pub bytes: Option<f64>,
    pub parameters: f64,
}

impl Taken {
    pub fn median(&self) -> f64 {
        median(self.seconds.iter().copied())
    }
}

/// A work, all sides.
pub struct Outcome {
    pub work: &'static Work,
    pub taken: Vec<Taken>,
}

/// How many times faster we are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Ratio {
    /// Of the medians.
    pub ratio: f64,
    /// Quartiles of the rounds' ratios.
    pub quartiles: [f64; 2],
    pub goal: f64,
}

impl Ratio {
    pub fn met(&self) -> bool {
        self.ratio >= self.goal
    }
}

impl Outcome {
    pub fn of(&self, kind: Kind) -> Option<&Taken> {
        self.taken.iter().find(|taken| taken.kind == kind)
    }

    /// Against a side of PyTorch, where that was run.
    pub fn ratio(&self, kind: Kind) -> Option<Ratio> {
        let (ours, theirs) = (self.of(Kind::Ours)?, self.of(kind)?);
        let rounds = ours.seconds.iter().zip(&theirs.seconds);
        let by_round: Vec<f64> = rounds.map(|(ours, theirs)| theirs / ours).collect();
        let [eager, compiled] = self.work.goals;
        Some(Ratio {
            ratio: theirs.median() / ours.median(),
            quartiles: [0.25, 0.75].map(|share| quantile(by_round.iter().copied(), share)),
            goal: if kind == Kind::Eager { eager } else { compiled },
        })
    }

    /// Our growth in memory as a share of eager PyTorch's. The compiled side's holds the compiler itself.
    pub fn memory(&self) -> Option<f64> {
        Some(self.of(Kind::Ours)?.bytes? / self.of(Kind::Eager)?.bytes?)
    }
}

/// To stdout and wherever the options say.
pub fn write(
    workspace: &Workspace,
    facts: &Facts,
    outcomes: &[Outcome],
    files: &Files,
    page: bool,
) -> Result<(), Failure> {
    print!("{}", text(facts, outcomes));
    let table = markdown(facts, outcomes);
    if let Some(path) = &files.json {
        write_json(path, &document(facts, outcomes))?;
    }
    if let Some(path) = &files.markdown {
        save(path, &table)?;
    }
    if page {
        let path = workspace.root().join("docs/speed.md");
        let old = std::fs::read_to_string(&path).map_err(cannot("read", &path))?;
        let new = with_table(&old, &table).ok_or_else(|| {
            Failure::Task(format!("{} lacks the marks {MARKS:?}", path.display()))
        })?;
        save(&path, &new)?;
    }
    Ok(())
}

/// The page with another table between its marks.
fn with_table(page: &str, table: &str) -> Option<String> {
    let (before, rest) = page.split_once(MARKS[0])?;
    let (_, after) = rest.split_once(MARKS[1])?;
    Some(format!("{before}{}\n{table}{}{after}", MARKS[0], MARKS[1]))
}

fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "missed" }
}

/// Milliseconds with three digits that count.
pub fn milliseconds(seconds: f64) -> String {
    let ms = seconds * 1e3;
    let digits = match ms {
        ms if ms >= 100.0 => 0,
        ms if ms >= 10.0 => 1,
        _ => 2,
    };
    format!("{ms:.digits$} ms")
}

/// Lines to read.
fn text(facts: &Facts, outcomes: &[Outcome]) -> String {
    let mut out = String::new();
    // Writing to a string can't fail.
    for (name, value) in facts {
        let _ = writeln!(out, "{name}: {value}");
    }
    for outcome in outcomes {
        let _ = writeln!(out, "\n{}: {}", outcome.work.name, outcome.work.title);
        for (kind, name) in NAMES {
            let Some(taken) = outcome.of(kind) else {
                continue;
            };
            let ms = milliseconds(taken.median());
            let _ = write!(out, "  {name:14} {ms:>9}");
            if let Some(bytes) = taken.bytes {
                let _ = write!(out, ", memory +{:.0} MB", bytes / 1e6);
            }
            let _ = write!(out, ", {} parameters", taken.parameters);
            if let Some(found) = (kind != Kind::Ours).then(|| outcome.ratio(kind)).flatten() {
                let Ratio {
                    ratio,
                    quartiles: [low, high],
                    goal,
                } = found;
                let met = verdict(found.met());
                let _ = write!(
                    out,
                    ": {ratio:.2} x (quartiles {low:.2} to {high:.2}), the goal of {goal} x {met}"
                );
            }
            out.push('\n');
        }
        if let Some(share) = outcome.memory() {
            let met = verdict(share <= MEMORY_GOAL);
            let _ = writeln!(
                out,
                "  memory         {share:.2} of eager's, the goal of {MEMORY_GOAL} {met}"
            );
        }
    }
    out
}

/// The table, then what it was measured on.
fn markdown(facts: &Facts, outcomes: &[Outcome]) -> String {
    let mut out = String::from(
        "| work | ours | PyTorch eager | torch.compile | memory, ours : eager |\n|---|---|---|---|---|\n",
    );
    let missing = || "not run".to_owned();
    for outcome in outcomes {
        let ours = outcome.of(Kind::Ours);
        let ours = ours.map_or_else(missing, |taken| milliseconds(taken.median()));
        let theirs = [Kind::Eager, Kind::Compiled].map(|kind| {
            let both = outcome.of(kind).zip(outcome.ratio(kind));
            both.map_or_else(missing, |(taken, found)| {
                let ms = milliseconds(taken.median());
                format!("{ms}, **{:.2}x**", found.ratio)
            })
        });
        let memory = outcome.memory().map_or_else(missing, |share| {
            let growth = |kind| outcome.of(kind).and_then(|taken| taken.bytes);
            let [ours, theirs] = [Kind::Ours, Kind::Eager].map(|kind| growth(kind).unwrap_or(0.0));
            let (ours, theirs) = (ours / 1e6, theirs / 1e6);
            format!("{ours:.0} : {theirs:.0} MB, {share:.2}")
        });
        let [eager, compiled] = theirs;
        let title = outcome.work.title;
        let _ = writeln!(
            out,
            "| {title} | {ours} | {eager} | {compiled} | {memory} |"
        );
    }
    let facts: Vec<String> = facts
        .iter()
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    let _ = writeln!(out, "\nMeasured on: {}.", facts.join(", "));
    out
}

/// What is written as JSON.
#[derive(Serialize)]
struct Document<'a> {
    machine: BTreeMap<&'a str, &'a str>,
    works: Vec<Found<'a>>,
}

#[derive(Serialize)]
struct Found<'a> {
    name: &'a str,
    title: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ours: Option<Side<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    eager: Option<Side<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    compiled: Option<Side<'a>>,
    memory_ratio: Option<f64>,
    memory_goal: f64,
}

#[derive(Serialize)]
struct Side<'a> {
    seconds: f64,
    rounds: &'a [f64],
    memory_bytes: Option<f64>,
    parameters: f64,
    #[serde(flatten)]
    ratio: Option<Ratio>,
}

fn document<'a>(facts: &'a Facts, outcomes: &'a [Outcome]) -> Document<'a> {
    let found = |outcome: &'a Outcome| {
        let side = |kind: Kind| {
            let taken = outcome.of(kind)?;
            let ratio = outcome.ratio(kind).filter(|_| kind != Kind::Ours);
            Some(Side {
                seconds: taken.median(),
                rounds: &taken.seconds,
                memory_bytes: taken.bytes,
                parameters: taken.parameters,
                ratio,
            })
        };
        Found {
            name: outcome.work.name,
            title: outcome.work.title,
            ours: side(Kind::Ours),
            eager: side(Kind::Eager),
            compiled: side(Kind::Compiled),
            memory_ratio: outcome.memory(),
            memory_goal: MEMORY_GOAL,
        }
    };
    Document {
        machine: machine::by_name(facts),
        works: outcomes.iter().map(found).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::work::WORKS;
    use super::*;

    fn outcome() -> Outcome {
        let taken = |kind, seconds: &[f64], bytes| Taken {
            kind,
            seconds: seconds.to_vec(),
            bytes: Some(bytes),
            parameters: 38535.0,
        };
        Outcome {
            work: &WORKS[0],
            taken: vec![
                taken(Kind::Ours, &[0.04, 0.05, 0.03], 40e6),
                taken(Kind::Eager, &[0.16, 0.1, 0.12], 100e6),
                taken(Kind::Compiled, &[0.06, 0.06, 0.06], 300e6),
            ],
        }
    }

    #[test]
    fn ratios_are_of_medians_and_quartiles_of_rounds() {
        let found = outcome().ratio(Kind::Eager).expect("both were run");
        let close = |a: f64, b: f64| (a - b).abs() < 1e-12;
        assert!(close(found.ratio, 3.0) && found.met(), "{found:?}");
        // By round 4, 2 and 4.
        assert!(close(found.quartiles[0], 3.0) && close(found.quartiles[1], 4.0));
        let found = outcome().ratio(Kind::Compiled).expect("both were run");
        assert!(close(found.ratio, 1.5) && !found.met(), "{found:?}");
        assert!(close(outcome().memory().expect("both are known"), 0.4));
        let mut alone = outcome();
        alone.taken.truncate(1);
        assert_eq!(alone.ratio(Kind::Eager), None);
        assert_eq!(alone.memory(), None);
    }

    #[test]
    fn each_ratio_stands_beside_its_goal() {
        let text = text(&vec![("cores", "2".into())], &[outcome()]);
        for line in [
            "cores: 2",
            "ours             40.0 ms, memory +40 MB",
            "3.00 x (quartiles 3.00 to 4.00), the goal of 3 x met",
            "1.50 x (quartiles 1.35 to 1.75), the goal of 2 x missed",
            "0.40 of eager's, the goal of 0.5 met",
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
    }

    #[test]
    fn the_table_has_a_row_a_work_and_says_what_was_not_run() {
        let row = markdown(&vec![("cores", "2".into())], &[outcome()]);
        assert!(
            row.contains(
                "| 40.0 ms | 120 ms, **3.00x** | 60.0 ms, **1.50x** | 40 : 100 MB, 0.40 |"
            ),
            "{row}"
        );
        assert!(row.ends_with("\nMeasured on: cores 2.\n"), "{row}");
        let mut alone = outcome();
        alone.taken.truncate(1);
        let row = markdown(&Vec::new(), &[alone]);
        assert!(
            row.contains("| 40.0 ms | not run | not run | not run |"),
            "{row}"
        );
    }

    #[test]
    fn the_page_keeps_what_stands_around_the_table() {
        let [begin, end] = MARKS;
        let old = format!("a\n{begin}\nold\n{end}\nb\n");
        let new = with_table(&old, "new\n").expect("it has marks");
        assert_eq!(new, format!("a\n{begin}\nnew\n{end}\nb\n"));
        assert_eq!(with_table("no marks", "new\n"), None);
    }

    #[test]
    fn the_document_holds_rounds_and_ratios() {
        let (facts, outcomes) = (vec![("cores", "2".into())], [outcome()]);
        let json = document(&facts, &outcomes);
        let json = serde_json::to_string(&json).expect("plain numbers");
        for part in [
            r#""machine":{"cores":"2"}"#,
            r#""rounds":[0.04,0.05,0.03]"#,
            r#""goal":2.0}"#,
            r#""memory_goal":0.5"#,
        ] {
            assert!(json.contains(part), "{part} in {json}");
        }
    }
}
