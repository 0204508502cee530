//! The only table of a skeleton: its joints and everything that follows from their numbers, how it is written as TOML, and the
//! checks between such a text and a [`Layout`].

use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;

use serde::Deserialize;

use crate::Adjacency;

/// Longer texts are refused unread; the largest layout allowed needs a tenth of it.
const LONGEST_TEXT: usize = 1 << 20;
/// Two parts need two joints.
const FEWEST_JOINTS: usize = 2;
/// More than any body model has; keeps dense (v, v) matrices small.
const MOST_JOINTS: usize = 1024;
const FEWEST_PARTS: usize = 2;
const LONGEST_NAME: usize = 64;

/// A named group of joints, such as the left arm: what is masked as one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
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
    name: String,
    joints: Vec<String>,
    /// (child, parent), by child.
    edges: Vec<(usize, usize)>,
    parts: Vec<Part>,
    /// The lower number first, by it.
    flips: Vec<(usize, usize)>,
    origin: Vec<usize>,
}

#[expect(
    clippy::len_without_is_empty,
    reason = "a layout has at least two joints"
)]
impl Layout {
    /// The names that [`Layout::built_in`] knows.
    pub const BUILT_IN: [&str; 11] = [
        "coco17",
        "ntu25",
        "openpose18",
        "body25",
        "jhmdb15",
        "ucla20",
        "mediapipe33",
        "halpe26",
        "wholebody133",
        "h36m17",
        "hand21",
    ];

