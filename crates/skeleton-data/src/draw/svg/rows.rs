//! Strips of one clip below each other, frame by frame in the same place: what it is, and what was made of it.

use super::super::palette::COLOURS;
use super::super::scene::Scene;
use super::*;

/// Room for a strip's name above it.
const NAME: f32 = 26.0;

const MARKS: &str = ".ghost{stroke:var(--soft);opacity:.4}circle.ghost{fill:var(--soft)}.mark{stroke:var(--bad)}circle.mark{fill:var(--bad)}\
.name{font-weight:600;fill:var(--ink)}";

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
    let shown = first.spaced(frames.clamp(1, MOST_FRAMES));
    let width = (2.0 * MARGIN + shown.len() as f32 * (PANEL + GAP) - GAP).max(NARROWEST);
    let height = TOP + strips.len() as f32 * (NAME + HEIGHT + GAP) + 40.0;
    let mut svg = Svg::default();
    svg.line(format_args!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
         height=\"{height:.0}\" role=\"img\" aria-labelledby=\"strips-title strips-facts\">"
    ));
    svg.line(format_args!(
        "<title id=\"strips-title\">{}</title>",
        xml(caption.id)
    ));
    svg.line(format_args!(
        "<desc id=\"strips-facts\">{}</desc>",
        xml(facts)
    ));
    svg.line(format_args!("<style>{COLOURS}{STYLE}{MARKS}</style>"));
    svg.line(format_args!(
        "<rect class=\"bg\" width=\"{width:.0}\" height=\"{height:.0}\"/>"
    ));
    let fits = |character: f32| ((width - 2.0 * MARGIN) / character) as usize;
    let class = caption.class.as_deref().unwrap_or("no label");
    let id = format!("{} ({class}, {})", caption.id, caption.dataset);
    svg.text(MARGIN, 26.0, "id", &short(&id, fits(8.5)));
    svg.text(MARGIN, 47.0, "facts", &short(facts, fits(6.6)));
    let window = Window::of(first, &shown);
    for (place, strip) in strips.iter().enumerate() {
        let top = TOP + place as f32 * (NAME + HEIGHT + GAP);
        svg.text(MARGIN, top + 17.0, "name", &short(strip.name, fits(6.6)));
        for (place, &frame) in shown.iter().enumerate() {
            let left = MARGIN + place as f32 * (PANEL + GAP);
            svg.row_panel(strip, first, &window, frame, (left, top + NAME));
        }
    }
    svg.legend(first, height - 14.0);
    svg.text.push_str("</svg>\n");
    svg.text
}

impl Svg {
    fn row_panel(
        &mut self,
        strip: &Strip<'_>,
        first: &Scene,
        window: &Window,
        frame: usize,
        (left, top): (f32, f32),
    ) {
        self.frame(left, top);
        self.text(8.0, 15.0, "no", &frame.to_string());
        let centre = middle_of(first, frame);
        let point = |place: [f32; 3]| {
            let x = PANEL / 2.0 + (place[0] - centre) * window.scale;
            let y = HEAD + (HEIGHT - HEAD) / 2.0 - (place[1] - window.middle) * window.scale;
            (x, y)
        };
        let ghost = strip.ghost.iter().filter(|ghost| frame < ghost.frames);
        for ghost in ghost {
            for person in &ghost.people {
                let places = row(person, ghost, frame);
                self.figure(ghost, places, false, &point, &|_| "ghost");
            }
        }
        let scene = strip.scene;
        let marked = |joint: usize| strip.marked.get(joint).is_some_and(|marked| *marked);
        let class = |joint: usize| match marked(joint) {
            true => "mark",
            false => scene.paints[joint].class(),
        };
        if frame < scene.frames {
            for (index, person) in scene.people.iter().enumerate() {
                self.figure(scene, row(person, scene, frame), index > 0, &point, &class);
            }
        }
        self.line(format_args!("</svg>"));
    }
}
