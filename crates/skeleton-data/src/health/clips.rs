//! What is wrong with single clips, whatever split they are in: empty ones, still ones, those of a strange size, copies.

use super::Catalogue;
use super::finding::{Finding, Kind, Place};
use crate::reading::Reading;
use crate::sample::{PeopleBy, share_of_motion};
use crate::survey::{ClipFacts, Survey};
use crate::{ClipSource, Result, Units};

/// The clips that a condition holds of.
fn clips_where(survey: &Survey, holds: impl Fn(&ClipFacts) -> bool) -> Vec<u32> {
    let clips = (0..).zip(&survey.clips).filter(|(_, clip)| holds(clip));
    clips.map(|(index, _)| index).collect()
}

/// Findings about what is in a clip.
pub(super) fn findings(survey: &Survey, catalogue: &Catalogue<'_>) -> Vec<Finding> {
    let empty = |clip: &ClipFacts| clip.persons == 0 || clip.frames == 0;
    let there = |clip: &ClipFacts| clip.present > 0;
    let found = [
        Finding::about(Kind::EmptyClip, clips_where(survey, empty), |n| {
            format!("{n} without a frame or without a person")
        }),
        Finding::about(
            Kind::NoPresentJoint,
            clips_where(survey, |clip| !empty(clip) && !there(clip)),
            |n| format!("{n} in which no joint is present in any frame"),
        ),
        Finding::about(
            Kind::NotFinite,
            clips_where(survey, |clip| clip.not_finite > 0),
            |n| {
                let joints: u64 = survey.clips.iter().map(|clip| clip.not_finite).sum();
                format!("{n} with coordinates that are not finite, {joints} joints in all")
            },
        ),
        Finding::about(
            Kind::OneFrame,
            clips_where(survey, |clip| there(clip) && clip.frames == 1),
            |n| format!("{n} of one frame"),
        ),
        Finding::about(
            Kind::Constant,
            clips_where(survey, |clip| there(clip) && clip.frames > 1 && !clip.moves),
            |n| format!("{n} of several frames in which no joint moves"),
        ),
        labels(catalogue),
    ];
    found.into_iter().flatten().collect()
}

fn labels(catalogue: &Catalogue<'_>) -> Option<Finding> {
    let classes = catalogue.classes.len();
    let beyond = |label: &Option<u32>| label.is_some_and(|label| label as usize >= classes);
    let at = (0..).zip(&catalogue.labels);
    let at = at
        .filter(|(_, label)| beyond(label))
        .map(|(index, _)| index);
    let largest = catalogue.labels.iter().flatten().max()?;
    Finding::about(Kind::LabelBeyondClasses, at.collect(), |n| {
        format!("{n} with labels up to {largest}, beyond the {classes} classes")
    })
}

/// Findings about sizes: whether they agree with the units and with each other. A clip's size is the mean diagonal of the box
/// around a person.
pub(super) fn sizes(survey: &Survey, catalogue: &Catalogue<'_>) -> Vec<Finding> {
    let sized = |clip: &&ClipFacts| clip.size > 0.0;
    let median = |of: fn(&ClipFacts) -> f32| {
        let mut all: Vec<f32> = survey.clips.iter().filter(sized).map(of).collect();
        all.sort_by(f32::total_cmp);
        all.get(all.len() / 2).copied()
    };
    let units = catalogue.units;
    let (Some(size), Some(reach)) = (median(|clip| clip.size), median(|clip| clip.reach)) else {
        return Vec::new();
    };
    // Bounds are wide: a box around a person, whole or in part, is 0.1 to 10 m and at least 4 pixels; a normalised one is at
    // most 100, and places in space are within 100 m.
    let impossible = match units {
        Units::Pixel => size < 4.0,
        Units::Metre => !(0.1..=10.0).contains(&size) || reach > 100.0,
        Units::Normalised => size > 100.0,
    };
    let score = third_is_score(survey, size);
    let words = format!(
        "units are said to be {}, and people are {} large (median), their coordinates up to {reach:.4} (median)",
        units.name(),
        length(size, units)
    );
    // Perspective makes people in pixels differ more than people in space do.
    let factor = match units {
        Units::Pixel => 30.0,
        _ => 10.0,
    };
    let strange =
        |clip: &ClipFacts| sized(&clip) && (clip.size > factor * size || clip.size < size / factor);
    let outside = |clip: &ClipFacts| units == Units::Pixel && clip.outside * 2 > clip.present;
    let found = [
        // Other units would make it a fault that nobody sees.
        (impossible && score.is_none()).then(|| Finding::new(Kind::Units, words)),
        score,
        marks(survey),
        Finding::about(Kind::Scale, clips_where(survey, strange), |n| {
            let median = length(size, units);
            format!(
                "{n} of people over {factor} times larger or smaller than the median ({median})"
            )
        }),
        Finding::about(Kind::OutsideImage, clips_where(survey, outside), |n| {
            format!("{n} with most joints outside of the image")
        }),
    ];
    found.into_iter().flatten().collect()
}

/// Whether the third coordinate is within 0 to 1 where people are sizes in pixels.
fn third_is_score(survey: &Survey, size: f32) -> Option<Finding> {
    let (low, high) = survey.third?;
    if low < 0.0 || high > 1.0 || size < 10.0 {
        return None;
    }
    let words = format!(
        "the third coordinate lies within {low:.2} to {high:.2} while people are {size:.0} large (median): it looks like a score"
    );
    Some(Finding::new(Kind::ThirdIsScore, words))
}