    /// One of the layouts that come with the crate.
    ///
    /// # Errors
    /// [`LayoutError::Unknown`], listing the names, where there is none of this name.
    pub fn built_in(name: &str) -> Result<Layout, LayoutError> {
        let text = match name {
            "coco17" => include_str!("../layouts/coco17.toml"),
            "ntu25" => include_str!("../layouts/ntu25.toml"),
            "openpose18" => include_str!("../layouts/openpose18.toml"),
            "body25" => include_str!("../layouts/body25.toml"),
            "jhmdb15" => include_str!("../layouts/jhmdb15.toml"),
            "ucla20" => include_str!("../layouts/ucla20.toml"),
            "mediapipe33" => include_str!("../layouts/mediapipe33.toml"),
            "halpe26" => include_str!("../layouts/halpe26.toml"),
            "wholebody133" => include_str!("../layouts/wholebody133.toml"),
            "h36m17" => include_str!("../layouts/h36m17.toml"),
            "hand21" => include_str!("../layouts/hand21.toml"),
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
        if text.len() > LONGEST_TEXT {
            return Err(LayoutError::TooLong {
                file: source.to_owned(),
                found: text.len(),
                limit: LONGEST_TEXT,
            });
        }
        let facts: Facts = toml::from_str(text).map_err(|cause| LayoutError::Syntax {
            file: source.to_owned(),
            cause: Box::new(cause),
        })?;
        facts.check().map_err(|problem| LayoutError::Invalid {
            file: source.to_owned(),
            problem,
        })
    }

    /// The whole layout as TOML: the same facts give the same text, and [`Layout::from_toml`]
    /// reads an equal layout back.
    pub fn to_toml(&self) -> String {
        // Written by hand and not by a TOML library: the text enters caches, checkpoints and their digests, so its form must
        // not change with a library's version.
        let pairs = |pairs: &[(usize, usize)]| {
            list(pairs.iter().map(|(one, other)| format!("[{one}, {other}]")))
        };
        let numbers = |joints: &[usize]| list(joints.iter().map(usize::to_string));
        let mut text = format!(
            "name = {}\njoints = {}\nedges = {}\nflips = {}\norigin = {}\n",
            quoted(&self.name),
            list(self.joints.iter().map(|name| quoted(name))),
            pairs(&self.edges),
            pairs(&self.flips),
            numbers(&self.origin)
        );
        for Part { name, joints } in &self.parts {
            let (name, joints) = (quoted(name), numbers(joints));
            write!(text, "\n[[parts]]\nname = {name}\njoints = {joints}\n")
                .expect("writing to a string does not fail");
        }
        text
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

    /// Body parts; in the built-in layouts of a body head, torso, left arm, right arm, left leg, right leg, in a hand's the wrist
    /// and the fingers.
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

/// A TOML array.
fn list(values: impl Iterator<Item = String>) -> String {
    format!("[{}]", values.collect::<Vec<_>>().join(", "))
}

/// A TOML basic string. Names hold no control characters (checked), so two escapes are enough.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}

/// What a text says, not yet checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Facts {
    name: String,
    joints: Vec<String>,
    /// Pairs. Not `[usize; 2]`: serde would take the first two of a longer list in silence.
    edges: Vec<Vec<usize>>,
    /// Pairs.
    flips: Vec<Vec<usize>>,
    origin: Vec<usize>,
    parts: Vec<Part>,
}

/// Bones, each as (child, parent).
type Edges = Vec<(usize, usize)>;

/// Where in the text something is wrong, and what.
type Checked<T> = Result<T, String>;

impl Facts {
    fn check(mut self) -> Checked<Layout> {
        check_name("name", &self.name)?;
        self.check_joint_names()?;
        let edges = self.tree()?;
        self.check_parts()?;
        let flips = self.flips()?;
        self.once("origin", &self.origin, &mut self.no_owners())?;
        for part in &mut self.parts {
            part.joints.sort_unstable();
        }
        self.origin.sort_unstable();
        Ok(Layout {
            name: self.name,
            joints: self.joints,
            edges,
            parts: self.parts,
            flips,
            origin: self.origin,
        })
    }

    /// A joint for messages; it has passed [`Facts::in_range`].
    fn joint(&self, joint: usize) -> String {
        format!("joint {joint} ({})", self.joints[joint])
    }

    fn joint_list(&self, joints: &[usize]) -> String {
        let joints: Vec<String> = joints.iter().map(|&joint| self.joint(joint)).collect();
        joints.join(", ")
    }

    fn check_joint_names(&self) -> Checked<()> {
        let found = self.joints.len();
        if !(FEWEST_JOINTS..=MOST_JOINTS).contains(&found) {
            return Err(format!(
                "joints: found {found}, expected {FEWEST_JOINTS} to {MOST_JOINTS}"
            ));
        }
        for (joint, name) in self.joints.iter().enumerate() {
            check_name(&format!("joints[{joint}]"), name)?;
        }
        check_distinct("joints", self.joints.iter())
    }

    fn in_range(&self, place: &str, joint: usize) -> Checked<()> {
        let last = self.joints.len() - 1;
        if joint > last {
            return Err(format!(
                "{place}: there is no joint {joint}; expected 0 to {last}"
            ));
        }
        Ok(())
    }

    /// Two joints that exist and are not the same one.
    fn pair(&self, place: &str, pair: &[usize]) -> Checked<(usize, usize)> {
        let &[one, other] = pair else {
            return Err(format!("{place}: {} joints, expected 2", pair.len()));
        };
        self.in_range(place, one)?;
        self.in_range(place, other)?;
        if one == other {
            let joint = self.joint(one);
            return Err(format!("{place}: {joint} is paired with itself"));
        }
        Ok((one, other))
    }

    /// Every joint has at most one parent, no joint is its own ancestor, one has no parent:
    /// that is a tree over all joints.
    fn tree(&self) -> Checked<Edges> {
        let pair =
            |(place, edge): (usize, &Vec<usize>)| self.pair(&format!("edges[{place}]"), edge);
        let edges: Edges = self
            .edges
            .iter()
            .enumerate()
            .map(pair)
            .collect::<Checked<_>>()?;
        let no_tree = |problem: String| Err(format!("{problem}; {}", self.advice(&edges)));
        let mut parents = vec![None; self.joints.len()];
        for &(child, parent) in &edges {
            if let Some(first) = parents[child].replace(parent) {
                let (first, second) = (self.joint(first), self.joint(parent));
                return no_tree(format!(
                    "edges: {} has two parents, {first} and {second}; expected at most one",
                    self.joint(child)
                ));
            }
        }
        if let Some(cycle) = cycle(&parents) {
            let joints = self.joint_list(&cycle);
            return no_tree(format!("edges: a cycle, expected a tree: {joints}"));
        }
        let joints = 0..self.joints.len();
        let is_root = |&joint: &usize| parents[joint].is_none();
        let roots: Vec<usize> = joints.clone().filter(is_root).collect();
        if roots.len() != 1 {
            return no_tree(format!(
                "edges: {} joints without a parent, expected one root: {}",
                roots.len(),
                self.joint_list(&roots)
            ));
        }
        let edge = |child: usize| Some((child, parents[child]?));
        Ok(joints.filter_map(edge).collect())
    }

    /// A tree that takes its edges from connections that are none, to be pasted in their place.
    fn advice(&self, edges: &[(usize, usize)]) -> String {
        let is_child = |joint: usize| edges.iter().any(|&(child, _)| child == joint);
        let origin = self.origin.first().copied();
        let root = (0..self.joints.len()).find(|&joint| !is_child(joint));
        let root = root.or(origin.filter(|&joint| joint < self.joints.len()));
        let (tree, added) = spanning_tree(self.joints.len(), edges, root.unwrap_or(0));
        let written = |pairs: &[(usize, usize)]| {
            list(
                pairs
                    .iter()
                    .map(|(child, parent)| format!("[{child}, {parent}]")),
            )
        };
        let joined = match added.is_empty() {
            true => String::new(),
            false => format!(", joined by {}", written(&added)),
        };
        format!(
            "a tree of these connections{joined}: edges = {}",
            written(&tree)
        )
    }

    fn check_parts(&self) -> Checked<()> {
        let found = self.parts.len();
        if found < FEWEST_PARTS {
            return Err(format!(
                "parts: found {found}, expected at least {FEWEST_PARTS}"
            ));
        }
        let mut owner = self.no_owners();
        for (place, part) in self.parts.iter().enumerate() {
            check_name(&format!("parts[{place}]"), &part.name)?;
            let place = format!("part {:?}", part.name);
            self.once(&place, &part.joints, &mut owner)?;
        }
        check_distinct("parts", self.parts.iter().map(|part| &part.name))?;
        match owner.iter().position(Option::is_none) {
            None => Ok(()),
            Some(joint) => Err(format!(
                "parts: {} is in no part; expected every joint in exactly one",
                self.joint(joint)
            )),
        }
    }

    /// For each joint the entry that it stands in: nowhere yet.
    fn no_owners(&self) -> Vec<Option<String>> {
        vec![None; self.joints.len()]
    }

    /// `joints` is not empty, its joints exist and had no owner, which `place` becomes.
    fn once(&self, place: &str, joints: &[usize], owner: &mut [Option<String>]) -> Checked<()> {
        if joints.is_empty() {
            return Err(format!("{place}: empty, expected at least one joint"));
        }
        for &joint in joints {
            self.in_range(place, joint)?;
            self.claim(place, joint, owner)?;
        }
        Ok(())
    }

    fn claim(&self, place: &str, joint: usize, owner: &mut [Option<String>]) -> Checked<()> {
        match owner[joint].replace(place.to_owned()) {
            None => Ok(()),
            Some(first) => Err(format!(
                "{} stands in {first} and in {place}; expected once",
                self.joint(joint)
            )),
        }
    }

    fn flips(&self) -> Checked<Vec<(usize, usize)>> {
        let mut owner = self.no_owners();
        let mut pairs = Vec::with_capacity(self.flips.len());
        for (place, flip) in self.flips.iter().enumerate() {
            let place = format!("flips[{place}]");
            let (one, other) = self.pair(&place, flip)?;
            self.claim(&place, one, &mut owner)?;
            self.claim(&place, other, &mut owner)?;
            pairs.push((one.min(other), one.max(other)));
        }
        pairs.sort_unstable();
        Ok(pairs)
    }
}

fn check_name(place: &str, name: &str) -> Checked<()> {
    let why = if name.trim().is_empty() {
        "is blank"
    } else if name.len() > LONGEST_NAME {
        "is longer than 64 bytes"
    } else if name.chars().any(char::is_control) {
        "holds a control character"
    } else {
        return Ok(());
    };
    Err(format!("{place}: the name {name:?} {why}"))
}

fn check_distinct<'n>(place: &str, names: impl Iterator<Item = &'n String>) -> Checked<()> {
    let mut seen = HashMap::new();
    for (second, name) in names.enumerate() {
        if let Some(first) = seen.insert(name, second) {
            return Err(format!(
                "{place}: entries {first} and {second} are both called {name:?}"
            ));
        }
    }
    Ok(())
}

/// A cycle among the parents, each joint followed by its parent.
fn cycle(parents: &[Option<usize>]) -> Option<Vec<usize>> {
    // The walk that first came to a joint: meeting one's own steps again closes a cycle.
    let mut walk_of = vec![None; parents.len()];
    for start in 0..parents.len() {
        let mut joint = start;
        while walk_of[joint].is_none() {
            walk_of[joint] = Some(start);
            match parents[joint] {
                Some(parent) => joint = parent,
                None => break,
            }
        }
        if walk_of[joint] == Some(start) && parents[joint].is_some() {
            let mut cycle = vec![joint];
            let mut next = parents[joint]?;
            while next != joint {
                cycle.push(next);
                next = parents[next]?;
            }
            return Some(cycle);
        }
    }
    None
}

/// The edges (child, parent), by child, of a tree over all joints that grows from `root` along `edges`, and those of them that
/// `edges` lack: where joints are left apart, one of them hangs on the root.
fn spanning_tree(joints: usize, edges: &[(usize, usize)], root: usize) -> (Edges, Edges) {
    let mut neighbours = vec![Vec::new(); joints];
    for &(one, other) in edges {
        neighbours[one].push(other);
        neighbours[other].push(one);
    }
    let (mut tree, mut added) = (Vec::new(), Vec::new());
    let mut reached = vec![false; joints];
    for start in std::iter::once(root).chain(0..joints) {
        if reached[start] {
            continue;
        }
        if start != root {
            tree.push((start, root));
            added.push((start, root));
        }
        reached[start] = true;
        let mut queue = VecDeque::from([start]);
        while let Some(parent) = queue.pop_front() {
            for &child in &neighbours[parent] {
                if !reached[child] {
                    reached[child] = true;
                    tree.push((child, parent));
                    queue.push_back(child);
                }
            }
        }
    }
    tree.sort_unstable();
    (tree, added)
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
    /// The facts are no skeleton's: names that are blank or repeated, numbers that are no joint's, edges that are no tree, parts
    /// that don't hold each joint once.
    #[error("{file}: {problem}")]
    Invalid {
        /// Where the text is from.
        file: String,
        /// The entry, such as `edges[3]`, what was found in it, with joints by number and name, and what was expected.
        problem: String,
    },
}
