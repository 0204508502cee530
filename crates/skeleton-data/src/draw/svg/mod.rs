//! A strip of frames as SVG.

mod below;
mod rows;

use std::fmt::Write;

use super::Caption;
use super::escape::{short, xml};
use super::palette::COLOURS;
use super::scene::{Person, Scene, middle_part};

pub use rows::{Strip, strips};

/// Frames of a strip at most.
const MOST_FRAMES: usize = 24;
const PANEL: f32 = 132.0;
const HEIGHT: f32 = 188.0;
const GAP: f32 = 8.0;
const MARGIN: f32 = 16.0;
/// Room for the frame's number above its figure.
const HEAD: f32 = 20.0;
/// Where panels begin.
const TOP: f32 = 62.0;
/// Room for the trace.
const TRACE: f32 = 44.0;
/// The narrowest drawing whose words have room.
const NARROWEST: f32 = 720.0;

const STYLE: &str = "\
text{font:12px ui-sans-serif,system-ui,'DejaVu Sans',sans-serif;fill:var(--soft)}\
.id{font-size:15px;font-weight:600;fill:var(--ink)}.bg{fill:var(--bg)}.panel{fill:var(--panel);stroke:var(--line)}\
.no{fill:var(--ink);font-weight:600}.bad{fill:var(--bad)}.end{text-anchor:end}.mid-text{text-anchor:middle}\
path{fill:none;stroke-linecap:round;stroke-linejoin:round;stroke-width:3}.in{stroke:var(--panel);stroke-width:1.4}\
.lu{stroke:var(--lu)}.ll{stroke:var(--ll)}.ru{stroke:var(--ru)}.rl{stroke:var(--rl)}.mid{stroke:var(--mid)}\
circle.lu{fill:var(--lu)}circle.ll{fill:var(--ll)}circle.ru{fill:var(--ru)}circle.rl{fill:var(--rl)}circle.mid{fill:var(--mid)}\
circle.open{fill:var(--panel)}.step{stroke:var(--ink);stroke-width:1.2}.gone{fill:var(--bad);opacity:.55}\
.tick{stroke:var(--soft);stroke-width:1}";

/// At most 24 frames (`frames` of them) of a clip side by side. All are drawn to one scale, each around the middle of its
/// own joints from left to right; below, where joints are missing and how far the fastest joint goes, frame by frame.
pub fn strip(scene: &Scene, caption: &Caption<'_>, frames: usize) -> String {
    let shown = scene.spaced(frames.clamp(1, MOST_FRAMES));
    let width = (2.0 * MARGIN + shown.len() as f32 * (PANEL + GAP) - GAP).max(NARROWEST);
    let below = TOP + HEIGHT;
    let height = below + 26.0 + TRACE + 40.0;
    let mut svg = Svg::default();
    svg.line(format_args!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
         height=\"{height:.0}\" role=\"img\" aria-labelledby=\"strip-title strip-facts\">"
    ));
    svg.line(format_args!(
        "<title id=\"strip-title\">{}</title>",
        xml(caption.id)
    ));
    svg.line(format_args!(
        "<desc id=\"strip-facts\">{}</desc>",
        xml(&facts(scene, caption))
    ));
    svg.line(format_args!("<style>{COLOURS}{STYLE}</style>"));
    svg.line(format_args!(
        "<rect class=\"bg\" width=\"{width:.0}\" height=\"{height:.0}\"/>"
    ));
    // A character is about 8.5 wide at the size of an id and 6.6 at that of the facts.
    let fits = |character: f32| ((width - 2.0 * MARGIN) / character) as usize;
    svg.text(MARGIN, 26.0, "id", &short(caption.id, fits(8.5)));
    svg.text(
        MARGIN,
        47.0,
        "facts",
        &short(&facts(scene, caption), fits(6.6)),
    );
    let window = Window::of(scene, &shown);
    for (place, &frame) in shown.iter().enumerate() {
        svg.panel(scene, &window, frame, MARGIN + place as f32 * (PANEL + GAP));
    }
    svg.trace(scene, &shown, width, below + 26.0);
    svg.legend(scene, height - 14.0);
    svg.text.push_str("</svg>\n");
    svg.text
}

fn facts(scene: &Scene, caption: &Caption<'_>) -> String {
    let class = caption
        .class
        .as_deref()
        .map_or("no label".to_owned(), |class| format!("class {class}"));
    format!("{class}, {}, {}", scene.facts(), caption.dataset)
}

/// What of the scene a panel shows.
struct Window {
    /// Middle of the panel from below.
    middle: f32,
    /// Lengths of the drawing in a length of the scene.
    scale: f32,
}

impl Window {
    /// Holds most joints of the shown frames.
    fn of(scene: &Scene, shown: &[usize]) -> Window {
        let (mut beside, mut heights) = (Vec::new(), Vec::new());
        for &frame in shown {
            let middle = middle_of(scene, frame);
            for place in places(scene, frame) {
                beside.push((place[0] - middle).abs());
                heights.push(place[1]);
            }
        }
        let (_, half_width) = extent(&mut beside);
        let (low, high) = extent(&mut heights);
        let half_height = (high - low) / 2.0;
        let fit = |room: f32, half: f32| {
            if half > 1e-6 {
                (room / 2.0 - 10.0) / half
            } else {
                f32::INFINITY
            }
        };
        let scale = fit(PANEL, half_width).min(fit(HEIGHT - HEAD, half_height));
        Window {
            middle: (low + high) / 2.0,
            scale: if scale.is_finite() { scale } else { 1.0 },
        }
    }
}

