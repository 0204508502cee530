//! What is wrong with one split.

use std::collections::BTreeMap;

use super::finding::{Finding, Kind, clips, some};
use super::{Catalogue, Majority, SplitFacts};

/// Above this share of one class a split is uneven, unless it has so few classes that half is their fair part.
const UNEVEN: f64 = 0.5;

/// Labelled clips by class.
pub(super) fn histogram(indices: &[u32], catalogue: &Catalogue<'_>) -> BTreeMap<u32, usize> {
    let mut counts = BTreeMap::new();
    for label in indices
        .iter()
        .filter_map(|&clip| catalogue.labels[clip as usize])
    {
        *counts.entry(label).or_default() += 1;
    }
    counts
}

/// The most frequent class; of equal ones the smallest.
pub(super) fn majority(counts: &BTreeMap<u32, usize>) -> Option<Majority> {
    let all: usize = counts.values().sum();
    let (&class, &most) = counts
        .iter()
        .max_by_key(|&(&class, &n)| (n, std::cmp::Reverse(class)))?;
    Some(Majority {
        class,
        share: most as f64 / all as f64,
    })
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
    let mut found = Vec::new();
    if indices.is_empty() {
        found.push(Finding::new(
            Kind::EmptySplit,
            format!("split {name} has no clip"),
        ));
    }
    let mut sorted = indices.to_vec();
    sorted.sort_unstable();
    let mut repeated: Vec<u32> = sorted
        .windows(2)
        .filter(|two| two[0] == two[1])
        .map(|two| two[0])
        .collect();
    repeated.dedup();
    if !repeated.is_empty() {
        let words = format!("split {name} has {} more than once", clips(repeated.len()));
        found.push(Finding::new(Kind::RepeatedInSplit, words).at(repeated));
    }
    let unlabelled: Vec<u32> = indices
        .iter()
        .copied()
        .filter(|&clip| catalogue.labels[clip as usize].is_none())
        .collect();
    if !unlabelled.is_empty() {
        let words = format!(
            "{} of split {name} without a label",
            clips(unlabelled.len())
        );
        found.push(Finding::new(Kind::Unlabelled, words).at(unlabelled));
    }
    let counts = histogram(indices, catalogue);
    if let Some(most) = majority(&counts)
        .filter(|most| counts.len() > 1 && most.share > UNEVEN.max(1.5 / counts.len() as f64))
    {
        let class = class_name(catalogue, most.class);
        let words = format!(
            "{:.1} % of split {name} are of class {class}",
            100.0 * most.share
        );
        found.push(Finding::new(Kind::Uneven, words));
    }
    found
        .into_iter()
        .map(|finding| finding.of(&[name]))
        .collect()
}

/// Classes that no clip has, whatever its split. Where no clip has a label, nothing is to be said.
pub(super) fn classes_without_clips(catalogue: &Catalogue<'_>) -> Option<Finding> {
    let mut seen = vec![false; catalogue.classes.len()];
    for label in catalogue.labels.iter().flatten() {
        if let Some(seen) = seen.get_mut(*label as usize) {
            *seen = true;
        }
    }
    let missing: Vec<u32> = (0..)
        .zip(&seen)
        .filter(|&(_, &seen)| !seen)
        .map(|(class, _)| class)
        .collect();
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
pub(super) fn named(catalogue: &Catalogue<'_>, classes: &[u32]) -> String {
    some(
        &classes
            .iter()
            .map(|&class| class_name(catalogue, class))
            .collect::<Vec<_>>(),
    )
}

fn class_name(catalogue: &Catalogue<'_>, class: u32) -> String {
    catalogue
        .classes
        .get(class as usize)
        .map_or_else(|| class.to_string(), |name| format!("{class} ({name})"))
}
