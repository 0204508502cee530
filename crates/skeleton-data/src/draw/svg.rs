//! The one writer of SVG and the one palette: Okabe and Ito's colours, which colour-blind people tell apart. Of a body blue is
//! left and orange is right.

use std::fmt::{Arguments, Display, Write};

use skeleton_graph::Layout;

use super::{short, xml};

/// The palette by names for style rules.
pub const LIGHT: &str = "\
:root{--bg:#fff;--panel:#f4f5f7;--line:#d5d8de;--ink:#1c2230;--soft:#5b6475;--bad:#b3261e;\
--mid:#4a5160;--lu:#0072b2;--ll:#56b4e9;--ru:#d55e00;--rl:#e69f00}
";

/// What the names stand for where the reader prefers a dark page.
pub const DARK: &str = "\
@media (prefers-color-scheme:dark){:root{--bg:#14171d;--panel:#1d2129;--line:#333a46;--ink:#e8eaf0;--soft:#a3abbb;--bad:#ff8a80;\
--mid:#b4bbc9;--lu:#3ba3e0;--ll:#9ad4f5;--ru:#f0803c;--rl:#f5c04d}}
";

/// Colours of things that have no side, such as classes.
pub const SERIES: [&str; 8] = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#8c8c00",
];

/// The same as names for the style rules of a page, which say what they stand for where the reader prefers a dark one.
pub const SERIES_NAMES: &str = "\
:root{--s0:#0072b2;--s1:#d55e00;--s2:#009e73;--s3:#cc79a7;--s4:#e69f00;--s5:#56b4e9;--s6:#000000;--s7:#8c8c00}
@media (prefers-color-scheme:dark){:root{--s0:#3ba3e0;--s1:#f0803c;--s2:#2fc79a;--s3:#e29bc4;--s4:#f5c04d;--s5:#9ad4f5;--s6:#ffffff;\
--s7:#c8c83c}}
";

/// Style rules that every drawing has.
const STYLE: &str = "\
text{font:12px ui-sans-serif,system-ui,'DejaVu Sans',sans-serif;fill:var(--soft)}\
.id{font-size:15px;font-weight:600;fill:var(--ink)}.bg{fill:var(--bg)}";

/// Room at the edges of a drawing.
pub(super) const MARGIN: f32 = 16.0;

/// A drawing under way: SVG that needs nothing else, with words from outside escaped, the same bytes for the same calls.
pub struct Svg {
    text: String,
}

impl Svg {
    /// Begins a drawing of this width and height with its background, its title and a line of facts below it; `name` tells
    /// several on a page apart. `colours` are [`LIGHT`], or that and its dark counterpart; `style` are rules of the drawing's own.
    pub fn new(
        (width, height): (f32, f32),
        name: &str,
        title: &str,
        facts: &str,
        colours: &[&str],
        style: &str,
    ) -> Svg {
        let mut svg = Svg {
            text: String::new(),
        };
        svg.line(format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
             height=\"{height:.0}\" role=\"img\" aria-labelledby=\"{name}-title {name}-facts\">"
        ));
        let (escaped, colours) = ((xml(title), xml(facts)), colours.concat());
        svg.line(format_args!(
            "<title id=\"{name}-title\">{}</title>",
            escaped.0
        ));
        svg.line(format_args!(
            "<desc id=\"{name}-facts\">{}</desc>",
            escaped.1
        ));
        svg.line(format_args!("<style>{colours}{STYLE}{style}</style>"));
        svg.line(format_args!(
            "<rect class=\"bg\" width=\"{width:.0}\" height=\"{height:.0}\"/>"
        ));
        svg.text(MARGIN, 26.0, "id", &short(title, fits(width, 8.5)));
        svg.text(MARGIN, 47.0, "facts", &short(facts, fits(width, 6.6)));
        svg
    }

    /// Begins a drawing of this width and height within a page that has the palette, the style and a heading of its own: it has
    /// neither style rules nor a background, and its title and its facts are there for those who don't see it.
    pub fn in_page((width, height): (f32, f32), name: &str, title: &str, facts: &str) -> Svg {
        let mut svg = Svg {
            text: String::new(),
        };
        let (title, facts) = (xml(title), xml(facts));
        svg.line(format_args!(
            "<svg viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" aria-labelledby=\"{name}-title {name}-facts\">"
        ));
        svg.line(format_args!(
            "<title id=\"{name}-title\">{title}</title><desc id=\"{name}-facts\">{facts}</desc>"
        ));
        svg
    }

    /// Adds markup.
    pub fn line(&mut self, line: Arguments<'_>) {
        // Writing to a string can't fail.
        let _ = self.text.write_fmt(line);
        self.text.push('\n');
    }

    /// Adds words from outside at a place, in style classes.
    pub fn text(&mut self, x: impl Display, y: impl Display, class: &str, words: &str) {
        let words = xml(words);
        self.line(format_args!(
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{words}</text>"
        ));
    }

    /// The whole text.
    pub fn end(mut self) -> String {
        self.text.push_str("</svg>\n");
        self.text
    }
}

/// How many characters of a font fit a drawing: one is about 8.5 wide at the size of a title and 6.6 at that of facts.
pub(super) fn fits(width: f32, character: f32) -> usize {
    ((width - 2.0 * MARGIN) / character) as usize
}

/// What a bone or joint is drawn as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Paint {
    Middle,
    LeftUpper,
    LeftLower,
    RightUpper,
    RightLower,
}

impl Paint {
    pub const ALL: [Paint; 5] = [
        Paint::LeftUpper,
        Paint::LeftLower,
        Paint::RightUpper,
        Paint::RightLower,
        Paint::Middle,
    ];

    /// The class name in style sheets, and what it is in words for a legend.
    pub fn names(self) -> [&'static str; 2] {
        match self {
            Paint::Middle => ["mid", "head, torso"],
            Paint::LeftUpper => ["lu", "left arm"],
            Paint::LeftLower => ["ll", "left leg"],
            Paint::RightUpper => ["ru", "right arm"],
            Paint::RightLower => ["rl", "right leg"],
        }
    }

    /// The class name in style sheets.
    pub fn class(self) -> &'static str {
        self.names()[0]
    }

    /// By the name of a part: its side and whether it is a leg.
    fn of(part: &str) -> Paint {
        let part = part.to_lowercase();
        let leg = ["leg", "foot", "knee"];
        let leg = leg.iter().any(|word| part.contains(word));
        match (part.contains("left"), part.contains("right"), leg) {
            (true, false, false) => Paint::LeftUpper,
            (true, false, true) => Paint::LeftLower,
            (false, true, false) => Paint::RightUpper,
            (false, true, true) => Paint::RightLower,
            _ => Paint::Middle,
        }
    }
}

/// How each joint, and the bone to its parent, is drawn.
pub(super) fn paints(layout: &Layout) -> Vec<Paint> {
    let mut paints = vec![Paint::Middle; layout.len()];
    for part in layout.parts() {
        for &joint in &part.joints {
            paints[joint] = Paint::of(&part.name);
        }
    }
    paints
}
