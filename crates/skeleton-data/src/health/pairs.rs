//! What is wrong between a split to train on and one to test on.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::copies::Copies;
use super::finding::{Finding, Kind, Place, clips, some};
use super::splits::{histogram, majority, named};
use super::{Catalogue, Majority, PairFacts};
use crate::{Error, Result};

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
pub(super) fn examine(
    catalogue: &Catalogue<'_>,
    copies: &Copies,
    train: &str,
    test: &str,
) -> Result<(PairFacts, Vec<Finding>)> {
    let (of_train, of_test) = (split(catalogue, train)?, split(catalogue, test)?);
    let mut found = Vec::new();
    let trained: HashSet<u32> = of_train.iter().copied().collect();
    let mut tested = of_test.to_vec();
    tested.sort_unstable();
    tested.dedup();

    let shared: Vec<u32> = tested
        .iter()
        .copied()
        .filter(|clip| trained.contains(clip))
        .collect();
    let poses = shared_poses(of_train, &tested, &trained, copies);
    let leaked = shared.len() + poses.len();
    if !shared.is_empty() {
        let words = format!("{} both in {train} and in {test}", clips(shared.len()));
        found.push(Finding::new(Kind::SharedClips, words).at(shared));
    }
    if !poses.is_empty() {
        let words = format!(
            "{} of {test} with the coordinates of clips of {train}",
            clips(poses.len())
        );
        found.push(Finding {
            places: poses,
            ..Finding::new(Kind::SharedPoses, words)
        });
    }
    found.extend(shared_subjects(catalogue, of_train, &tested, train, test));

    let (train_counts, test_counts) = (
        histogram(of_train, catalogue),
        histogram(of_test, catalogue),
    );
    let lacks = |these: &std::collections::BTreeMap<u32, usize>,
                 those: &std::collections::BTreeMap<u32, usize>|
     -> Vec<u32> {
        these
            .keys()
            .copied()
            .filter(|class| !those.contains_key(class))
            .collect()
    };
    let (untrained, untested) = (
        lacks(&test_counts, &train_counts),
        lacks(&train_counts, &test_counts),
    );
    let classes = |n: usize| {
        if n == 1 {
            "1 class".to_owned()
        } else {
            format!("{n} classes")
        }
    };
    if !untrained.is_empty() && !train_counts.is_empty() {
        let at = tested.iter().copied().filter(|&clip| {
            catalogue.labels[clip as usize].is_some_and(|class| untrained.contains(&class))
        });
        let words = format!(
            "{} of {test} that {train} lacks: {}",
            classes(untrained.len()),
            named(catalogue, &untrained)
        );
        found.push(Finding::new(Kind::ClassNotTrained, words).at(at));
    }
    if !untested.is_empty() && !test_counts.is_empty() {
        let words = format!(
            "{} of {train} that {test} lacks: {}",
            classes(untested.len()),
            named(catalogue, &untested)
        );
        found.push(Finding::new(Kind::ClassNotTested, words));
    }
    let labelled: usize = test_counts.values().sum();
    let baseline = majority(&train_counts)
        .filter(|_| labelled > 0)
        .map(|most| Majority {
            class: most.class,
            share: test_counts.get(&most.class).copied().unwrap_or(0) as f64 / labelled as f64,
        });
    let facts = PairFacts {
        train: train.to_owned(),
        test: test.to_owned(),
        baseline,
        leaked,
    };
    Ok((
        facts,
        found
            .into_iter()
            .map(|finding| finding.of(&[train, test]))
            .collect(),
    ))
}

fn split<'a>(catalogue: &Catalogue<'a>, name: &str) -> Result<&'a [u32]> {
    let found = catalogue.splits.iter().find(|(known, _)| *known == name);
    found
        .map(|&(_, clips)| clips)
        .ok_or_else(|| Error::NoSplit {
            source_name: "the data set".to_owned(),
            name: name.to_owned(),
            known: catalogue
                .splits
                .iter()
                .map(|(name, _)| (*name).to_owned())
                .collect(),
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
        Some(Place {
            clip,
            twin: Some(*known.get(&copies.first(clip))?),
        })
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
    let subjects = |clips: &[u32]| -> BTreeSet<u32> {
        clips
            .iter()
            .filter_map(|&clip| catalogue.subjects[clip as usize])
            .collect()
    };
    let both: BTreeSet<u32> = subjects(of_train)
        .intersection(&subjects(tested))
        .copied()
        .collect();
    if both.is_empty() {
        return None;
    }
    let numbers: Vec<String> = both.iter().map(u32::to_string).collect();
    let words = match both.len() {
        1 => format!("subject {} is in {train} and in {test}", numbers[0]),
        n => format!(
            "{n} subjects are in {train} and in {test}: {}",
            some(&numbers)
        ),
    };
    let at = tested.iter().copied().filter(|&clip| {
        catalogue.subjects[clip as usize].is_some_and(|subject| both.contains(&subject))
    });
    Some(Finding::new(Kind::SharedSubjects, words).at(at))
}
