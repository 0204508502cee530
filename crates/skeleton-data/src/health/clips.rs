//! What is wrong with single clips.

use super::Catalogue;
use super::finding::{Finding, Kind, clips};
use crate::survey::{ClipFacts, Survey};

/// Findings about clips, whatever split they are in.
pub(super) fn findings(survey: &Survey, catalogue: &Catalogue<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut where_is =
        |kind, wrong: &dyn Fn(&ClipFacts) -> bool, words: &dyn Fn(usize) -> String| {
            let at: Vec<u32> = (0..)
                .zip(&survey.clips)
                .filter(|(_, clip)| wrong(clip))
                .map(|(index, _)| index)
                .collect();
            if !at.is_empty() {
                found.push(Finding::new(kind, words(at.len())).at(at));
            }
        };
    let empty = |clip: &ClipFacts| clip.persons == 0 || clip.frames == 0;
    where_is(Kind::EmptyClip, &empty, &|n| {
        format!("{} without a frame or without a person", clips(n))
    });
    where_is(
        Kind::NoPresentJoint,
        &|clip| !empty(clip) && clip.present == 0,
        &|n| format!("{} in which no joint is present in any frame", clips(n)),
    );
    where_is(Kind::NotFinite, &|clip| clip.not_finite > 0, &|n| {
        let joints: u64 = survey.clips.iter().map(|clip| clip.not_finite).sum();
        format!(
            "{} with coordinates that are not finite, {joints} joints in all",
            clips(n)
        )
    });
    let there = |clip: &ClipFacts| clip.present > 0;
    where_is(
        Kind::OneFrame,
        &|clip| there(clip) && clip.frames == 1,
        &|n| format!("{} of one frame", clips(n)),
    );
    where_is(
        Kind::Constant,
        &|clip| there(clip) && clip.frames > 1 && !clip.moves,
        &|n| format!("{} of several frames in which no joint moves", clips(n)),
    );
    found.extend(labels(catalogue));
    found
}

fn labels(catalogue: &Catalogue<'_>) -> Option<Finding> {
    let classes = catalogue.classes.len();
    let beyond = |label: &Option<u32>| label.is_some_and(|label| label as usize >= classes);
    let at: Vec<u32> = (0..)
        .zip(&catalogue.labels)
        .filter(|(_, label)| beyond(label))
        .map(|(index, _)| index)
        .collect();
    let largest = catalogue.labels.iter().flatten().max()?;
    let words = format!(
        "{} with labels up to {largest}, beyond the {classes} classes",
        clips(at.len())
    );
    (!at.is_empty()).then(|| Finding::new(Kind::LabelBeyondClasses, words).at(at))
}
