//! Clips as marks in a plane, a shape and a colour a class.

use skeleton_data::draw::{SERIES, Svg, short};

use super::super::count;
use super::begin;

const SIDE: f64 = 460.0;
const LEFT: f64 = 40.0;
const TOP: f64 = 64.0;
const LEGEND: f64 = 310.0;

/// The clips of a class.
#[derive(Clone, Debug)]
pub struct Group {
    /// The class's name.
    pub name: String,
    /// Clips, by their places.
    pub places: Vec<[f64; 2]>,
}

/// The groups in one picture; `axes` names the two directions, `facts` stands below the title. At most eight groups
/// differ in colour.
pub fn scatter(title: &str, facts: &str, axes: [&str; 2], groups: &[Group]) -> String {
    let (width, height) = (LEFT + SIDE + LEGEND, TOP + SIDE + 44.0);
    let mut svg = begin((width, height), title, facts);
    svg.line(format_args!(
        "<rect x=\"{LEFT}\" y=\"{TOP}\" width=\"{SIDE}\" height=\"{SIDE}\" fill=\"#fafbfc\" stroke=\"#d5d8de\"/>"
    ));
    let view = View::of(groups);
    for [x1, y1, x2, y2] in [0, 1].into_iter().filter_map(|axis| view.zero(axis)) {
        svg.line(format_args!(
            "<path d=\"M{x1:.1} {y1:.1}L{x2:.1} {y2:.1}\" stroke=\"#e3e6eb\"/>"
        ));
    }
    for (at, group) in groups.iter().enumerate() {
        for place in &group.places {
            let (x, y) = view.at(*place);
            mark(&mut svg, at, x, y);
        }
    }
    svg.text(LEFT + SIDE / 2.0, TOP + SIDE + 26.0, "mid", axes[0]);
    let (x, y) = (22.0, TOP + SIDE / 2.0);
    svg.line(format_args!(
        "<text class=\"mid\" transform=\"translate({x} {y:.0}) rotate(-90)\">{}</text>",
        skeleton_data::draw::xml(axes[1])
    ));
    for (at, group) in groups.iter().enumerate() {
        let y = TOP + 14.0 + 24.0 * at as f64;
        mark(&mut svg, at, LEFT + SIDE + 22.0, y - 4.0);
        let words = format!(
            "{} ({})",
            short(&group.name, 30),
            count(group.places.len(), "clip")
        );
        svg.text(LEFT + SIDE + 36.0, y, "", &words);
    }
    svg.end()
}

/// A square of the plane.
struct View {
    middle: [f64; 2],
    scale: f64,
}

impl View {
    /// Holds all places, to one scale: distances are seen as they are.
    fn of(groups: &[Group]) -> View {
        let all = || groups.iter().flat_map(|group| &group.places);
        let (mut middle, mut half) = ([0.0; 2], 0.0f64);
        for axis in 0..2 {
            let low = all().map(|place| place[axis]).fold(f64::INFINITY, f64::min);
            let high = all()
                .map(|place| place[axis])
                .fold(f64::NEG_INFINITY, f64::max);
            if low <= high {
                middle[axis] = (low + high) / 2.0;
                half = half.max((high - low) / 2.0);
            }
        }
        let usable = half.is_finite() && half > 0.0;
        View {
            middle,
            scale: if usable {
                (SIDE / 2.0 - 14.0) / half
            } else {
                1.0
            },
        }
    }

    fn at(&self, place: [f64; 2]) -> (f64, f64) {
        (
            LEFT + SIDE / 2.0 + (place[0] - self.middle[0]) * self.scale,
            TOP + SIDE / 2.0 - (place[1] - self.middle[1]) * self.scale,
        )
    }

    /// The line where the axis is 0, if it is in the picture.
    fn zero(&self, axis: usize) -> Option<[f64; 4]> {
        let (x, y) = self.at([0.0, 0.0]);
        let inside = |x: f64, from: f64| x > from && x < from + SIDE;
        match axis {
            0 => inside(x, LEFT).then_some([x, TOP, x, TOP + SIDE]),
            _ => inside(y, TOP).then_some([LEFT, y, LEFT + SIDE, y]),
        }
    }
}

/// The mark of group `at`: five shapes in eight colours.
fn mark(svg: &mut Svg, at: usize, x: f64, y: f64) {
    let colour = SERIES[at % SERIES.len()];
    let fill = format!("fill=\"{colour}\" fill-opacity=\".8\" stroke=\"#fff\" stroke-width=\".6\"");
    match at % 5 {
        0 => svg.line(format_args!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4.5\" {fill}/>")),
        1 => svg.line(format_args!("<path d=\"M{:.1} {:.1}h8v8h-8z\" {fill}/>", x - 4.0, y - 4.0)),
        2 => svg.line(format_args!("<path d=\"M{x:.1} {:.1}l5 9h-10z\" {fill}/>", y - 5.5)),
        3 => svg.line(format_args!("<path d=\"M{x:.1} {:.1}l5.5 5.5l-5.5 5.5l-5.5 -5.5z\" {fill}/>", y - 5.5)),
        _ => svg.line(format_args!(
            "<path d=\"M{:.1} {:.1}l8 8m0 -8l-8 8\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2.4\"/>",
            x - 4.0,
            y - 4.0
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(name: &str, places: &[[f64; 2]]) -> Group {
        Group {
            name: name.to_owned(),
            places: places.to_vec(),
        }
    }

    #[test]
    fn every_clip_is_a_mark_inside_the_picture() {
        let groups = [
            group("run", &[[-3.0, 0.0], [1.0, 2.0]]),
            group("walk", &[[9.0, -4.0]]),
        ];
        let view = View::of(&groups);
        for place in groups.iter().flat_map(|group| &group.places) {
            let (x, y) = view.at(*place);
            assert!(
                (LEFT..=LEFT + SIDE).contains(&x) && (TOP..=TOP + SIDE).contains(&y),
                "{x} {y}"
            );
        }
        let svg = scatter("a title", "facts", ["first", "second"], &groups);
        // Each group has one mark more in the legend.
        assert_eq!(
            (
                svg.matches("<circle").count(),
                svg.matches("h8v8h-8z").count()
            ),
            (3, 2)
        );
    }

    #[test]
    fn names_are_escaped_and_one_place_is_no_division_by_nothing() {
        let svg = scatter(
            "<script>",
            "a & b",
            ["x", "y"],
            &[group("<b>", &[[1.0, 1.0]])],
        );
        assert!(
            !svg.contains("<script>") && !svg.contains("<b>") && svg.contains("a &amp; b"),
            "{svg}"
        );
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        assert!(scatter("t", "f", ["x", "y"], &[]).ends_with("</svg>\n"));
    }
}
