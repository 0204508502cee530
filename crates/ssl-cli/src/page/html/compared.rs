//! Several runs beside each other.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::{missing, scrolling, sorting, word};
use crate::page::facts::{Comparison, Part, Report};
use crate::report::count;

/// The section.
pub fn section(report: &Report) -> Markup {
    html! {
        section #compared aria-labelledby="compared-title" {
            h2 id="compared-title" { "Compared" }
            (settings(report))
            @if report.comparisons.is_empty() {
                (missing("no two runs are measured on the same clips",
                    Some("ssl report RUN RUN --split NAME -o FILE.html, where each run's cache is there")))
            } @else {
                h3 { "May the difference be chance?" }
                (scrolling("Tests", &tests(report)))
                p.remark {
                    "McNemar's exact test: were two runs equally good, each clip that only one of them gets right would be a fair coin's. \
                     A small p says that the difference is hardly chance on these clips; it knows nothing of other seeds."
                }
                @for one in &report.comparisons { (by_class(report, one)) }
            }
        }
    }
}

fn settings(report: &Report) -> Markup {
    let keys: BTreeSet<&String> = report
        .runs
        .iter()
        .flat_map(|run| run.settings.keys())
        .collect();
    let differ = |key: &&&String| {
        let first = report.runs[0].settings.get(**key);
        report
            .runs
            .iter()
            .any(|run| run.settings.get(**key) != first)
    };
    let keys: Vec<&&String> = keys.iter().filter(differ).collect();
    if keys.is_empty() {
        return html! { p { "All settings are the same." } };
    }
    let table = html! {
        table {
            thead { tr { th scope="col" { "setting" } @for run in &report.runs { th scope="col" { (word(&run.name)) } } } }
            tbody { @for key in keys { tr {
                th scope="row" { code { (word(key)) } }
                @for run in &report.runs { td {
                    @match run.settings.get(*key) { Some(value) => (word(value)), None => span.soft { "not set" } }
                } }
            } } }
        }
    };
    html! { h3 { "Settings that differ" } (scrolling("Settings that differ", &table)) }
}

fn tests(report: &Report) -> Markup {
    html! {
        table {
            thead { tr {
                th scope="col" { "run" } th scope="col" { "beside" }
                th.number scope="col" { "clips" } th.number scope="col" { "only the first right" } th.number scope="col" { "only the second right" }
                th.number scope="col" { "difference" } th.number scope="col" { "p" }
            } }
            tbody { @for one in &report.comparisons { tr {
                th scope="row" { (word(&report.runs[one.first].name)) }
                td { (word(&report.runs[one.second].name)) }
                td.number { (one.clips) }
                td.number { (one.mcnemar.first_only) } td.number { (one.mcnemar.second_only) }
                td.number { (points(one)) }
                td.number { (p(one.mcnemar.p)) }
            } } }
        }
    }
}

/// By how many points the second run is better.
fn points(one: &Comparison) -> String {
    let (first, second) = (
        one.mcnemar.first_only as f64,
        one.mcnemar.second_only as f64,
    );
    format!(
        "{:+.1} points",
        100.0 * (second - first) / one.clips.max(1) as f64
    )
}

fn p(p: f64) -> String {
    match p {
        0.0005.. => format!("{p:.3}"),
        _ => "< 0.0005".to_owned(),
    }
}

/// A row a class, drawn to the left where the first run is better and to the right where the second is.
fn by_class(report: &Report, one: &Comparison) -> Markup {
    let guesses = report.runs[one.first]
        .guesses
        .as_ref()
        .and_then(Part::there);
    let Some(set) = guesses.map(|guesses| &report.sets[guesses.set]) else {
        return html! {};
    };
    let names = (&report.runs[one.first].name, &report.runs[one.second].name);
    let most = one
        .by_class
        .iter()
        .map(|class| class.0.abs())
        .max()
        .unwrap_or(0)
        .max(1);
    let rows = one
        .by_class
        .iter()
        .enumerate()
        .filter(|(_, class)| class.1 > 0);
    let table = html! {
        table.sortable {
            thead { tr {
                (sorting("class", "")) (sorting("clips", "number")) (sorting("difference in clips", "number"))
                th scope="col" { span.hidden { "as a bar" } }
            } }
            tbody { @for (class, &(difference, clips)) in rows { tr {
                th scope="row" { (word(&set.class(class as i64))) }
                td.number { (clips) }
                td.number data-value=(difference) { (format!("{difference:+}")) }
                td.bars { (diverging(difference as f64 / most as f64)) }
            } } }
        }
    };
    html! {
        h3 { "By class: " (word(names.1)) " less " (word(names.0)) }
        p.soft { "Clips taken for their class by the second run less those by the first, of " (count(one.clips, "clip")) "." }
        (scrolling("Differences by class", &table))
    }
}

fn diverging(share: f64) -> Markup {
    let (side, width) = (
        if share < 0.0 { "less" } else { "more" },
        format!("width:{:.1}%", 50.0 * share.abs()),
    );
    html! { span.bar.diverging aria-hidden="true" { span class=(side) style=(width) {} } }
}

#[cfg(test)]
mod tests {
    use crate::page::facts::Report;
    use crate::page::html::report;
    use crate::page::tests::{run, set};

    #[test]
    fn runs_of_the_same_clips_are_compared_and_their_settings_beside_each_other() {
        let labels = [0, 0, 1, 1, 2, -1];
        let page = report(&Report::new(
            vec![set(&labels)],
            vec![run("a", &labels), run("b", &labels)],
        ));
        assert!(page.contains("run.seed") && page.contains("Settings that differ"));
        assert!(page.contains("+0.0 points") && page.contains("1.000"));
        let alone = report(&Report::new(vec![set(&labels)], vec![run("a", &labels)]));
        assert!(!alone.contains("id=\"compared\""));
    }
}