/// From this share of all joints on, one place is no chance.
const MARKED: f64 = 0.02;

/// Joints that are many times at one place.
fn marks(survey: &Survey) -> Option<Finding> {
    let joints = survey.rows * survey.missing.len() as u64;
    let &(value, count) = survey.marks.iter().max_by_key(|(_, count)| *count)?;
    let share = count as f64 / joints.max(1) as f64;
    if share < MARKED {
        return None;
    }
    let places = vec![value.to_string(); 2 + usize::from(survey.third.is_some())];
    let words = format!(
        "{:.0} % of all joints are at exactly ({})",
        100.0 * share,
        places.join(", ")
    );
    Some(Finding::new(Kind::Mark, words))
}

/// Clips with more people than are read, and what of their motion is.
///
/// # Errors
/// A clip that can't be read.
pub(super) fn more_people(
    source: &dyn ClipSource,
    survey: &Survey,
    reading: &Reading,
) -> Result<Option<Finding>> {
    let clips = clips_where(survey, |clip| clip.tracks as usize > reading.persons);
    let mut shares = Vec::with_capacity(clips.len());
    for &clip in &clips {
        let view = source.clip(clip as usize)?;
        let (threshold, persons) = (reading.score_threshold, reading.persons);
        shares.push(share_of_motion(&view, threshold, persons, reading.people));
    }
    shares.sort_by(f64::total_cmp);
    let median = shares.get(shares.len() / 2).copied().unwrap_or(1.0);
    let n = reading.persons;
    let by = match reading.people {
        PeopleBy::Presence => "those with the most present joints",
        PeopleBy::Score => "those with the largest scores",
        PeopleBy::Motion => "those that move most",
    };
    Ok(Finding::about(Kind::MorePeople, clips, |clips| {
        format!(
            "{clips} with more people than reading.persons = {n}: {by} are read, the others are not; {:.0} % of the motion is read (median)",
            100.0 * median
        )
    }))
}

fn length(size: f32, units: Units) -> String {
    let number = match size >= 100.0 {
        true => format!("{size:.0}"),
        false => format!("{size:.2}"),
    };
    match units {
        Units::Pixel => format!("{number} pixels"),
        Units::Metre => format!("{number} m"),
        Units::Normalised => number,
    }
}

/// For each clip the first one with the same coordinates: itself, mostly.
pub(super) struct Copies {
    first: Vec<u32>,
}

impl Copies {
    /// Finds the copies among the clips that the survey's hashes don't tell apart, by comparing their bytes. Clips without a
    /// present joint are nobody's copies: that they are equal is no news.
    ///
    /// # Errors
    /// A clip that can't be read.
    pub(super) fn find(source: &dyn ClipSource, survey: &Survey) -> Result<Copies> {
        let mut first: Vec<u32> = (0..survey.clips.len() as u32).collect();
        let hash = |clip: u32| survey.clips[clip as usize].content;
        let mut order = clips_where(survey, |clip| clip.present > 0);
        order.sort_by_key(|&clip| (hash(clip), clip));
        for candidates in order.chunk_by(|&a, &b| hash(a) == hash(b)) {
            // The different clips of this hash: one, unless two clips have it by chance.
            let mut different: Vec<u32> = Vec::new();
            for &clip in candidates {
                let mut original = None;
                for &other in &different {
                    if same(source, other, clip)? {
                        original = Some(other);
                        break;
                    }
                }
                match original {
                    Some(original) => first[clip as usize] = original,
                    None => different.push(clip),
                }
            }
        }
        Ok(Copies { first })
    }

    /// The first clip with the coordinates of `clip`.
    pub(super) fn first(&self, clip: u32) -> u32 {
        self.first[clip as usize]
    }

    /// Copies anywhere, and those that are labelled differently.
    pub(super) fn findings(&self, catalogue: &Catalogue<'_>) -> Vec<Finding> {
        let twin = |(clip, &first): (u32, &u32)| {
            let twin = Some(first);
            (clip != first).then_some(Place { clip, twin })
        };
        let copies: Vec<Place> = (0..).zip(&self.first).filter_map(twin).collect();
        let label = |clip: u32| catalogue.labels[clip as usize];
        let differ = |place: &&Place| {
            let both = label(place.clip).zip(place.twin.and_then(label));
            both.is_some_and(|(one, other)| one != other)
        };
        let contradictions = copies.iter().filter(differ).copied().collect();
        let found = [
            Finding::at(Kind::ContradictoryLabels, contradictions, |n| {
                format!("{n} with the coordinates of an earlier clip and another label")
            }),
            Finding::at(Kind::Copies, copies, |n| {
                format!("{n} with the coordinates of an earlier clip")
            }),
        ];
        found.into_iter().flatten().collect()
    }
}

fn same(source: &dyn ClipSource, one: u32, other: u32) -> Result<bool> {
    let (one, other) = (source.clip(one as usize)?, source.clip(other as usize)?);
    Ok((one.persons, one.frames) == (other.persons, other.frames)
        && one.keypoints.bytes() == other.keypoints.bytes())
}
