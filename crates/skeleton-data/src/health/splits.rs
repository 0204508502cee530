//! What is wrong with one split, and between one to train on and one to test on.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::clips::Copies;
use super::finding::{Finding, Kind, Place, many, some};
use super::{Catalogue, Majority, PairFacts, SplitFacts};
use crate::{Error, Result};

/// Above this share of one class a split is uneven, unless it has so few classes that half is their fair part.
const UNEVEN: f64 = 0.5;

/// Labelled clips by class.
fn histogram(indices: &[u32], catalogue: &Catalogue<'_>) -> BTreeMap<u32, usize> {
    let mut counts = BTreeMap::new();
    let labels = indices.iter().map(|&clip| catalogue.labels[clip as usize]);
    for label in labels.flatten() {
        *counts.entry(label).or_default() += 1;
    }
    counts
}

/// The most frequent class; of equal ones the smallest.
fn majority(counts: &BTreeMap<u32, usize>) -> Option<Majority> {
    let all: usize = counts.values().sum();
    let most = |&(&class, &n): &(&u32, &usize)| (n, std::cmp::Reverse(class));
    let (&class, &n) = counts.iter().max_by_key(most)?;
    let share = n as f64 / all as f64;
    Some(Majority { class, share })
}

/// A split by numbers.
pub(super) fn facts(name: &str, indices: &[u32], catalogue: &Catalogue<'_>) -> SplitFacts {
    let counts = histogram(indices, catalogue);
    SplitFacts {
        name: name.to_owned(),
        clips: indices.len(),
        unlabelled: indices.len() - counts.values().sum::<usize>(),
        classes: counts.len(),
        majority: majority(&counts),
    }
}

/// What is wrong with a split alone.
pub(super) fn findings(name: &str, indices: &[u32], catalogue: &Catalogue<'_>) -> Vec<Finding> {
    let mut sorted = indices.to_vec();
    sorted.sort_unstable();
    let pairs = sorted.windows(2).filter(|two| two[0] == two[1]);
    let mut repeated: Vec<u32> = pairs.map(|two| two[0]).collect();
    repeated.dedup();
    let unlabelled = indices.iter().copied();
    let unlabelled = unlabelled.filter(|&clip| catalogue.labels[clip as usize].is_none());
    let counts = histogram(indices, catalogue);
    let uneven = UNEVEN.max(1.5 / counts.len() as f64);
    let most = majority(&counts).filter(|most| counts.len() > 1 && most.share > uneven);
    let found = [
        indices.is_empty().then(|| {
            let words = format!("split {name} has no clip");
            Finding::new(Kind::EmptySplit, words)
        }),
        Finding::about(Kind::RepeatedInSplit, repeated, |n| {
            format!("split {name} has {n} more than once")
        }),
        Finding::about(Kind::Unlabelled, unlabelled.collect(), |n| {
            format!("{n} of split {name} without a label")
        }),
        most.map(|most| {
            let (share, class) = (100.0 * most.share, class_name(catalogue, most.class));
            let words = format!("{share:.1} % of split {name} are of class {class}");
            Finding::new(Kind::Uneven, words)
        }),
    ];
    let found = found.into_iter().flatten();
    found.map(|finding| finding.of(&[name])).collect()
}

/// Classes that no clip has, whatever its split. Where no clip has a label, nothing is to be said.
pub(super) fn classes_without_clips(catalogue: &Catalogue<'_>) -> Option<Finding> {
    let mut seen = vec![false; catalogue.classes.len()];
    for label in catalogue.labels.iter().flatten() {
        if let Some(seen) = seen.get_mut(*label as usize) {
            *seen = true;
        }
    }
    let missing = (0..).zip(&seen).filter(|&(_, &seen)| !seen);
    let missing: Vec<u32> = missing.map(|(class, _)| class).collect();
    if missing.is_empty() || missing.len() == seen.len() {
        return None;
    }
    let words = format!(
        "{} of {} classes without a clip: {}",
        missing.len(),
        seen.len(),
        named(catalogue, &missing)
    );
    Some(Finding::new(Kind::ClassWithoutClips, words))
}

/// The first few of these classes by name.
fn named(catalogue: &Catalogue<'_>, classes: &[u32]) -> String {
    let names = classes.iter().map(|&class| class_name(catalogue, class));
    some(&names.collect::<Vec<_>>())
}

fn class_name(catalogue: &Catalogue<'_>, class: u32) -> String {
    match catalogue.classes.get(class as usize) {
        Some(name) => format!("{class} ({name})"),
        None => class.to_string(),
    }
}

/// What a split to test on is called where the one to train on is called `train`.
const TESTS: [&str; 3] = ["test", "val", "valid"];

/// Splits that belong together by their names, as (to train on, to test on): `train1` with `test1`, `xsub_train` with
/// `xsub_val`, `xview_train` with `xview_test` and with `xview_test_clean`.
pub fn usual_pairs<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<(String, String)> {
    let names: Vec<&str> = names.into_iter().collect();
    let mut pairs = Vec::new();
    for train in names.iter().filter(|name| name.contains("train")) {
        for test in names.iter().filter(|name| !name.contains("train")) {
            let fits = TESTS.iter().any(|word| {
                let rest = test.strip_prefix(&train.replacen("train", word, 1));
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['_', '-']))
            });
            if fits {
                pairs.push(((*train).to_owned(), (*test).to_owned()));
            }
        }
    }
    pairs
}

