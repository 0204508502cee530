//! The checks between what a text says and a [`Layout`].

use std::collections::HashMap;

use crate::error::{JointRef, LayoutError};
use crate::layout::{Layout, Part};
use crate::text::{Facts, PartFacts};

/// Two parts need two joints.
const FEWEST_JOINTS: usize = 2;
/// More than any body model has; keeps dense (v, v) matrices small.
const MOST_JOINTS: usize = 1024;
const FEWEST_PARTS: usize = 2;
const LONGEST_NAME: usize = 64;

/// What the checks of one text share.
struct Checks<'a> {
    file: &'a str,
    joints: &'a [String],
}

pub(crate) fn layout(facts: Facts, file: &str) -> Result<Layout, LayoutError> {
    let checks = Checks {
        file,
        joints: &facts.joints,
    };
    checks.name("name", &facts.name)?;
    checks.joint_names()?;
    let edges = checks.tree(&facts.edges)?;
    let parts = checks.parts(facts.parts)?;
    let flips = checks.flips(&facts.flips)?;
    let origin = checks.origin(&facts.origin)?;
    Ok(Layout {
        name: facts.name,
        joints: facts.joints,
        edges,
        parts,
        flips,
        origin,
    })
}

impl Checks<'_> {
    fn file(&self) -> String {
        self.file.to_owned()
    }

    /// `joint` has passed [`Checks::in_range`].
    fn joint(&self, joint: usize) -> JointRef {
        JointRef {
            index: joint,
            name: self.joints[joint].clone(),
        }
    }

    fn joint_list(&self, joints: &[usize]) -> Vec<JointRef> {
        joints.iter().map(|&joint| self.joint(joint)).collect()
    }

    fn name(&self, place: &str, name: &str) -> Result<(), LayoutError> {
        let why = if name.trim().is_empty() {
            "is blank"
        } else if name.len() > LONGEST_NAME {
            "is longer than 64 bytes"
        } else if name.chars().any(char::is_control) {
            "holds a control character"
        } else {
            return Ok(());
        };
        Err(LayoutError::Name {
            file: self.file(),
            place: place.to_owned(),
            name: name.to_owned(),
            why,
        })
    }

    fn joint_names(&self) -> Result<(), LayoutError> {
        if !(FEWEST_JOINTS..=MOST_JOINTS).contains(&self.joints.len()) {
            return Err(LayoutError::JointCount {
                file: self.file(),
                found: self.joints.len(),
                least: FEWEST_JOINTS,
                most: MOST_JOINTS,
            });
        }
        for (joint, name) in self.joints.iter().enumerate() {
            self.name(&format!("joints[{joint}]"), name)?;
        }
        self.distinct("joints", self.joints.iter().map(String::as_str))
    }

    fn distinct<'n>(
        &self,
        place: &'static str,
        names: impl Iterator<Item = &'n str>,
    ) -> Result<(), LayoutError> {
        let mut seen = HashMap::new();
        for (second, name) in names.enumerate() {
            if let Some(first) = seen.insert(name, second) {
                return Err(LayoutError::SameName {
                    file: self.file(),
                    place,
                    name: name.to_owned(),
                    first,
                    second,
                });
            }
        }
        Ok(())
    }

    fn in_range(&self, place: &str, joint: usize) -> Result<(), LayoutError> {
        if joint < self.joints.len() {
            return Ok(());
        }
        Err(LayoutError::OutOfRange {
            file: self.file(),
            place: place.to_owned(),
            joint,
            joints: self.joints.len(),
        })
    }

    /// Two joints that exist and are not the same one.
    fn pair(&self, place: &str, pair: &[usize]) -> Result<(usize, usize), LayoutError> {
        let &[one, other] = pair else {
            return Err(LayoutError::NotAPair {
                file: self.file(),
                place: place.to_owned(),
                found: pair.len(),
            });
        };
        self.in_range(place, one)?;
        self.in_range(place, other)?;
        if one == other {
            return Err(LayoutError::PairedWithItself {
                file: self.file(),
                place: place.to_owned(),
                joint: self.joint(one),
            });
        }
        Ok((one, other))
    }

    /// Every joint has at most one parent, no joint is its own ancestor, one has no parent:
    /// that is a tree over all joints.
    fn tree(&self, edges: &[Vec<usize>]) -> Result<Vec<(usize, usize)>, LayoutError> {
        let mut parents = vec![None; self.joints.len()];
        for (place, edge) in edges.iter().enumerate() {
            let (child, parent) = self.pair(&format!("edges[{place}]"), edge)?;
            if let Some(first) = parents[child].replace(parent) {
                return Err(LayoutError::TwoParents {
                    file: self.file(),
                    joint: self.joint(child),
                    first: self.joint(first),
                    second: self.joint(parent),
                });
            }
        }
        if let Some(cycle) = cycle(&parents) {
            return Err(LayoutError::Cycle {
                file: self.file(),
                joints: self.joint_list(&cycle),
            });
        }
        let joints = 0..self.joints.len();
        let roots: Vec<usize> = joints
            .clone()
            .filter(|&joint| parents[joint].is_none())
            .collect();
        if roots.len() != 1 {
            return Err(LayoutError::Roots {
                file: self.file(),
                joints: self.joint_list(&roots),
            });
        }
        Ok(joints
            .filter_map(|child| Some((child, parents[child]?)))
            .collect())
    }

    fn parts(&self, parts: Vec<PartFacts>) -> Result<Vec<Part>, LayoutError> {
        if parts.len() < FEWEST_PARTS {
            return Err(LayoutError::PartCount {
                file: self.file(),
                found: parts.len(),
                least: FEWEST_PARTS,
            });
        }
        let mut owner: Vec<Option<String>> = vec![None; self.joints.len()];
        for (place, part) in parts.iter().enumerate() {
            self.name(&format!("parts[{place}]"), &part.name)?;
            let place = format!("part {:?}", part.name);
            self.once(&place, &part.joints, &mut owner)?;
        }
        self.distinct("parts", parts.iter().map(|part| part.name.as_str()))?;
        if let Some(joint) = owner.iter().position(Option::is_none) {
            return Err(LayoutError::InNoPart {
                file: self.file(),
                joint: self.joint(joint),
            });
        }
        let part = |part: PartFacts| Part {
            name: part.name,
            joints: ascending(part.joints),
        };
        Ok(parts.into_iter().map(part).collect())
    }

    /// `joints` is not empty, its joints exist and had no owner, which `place` becomes.
    fn once(
        &self,
        place: &str,
        joints: &[usize],
        owner: &mut [Option<String>],
    ) -> Result<(), LayoutError> {
        if joints.is_empty() {
            return Err(LayoutError::Empty {
                file: self.file(),
                place: place.to_owned(),
            });
        }
        for &joint in joints {
            self.in_range(place, joint)?;
            self.claim(place, joint, owner)?;
        }
        Ok(())
    }

    fn claim(
        &self,
        place: &str,
        joint: usize,
        owner: &mut [Option<String>],
    ) -> Result<(), LayoutError> {
        match owner[joint].replace(place.to_owned()) {
            None => Ok(()),
            Some(first) => Err(LayoutError::Repeated {
                file: self.file(),
                joint: self.joint(joint),
                first,
                second: place.to_owned(),
            }),
        }
    }

    fn flips(&self, flips: &[Vec<usize>]) -> Result<Vec<(usize, usize)>, LayoutError> {
        let mut owner = vec![None; self.joints.len()];
        let mut pairs = Vec::with_capacity(flips.len());
        for (place, flip) in flips.iter().enumerate() {
            let place = format!("flips[{place}]");
            let (one, other) = self.pair(&place, flip)?;
            self.claim(&place, one, &mut owner)?;
            self.claim(&place, other, &mut owner)?;
            pairs.push((one.min(other), one.max(other)));
        }
        pairs.sort_unstable();
        Ok(pairs)
    }

    fn origin(&self, origin: &[usize]) -> Result<Vec<usize>, LayoutError> {
        self.once("origin", origin, &mut vec![None; self.joints.len()])?;
        Ok(ascending(origin.to_vec()))
    }
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

fn ascending(mut joints: Vec<usize>) -> Vec<usize> {
    joints.sort_unstable();
    joints
}
