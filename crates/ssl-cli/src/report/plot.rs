//! Results as drawings: SVG that needs nothing else, escaped, the same bytes for the same numbers.

use skeleton_data::draw::{LIGHT, SERIES, Svg, short, xml};

use super::{Evaluation, count, percent};

const STYLE: &str = "text{fill:var(--ink)}.facts{fill:var(--soft)}\
.end{text-anchor:end}.mid{text-anchor:middle}.small{font-size:10px}.light{fill:#fff}";

/// Where a drawing begins below its title and its facts.
const TOP: f64 = 64.0;
/// A plane of clips: its side, what is left of it, and the room for its legend.
const SIDE: f64 = 460.0;
const LEFT: f64 = 40.0;
const LEGEND: f64 = 310.0;

/// Begins a drawing on white: what is in it has colours of its own.
fn begin(size: (f64, f64), title: &str, facts: &str) -> Svg {
    let size = (size.0 as f32, size.1 as f32);
    Svg::new(size, "plot", title, facts, &[LIGHT], STYLE)
}

/// What is drawn.
#[derive(Clone, Debug)]
pub struct Bars {
    /// Above the drawing.
    pub title: String,
    /// Below the groups.
    pub columns: Vec<String>,
    /// Words for the legend, and a bar a column; none leaves a gap.
    pub rows: Vec<(String, Vec<Option<Bar>>)>,
}

/// A number in percent.
#[derive(Clone, Copy, Debug)]
pub struct Bar {
    /// Its height.
    pub mean: f64,
    /// Of the mean, drawn as a line; 0 where there is none.
    pub deviation: f64,
}

/// The drawing. Its axis begins at 0 and ends at a ten.
pub fn bars_svg(bars: &Bars) -> String {
    const HEIGHT: f64 = 240.0;
    const BAR: f64 = 20.0;
    const GAP: f64 = 24.0;
    const LEFT: f64 = 56.0;
    const TOP: f64 = 54.0;
    let all = bars.rows.iter().flat_map(|(_, row)| row).flatten();
    let scale = PercentScale::up_to(all.map(|bar| bar.mean).fold(0.0, f64::max));
    let y = |percent: f64| TOP + HEIGHT * (1.0 - percent / scale.top);
    let group = BAR * bars.rows.len() as f64 + GAP;
    let width = (LEFT + group * bars.columns.len() as f64 + 16.0).max(560.0);
    let legend = TOP + HEIGHT + 46.0;
    let height = legend + 20.0 * bars.rows.len() as f64 + 8.0;
    let mut svg = begin((width, height), &bars.title, "");
    scale.draw(&mut svg, [LEFT, width - 16.0], y);
    for (place, column) in bars.columns.iter().enumerate() {
        let left = LEFT + 12.0 + group * place as f64;
        let middle = left + (group - GAP) / 2.0;
        svg.text(middle, TOP + HEIGHT + 20.0, "mid", column);
        for (at, (_, row)) in bars.rows.iter().enumerate() {
            let Some(Some(Bar { mean, deviation })) = row.get(place) else {
                continue;
            };
            let x = left + BAR * at as f64;
            square(
                &mut svg,
                at,
                [x + 1.0, y(*mean)],
                [BAR - 2.0, y(0.0) - y(*mean)],
            );
            let (x, high) = (x + BAR / 2.0, y(mean + deviation));
            if *deviation > 0.0 {
                let low = y(mean - deviation);
                svg.line(format_args!(
                    "<path d=\"M{x:.1} {low:.1}V{high:.1}\" stroke=\"#1c2230\"/>"
                ));
            }
            svg.text(x, high - 4.0, "mid small", &format!("{mean:.0}"));
        }
    }
    for (at, (name, _)) in bars.rows.iter().enumerate() {
        let y = legend + 20.0 * at as f64;
        square(&mut svg, at, [LEFT, y - 10.0], [12.0, 12.0]);
        svg.text(LEFT + 20.0, y, "", name);
    }
    svg.end()
}

/// Accuracies over a share.
pub struct Curves {
    /// Above the drawing.
    pub title: String,
    /// Below the title.
    pub facts: String,
    pub curves: Vec<Curve>,
}

/// One line.
pub struct Curve {
    /// For the legend.
    pub name: String,
    /// A share from 0 to 1, the mean and its deviation, in percent.
    pub points: Vec<(f64, f64, f64)>,
}

