//! Parts of a data set: ids to indices, and a part kept back from training.

use std::collections::{BTreeMap, HashMap};

use rand::seq::SliceRandom;
use skeleton_graph::random::{self, Key, Purpose};

use crate::{Error, Result};

/// A split by indices, and how many of its ids name no clip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The split's name.
    pub name: String,
    /// The clips, in the order of the split.
    pub indices: Vec<u32>,
    /// Ids of the split that no clip has: published splits name clips that were dropped from their set.
    pub unknown: Vec<String>,
}

/// Finds the clips that splits name.
pub fn resolve(splits: &[(String, Vec<String>)], index: &HashMap<String, u32>) -> Vec<Resolved> {
    let resolve = |(name, ids): &(String, Vec<String>)| {
        let mut resolved = Resolved {
            name: name.clone(),
            indices: Vec::with_capacity(ids.len()),
            unknown: Vec::new(),
        };
        for id in ids {
            match index.get(id) {
                Some(&index) => resolved.indices.push(index),
                None => resolved.unknown.push(id.clone()),
            }
        }
        resolved
    };
    splits.iter().map(resolve).collect()
}

/// Takes `fraction` of `indices` away, of each class its share, and returns (kept, held), both in the order given.
///
/// `labels[i]` is the class of clip i. Every class keeps at least one clip; clips without a label are all kept.
/// Which clips are held depends on the seed and on the set of indices, not on their order.
///
/// # Errors
/// When `fraction` is not in 0..1, or an index is beyond `labels`.
pub fn stratified_holdout(
    labels: &[Option<u32>],
    indices: &[u32],
    fraction: f64,
    seed: u64,
) -> Result<(Vec<u32>, Vec<u32>)> {
    if !(0.0..1.0).contains(&fraction) {
        return Err(Error::setting(
            "holdout",
            "a fraction of 0 or more, below 1",
            fraction,
        ));
    }
    let mut classes: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for &index in indices {
        let label = labels.get(index as usize).ok_or_else(|| {
            Error::setting("holdout", format!("indices below {}", labels.len()), index)
        })?;
        if let Some(label) = label {
            classes.entry(*label).or_default().push(index);
        }
    }
    let mut is_held = vec![false; labels.len()];
    // Shares are rounded along the classes, so that small classes give their part in turn instead of never.
    let mut wanted = 0.0;
    let mut taken = 0;
    for (class, mut members) in classes {
        members.sort_unstable();
        members.dedup();
        wanted += fraction * members.len() as f64;
        let share = (wanted.round() as usize)
            .saturating_sub(taken)
            .min(members.len() - 1);
        taken += share;
        members.shuffle(&mut random::stream(
            seed,
            Purpose::Holdout,
            0,
            Key::Index(class.into()),
        ));
        for &index in &members[..share] {
            is_held[index as usize] = true;
        }
    }
    Ok(indices.iter().partition(|&&index| !is_held[index as usize]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_gives_its_share_and_keeps_one() {
        let labels: Vec<Option<u32>> = (0..200)
            .map(|i| {
                if i < 150 {
                    Some(i % 3)
                } else if i < 151 {
                    Some(3)
                } else {
                    None
                }
            })
            .collect();
        let indices: Vec<u32> = (0..200).collect();
        let (kept, held) = stratified_holdout(&labels, &indices, 0.1, 7).unwrap();
        assert_eq!(held.len(), 15);
        for class in 0..3 {
            assert_eq!(
                held.iter()
                    .filter(|&&i| labels[i as usize] == Some(class))
                    .count(),
                5,
                "class {class}"
            );
        }
        assert!(kept.contains(&150), "the only clip of class 3");
        assert!(
            (151..200).all(|i| kept.contains(&i)),
            "clips without a label"
        );
        let mut all = [kept.clone(), held.clone()].concat();
        all.sort_unstable();
        assert_eq!(all, indices);
        assert!(kept.is_sorted() && held.is_sorted(), "the order is kept");
    }

    #[test]
    fn the_same_seed_holds_the_same_clips_in_any_order() {
        let labels: Vec<Option<u32>> = (0..90).map(|i| Some(i % 9)).collect();
        let indices: Vec<u32> = (0..90).collect();
        let reversed: Vec<u32> = indices.iter().rev().copied().collect();
        let (_, held) = stratified_holdout(&labels, &indices, 0.2, 1).unwrap();
        let (_, mut again) = stratified_holdout(&labels, &reversed, 0.2, 1).unwrap();
        again.reverse();
        assert_eq!(held, again);
        assert_ne!(
            held,
            stratified_holdout(&labels, &indices, 0.2, 2).unwrap().1
        );
    }

    #[test]
    fn small_classes_give_in_turn() {
        let labels: Vec<Option<u32>> = (0..100).map(|i| Some(i / 4)).collect();
        let indices: Vec<u32> = (0..100).collect();
        let (_, held) = stratified_holdout(&labels, &indices, 0.1, 3).unwrap();
        assert_eq!(held.len(), 10);
    }

    #[test]
    fn a_wrong_fraction_or_index_is_an_error() {
        for fraction in [-0.1, 1.0, f64::NAN] {
            assert!(stratified_holdout(&[Some(0)], &[0], fraction, 0).is_err());
        }
        assert!(stratified_holdout(&[Some(0)], &[1], 0.1, 0).is_err());
        assert_eq!(
            stratified_holdout(&[Some(0)], &[0], 0.9, 0).unwrap(),
            (vec![0], vec![])
        );
    }

    #[test]
    fn splits_resolve_and_say_what_they_miss() {
        let index = HashMap::from([("a".to_owned(), 0), ("b".to_owned(), 1)]);
        let splits = [(
            "train".to_owned(),
            vec!["b".to_owned(), "x".to_owned(), "a".to_owned()],
        )];
        let resolved = resolve(&splits, &index);
        assert_eq!(resolved[0].indices, [1, 0]);
        assert_eq!(resolved[0].unknown, ["x"]);
    }
}
