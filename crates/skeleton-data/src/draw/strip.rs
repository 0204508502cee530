//! Frames of clips side by side as SVG: a strip of one, or several strips below each other.

use std::fmt::Write;

use super::scene::{Person, Scene, Trace, middle_part};
use super::svg::{DARK, LIGHT, MARGIN, Svg, fits};
use super::{Caption, short};

/// Frames of a strip at most.
const MOST_FRAMES: usize = 24;
const PANEL: f32 = 132.0;
const HEIGHT: f32 = 188.0;
const GAP: f32 = 8.0;
/// Room for the frame's number above its figure.
const HEAD: f32 = 20.0;
/// Where panels begin.
const TOP: f32 = 62.0;
/// Room for the trace.
const TRACE: f32 = 44.0;
/// The narrowest drawing whose words have room.
const NARROWEST: f32 = 720.0;
/// Room for a strip's name above it.
const NAME: f32 = 26.0;
/// Columns of the trace at most: more frames share one.
const COLUMNS: usize = 400;

const STYLE: &str = "\
.panel{fill:var(--panel);stroke:var(--line)}\
.no{fill:var(--ink);font-weight:600}.bad{fill:var(--bad)}.end{text-anchor:end}.mid-text{text-anchor:middle}\
path{fill:none;stroke-linecap:round;stroke-linejoin:round;stroke-width:3}.in{stroke:var(--panel);stroke-width:1.4}\
.lu{stroke:var(--lu)}.ll{stroke:var(--ll)}.ru{stroke:var(--ru)}.rl{stroke:var(--rl)}.mid{stroke:var(--mid)}\
circle.lu{fill:var(--lu)}circle.ll{fill:var(--ll)}circle.ru{fill:var(--ru)}circle.rl{fill:var(--rl)}circle.mid{fill:var(--mid)}\
circle.open{fill:var(--panel)}.step{stroke:var(--ink);stroke-width:1.2}.gone{fill:var(--bad);opacity:.55}\
.tick{stroke:var(--soft);stroke-width:1}";
const MARKS: &str = ".ghost{stroke:var(--soft);opacity:.4}circle.ghost{fill:var(--soft)}.mark{stroke:var(--bad)}circle.mark{fill:var(--bad)}\
.name{font-weight:600;fill:var(--ink)}";

/// At most 24 frames (`frames` of them) of a clip side by side. All are drawn to one scale, each around the middle of its
/// own joints from left to right; below, where joints are missing and how far the fastest joint goes, frame by frame.
pub fn strip(scene: &Scene, caption: &Caption<'_>, frames: usize) -> String {
    let (shown, width) = shown(scene, frames);
    let below = TOP + HEIGHT;
    let height = below + 26.0 + TRACE + 40.0;
    let facts = caption.facts(scene);
    let (size, colours) = ((width, height), [LIGHT, DARK]);
    let mut svg = Svg::new(size, "strip", caption.id, &facts, &colours, STYLE);
    let window = Window::of(scene, &shown);
    for (&frame, left) in shown.iter().zip(lefts()) {
        svg.panel(frame, (left, TOP));
        let missing = scene.trace.missing[frame];
        let words = match places(scene, frame).next() {
            None => "nobody".to_owned(),
            Some(_) => format!("{missing} missing"),
        };
        if missing > 0 || words == "nobody" {
            svg.text(PANEL - 8.0, 15.0, "bad end", &words);
        }
        let centre = middle_of(scene, frame);
        let point = |place| window.point(centre, place);
        for (index, person) in scene.people.iter().enumerate() {
            let row = row(person, scene, frame);
            svg.figure(scene, row, index > 0, &point, &|joint| {
                scene.paints[joint].class()
            });
            let top = row.iter().flatten().max_by(|a, b| a[1].total_cmp(&b[1]));
            if let Some(&top) = top.filter(|_| scene.people.len() > 1) {
                let (x, y) = point(top);
                let (y, number) = ((y - 6.0).max(HEAD + 8.0), person.number.to_string());
                svg.text(x, y, "no mid-text", &number);
            }
        }
        svg.line(format_args!("</svg>"));
    }
    svg.trace(scene, &shown, width, below + 26.0);
    svg.legend(scene, height - 14.0);
    svg.end()
}

