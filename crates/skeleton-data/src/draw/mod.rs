//! Clips to look at: a strip of frames as SVG, several strips below each other, an animation as one HTML file.
//!
//! [`Scene`] is the geometry (which way is up, how large, what is missing) and knows no text; [`strip`], [`strips`] and
//! [`animation`] write text and know no clips. Coordinates come from strangers' files: whatever they are, a scene's are finite and
//! bounded, and ids and names are escaped. The same clip gives the same bytes.

mod camera;
mod escape;
mod html;
mod palette;
mod scene;
mod svg;
mod trace;

pub use camera::{Axis, Camera};
pub use escape::{plain, short, steers, xml};
pub use html::animation;
pub use scene::Scene;
pub use svg::{Strip, strip, strips};

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

#[cfg(test)]
mod tests;
