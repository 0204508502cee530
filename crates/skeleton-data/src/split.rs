//! Parts of a data set: ids to indices, a part kept back from training, a part that keeps its labels.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rand::seq::SliceRandom;
use skeleton_graph::random::{self, Key, Purpose};

use crate::{Error, Result};

/// The split of all clips, which every source has unless it has another of this name.
pub const ALL: &str = "all";

/// A split by indices, and those of its ids that name no clip.
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
        let expected = "a fraction of 0 or more, below 1";
        return Err(Error::setting("holdout", expected, fraction));
    }
    // Shares are rounded along the classes, so that small classes give their part in turn instead of never.
    let (mut wanted, mut taken) = (0.0, 0);
    let count = |size: usize| {
        wanted += fraction * size as f64;
        let share = (wanted.round() as usize)
            .saturating_sub(taken)
            .min(size - 1);
        taken += share;
        share
    };
    let is_held = drawn(
        (labels, indices),
        "holdout",
        (seed, Purpose::Holdout),
        count,
    )?;
    Ok(indices.iter().partition(|&&index| !is_held[index as usize]))
}

/// The clips of `indices` that keep their labels where only a `share` of them may be known (semi-supervised learning): of each
/// class its share, rounded up, at least one; in the order given. Clips without a label are none of them.
///
/// Which clips these are depends on the seed and on the set of indices, not on their order. With the same seed, those of a
/// smaller share are among those of a larger one.
///
/// # Errors
/// When `share` is not above 0 and at most 1, or an index is beyond `labels`.
pub fn labelled_share(
    labels: &[Option<u32>],
    indices: &[u32],
    share: f64,
    seed: u64,
) -> Result<Vec<u32>> {
    if !(share > 0.0 && share <= 1.0) {
        let expected = "a share above 0, at most 1";
        return Err(Error::setting("labels", expected, share));
    }
    let count = |size: usize| {
        // 0.1 of 30 is a little above 3 in binary, which is no reason for a fourth.
        let exact = share * size as f64;
        ((exact - 1e-9 * exact).ceil() as usize).clamp(1, size)
    };
    let is_kept = drawn((labels, indices), "labels", (seed, Purpose::Labels), count)?;
    let kept = indices.iter().copied();
    Ok(kept.filter(|&index| is_kept[index as usize]).collect())
}

/// By clip, whether it is one of those drawn: of the labelled clips of each class as many as `count` says of their number. `key`
/// names the setting in errors.
fn drawn(
    (labels, indices): (&[Option<u32>], &[u32]),
    key: &'static str,
    (seed, purpose): (u64, Purpose),
    mut count: impl FnMut(usize) -> usize,
) -> Result<Vec<bool>> {
    let mut classes: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for &index in indices {
        let beyond = || Error::setting(key, format!("indices below {}", labels.len()), index);
        if let Some(label) = labels.get(index as usize).ok_or_else(beyond)? {
            classes.entry(*label).or_default().push(index);
        }
    }
    let mut is_drawn = vec![false; labels.len()];
    for (class, mut members) in classes {
        members.sort_unstable();
        members.dedup();
        let share = count(members.len());
        let mut rng = random::stream(seed, purpose, 0, Key::Index(class.into()));
        members.shuffle(&mut rng);
        for &index in &members[..share] {
            is_drawn[index as usize] = true;
        }
    }
    Ok(is_drawn)
}

/// A part of a split, `NAME@1/4`, or what is left of it, `NAME@not1/4`: settings are chosen on what training didn't see, whatever
/// clips are for testing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fold {
    /// Which, from 1.
    number: usize,
    of: usize,
    /// Whether it is the clips that are not in it.
    rest: bool,
}

impl Fold {
    /// The split's own name, and the fold where one is asked for.
    pub fn parse(name: &str) -> (&str, Option<Fold>) {
        let fold = || {
            let (split, fold) = name.rsplit_once('@')?;
            let (rest, fold) = match fold.strip_prefix("not") {
                Some(fold) => (true, fold),
                None => (false, fold),
            };
            let (number, of) = fold.split_once('/')?;
            let (number, of) = (number.parse().ok()?, of.parse().ok()?);
            let fold = Fold { number, of, rest };
            (of >= 2 && (1..=of).contains(&number)).then_some((split, Some(fold)))
        };
        fold().unwrap_or((name, None))
    }

