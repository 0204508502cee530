//! What a bench found, for people and for programs.

use std::fmt::Write;

use super::measure::Run;

/// What a section found.
pub struct Outcome {
    pub name: &'static str,
    pub title: &'static str,
    pub goal: f64,
    pub ours: Run,
    /// None where Python lacks what the stand-in needs.
    pub theirs: Option<Run>,
}

impl Outcome {
    /// How many times the stand-in's bytes a second are ours.
    fn ratio(&self) -> Option<f64> {
        let theirs = self.theirs.as_ref()?;
        Some(self.ours.speed() / theirs.speed())
    }
}

/// Lines to read.
pub fn text(machine: &[(&str, String)], outcomes: &[Outcome]) -> String {
    let mut out = String::new();
    // Writing to a string can't fail.
    for (name, value) in machine {
        let _ = writeln!(out, "{name}: {value}");
    }
    for outcome in outcomes {
        let _ = writeln!(out, "\n{}: {}", outcome.name, outcome.title);
        for (side, run) in [
            ("ours", Some(&outcome.ours)),
            ("stand-in", outcome.theirs.as_ref()),
        ] {
            let Some(run) = run else { continue };
            let _ = write!(out, "  {side:8}  {:8.1} MB/s", run.speed() / 1e6);
            for (name, value) in run.medians() {
                let _ = write!(out, ", {name} {}", rounded(value));
            }
            out.push('\n');
        }
        if let Some(ratio) = outcome.ratio() {
            let (goal, met) = (outcome.goal, ratio >= outcome.goal);
            let verdict = if met { "reached" } else { "missed" };
            let _ = writeln!(
                out,
                "  ratio     {ratio:8.1} x, the goal of {goal} x {verdict}"
            );
        }
    }
    out
}

/// One JSON document.
pub fn json(machine: &[(&str, String)], outcomes: &[Outcome]) -> String {
    let run = |run: &Run| {
        let speed = ("bytes_per_second".to_owned(), run.speed().to_string());
        let medians = run.medians().into_iter();
        let medians = medians.map(|(name, value)| (name.to_owned(), value.to_string()));
        object(std::iter::once(speed).chain(medians).collect())
    };
    let facts = machine.iter();
    let facts = facts.map(|(name, value)| ((*name).to_owned(), quoted(value)));
    let sections: Vec<String> = outcomes
        .iter()
        .map(|outcome| {
            let none = || "null".to_owned();
            object(vec![
                ("name".into(), quoted(outcome.name)),
                ("title".into(), quoted(outcome.title)),
                ("ours".into(), run(&outcome.ours)),
                (
                    "stand_in".into(),
                    outcome.theirs.as_ref().map_or_else(none, run),
                ),
                (
                    "ratio".into(),
                    outcome.ratio().map_or_else(none, |r| r.to_string()),
                ),
                ("goal".into(), outcome.goal.to_string()),
            ])
        })
        .collect();
    let (facts, sections) = (object(facts.collect()), sections.join(",\n  "));
    format!("{{\"machine\": {facts},\n \"sections\": [\n  {sections}\n]}}\n")
}

/// A JSON string.
pub fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A JSON object of names and written values.
pub fn object(pairs: Vec<(String, String)>) -> String {
    let pairs: Vec<String> = pairs
        .into_iter()
        .map(|(name, value)| format!("{}: {value}", quoted(&name)))
        .collect();
    format!("{{{}}}", pairs.join(", "))
}

/// Whole where it is large, else four digits.
fn rounded(value: f64) -> String {
    if value.abs() >= 1000.0 || value.fract() == 0.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.3}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(seconds: f64) -> Run {
        let mut run = Run::default();
        run.push(vec![("seconds".into(), seconds), ("bytes".into(), 8e6)]);
        run
    }

    #[test]
    fn a_ratio_says_how_many_times_faster_we_are() {
        let outcome = Outcome {
            name: "raw",
            title: "a \"title\"",
            goal: 30.0,
            ours: run(0.5),
            theirs: Some(run(16.0)),
        };
        let text = text(&[("cores", "2".into())], &[outcome]);
        assert!(text.contains("cores: 2\n"), "{text}");
        assert!(
            text.contains("16.0 MB/s, seconds 0.500, bytes 8000000"),
            "{text}"
        );
        assert!(text.contains("32.0 x, the goal of 30 x reached"), "{text}");
    }

    #[test]
    fn without_the_stand_in_there_is_no_ratio() {
        let outcome = Outcome {
            name: "raw",
            title: "a \"title\"",
            goal: 30.0,
            ours: run(0.5),
            theirs: None,
        };
        let json = json(&[], &[outcome]);
        assert!(
            json.contains(r#""ratio": null"#) && json.contains(r#"a \"title\""#),
            "{json}"
        );
    }
}