/// The drawing; the shares are apart by their logarithms.
pub fn curves_svg(drawn: &Curves) -> String {
    const LEFT: f64 = 56.0;
    const WIDTH: f64 = 560.0;
    const HEIGHT: f64 = 260.0;
    let all = || drawn.curves.iter().flat_map(|curve| &curve.points);
    let most = all().map(|(_, mean, deviation)| mean + deviation);
    let scale = PercentScale::up_to(most.fold(0.0, f64::max));
    let shares = || all().map(|(share, ..)| share.ln());
    let low = shares().fold(0.0, f64::min);
    let high = shares().fold(low, f64::max);
    let x =
        |share: f64| LEFT + 40.0 + (WIDTH - 140.0) * (share.ln() - low) / (high - low).max(1e-9);
    let y = |percent: f64| TOP + HEIGHT * (1.0 - percent / scale.top);
    let legend = TOP + HEIGHT + 56.0;
    let height = legend + 20.0 * drawn.curves.len() as f64;
    let mut svg = begin((WIDTH, height), &drawn.title, &drawn.facts);
    scale.draw(&mut svg, [LEFT, WIDTH - 16.0], y);
    let mut named: Vec<f64> = Vec::new();
    for &(share, ..) in all() {
        if !named.contains(&share) {
            named.push(share);
            let label = format!("{} %", 100.0 * share);
            svg.text(x(share), TOP + HEIGHT + 20.0, "mid", &label);
        }
    }
    for (at, curve) in drawn.curves.iter().enumerate() {
        let colour = SERIES[at % SERIES.len()];
        let path: Vec<String> = curve
            .points
            .iter()
            .map(|&(share, mean, _)| format!("{:.1} {:.1}", x(share), y(mean)))
            .collect();
        svg.line(format_args!(
            "<path d=\"M{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            path.join("L")
        ));
        for &(share, mean, deviation) in &curve.points {
            let (x, low, high) = (x(share), y(mean - deviation), y(mean + deviation));
            svg.line(format_args!(
                "<path d=\"M{x:.1} {low:.1}V{high:.1}\" stroke=\"{colour}\"/>\
                 <circle cx=\"{x:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"{colour}\"/>",
                y(mean)
            ));
        }
        let y = legend + 20.0 * at as f64;
        square(&mut svg, at, [LEFT, y - 10.0], [12.0, 12.0]);
        svg.text(LEFT + 20.0, y, "", &curve.name);
    }
    svg.end()
}

/// A scale of percent from 0.
struct PercentScale {
    /// From one mark to the next.
    step: f64,
    /// The last mark.
    top: f64,
}

impl PercentScale {
    /// The scale that holds `most`, of round steps.
    fn up_to(most: f64) -> PercentScale {
        let step = match most {
            most if most <= 25.0 => 5.0,
            most if most <= 50.0 => 10.0,
            _ => 20.0,
        };
        let top = (most / step).ceil().max(1.0) * step;
        PercentScale { step, top }
    }

    /// Draws the marks from `left` to `right`, with their numbers on the left; `y` is the place of a number.
    fn draw(&self, svg: &mut Svg, [left, right]: [f64; 2], y: impl Fn(f64) -> f64) {
        for mark in 0..=(self.top / self.step) as u32 {
            let percent = self.step * f64::from(mark);
            let at = y(percent);
            svg.line(format_args!(
                "<path d=\"M{left} {at:.1}H{right:.0}\" stroke=\"#d5d8de\"/>"
            ));
            svg.text(left - 8.0, at + 4.0, "end", &format!("{percent:.0} %"));
        }
    }
}

/// A rectangle in the colour of a row.
fn square(svg: &mut Svg, row: usize, [x, y]: [f64; 2], [width, height]: [f64; 2]) {
    let colour = SERIES[row % SERIES.len()];
    svg.line(format_args!(
        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width}\" height=\"{height:.1}\" fill=\"{colour}\"/>"
    ));
}

/// A square a pair of classes: rows are the truth and add up to 100 %, the darker the more. Numbers are counts.
pub fn confusion(evaluation: &Evaluation) -> String {
    /// Room for the classes' names.
    const NAMES: f64 = 190.0;
    /// Characters of a name.
    const LONGEST: usize = 26;
    /// Classes whose numbers and names have room.
    const NAMED: usize = 64;
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
                hex(share)
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
            xml(&short(name, LONGEST))
        ));
    }
    svg.end()
}

/// Red, green and blue of a share: from white to blue.
pub fn shade(share: f64) -> [u8; 3] {
    let mix = |to: f64| (255.0 + (to - 255.0) * share.clamp(0.0, 1.0).sqrt()).round() as u8;
    [0.0, 84.0, 140.0].map(mix)
}

/// The same as SVG has it.
fn hex(share: f64) -> String {
    let [red, green, blue] = shade(share);
    format!("#{red:02x}{green:02x}{blue:02x}")
}

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
        xml(axes[1])
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

    #[test]
    fn what_is_missing_leaves_a_gap() {
        let bar = |mean| {
            Some(Bar {
                mean,
                deviation: 1.0,
            })
        };
        let drawn = bars_svg(&Bars {
            title: "<a title>".into(),
            columns: vec!["head".into(), "torso".into()],
            rows: vec![
                ("one".into(), vec![bar(71.0), None]),
                ("two".into(), vec![bar(0.0), bar(100.0)]),
            ],
        });
        // Three bars, two rows in the legend, the background.
        assert_eq!(drawn.matches("<rect").count(), 3 + 2 + 1, "{drawn}");
        assert!(!drawn.contains("NaN") && drawn.contains("&lt;a title&gt;"));
    }

    fn evaluation(k: usize) -> Evaluation {
        Evaluation {
            confusion: (0..k)
                .map(|i| (0..k).map(|j| u64::from(i == j) * 3).collect())
                .collect(),
            classes: (0..k).map(|i| format!("<class {i}>")).collect(),
            ..crate::report::evaluation()
        }
    }

    #[test]
    fn every_pair_is_a_square_and_names_are_escaped() {
        let svg = confusion(&evaluation(3));
        // One more is the background.
        assert_eq!(svg.matches("<rect").count(), 10);
        assert_eq!(svg.matches("&lt;class 1&gt;").count(), 2);
        assert_eq!(svg.matches(&hex(1.0)).count(), 3);
        assert!(!svg.contains("<class"), "{svg}");
        // Names of a hundred classes have no room; no class is no panic.
        assert!(!confusion(&evaluation(120)).contains("class 1"));
        assert!(confusion(&evaluation(0)).ends_with("</svg>\n"));
    }

    #[test]
    fn shades_go_from_white_to_dark() {
        assert_eq!(hex(0.0), "#ffffff");
        assert_eq!(hex(1.0), "#00548c");
    }

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