    /// Those of `clips` that are in it: of every number of `groups` (people, as a rule) all clips or none, where all clips have
    /// one; else of each class in turn. What is in which fold doesn't depend on a seed.
    pub fn of(
        self,
        clips: &[u32],
        groups: impl Fn(u32) -> Option<u32>,
        class: impl Fn(u32) -> Option<u32>,
    ) -> Vec<u32> {
        let numbers: Option<BTreeSet<u32>> = clips.iter().map(|&clip| groups(clip)).collect();
        let numbers: Option<Vec<u32>> = numbers.map(|numbers| numbers.into_iter().collect());
        let mut seen: BTreeMap<Option<u32>, usize> = BTreeMap::new();
        let mut place = |clip: u32| match &numbers {
            Some(numbers) if numbers.len() >= self.of => numbers
                .iter()
                .position(|&number| groups(clip) == Some(number))
                .unwrap_or(0),
            _ => {
                let seen = seen.entry(class(clip)).or_default();
                *seen += 1;
                *seen - 1
            }
        };
        let is_in = |clip: &u32| (place(*clip) % self.of + 1 == self.number) != self.rest;
        clips.iter().copied().filter(is_in).collect()
    }
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

    /// The number of a class's clips that is known: the share's ceiling as a fraction of whole numbers.
    #[test]
    fn each_class_keeps_its_share_rounded_up_and_at_least_one() {
        for (percent, size) in (1..=100).flat_map(|p| (1..60).map(move |n| (p, n))) {
            let labels = vec![Some(0); size];
            let indices: Vec<u32> = (0..size as u32).collect();
            let kept = labelled_share(&labels, &indices, f64::from(percent) / 100.0, 3).unwrap();
            assert_eq!(
                kept.len(),
                (percent as usize * size).div_ceil(100),
                "{percent} % of {size}"
            );
            assert!(kept.is_sorted(), "the order is kept");
        }
    }

    #[test]
    fn known_labels_are_of_every_class_grow_with_the_share_and_follow_the_seed() {
        let label = |i: u32| (i % 7 != 6).then_some(i % 7 % 4);
        let labels: Vec<Option<u32>> = (0..300).map(label).collect();
        let indices: Vec<u32> = (0..300).filter(|i| i % 11 != 0).collect();
        let kept = |share, seed| labelled_share(&labels, &indices, share, seed).unwrap();
        let mut before = Vec::new();
        for share in [0.01, 0.05, 0.1, 0.5, 1.0] {
            let now = kept(share, 1);
            assert!(before.iter().all(|i| now.contains(i)), "nested at {share}");
            assert!(now.iter().all(|i| indices.contains(i)));
            for class in 0..4 {
                let of = |clips: &[u32]| {
                    let in_class = |i: &&u32| labels[**i as usize] == Some(class);
                    clips.iter().filter(in_class).count()
                };
                let expected = (share * of(&indices) as f64 - 1e-6).ceil() as usize;
                assert_eq!(of(&now), expected.max(1), "class {class} at {share}");
            }
            before = now;
        }
        assert!(before.iter().all(|&i| labels[i as usize].is_some()));
        assert_ne!(kept(0.1, 1), kept(0.1, 2));
        let reversed: Vec<u32> = indices.iter().rev().copied().collect();
        let mut again = labelled_share(&labels, &reversed, 0.1, 1).unwrap();
        again.reverse();
        assert_eq!(kept(0.1, 1), again);
    }

    #[test]
    fn shares_of_labels_beyond_their_range_are_refused() {
        for share in [0.0, -0.1, 1.1, f64::NAN] {
            assert!(labelled_share(&[Some(0)], &[0], share, 0).is_err());
        }
        assert!(labelled_share(&[Some(0)], &[1], 0.1, 0).is_err());
        assert_eq!(
            labelled_share(&[None], &[0], 1.0, 0).unwrap(),
            Vec::<u32>::new()
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

    #[test]
    fn folds_are_of_people_where_they_are_known_else_of_classes_in_turn() {
        let names = [
            "train@2/4",
            "train@not2/4",
            "a@b",
            "train@5/4",
            "train@1/1",
            "x@y@1/2",
        ];
        let read = names.map(Fold::parse);
        assert_eq!(
            read.map(|(split, _)| split),
            ["train", "train", "a@b", "train@5/4", "train@1/1", "x@y"]
        );
        assert_eq!(
            read.map(|(_, fold)| fold.is_some()),
            [true, true, false, false, false, true]
        );
        let clips: Vec<u32> = (0..24).collect();
        let fold = |name: &str, subject: &dyn Fn(u32) -> Option<u32>| {
            let (_, fold) = Fold::parse(name);
            fold.expect("a fold")
                .of(&clips, subject, |clip| Some(clip % 2))
        };
        // Five people, of whom the first and the last are in the first of four folds.
        let people = |clip: u32| Some(10 + clip % 5);
        let (held, rest) = (fold("a@1/4", &people), fold("a@not1/4", &people));
        assert!(
            held.iter().all(|clip| [0, 4].contains(&(clip % 5))) && held.len() == 9,
            "{held:?}"
        );
        assert_eq!(held.len() + rest.len(), 24);
        assert!(rest.iter().all(|clip| !held.contains(clip)));
        // Nobody known: each fold has as many of each class.
        let held = fold("a@3/4", &|_| None);
        assert_eq!(held, [4, 5, 12, 13, 20, 21]);
    }
}