/// The least and the largest value, unless they are outliers: beyond half as much again as most of the values take.
fn extent(values: &mut [f32]) -> (f32, f32) {
    let (low, high) = middle_part(values, 0.02);
    let (least, most) = middle_part(values, 0.0);
    let room = (high - low) / 4.0;
    (least.max(low - room), most.min(high + room))
}

fn places(scene: &Scene, frame: usize) -> impl Iterator<Item = [f32; 3]> + '_ {
    scene
        .people
        .iter()
        .flat_map(move |person| row(person, scene, frame).iter().flatten().copied())
}

fn row<'a>(person: &'a Person, scene: &Scene, frame: usize) -> &'a [Option<[f32; 3]>] {
    let v = scene.joints.len();
    &person.places[frame * v..(frame + 1) * v]
}

/// The middle joint of a frame from left to right.
fn middle_of(scene: &Scene, frame: usize) -> f32 {
    let mut along: Vec<f32> = places(scene, frame).map(|place| place[0]).collect();
    let (low, high) = middle_part(&mut along, 0.2);
    (low + high) / 2.0
}

#[derive(Default)]
struct Svg {
    text: String,
}

impl Svg {
    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a string can't fail.
        let _ = self.text.write_fmt(line);
        self.text.push('\n');
    }

    /// Words from outside.
    fn text(&mut self, x: f32, y: f32, class: &str, words: &str) {
        self.line(format_args!(
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>",
            xml(words)
        ));
    }

    fn panel(&mut self, scene: &Scene, window: &Window, frame: usize, left: f32) {
        self.frame(left, TOP);
        self.text(8.0, 15.0, "no", &frame.to_string());
        let missing = scene.trace.missing[frame];
        let lost = places(scene, frame).next().is_none();
        match (lost, missing) {
            (true, _) => self.text(PANEL - 8.0, 15.0, "bad end", "nobody"),
            (false, 0) => {}
            (false, n) => self.text(PANEL - 8.0, 15.0, "bad end", &format!("{n} missing")),
        }
        let centre = middle_of(scene, frame);
        let point = |place: [f32; 3]| {
            let x = PANEL / 2.0 + (place[0] - centre) * window.scale;
            (
                x,
                HEAD + (HEIGHT - HEAD) / 2.0 - (place[1] - window.middle) * window.scale,
            )
        };
        let class = |joint: usize| scene.paints[joint].class();
        for (index, person) in scene.people.iter().enumerate() {
            self.figure(scene, row(person, scene, frame), index > 0, &point, &class);
            let top = row(person, scene, frame)
                .iter()
                .flatten()
                .copied()
                .max_by(|a, b| a[1].total_cmp(&b[1]));
            if let (Some(top), true) = (top, scene.people.len() > 1) {
                let (x, y) = point(top);
                self.text(
                    x,
                    (y - 6.0).max(HEAD + 8.0),
                    "no mid-text",
                    &person.number.to_string(),
                );
            }
        }
        self.line(format_args!("</svg>"));
    }

    /// Begins a panel: an inner svg, which cuts off what lies beyond its edges.
    fn frame(&mut self, left: f32, top: f32) {
        self.line(format_args!(
            "<svg x=\"{left:.1}\" y=\"{top}\" width=\"{PANEL}\" height=\"{HEIGHT}\">"
        ));
        self.line(format_args!(
            "<rect class=\"panel\" x=\".5\" y=\".5\" width=\"{}\" height=\"{}\" rx=\"6\"/>",
            PANEL - 1.0,
            HEIGHT - 1.0
        ));
    }

    /// One person in one frame, joints and the bones to their parents by their style class; the far bones first. Everybody but the first is drawn hollow.
    fn figure(
        &mut self,
        scene: &Scene,
        places: &[Option<[f32; 3]>],
        hollow: bool,
        point: &impl Fn([f32; 3]) -> (f32, f32),
        class: &impl Fn(usize) -> &'static str,
    ) {
        let seen =
            |&(child, parent): &(usize, usize)| Some((child, places[child]?, places[parent]?));
        let mut bones: Vec<_> = scene.bones.iter().filter_map(seen).collect();
        bones.sort_by(|a, b| (b.1[2] + b.2[2]).total_cmp(&(a.1[2] + a.2[2])));
        for (child, from, to) in bones {
            let ((x1, y1), (x2, y2)) = (point(from), point(to));
            let way = format!("d=\"M{x1:.1} {y1:.1}L{x2:.1} {y2:.1}\"");
            self.line(format_args!("<path class=\"{}\" {way}/>", class(child)));
            if hollow {
                self.line(format_args!("<path class=\"in\" {way}/>"));
            }
        }
        for (joint, place) in places.iter().enumerate() {
            if let Some(place) = place {
                let ((x, y), open) = (point(*place), if hollow { " open" } else { "" });
                self.line(format_args!(
                    "<circle class=\"{}{open}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.2\"/>",
                    class(joint)
                ));
            }
        }
    }
}
