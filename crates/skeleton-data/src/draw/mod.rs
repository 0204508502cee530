//! Clips to look at: a strip of frames as SVG, several strips below each other, an animation as one HTML file.
//!
//! [`Scene`] is the geometry (which way is up, how large, what is missing) and knows no text; [`strip`], [`strips`] and
//! [`animation`] write text and know no clips. Coordinates come from strangers' files: whatever they are, a scene's are finite and
//! bounded, and ids and names are escaped. The same clip gives the same bytes.

mod camera;
mod html;
mod motion;
mod scene;
mod strip;
mod svg;

pub use camera::{Axis, Camera};
pub use html::{FIGURE_JS, animation, script};
pub use motion::{Motion, Skeleton};
pub use scene::Scene;
pub use strip::{Strip, strip, strips};
pub use svg::{DARK, LIGHT, SERIES, SERIES_NAMES, Svg};

/// What is said of a clip beside its drawing.
#[derive(Clone, Debug, Default)]
pub struct Caption<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its label with the class's name, such as `3 (throw)`; none without a label.
    pub class: Option<String>,
    /// The data set's name.
    pub dataset: &'a str,
}

impl Caption<'_> {
    /// A sentence of facts: the class, what the scene says, the data set.
    fn facts(&self, scene: &Scene) -> String {
        let class = match &self.class {
            Some(class) => format!("class {class}"),
            None => "no label".to_owned(),
        };
        format!("{class}, {}, {}", scene.facts(), self.dataset)
    }
}

// Text that comes from files, made harmless for terminals and pages.

/// Whether a character could steer a terminal or a line of text: control characters, and those that turn the direction of
/// writing.
pub fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{fffe}' | '\u{ffff}')
}

/// The text with U+FFFD for each character that [`steers`].
pub fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if steers(c) { '\u{fffd}' } else { c })
        .collect()
}

/// [`plain`] text for XML and HTML, between tags or in a quoted attribute.
pub fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in plain(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// At most `length` characters, with an ellipsis where more were.
pub fn short(text: &str, length: usize) -> String {
    match text.char_indices().nth(length) {
        None => text.to_owned(),
        Some(_) => {
            let kept = text.chars().take(length.saturating_sub(1));
            kept.chain(['…']).collect()
        }
    }
}

#[cfg(test)]
mod tests;
