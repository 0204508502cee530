//! How often each class is taken for each other.

use skeleton_data::draw::short;

use super::super::{Evaluation, count, percent};
use super::begin;

/// Room for the classes' names.
const NAMES: f64 = 190.0;
const TOP: f64 = 64.0;
/// Characters of a name.
const LONGEST: usize = 26;
/// Classes whose numbers and names have room.
const NAMED: usize = 64;

/// A square a pair of classes: rows are the truth and add up to 100 %, the darker the more. Numbers are counts.
pub fn confusion(evaluation: &Evaluation) -> String {
    let k = evaluation.classes.len();
    let side = (700.0 / k.max(1) as f64).clamp(4.0, 34.0);
    let named = k <= NAMED;
    let names = if named { NAMES } else { 24.0 };
    let (width, height) = (
        (names + side * k as f64 + 24.0).max(560.0),
        TOP + side * k as f64 + names + 24.0,
    );
    let title = format!("{} {}: confusion", evaluation.dataset, evaluation.split);
    let facts = format!(
        "{}, top-1 {}, mean class {}; rows: truth, columns: guess",
        count(evaluation.n, "clip"),
        percent(evaluation.top1),
        percent(evaluation.mean_class)
    );
    let mut svg = begin((width, height), &title, &facts);
    for (row, counts) in evaluation.confusion.iter().enumerate() {
        let all: u64 = counts.iter().sum();
        let y = TOP + side * row as f64;
        for (column, &n) in counts.iter().enumerate() {
            let share = n as f64 / all.max(1) as f64;
            let x = names + side * column as f64;
            svg.line(format_args!(
                "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{side:.1}\" height=\"{side:.1}\" fill=\"{}\" stroke=\"#e9ebef\" stroke-width=\".5\"/>",
                shade(share)
            ));
            if n > 0 && side >= 16.0 {
                let class = if share > 0.55 {
                    "mid small light"
                } else {
                    "mid small"
                };
                svg.text(x + side / 2.0, y + side / 2.0 + 3.5, class, &n.to_string());
            }
        }
    }
    let names_of = evaluation.classes.iter().filter(|_| named);
    for (at, name) in names_of.enumerate() {
        let middle = side * (at as f64 + 0.5);
        let size = if side >= 14.0 { "" } else { " small" };
        svg.text(
            names - 6.0,
            TOP + middle + 4.0,
            &format!("end{size}"),
            &short(name, LONGEST),
        );
        let (x, y) = (names + middle + 4.0, TOP + side * k as f64 + 6.0);
        svg.line(format_args!(
            "<text class=\"end{size}\" transform=\"translate({x:.1} {y:.1}) rotate(-90)\">{}</text>",
            skeleton_data::draw::xml(&short(name, LONGEST))
        ));
    }
    svg.end()
}

/// From white to blue.
fn shade(share: f64) -> String {
    let mix = |to: f64| (255.0 + (to - 255.0) * share.clamp(0.0, 1.0).sqrt()).round() as u8;
    format!("#{:02x}{:02x}{:02x}", mix(0.0), mix(84.0), mix(140.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evaluation(k: usize) -> Evaluation {
        Evaluation {
            dataset: "toy".into(),
            split: "test".into(),
            digest: "00".into(),
            n: 10,
            unlabelled: 0,
            nobody: 0,
            views: 1,
            top1: 0.5,
            top5: 1.0,
            mean_class: 0.5,
            confusion: (0..k)
                .map(|i| (0..k).map(|j| u64::from(i == j) * 3).collect())
                .collect(),
            classes: (0..k).map(|i| format!("<class {i}>")).collect(),
        }
    }

    #[test]
    fn every_pair_is_a_square_and_names_are_escaped() {
        let svg = confusion(&evaluation(3));
        // One more is the background.
        assert_eq!(svg.matches("<rect").count(), 10);
        assert_eq!(svg.matches("&lt;class 1&gt;").count(), 2);
        assert_eq!(svg.matches(&shade(1.0)).count(), 3);
        assert!(!svg.contains("<class"), "{svg}");
        // Names of a hundred classes have no room; no class is no panic.
        assert!(!confusion(&evaluation(120)).contains("class 1"));
        assert!(confusion(&evaluation(0)).ends_with("</svg>\n"));
    }

    #[test]
    fn shades_go_from_white_to_dark() {
        assert_eq!(shade(0.0), "#ffffff");
        assert_eq!(shade(1.0), "#00548c");
    }
}
