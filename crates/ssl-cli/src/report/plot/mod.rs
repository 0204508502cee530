//! Results as drawings: SVG that needs nothing else, escaped, the same bytes for the same numbers.

mod bars;
mod confusion;
mod scatter;

use std::fmt::Write;

use skeleton_data::draw::xml;

pub use self::bars::{Bar, Bars, bars_svg};
pub use self::confusion::confusion;
pub use self::scatter::{Group, scatter};

/// Okabe and Ito's colours, which colour-blind people tell apart.
const COLOURS: [&str; 8] = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#8c8c00",
];

const STYLE: &str = "text{font:12px ui-sans-serif,system-ui,'DejaVu Sans',sans-serif;fill:#1c2230}\
.title{font-size:15px;font-weight:600}.soft{fill:#5b6475}.end{text-anchor:end}.mid{text-anchor:middle}.small{font-size:10px}.light{fill:#fff}";

/// A drawing under way.
struct Svg {
    text: String,
}

impl Svg {
    fn new(width: f64, height: f64, title: &str) -> Svg {
        let mut svg = Svg {
            text: String::new(),
        };
        svg.line(format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
             height=\"{height:.0}\" role=\"img\">"
        ));
        svg.line(format_args!("<title>{}</title>", xml(title)));
        svg.line(format_args!("<style>{STYLE}</style>"));
        svg.line(format_args!(
            "<rect width=\"{width:.0}\" height=\"{height:.0}\" fill=\"#fff\"/>"
        ));
        svg
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a string can't fail.
        let _ = self.text.write_fmt(line);
        self.text.push('\n');
    }

    /// Words at a place, in style classes.
    fn words(&mut self, x: f64, y: f64, class: &str, words: &str) {
        self.line(format_args!(
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>",
            xml(words)
        ));
    }

    fn end(mut self) -> String {
        self.text.push_str("</svg>\n");
        self.text
    }
}
