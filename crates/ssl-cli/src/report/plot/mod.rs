//! Results as drawings: SVG that needs nothing else, escaped, the same bytes for the same numbers.

mod bars;
mod confusion;
mod scatter;

use skeleton_data::draw::{LIGHT, Svg};

pub use self::bars::{Bar, Bars, bars_svg};
pub use self::confusion::confusion;
pub use self::scatter::{Group, scatter};

const STYLE: &str = "text{fill:var(--ink)}.facts{fill:var(--soft)}\
.end{text-anchor:end}.mid{text-anchor:middle}.small{font-size:10px}.light{fill:#fff}";

/// Begins a drawing on white: what is in it has colours of its own.
fn begin(size: (f64, f64), title: &str, facts: &str) -> Svg {
    let size = (size.0 as f32, size.1 as f32);
    Svg::new(size, "plot", title, facts, &[LIGHT], STYLE)
}
