//! What the rounds come to, as text, JSON and Markdown.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use serde::Serialize;

use super::side::{Kind, Numbers, median, quantile};
use super::{Facts, write as save};
use crate::process::{Failure, cannot};
use crate::workspace::Workspace;

/// What stands around the table of the page on speed.
const MARKS: [&str; 2] = [
    "<!-- cargo xtask bench models --page -->",
    "<!-- end of the table -->",
];

/// The largest share of PyTorch's growth in memory that is aimed at.
const MEMORY_GOAL: f64 = 0.5;

/// One side's rounds.
#[derive(Clone, Serialize)]
pub struct Taken {
    pub side: Kind,
    /// Seconds of a unit of the work (a step, a byte), round by round.
    pub rounds: Vec<f64>,
    /// What is said beside them.
    #[serde(flatten)]
    pub beside: Numbers,
}

impl Taken {
    pub fn median(&self) -> f64 {
        median(self.rounds.iter().copied())
    }

    fn memory(&self) -> Option<f64> {
        self.beside.get(MEMORY).copied()
    }
}

/// What growth in memory is called beside rounds, in bytes.
pub const MEMORY: &str = "memory";

/// A work, all sides, and how many times faster ours is than each other one.
#[derive(Serialize)]
pub struct Outcome {
    pub name: &'static str,
    pub title: &'static str,
    sides: Vec<Taken>,
    ratios: Vec<Ratio>,
    /// Our growth in memory as a share of eager PyTorch's. The compiled side's holds the compiler itself.
    memory: Option<f64>,
    #[serde(skip)]
    shown: fn(f64) -> String,
}

/// How many times faster we are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Ratio {
    against: Kind,
    /// Of the medians.
    ratio: f64,
    /// Quartiles of the rounds' ratios.
    quartiles: [f64; 2],
    /// The smallest that is aimed at.
    goal: f64,
}

impl Outcome {
    /// Compares our side with the others, each with its goal; `shown` writes seconds of a unit.
    pub fn new(
        (name, title): (&'static str, &'static str),
        sides: Vec<Taken>,
        goals: &[(Kind, f64)],
        shown: fn(f64) -> String,
    ) -> Outcome {
        let of = |kind| sides.iter().find(|taken| taken.side == kind);
        let ratio = |&(against, goal): &(Kind, f64)| {
            let (ours, theirs) = (of(Kind::Ours)?, of(against)?);
            let rounds = ours.rounds.iter().zip(&theirs.rounds);
            let by_round: Vec<f64> = rounds.map(|(ours, theirs)| theirs / ours).collect();
            Some(Ratio {
                against,
                ratio: theirs.median() / ours.median(),
                quartiles: [0.25, 0.75].map(|share| quantile(by_round.iter().copied(), share)),
                goal,
            })
        };
        let memory = |kind| of(kind).and_then(Taken::memory);
        Outcome {
            name,
            title,
            ratios: goals.iter().filter_map(ratio).collect(),
            memory: memory(Kind::Ours)
                .zip(memory(Kind::Eager))
                .map(|(ours, theirs)| ours / theirs),
            sides,
            shown,
        }
    }

    fn of(&self, kind: Kind) -> Option<&Taken> {
        self.sides.iter().find(|taken| taken.side == kind)
    }

    fn ratio(&self, kind: Kind) -> Option<&Ratio> {
        self.ratios.iter().find(|ratio| ratio.against == kind)
    }
}

/// To stdout, as JSON to a file, and as a table to the page on speed.
pub fn write(
    workspace: &Workspace,
    facts: &Facts,
    outcomes: &[Outcome],
    file: Option<&Path>,
    page: bool,
) -> Result<(), Failure> {
    print!("{}", text(facts, outcomes));
    if let Some(path) = file {
        save(path, &json(facts, outcomes)?)?;
    }
    if page {
        let path = workspace.root().join("docs/speed.md");
        let old = std::fs::read_to_string(&path).map_err(cannot("read", &path))?;
        let new = with_table(&old, &markdown(facts, outcomes)).ok_or_else(|| {
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

pub fn verdict(met: bool) -> &'static str {
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
        let _ = writeln!(out, "\n{}: {}", outcome.name, outcome.title);
        for taken in &outcome.sides {
            let time = (outcome.shown)(taken.median());
            let _ = write!(out, "  {:14} {time:>11}", taken.side.name());
            for (name, value) in &taken.beside {
                let _ = match name.as_str() {
                    MEMORY => write!(out, ", memory +{:.0} MB", value / 1e6),
                    _ => write!(out, ", {name} {}", rounded(*value)),
                };
            }
            if let Some(found) = outcome.ratio(taken.side) {
                let Ratio { ratio, goal, .. } = found;
                let [low, high] = found.quartiles;
                let met = verdict(ratio >= goal);
                let _ = write!(
                    out,
                    ": {ratio:.2} x (quartiles {low:.2} to {high:.2}), the goal of {goal} x {met}"
                );
            }
            out.push('\n');
        }
        if let Some(share) = outcome.memory {
            let met = verdict(share <= MEMORY_GOAL);
            let _ = writeln!(
                out,
                "  memory         {share:.2} of eager's, the goal of {MEMORY_GOAL} {met}"
            );
        }
    }
    out
}

/// Whole where it is large, else four digits.
fn rounded(value: f64) -> String {
    if value.abs() >= 1000.0 || value.fract() == 0.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.3}")
    }
}