/// One of several strips.
#[derive(Clone, Copy, Debug)]
pub struct Strip<'a> {
    /// What it shows, in a few words.
    pub name: &'a str,
    /// Its clip, as all others in the place of the first ([`Scene::beside`]).
    pub scene: &'a Scene,
    /// (v), joints drawn in red with the bones to their parents; none where empty.
    pub marked: &'a [bool],
    /// What is drawn below it in grey.
    pub ghost: Option<&'a Scene>,
}

/// At most 24 frames (`frames` of them) of each strip. What is shown of the scenes, and how large, is the first one's.
pub fn strips(strips: &[Strip<'_>], caption: &Caption<'_>, facts: &str, frames: usize) -> String {
    let Some(first) = strips.first().map(|strip| strip.scene) else {
        return String::new();
    };
    let (shown, width) = shown(first, frames);
    let height = TOP + strips.len() as f32 * (NAME + HEIGHT + GAP) + 40.0;
    let class = caption.class.as_deref().unwrap_or("no label");
    let title = format!("{} ({class}, {})", caption.id, caption.dataset);
    let (style, colours) = ([STYLE, MARKS].concat(), [LIGHT, DARK]);
    let mut svg = Svg::new((width, height), "strips", &title, facts, &colours, &style);
    let window = Window::of(first, &shown);
    for (place, strip) in strips.iter().enumerate() {
        let top = TOP + place as f32 * (NAME + HEIGHT + GAP);
        svg.text(
            MARGIN,
            top + 17.0,
            "name",
            &short(strip.name, fits(width, 6.6)),
        );
        for (&frame, left) in shown.iter().zip(lefts()) {
            svg.panel(frame, (left, top + NAME));
            let centre = middle_of(first, frame);
            let point = |place| window.point(centre, place);
            for ghost in strip.ghost.iter().filter(|ghost| frame < ghost.frames) {
                for person in &ghost.people {
                    svg.figure(
                        ghost,
                        row(person, ghost, frame),
                        false,
                        &point,
                        &|_| "ghost",
                    );
                }
            }
            let scene = strip.scene;
            let class = |joint: usize| match strip.marked.get(joint) {
                Some(true) => "mark",
                _ => scene.paints[joint].class(),
            };
            let there = scene.people.iter().filter(|_| frame < scene.frames);
            for (index, person) in there.enumerate() {
                svg.figure(scene, row(person, scene, frame), index > 0, &point, &class);
            }
            svg.line(format_args!("</svg>"));
        }
    }
    svg.legend(first, height - 14.0);
    svg.end()
}

/// The frames that are shown, and the width of a drawing of them.
fn shown(scene: &Scene, frames: usize) -> (Vec<usize>, f32) {
    let shown = scene.spaced(frames.clamp(1, MOST_FRAMES));
    let width = 2.0 * MARGIN + shown.len() as f32 * (PANEL + GAP) - GAP;
    (shown, width.max(NARROWEST))
}

/// Where panels begin from left to right.
fn lefts() -> impl Iterator<Item = f32> {
    (0..).map(|place: usize| MARGIN + place as f32 * (PANEL + GAP))
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

    /// Where a place of the scene is in a panel whose middle from left to right is `centre`.
    fn point(&self, centre: f32, place: [f32; 3]) -> (f32, f32) {
        let x = PANEL / 2.0 + (place[0] - centre) * self.scale;
        let y = HEAD + (HEIGHT - HEAD) / 2.0 - (place[1] - self.middle) * self.scale;
        (x, y)
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

impl Svg {
    /// Begins a panel with its frame's number: an inner svg, which cuts off what lies beyond its edges.
    fn panel(&mut self, frame: usize, (left, top): (f32, f32)) {
        self.line(format_args!(
            "<svg x=\"{left:.1}\" y=\"{top}\" width=\"{PANEL}\" height=\"{HEIGHT}\">"
        ));
        self.line(format_args!(
            "<rect class=\"panel\" x=\".5\" y=\".5\" width=\"{}\" height=\"{}\" rx=\"6\"/>",
            PANEL - 1.0,
            HEIGHT - 1.0
        ));
        self.text(8.0, 15.0, "no", &frame.to_string());
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

    /// Missing joints as bars, the step of the fastest joint as a line, ticks where a frame is shown.
    fn trace(&mut self, scene: &Scene, shown: &[usize], width: f32, top: f32) {
        let trace = &scene.trace;
        let (left, right) = (MARGIN, width - MARGIN);
        let columns = scene.frames.clamp(1, COLUMNS);
        let x = |frame: f32| left + (right - left) * (frame + 0.5) / scene.frames.max(1) as f32;
        let span =
            |column: usize| column * scene.frames / columns..(column + 1) * scene.frames / columns;
        let at = |column: usize| x((span(column).start + span(column).end) as f32 / 2.0 - 0.5);
        let Some((frame, step)) = fastest(trace) else {
            return;
        };
        let largest = step.max(0.1);
        let joints = (scene.joints.len() * scene.people.len()).max(1) as f32;
        let bar = ((right - left) / columns as f32).max(0.8);
        let mut line = String::new();
        for column in 0..columns {
            let missing = span(column).map(|frame| trace.missing[frame]);
            let missing = missing.max().unwrap_or(0);
            if missing > 0 {
                let tall = (TRACE * missing as f32 / joints).max(1.5);
                let (x, y) = (at(column) - bar / 2.0, top + TRACE - tall);
                self.line(format_args!("<rect class=\"gone\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{bar:.1}\" height=\"{tall:.1}\"/>"));
            }
            let step = span(column).map(|frame| trace.steps[frame]);
            let step = step.fold(0.0, f32::max);
            let (x, y) = (at(column), top + TRACE * (1.0 - step / largest));
            let to = if column == 0 { "M" } else { "L" };
            let _ = write!(line, "{to}{x:.1} {y:.1}");
        }
        self.line(format_args!("<path class=\"step\" d=\"{line}\"/>"));
        let mut ticks = String::new();
        for &frame in shown {
            let _ = write!(ticks, "M{:.1} {:.1}v5", x(frame as f32), top + TRACE);
        }
        self.line(format_args!("<path class=\"tick\" d=\"{ticks}\"/>"));
        let most = trace.missing.iter().max().copied().unwrap_or(0);
        let line = match step > 0.0 {
            true => format!(
                "the fastest joint, at most {step:.2} body sizes a frame (frame {frame}, {})",
                scene.joints[trace.fastest[frame]]
            ),
            false => "no joint moves".to_owned(),
        };
        let words = format!("Line: {line}. Bars: missing joints, at most {most} a frame.");
        self.text(left, top - 8.0, "facts", &short(&words, fits(width, 6.6)));
    }

    fn legend(&mut self, scene: &Scene, y: f32) {
        let mut x = MARGIN;
        for paint in scene.legend() {
            let ([class, words], middle) = (paint.names(), y - 4.0);
            self.line(format_args!(
                "<path class=\"{class}\" d=\"M{x:.1} {middle:.1}h18\"/>"
            ));
            self.text(x + 24.0, y, "facts", words);
            x += 38.0 + 6.8 * words.len() as f32;
        }
        if scene.people.len() > 1 {
            let others = match scene.people.len() {
                2 => "the other hollow",
                _ => "others hollow",
            };
            let words = format!("person {} filled, {others}", scene.people[0].number);
            self.text(x, y, "facts", &words);
        }
    }
}

/// The frame with the largest step, and the step; `None` without frames.
fn fastest(trace: &Trace) -> Option<(usize, f32)> {
    let steps = trace.steps.iter().copied().enumerate();
    // Of equal ones the first.
    steps.reduce(|best, step| if step.1 > best.1 { step } else { best })
}
