//! Splits that follow from others, and the sizes that are known.

use std::collections::{HashMap, HashSet};

use sha2::{Digest, Sha256};
use skeleton_data::{Sequence, ValuesRef};
use skeleton_datasets::Dataset;

/// A split of a data set that its file may lack: the clips of `of` whose poses don't occur in
/// `without`.
struct Derived {
    dataset: &'static str,
    split: &'static str,
    of: &'static str,
    without: &'static str,
}

/// NW-UCLA leaks as it circulates: clips of the training views come again in the test view, byte
/// for byte.
const DERIVED: [Derived; 1] = [Derived {
    dataset: "nw_ucla",
    split: "xview_test_clean",
    of: "xview_test",
    without: "xview_train",
}];

/// The poses seen so far, by which copies of a clip are found.
#[derive(Default)]
pub struct Copies {
    poses: HashMap<String, [u8; 32]>,
}

impl Copies {
    /// Remembers a clip's poses.
    pub fn see(&mut self, clip: &Sequence) {
        let mut hasher = Sha256::new();
        for extent in [clip.persons, clip.frames, clip.joints, clip.coordinates] {
            hasher.update((extent as u64).to_le_bytes());
        }
        match clip.keypoints.view() {
            ValuesRef::F16(values) => values
                .iter()
                .for_each(|value| hasher.update(value.to_bits().to_le_bytes())),
            ValuesRef::F32(values) => values
                .iter()
                .for_each(|value| hasher.update(value.to_bits().to_le_bytes())),
        }
        self.poses.insert(clip.id.clone(), hasher.finalize().into());
    }

    /// The clips of `of` whose poses no clip of `without` has.
    fn without(&self, of: &[String], without: &[String]) -> Vec<String> {
        let seen: HashSet<_> = without.iter().filter_map(|id| self.poses.get(id)).collect();
        of.iter()
            .filter(|id| {
                self.poses
                    .get(*id)
                    .is_none_or(|poses| !seen.contains(poses))
            })
            .cloned()
            .collect()
    }
}

/// Whether the file of this data set lacks a split that can be derived.
pub fn derives(splits: &[(String, Vec<String>)], facts: Option<&Dataset>) -> bool {
    missing(splits, facts).next().is_some()
}

/// The rules by which they are derived, in words, for the cache's record.
pub fn rules(splits: &[(String, Vec<String>)], facts: Option<&Dataset>) -> Vec<String> {
    missing(splits, facts)
        .map(|rule| {
            format!(
                "{}: {} without the poses of {}",
                rule.split, rule.of, rule.without
            )
        })
        .collect()
}

/// The splits that the file lacks and that follow from its others.
pub fn derived(
    splits: &[(String, Vec<String>)],
    facts: Option<&Dataset>,
    copies: &Copies,
) -> Vec<(String, Vec<String>)> {
    let found = |name: &str| {
        splits
            .iter()
            .find(|(split, _)| split == name)
            .map(|(_, ids)| ids)
    };
    missing(splits, facts)
        .filter_map(|rule| {
            Some((
                rule.split.to_owned(),
                copies.without(found(rule.of)?, found(rule.without)?),
            ))
        })
        .collect()
}

fn missing(
    splits: &[(String, Vec<String>)],
    facts: Option<&Dataset>,
) -> impl Iterator<Item = &'static Derived> {
    let there = move |name: &str| splits.iter().any(|(split, _)| split == name);
    let dataset = facts.map(|facts| facts.name.clone());
    DERIVED.iter().filter(move |rule| {
        dataset.as_deref() == Some(rule.dataset)
            && !there(rule.split)
            && there(rule.of)
            && there(rule.without)
    })
}

#[cfg(test)]
mod tests {
    use skeleton_data::Values;

    use super::*;

    fn clip(id: &str, values: &[f32]) -> Sequence {
        Sequence {
            id: id.into(),
            label: None,
            persons: 1,
            frames: 1,
            joints: 1,
            coordinates: values.len(),
            keypoints: Values::F32(values.to_vec()),
            scores: None,
            image: None,
            subject: None,
            camera: None,
            setup: None,
        }
    }

    #[test]
    fn the_clean_split_leaves_out_copies_of_training_clips_only() {
        let mut copies = Copies::default();
        for (id, values) in [
            ("a", [1.0, 2.0]),
            ("b", [1.0, 2.0]),
            ("c", [3.0, 4.0]),
            ("d", [3.0, 4.0]),
        ] {
            copies.see(&clip(id, &values));
        }
        let split = |name: &str, ids: &[&str]| {
            (
                name.to_owned(),
                ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>(),
            )
        };
        let splits = [
            split("xview_train", &["a"]),
            split("xview_test", &["b", "c", "d"]),
        ];
        let facts = skeleton_datasets::find("nw_ucla");
        assert!(derives(&splits, facts));
        assert_eq!(
            derived(&splits, facts, &copies),
            [split("xview_test_clean", &["c", "d"])]
        );
        assert!(!derives(&splits, skeleton_datasets::find("jhmdb14")));
        assert!(!derives(
            &[splits.to_vec(), vec![split("xview_test_clean", &[])]].concat(),
            facts
        ));
    }
}
