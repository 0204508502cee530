//! Learning curves: what was measured epoch by epoch, all runs together.

use maud::{Markup, PreEscaped, html};
use skeleton_data::draw::{Svg, plain, short};

use super::{scrolling, word};
use crate::page::facts::RunFacts;
use crate::run::Epoch;

const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 40.0;
/// Lines in one drawing that are told apart by colour.
const COLOURS: usize = 8;

/// One drawing.
struct Chart {
    id: &'static str,
    title: &'static str,
    /// How a number is written in the table.
    digits: usize,
    lines: Vec<Line>,
}

/// One line of it.
struct Line {
    /// The run, and what is measured where a drawing has two things.
    name: String,
    /// Its run's place, which gives the colour.
    run: usize,
    /// Whether it is of held-out clips, which are drawn with gaps.
    held_out: bool,
    points: Vec<(usize, f64)>,
}

/// What is drawn, of what metrics.jsonl says.
struct Wanted {
    id: &'static str,
    title: &'static str,
    digits: usize,
    measures: &'static [Measure],
}

/// A name in metrics.jsonl, what it is in words, and whether it is drawn with gaps.
struct Measure(&'static str, &'static str, bool);

const CHARTS: [Wanted; 3] = [
    Wanted {
        id: "loss",
        title: "Loss",
        digits: 4,
        measures: &[
            Measure("loss", "training", false),
            Measure("val_loss", "held out", true),
        ],
    },
    Wanted {
        id: "accuracy",
        title: "Accuracy on held-out clips",
        digits: 3,
        measures: &[
            Measure("val_top1", "top-1", false),
            Measure("val_mean_class", "mean class", true),
        ],
    },
    Wanted {
        id: "rate",
        title: "Learning rate",
        digits: 6,
        measures: &[Measure("lr", "", false)],
    },
];

/// The section.
pub fn section(runs: &[RunFacts]) -> Markup {
    let charts: Vec<Chart> = CHARTS
        .iter()
        .filter_map(|chart| Chart::of(chart, runs))
        .collect();
    html! {
        section #curves aria-labelledby="curves-title" {
            h2 id="curves-title" { "Learning curves" }
            @if charts.is_empty() {
                (super::missing("no epoch is finished", Some("go on with the run: the command that began it, with --resume")))
            }
            @if runs.len() > 1 && !charts.is_empty() {
                ul.legend {
                    @for (at, run) in runs.iter().enumerate() {
                        li { span class={ "swatch s" (at % COLOURS) } aria-hidden="true" {} (word(&run.name)) }
                    }
                }
            }
            div.charts {
                @for chart in &charts {
                    figure.chart {
                        figcaption { (chart.title) (chart.key()) }
                        (PreEscaped(chart.svg()))
                    }
                }
            }
            @if !charts.is_empty() {
                details {
                    summary { "The curves as a table" }
                    @for (at, run) in runs.iter().enumerate() { (table(at, run, runs.len() > 1)) }
                }
            }
        }
    }
}

fn value(epoch: &Epoch, key: &str) -> Option<f64> {
    epoch
        .numbers
        .get(key)
        .copied()
        .filter(|value| value.is_finite())
}

impl Chart {
    fn of(wanted: &Wanted, runs: &[RunFacts]) -> Option<Chart> {
        let mut lines = Vec::new();
        for (at, run) in runs.iter().enumerate() {
            for &Measure(key, what, held_out) in wanted.measures {
                let points = run.epochs.iter();
                let points = points.filter_map(|epoch| Some((epoch.epoch, value(epoch, key)?)));
                let points: Vec<(usize, f64)> = points.collect();
                if !points.is_empty() {
                    let name = format!("{} {what}", run.name);
                    lines.push(Line {
                        name,
                        run: at,
                        held_out,
                        points,
                    });
                }
            }
        }
        (!lines.is_empty()).then_some(Chart {
            id: wanted.id,
            title: wanted.title,
            digits: wanted.digits,
            lines,
        })
    }

    /// What a line with gaps is, where there is one.
    fn key(&self) -> Markup {
        let words = match self.id {
            _ if !self.lines.iter().any(|line| line.held_out) => "",
            "loss" => ": training (line), held-out clips (dashes)",
            _ => ": top-1 (line), mean class (dashes)",
        };
        html! { (words) }
    }

    /// Where each line ends, in words.
    fn words(&self) -> String {
        let end = |line: &Line| {
            let (epoch, last) = line.points[line.points.len() - 1];
            format!(
                "{}: {last:.*} after epoch {epoch}",
                short(&line.name, 60),
                self.digits
            )
        };
        let ends: Vec<String> = self.lines.iter().map(end).collect();
        ends.join("; ")
    }

