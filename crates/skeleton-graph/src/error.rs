//! What can be wrong with a layout, said with the file, the place and the joint.

use std::fmt;

/// A joint in a message: its number and its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JointRef {
    /// The joint's place in the list of joints, from 0.
    pub index: usize,
    /// The joint's name.
    pub name: String,
}

impl fmt::Display for JointRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "joint {} ({})", self.index, self.name)
    }
}

/// Joints in a message, separated by commas.
pub(crate) fn list(joints: &[JointRef]) -> String {
    let names: Vec<String> = joints.iter().map(JointRef::to_string).collect();
    names.join(", ")
}

/// Why a layout was refused. `file` is the source named to [`Layout::from_toml`](crate::Layout::from_toml).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LayoutError {
    /// No built-in layout has this name.
    #[error("no built-in layout is called {name:?}; there are {}", known.join(", "))]
    Unknown {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: &'static [&'static str],
    },
    /// The text is longer than any layout needs.
    #[error("{file}: {found} bytes of text, expected at most {limit}")]
    TooLong {
        /// Where the text is from.
        file: String,
        /// Its length in bytes.
        found: usize,
        /// The longest text that is read.
        limit: usize,
    },
    /// The text is no TOML, lacks a key, has one too many, or a value of the wrong type.
    #[error("{file}: not a layout: {cause}")]
    Syntax {
        /// Where the text is from.
        file: String,
        /// What the TOML reader says, with line and column.
        #[source]
        cause: Box<toml::de::Error>,
    },
    /// Too few or too many joints.
    #[error("{file}: joints: found {found}, expected {least} to {most}")]
    JointCount {
        /// Where the text is from.
        file: String,
        /// Joints named.
        found: usize,
        /// The fewest allowed.
        least: usize,
        /// The most allowed.
        most: usize,
    },
    /// A name is empty, too long or holds control characters.
    #[error("{file}: {place}: the name {name:?} {why}")]
    Name {
        /// Where the text is from.
        file: String,
        /// Which name.
        place: String,
        /// The name.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Two joints or two parts have one name.
    #[error("{file}: {place}: entries {first} and {second} are both called {name:?}")]
    SameName {
        /// Where the text is from.
        file: String,
        /// `joints` or `parts`.
        place: &'static str,
        /// The name.
        name: String,
        /// Place of the first of the two, from 0.
        first: usize,
        /// Place of the second, from 0.
        second: usize,
    },
    /// A number that is no joint's.
    #[error("{file}: {place}: there is no joint {joint}; expected 0 to {}", joints.saturating_sub(1))]
    OutOfRange {
        /// Where the text is from.
        file: String,
        /// The entry, such as `edges[3]`.
        place: String,
        /// The number found.
        joint: usize,
        /// How many joints there are.
        joints: usize,
    },
    /// An edge or a flip that does not name two joints.
    #[error("{file}: {place}: {found} joints, expected 2")]
    NotAPair {
        /// Where the text is from.
        file: String,
        /// The entry, such as `edges[3]`.
        place: String,
        /// How many joints it names.
        found: usize,
    },
    /// A joint is its own parent or its own mirror image.
    #[error("{file}: {place}: {joint} is paired with itself")]
    PairedWithItself {
        /// Where the text is from.
        file: String,
        /// The entry, such as `edges[3]`.
        place: String,
        /// The joint.
        joint: JointRef,
    },
    /// A joint is named as a child twice.
    #[error("{file}: edges: {joint} has two parents, {first} and {second}; expected at most one")]
    TwoParents {
        /// Where the text is from.
        file: String,
        /// The child.
        joint: JointRef,
        /// Its parent in the earlier entry.
        first: JointRef,
        /// Its parent in the later entry.
        second: JointRef,
    },
    /// Following parents leads back to where one started.
    #[error("{file}: edges: a cycle, expected a tree: {}", list(joints))]
    Cycle {
        /// Where the text is from.
        file: String,
        /// The cycle, each joint followed by its parent.
        joints: Vec<JointRef>,
    },
    /// More than one joint has no parent.
    #[error("{file}: edges: {} joints without a parent, expected one root: {}", joints.len(), list(joints))]
    Roots {
        /// Where the text is from.
        file: String,
        /// The joints without a parent.
        joints: Vec<JointRef>,
    },
    /// Fewer than two parts.
    #[error("{file}: parts: found {found}, expected at least {least}")]
    PartCount {
        /// Where the text is from.
        file: String,
        /// Parts named.
        found: usize,
        /// The fewest allowed.
        least: usize,
    },
    /// A list that must name a joint names none.
    #[error("{file}: {place}: empty, expected at least one joint")]
    Empty {
        /// Where the text is from.
        file: String,
        /// The list.
        place: String,
    },
    /// A joint stands twice where it may stand once.
    #[error("{file}: {joint} stands in {first} and in {second}; expected once")]
    Repeated {
        /// Where the text is from.
        file: String,
        /// The joint.
        joint: JointRef,
        /// The earlier entry.
        first: String,
        /// The later entry.
        second: String,
    },
    /// A joint belongs to no part.
    #[error("{file}: parts: {joint} is in no part; expected every joint in exactly one")]
    InNoPart {
        /// Where the text is from.
        file: String,
        /// The joint.
        joint: JointRef,
    },
}
