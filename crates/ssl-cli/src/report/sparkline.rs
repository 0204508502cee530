//! Curves as a line of text each: for a terminal, where a picture is far away.

use super::{columns, count, percent};

/// From the lowest value to the highest.
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// The same where only ASCII is sure to be shown.
const ASCII: [char; 8] = ['_', '.', ',', '-', '=', '+', '*', '#'];
/// Most characters of a line; longer curves are means over stretches of epochs.
const WIDEST: usize = 48;

/// A curve: one number an epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// What it is.
    pub label: &'static str,
    /// Epochs, from 1, with their numbers.
    pub points: Vec<(usize, f64)>,
    /// Whether the numbers are shares of 1, to be shown in percent.
    pub share: bool,
    /// Whether lower is better.
    pub falls: bool,
}

impl Series {
    /// The best epoch with its number.
    pub fn best(&self) -> Option<(usize, f64)> {
        let better = |a: f64, b: f64| if self.falls { a < b } else { a > b };
        let finite = self.points.iter().filter(|(_, value)| value.is_finite());
        finite
            .copied()
            .reduce(|best, one| match better(one.1, best.1) {
                true => one,
                false => best,
            })
    }

    fn number(&self, value: f64) -> String {
        match self.share {
            true => percent(value),
            false => format!("{value:.4}"),
        }
    }
}

/// A line a curve, whose columns stand below each other: name, first number, curve, last number, best.
fn sparklines(series: &[Series], unicode: bool) -> Vec<String> {
    let rows: Vec<[String; 5]> = series
        .iter()
        .filter_map(|series| {
            let (first, last) = (series.points.first()?, series.points.last()?);
            let values: Vec<f64> = series.points.iter().map(|&(_, value)| value).collect();
            let word = if series.falls { "lowest" } else { "highest" };
            let best = series.best().map_or(String::new(), |(epoch, value)| {
                format!("{word} {} in epoch {epoch}", series.number(value))
            });
            Some([
                series.label.to_owned(),
                series.number(first.1),
                sparkline(&values, unicode),
                series.number(last.1),
                best,
            ])
        })
        .collect();
    columns(&[false, true, false, true, false], &rows)
}

/// `3 epochs`, above their curves; nothing of fewer than two, which are no curve.
pub fn with_title(series: &[Series], unicode: bool) -> Vec<String> {
    let epochs = series.iter().map(|one| one.points.len()).max();
    let Some(epochs) = epochs.filter(|&epochs| epochs > 1) else {
        return Vec::new();
    };
    let lines = sparklines(series, unicode).into_iter();
    let title = format!("curves of {}:", count(epochs, "epoch"));
    [title]
        .into_iter()
        .chain(lines.map(|line| format!("  {line}")))
        .collect()
}

/// The values from left to right, each as high as it is between the lowest and the highest; a number that isn't finite is a `?`.
pub fn sparkline(values: &[f64], unicode: bool) -> String {
    let steps = if unicode { BLOCKS } else { ASCII };
    let values = shortened(values);
    let finite = || values.iter().copied().filter(|value| value.is_finite());
    let low = finite().fold(f64::INFINITY, f64::min);
    let high = finite().fold(f64::NEG_INFINITY, f64::max);
    let step = |&value: &f64| {
        if !value.is_finite() {
            return '?';
        }
        let share = (value / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0);
        // A flat curve lies in the middle.
        let share = if share.is_finite() { share } else { 0.5 };
        steps[((share * 8.0) as usize).min(7)]
    };
    values.iter().map(step).collect()
}

/// At most so many values as a line has characters: means over stretches that are as equal as they can be.
fn shortened(values: &[f64]) -> Vec<f64> {
    let n = values.len().min(WIDEST);
    let at = |i: usize| i * values.len() / n;
    (0..n)
        .map(|i| {
            let stretch = &values[at(i)..at(i + 1)];
            stretch.iter().sum::<f64>() / stretch.len() as f64
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heights_follow_the_values() {
        assert_eq!(
            sparkline(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], true),
            "▁▂▃▄▅▆▇█"
        );
        assert_eq!(sparkline(&[7.0, 0.0, 3.5], false), "#_=");
        assert_eq!(sparkline(&[2.0, 2.0], true), "▅▅");
        assert_eq!(sparkline(&[], true), "");
        assert_eq!(sparkline(&[0.0, f64::NAN, 1.0], true), "▁?█");
        assert_eq!(sparkline(&[-f64::MAX, f64::MAX], true), "▁█");
    }

    #[test]
    fn a_long_curve_is_shortened_to_means_and_keeps_its_shape() {
        let values: Vec<f64> = (0..1000).map(f64::from).collect();
        let short = shortened(&values);
        assert_eq!(short.len(), WIDEST);
        assert!(short.is_sorted());
        let mean = short.iter().sum::<f64>() / WIDEST as f64;
        assert!((mean - 499.5).abs() < 1.0, "{mean}");
    }

    #[test]
    fn a_line_says_where_it_began_where_it_ended_and_what_was_best() {
        let loss = Series {
            label: "loss",
            points: vec![(1, 0.5), (2, 0.1), (3, 0.2)],
            share: false,
            falls: true,
        };
        let top1 = Series {
            label: "held-out top-1",
            points: vec![(1, 0.25), (2, 0.5), (3, 0.5)],
            share: true,
            falls: false,
        };
        let lines = with_title(&[loss.clone(), top1], false);
        assert_eq!(
            lines,
            [
                "curves of 3 epochs:",
                "  loss            0.5000  #_,  0.2000  lowest 0.1000 in epoch 2",
                "  held-out top-1  25.0 %  _##  50.0 %  highest 50.0 % in epoch 2",
            ]
        );
        let one = Series {
            points: vec![(1, 0.5)],
            ..loss
        };
        assert!(with_title(&[one], true).is_empty(), "a point is no curve");
    }
}
