//! What was found, as text, JSON and Markdown.

use std::fmt::Write;
use std::path::Path;

use super::MEMORY_GOAL;
use super::options::Options;
use super::outcome::{Outcome, Ratio};
use super::side::Kind;
use crate::bench::report::{object, quoted};
use crate::process::Failure;
use crate::workspace::Workspace;

type Facts = [(&'static str, String)];

const NAMES: [(Kind, &str, &str); 3] = [
    (Kind::Ours, "ours", "ours"),
    (Kind::Eager, "PyTorch eager", "eager"),
    (Kind::Compiled, "torch.compile", "compiled"),
];

/// What stands around the table of the page on speed.
const MARKS: [&str; 2] = [
    "<!-- cargo xtask bench models --readme -->",
    "<!-- end of the table -->",
];

/// To stdout and wherever the options say.
pub fn write(
    workspace: &Workspace,
    facts: &Facts,
    outcomes: &[Outcome],
    options: &Options,
) -> Result<(), Failure> {
    print!("{}", text(facts, outcomes));
    let save = |path: &Path, text: &str| {
        std::fs::write(path, text)
            .map_err(|e| Failure::Task(format!("cannot write {}: {e}", path.display())))
    };
    let table = markdown(facts, outcomes);
    if let Some(path) = &options.json {
        save(path, &json(facts, outcomes))?;
    }
    if let Some(path) = &options.markdown {
        save(path, &table)?;
    }
    if options.readme {
        let path = workspace.root().join("docs/speed.md");
        let old = std::fs::read_to_string(&path)
            .map_err(|e| Failure::Task(format!("cannot read {}: {e}", path.display())))?;
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
        for (kind, name, _) in NAMES {
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

/// One JSON document.
fn json(facts: &Facts, outcomes: &[Outcome]) -> String {
    let null = || "null".to_owned();
    let list = |values: &[f64]| {
        let values: Vec<String> = values.iter().map(f64::to_string).collect();
        format!("[{}]", values.join(", "))
    };
    let sections = outcomes.iter().map(|outcome| {
        let mut pairs = vec![
            ("name".to_owned(), quoted(outcome.work.name)),
            ("title".to_owned(), quoted(outcome.work.title)),
        ];
        for (kind, _, key) in NAMES {
            let Some(taken) = outcome.of(kind) else {
                continue;
            };
            let mut side = vec![
                ("seconds".to_owned(), taken.median().to_string()),
                ("rounds".to_owned(), list(&taken.seconds)),
                (
                    "memory_bytes".to_owned(),
                    taken.bytes.map_or_else(null, |b| b.to_string()),
                ),
                ("parameters".to_owned(), taken.parameters.to_string()),
            ];
            if let Some(found) = outcome.ratio(kind).filter(|_| kind != Kind::Ours) {
                side.push(("ratio".to_owned(), found.ratio.to_string()));
                side.push(("quartiles".to_owned(), list(&found.quartiles)));
                side.push(("goal".to_owned(), found.goal.to_string()));
            }
            pairs.push((key.to_owned(), object(side)));
        }
        let memory = outcome.memory().map_or_else(null, |m| m.to_string());
        pairs.push(("memory_ratio".to_owned(), memory));
        pairs.push(("memory_goal".to_owned(), MEMORY_GOAL.to_string()));
        object(pairs)
    });
    let sections = sections.collect::<Vec<_>>().join(",\n  ");
    let facts = facts.iter();
    let facts = facts.map(|(name, value)| ((*name).to_owned(), quoted(value)));
    let facts = object(facts.collect());
    format!("{{\"machine\": {facts},\n \"works\": [\n  {sections}\n]}}\n")
}

#[cfg(test)]
mod tests {
    use super::super::outcome::tests::outcome;
    use super::*;

    #[test]
    fn each_ratio_stands_beside_its_goal() {
        let text = text(&[("cores", "2".into())], &[outcome()]);
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
        let row = markdown(&[("cores", "2".into())], &[outcome()]);
        assert!(
            row.contains(
                "| 40.0 ms | 120 ms, **3.00x** | 60.0 ms, **1.50x** | 40 : 100 MB, 0.40 |"
            ),
            "{row}"
        );
        assert!(row.ends_with("\nMeasured on: cores 2.\n"), "{row}");
        let mut alone = outcome();
        alone.taken.truncate(1);
        let row = markdown(&[], &[alone]);
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
        let json = json(&[("cores", "2".into())], &[outcome()]);
        for part in [
            r#""machine": {"cores": "2"}"#,
            r#""rounds": [0.04, 0.05, 0.03]"#,
            r#""goal": 2}"#,
            r#""memory_goal": 0.5"#,
        ] {
            assert!(json.contains(part), "{part} in {json}");
        }
    }
}