/// One pair.
pub(super) fn examine_pair(
    catalogue: &Catalogue<'_>,
    copies: &Copies,
    train: &str,
    test: &str,
) -> Result<(PairFacts, Vec<Finding>)> {
    let (of_train, of_test) = (split(catalogue, train)?, split(catalogue, test)?);
    let trained: HashSet<u32> = of_train.iter().copied().collect();
    let mut tested = of_test.to_vec();
    tested.sort_unstable();
    tested.dedup();
    let shared = tested.iter().filter(|clip| trained.contains(clip));
    let shared: Vec<u32> = shared.copied().collect();
    let poses = shared_poses(of_train, &tested, &trained, copies);
    let leaked = shared.len() + poses.len();

    let counts = [of_train, of_test].map(|clips| histogram(clips, catalogue));
    let [in_train, in_test] = &counts;
    let lacks = |these: &BTreeMap<u32, usize>, those: &BTreeMap<u32, usize>| -> Vec<u32> {
        let classes = these.keys().filter(|class| !those.contains_key(class));
        classes.copied().collect()
    };
    let (untrained, untested) = (lacks(in_test, in_train), lacks(in_train, in_test));
    let of_untrained = tested.iter().copied().filter(|&clip| {
        catalogue.labels[clip as usize].is_some_and(|class| untrained.contains(&class))
    });
    let words = |classes: &[u32], one: &str, other: &str| {
        let (n, names) = (
            many(classes.len(), "class", "es"),
            named(catalogue, classes),
        );
        format!("{n} of {one} that {other} lacks: {names}")
    };
    let any =
        |classes: &[u32], counts: &BTreeMap<u32, usize>| !classes.is_empty() && !counts.is_empty();
    let found = [
        Finding::about(Kind::SharedClips, shared, |n| {
            format!("{n} both in {train} and in {test}")
        }),
        Finding::at(Kind::SharedPoses, poses, |n| {
            format!("{n} of {test} with the coordinates of clips of {train}")
        }),
        shared_subjects(catalogue, of_train, &tested, train, test),
        match any(&untrained, in_train) {
            true => Finding::about(Kind::ClassNotTrained, of_untrained.collect(), |_| {
                words(&untrained, test, train)
            }),
            false => None,
        },
        any(&untested, in_test)
            .then(|| Finding::new(Kind::ClassNotTested, words(&untested, train, test))),
    ];
    let labelled: usize = in_test.values().sum();
    let most = majority(in_train).filter(|_| labelled > 0);
    let facts = PairFacts {
        train: train.to_owned(),
        test: test.to_owned(),
        baseline: most.map(|Majority { class, .. }| {
            let right = in_test.get(&class).copied().unwrap_or(0);
            let share = right as f64 / labelled as f64;
            Majority { class, share }
        }),
        leaked,
    };
    let found = found.into_iter().flatten();
    let found = found.map(|finding| finding.of(&[train, test]));
    Ok((facts, found.collect()))
}

fn split<'a>(catalogue: &Catalogue<'a>, name: &str) -> Result<&'a [u32]> {
    let splits = || catalogue.splits.iter();
    let found = splits().find(|(known, _)| *known == name);
    found
        .map(|&(_, clips)| clips)
        .ok_or_else(|| Error::NoSplit {
            source_name: "the data set".to_owned(),
            name: name.to_owned(),
            known: splits().map(|(name, _)| (*name).to_owned()).collect(),
        })
}

/// Test clips that aren't training clips and have the coordinates of one, each with the first such.
fn shared_poses(
    of_train: &[u32],
    tested: &[u32],
    trained: &HashSet<u32>,
    copies: &Copies,
) -> Vec<Place> {
    let mut known: HashMap<u32, u32> = HashMap::new();
    for &clip in of_train {
        let twin = known.entry(copies.first(clip)).or_insert(clip);
        *twin = clip.min(*twin);
    }
    let others = tested.iter().filter(|clip| !trained.contains(clip));
    let place = |&clip: &u32| {
        let twin = known.get(&copies.first(clip)).copied();
        twin.is_some().then_some(Place { clip, twin })
    };
    others.filter_map(place).collect()
}

fn shared_subjects(
    catalogue: &Catalogue<'_>,
    of_train: &[u32],
    tested: &[u32],
    train: &str,
    test: &str,
) -> Option<Finding> {
    let subject = |clip: &u32| catalogue.subjects[*clip as usize];
    let trained: BTreeSet<u32> = of_train.iter().filter_map(subject).collect();
    let is_trained = |clip: &&u32| subject(clip).is_some_and(|subject| trained.contains(&subject));
    let at: Vec<u32> = tested.iter().filter(is_trained).copied().collect();
    let both: BTreeSet<u32> = at.iter().filter_map(subject).collect();
    let numbers: Vec<String> = both.iter().map(u32::to_string).collect();
    Finding::about(Kind::SharedSubjects, at, |_| match &numbers[..] {
        [one] => format!("subject {one} is in {train} and in {test}"),
        all => {
            let (n, some) = (all.len(), some(all));
            format!("{n} subjects are in {train} and in {test}: {some}")
        }
    })
}