    fn svg(&self) -> String {
        let all = || self.lines.iter().flat_map(|line| &line.points);
        let last = all().map(|point| point.0).max().unwrap_or(1).max(2);
        let (low, high) = all().fold((f64::MAX, f64::MIN), |(low, high), point| {
            (low.min(point.1), high.max(point.1))
        });
        // What never changes is drawn from 0, where it can be.
        let low = if high > low || low < 0.0 { low } else { 0.0 };
        let step = step(low, high);
        let (low, high) = ((low / step).floor() * step, (high / step).ceil() * step);
        let high = if high > low { high } else { low + step };
        let x = |epoch: usize| {
            LEFT + (WIDTH - LEFT - RIGHT) * (epoch as f64 - 1.0) / (last as f64 - 1.0)
        };
        let y = |value: f64| TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - (value - low) / (high - low));
        let mut svg = Svg::in_page(
            (WIDTH as f32, HEIGHT as f32),
            self.id,
            self.title,
            &self.words(),
        );
        let ticks = ((high - low) / step).round() as usize;
        for tick in 0..=ticks {
            let value = low + step * tick as f64;
            let at = y(value);
            svg.line(format_args!(
                "<path class=\"grid\" d=\"M{LEFT} {at:.1}H{:.1}\"/>",
                WIDTH - RIGHT
            ));
            svg.text(LEFT - 8.0, at + 4.0, "end", &tick_words(value, step));
        }
        let every = (last.div_ceil(6)).max(1);
        for epoch in (1..=last).filter(|epoch| epoch % every == 0 || *epoch == 1) {
            svg.text(x(epoch), HEIGHT - 22.0, "mid", &epoch.to_string());
        }
        svg.text(WIDTH - RIGHT, HEIGHT - 5.0, "end", "epoch");
        for line in &self.lines {
            let places = line
                .points
                .iter()
                .map(|&(epoch, value)| format!("{:.1} {:.1}", x(epoch), y(value)));
            let way: Vec<String> = places.collect();
            let held_out = if line.held_out { " dashed" } else { "" };
            svg.line(format_args!(
                "<path class=\"line s{}{held_out}\" d=\"M{}\"><title>{}</title></path>",
                line.run % COLOURS,
                way.join("L"),
                skeleton_data::draw::xml(&line.name)
            ));
            // A single epoch is a point.
            if let [(epoch, value)] = *line.points {
                svg.line(format_args!(
                    "<circle class=\"dot s{}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\"/>",
                    line.run % COLOURS,
                    x(epoch),
                    y(value)
                ));
            }
        }
        svg.end()
    }
}

/// A step of 1, 2 or 5 times a power of ten that gives about four ticks.
fn step(low: f64, high: f64) -> f64 {
    let rough = (high - low).max(high.abs() * 1e-3).max(1e-12) / 4.0;
    let ten = 10f64.powf(rough.log10().floor());
    let times = [1.0, 2.0, 5.0, 10.0];
    ten * times
        .into_iter()
        .find(|times| ten * times >= rough * 0.999)
        .unwrap_or(10.0)
}

fn tick_words(value: f64, step: f64) -> String {
    let digits = (-step.log10().floor()).clamp(0.0, 9.0) as usize;
    match digits {
        // A learning rate of 0.00015 is easier to read as 1.5e-4.
        5.. => format!("{value:.1e}"),
        _ => format!("{value:.digits$}"),
    }
}

fn table(at: usize, run: &RunFacts, several: bool) -> Markup {
    let measures = CHARTS.iter().flat_map(|wanted| {
        let keys = wanted.measures.iter();
        keys.map(|measure| (measure.0, wanted.digits))
    });
    let has = |key: &str| run.epochs.iter().any(|epoch| value(epoch, key).is_some());
    let keys: Vec<(&str, usize)> = measures.filter(|(key, _)| has(key)).collect();
    let table = html! {
        table {
            @if several { caption { (plain(&run.name)) } }
            thead { tr {
                th.number scope="col" { "epoch" }
                @for (key, _) in &keys { th.number scope="col" { (key) } }
            } }
            tbody { @for epoch in &run.epochs { tr {
                th.number scope="row" { (epoch.epoch) }
                @for &(key, digits) in &keys {
                    td.number { @if let Some(value) = value(epoch, key) { (format!("{value:.digits$}")) } }
                }
            } } }
        }
    };
    scrolling(&format!("The curves of run {}", at + 1), &table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_numbers() {
        assert_eq!(step(0.0, 4.0), 1.0);
        assert_eq!(step(0.31, 1.07), 0.2);
        assert_eq!(step(3.0, 3.0), 0.001);
        assert_eq!(tick_words(0.25, 0.05), "0.25");
        assert_eq!(tick_words(1.5e-4, 5e-5), "1.5e-4");
        assert_eq!(tick_words(40.0, 20.0), "40");
    }

    #[test]
    fn each_measure_is_a_line_and_lines_are_of_their_runs_colour() {
        let runs = [
            crate::page::tests::run("a", &[0, 1]),
            crate::page::tests::run("b", &[0, 1]),
        ];
        let page = section(&runs).into_string();
        assert_eq!(
            page.matches("<path class=\"line s0\"").count(),
            2,
            "loss and rate"
        );
        assert_eq!(page.matches("<path class=\"line s1\"").count(), 2);
        assert!(!page.contains("NaN") && !page.contains("inf"));
        assert_eq!(page.matches("<svg").count(), 2, "nothing was held out");
        assert!(section(&[]).into_string().contains("no epoch is finished"));
    }
}