/// The table, then what it was measured on.
fn markdown(facts: &Facts, outcomes: &[Outcome]) -> String {
    let mut out = String::from(
        "| work | ours | PyTorch eager | torch.compile | memory, ours : eager |\n|---|---|---|---|---|\n",
    );
    let missing = || "not run".to_owned();
    for outcome in outcomes {
        let time = |taken: &Taken| milliseconds(taken.median());
        let ours = outcome.of(Kind::Ours).map_or_else(missing, time);
        let [eager, compiled] = [Kind::Eager, Kind::Compiled].map(|kind| {
            let both = outcome.of(kind).zip(outcome.ratio(kind));
            both.map_or_else(missing, |(taken, found)| {
                format!("{}, **{:.2}x**", time(taken), found.ratio)
            })
        });
        let memory = outcome.memory.map_or_else(missing, |share| {
            let [ours, theirs] = [Kind::Ours, Kind::Eager].map(|kind| {
                let bytes = outcome.of(kind).and_then(Taken::memory);
                bytes.unwrap_or(0.0) / 1e6
            });
            format!("{ours:.0} : {theirs:.0} MB, {share:.2}")
        });
        let title = outcome.title;
        let _ = writeln!(
            out,
            "| {title} | {ours} | {eager} | {compiled} | {memory} |"
        );
    }
    let facts = facts.iter().map(|(name, value)| format!("{name} {value}"));
    let facts: Vec<String> = facts.collect();
    let _ = writeln!(out, "\nMeasured on: {}.", facts.join(", "));
    out
}

/// One document.
fn json(facts: &Facts, outcomes: &[Outcome]) -> Result<String, Failure> {
    #[derive(Serialize)]
    struct Document<'a> {
        machine: BTreeMap<&'a str, &'a str>,
        works: &'a [Outcome],
    }
    let facts = facts.iter();
    let document = Document {
        machine: facts.map(|(name, value)| (*name, value.as_str())).collect(),
        works: outcomes,
    };
    let text = serde_json::to_string_pretty(&document);
    let text = text.map_err(|e| Failure::Task(format!("the numbers as JSON: {e}")))?;
    Ok(text + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(side: Kind, rounds: &[f64], bytes: f64) -> Taken {
        let beside = [("parameters", 38535.0), (MEMORY, bytes)];
        Taken {
            side,
            rounds: rounds.to_vec(),
            beside: beside.map(|(name, value)| (name.to_owned(), value)).into(),
        }
    }

    fn outcome(sides: usize) -> Outcome {
        let mut all = vec![
            taken(Kind::Ours, &[0.04, 0.05, 0.03], 40e6),
            taken(Kind::Eager, &[0.16, 0.1, 0.12], 100e6),
            taken(Kind::Compiled, &[0.06, 0.06, 0.06], 300e6),
        ];
        all.truncate(sides);
        let goals = [(Kind::Eager, 3.0), (Kind::Compiled, 2.0)];
        let names = ("pretrain", "pre-training step, 16 clips");
        Outcome::new(names, all, &goals, milliseconds)
    }

    #[test]
    fn ratios_are_of_medians_and_quartiles_of_rounds() {
        let all = outcome(3);
        let found = all.ratio(Kind::Eager).expect("both were run");
        let close = |a: f64, b: f64| (a - b).abs() < 1e-12;
        assert!(close(found.ratio, 3.0), "{found:?}");
        // By round 4, 2 and 4.
        assert!(close(found.quartiles[0], 3.0) && close(found.quartiles[1], 4.0));
        let found = all.ratio(Kind::Compiled).expect("both were run");
        assert!(close(found.ratio, 1.5), "{found:?}");
        assert!(close(all.memory.expect("both are known"), 0.4));
        let alone = outcome(1);
        assert_eq!(alone.ratio(Kind::Eager), None);
        assert_eq!(alone.memory, None);
    }

    #[test]
    fn each_ratio_stands_beside_its_goal() {
        let text = text(&vec![("cores", "2".into())], &[outcome(3)]);
        for line in [
            "cores: 2",
            "ours               40.0 ms, memory +40 MB, parameters 38535",
            "3.00 x (quartiles 3.00 to 4.00), the goal of 3 x met",
            "1.50 x (quartiles 1.35 to 1.75), the goal of 2 x missed",
            "0.40 of eager's, the goal of 0.5 met",
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
    }

    #[test]
    fn the_table_has_a_row_a_work_and_says_what_was_not_run() {
        let row = markdown(&vec![("cores", "2".into())], &[outcome(3)]);
        assert!(
            row.contains(
                "| 40.0 ms | 120 ms, **3.00x** | 60.0 ms, **1.50x** | 40 : 100 MB, 0.40 |"
            ),
            "{row}"
        );
        assert!(row.ends_with("\nMeasured on: cores 2.\n"), "{row}");
        let row = markdown(&Vec::new(), &[outcome(1)]);
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
        let json = json(&vec![("cores", "2".into())], &[outcome(3)]).expect("plain numbers");
        let json: String = json.split_whitespace().collect();
        for part in [
            r#""machine":{"cores":"2"}"#,
            r#""side":"ours","rounds":[0.04,0.05,0.03],"memory":40000000.0"#,
            r#""against":"compiled","ratio":1.5"#,
            r#""goal":2.0}"#,
        ] {
            assert!(json.contains(part), "{part} in {json}");
        }
    }
}
