//! The only table of a skeleton: its joints and everything that follows from their numbers.

use crate::{Adjacency, LayoutError, text, validate};

/// A named group of joints, such as the left arm: what is masked as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The part's name.
    pub name: String,
    /// Its joints, ascending.
    pub joints: Vec<usize>,
}

/// Joints, the tree that joins them, body parts, left-right pairs and the origin of a skeleton.
///
/// A value of this type is always valid: the edges form a tree over all joints, the parts
/// partition them, no joint is in two flip pairs. Lists are kept in ascending order, so that two
/// layouts with the same facts are equal however their files order them.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    pub(crate) name: String,
    pub(crate) joints: Vec<String>,
    /// (child, parent), by child.
    pub(crate) edges: Vec<(usize, usize)>,
    pub(crate) parts: Vec<Part>,
    /// The lower number first, by it.
    pub(crate) flips: Vec<(usize, usize)>,
    pub(crate) origin: Vec<usize>,
}

#[expect(
    clippy::len_without_is_empty,
    reason = "a layout has at least two joints"
)]
impl Layout {
    /// The names that [`Layout::built_in`] knows.
    pub const BUILT_IN: [&str; 5] = ["coco17", "ntu25", "openpose18", "jhmdb15", "ucla20"];

    /// One of the layouts that come with the crate.
    ///
    /// # Errors
    /// [`LayoutError::Unknown`], listing the names, where there is none of this name.
    pub fn built_in(name: &str) -> Result<Layout, LayoutError> {
        let text = match name {
            "coco17" => include_str!("../layouts/coco17.toml"),
            "ntu25" => include_str!("../layouts/ntu25.toml"),
            "openpose18" => include_str!("../layouts/openpose18.toml"),
            "jhmdb15" => include_str!("../layouts/jhmdb15.toml"),
            "ucla20" => include_str!("../layouts/ucla20.toml"),
            _ => {
                return Err(LayoutError::Unknown {
                    name: name.to_owned(),
                    known: &Layout::BUILT_IN,
                });
            }
        };
        Layout::from_toml(text, name)
    }

    /// Reads and checks a layout. `source` is what errors call the text: its file name, say.
    ///
    /// # Errors
    /// Each [`LayoutError`] names the source, the entry and the joint that is wrong.
    pub fn from_toml(text: &str, source: &str) -> Result<Layout, LayoutError> {
        validate::layout(text::read(text, source)?, source)
    }

    /// The whole layout as TOML: the same facts give the same text, and [`Layout::from_toml`]
    /// reads an equal layout back.
    pub fn to_toml(&self) -> String {
        text::write(self)
    }

    /// The layout's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Names of the joints; a joint's number is its place here.
    pub fn joints(&self) -> &[String] {
        &self.joints
    }

    /// The number of joints.
    pub fn len(&self) -> usize {
        self.joints.len()
    }

    /// Bones as (child, parent), ascending by child: every joint but the root is a child once.
    pub fn edges(&self) -> &[(usize, usize)] {
        &self.edges
    }

    /// The joint that `joint` hangs on; `None` for the root and for numbers that are no joint's.
    pub fn parent(&self, joint: usize) -> Option<usize> {
        let place = self
            .edges
            .binary_search_by_key(&joint, |&(child, _)| child)
            .ok()?;
        Some(self.edges[place].1)
    }

    /// The joint without a parent.
    pub fn root(&self) -> usize {
        // Children ascend and lack exactly the root: the first gap is it.
        self.edges
            .iter()
            .enumerate()
            .find(|&(place, &(child, _))| place != child)
            .map_or(self.edges.len(), |(place, _)| place)
    }

    /// Body parts; in the built-in layouts head, torso, left arm, right arm, left leg, right leg.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Pairs of joints that change places when left and right do.
    pub fn flips(&self) -> &[(usize, usize)] {
        &self.flips
    }

    /// The joints whose mean is the origin that normalisation may centre on.
    pub fn origin(&self) -> &[usize] {
        &self.origin
    }

    /// For each joint the joint that it becomes after a left-right flip: itself on the middle line.
    pub fn mirror(&self) -> Vec<usize> {
        let mut mirror: Vec<usize> = (0..self.len()).collect();
        for &(one, other) in &self.flips {
            mirror.swap(one, other);
        }
        mirror
    }

    /// The graph of the physical connections.
    pub fn adjacency(&self) -> Adjacency {
        Adjacency::of_edges(self.len(), &self.edges)
    }
}
