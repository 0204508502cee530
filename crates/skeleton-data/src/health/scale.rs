//! Whether sizes agree with the units and with each other.

use super::Catalogue;
use super::finding::{Finding, Kind, clips};
use crate::Units;
use crate::survey::{ClipFacts, Survey};

/// Findings about sizes. A clip's size is the mean diagonal of the box around a person.
pub(super) fn findings(survey: &Survey, catalogue: &Catalogue<'_>) -> Vec<Finding> {
    let mut sizes: Vec<f32> = survey
        .clips
        .iter()
        .filter(|clip| sized(clip))
        .map(|clip| clip.size)
        .collect();
    if sizes.is_empty() {
        return Vec::new();
    }
    sizes.sort_by(f32::total_cmp);
    let median = sizes[sizes.len() / 2];
    let mut found = Vec::from_iter(units(survey, catalogue.units, median));
    // Perspective makes people in pixels differ more than people in space do.
    let factor = if catalogue.units == Units::Pixel {
        30.0
    } else {
        10.0
    };
    let strange = |clip: &ClipFacts| {
        sized(clip) && (clip.size > factor * median || clip.size < median / factor)
    };
    let at = places(survey, strange);
    if !at.is_empty() {
        let words = format!(
            "{} of people over {factor} times larger or smaller than the median ({})",
            clips(at.len()),
            length(median, catalogue.units)
        );
        found.push(Finding::new(Kind::Scale, words).at(at));
    }
    if catalogue.units == Units::Pixel {
        let at = places(survey, |clip| clip.outside * 2 > clip.present);
        if !at.is_empty() {
            let words = format!("{} with most joints outside of the image", clips(at.len()));
            found.push(Finding::new(Kind::OutsideImage, words).at(at));
        }
    }
    found
}

/// A size that no person has in these units. The bounds are wide: a box around a person, whole or in part, is 0.1 to 10 m
/// and at least 4 pixels; a normalised one is at most 100, and places in space are within 100 m.
fn units(survey: &Survey, units: Units, median: f32) -> Option<Finding> {
    let mut reaches: Vec<f32> = survey
        .clips
        .iter()
        .filter(|clip| sized(clip))
        .map(|clip| clip.reach)
        .collect();
    reaches.sort_by(f32::total_cmp);
    let reach = reaches[reaches.len() / 2];
    let wrong = match units {
        Units::Pixel => median < 4.0,
        Units::Metre => !(0.1..=10.0).contains(&median) || reach > 100.0,
        Units::Normalised => median > 100.0,
    };
    let words = format!(
        "units are said to be {}, and people are {} large (median), their coordinates up to {reach:.4} (median)",
        units.name(),
        length(median, units)
    );
    wrong.then(|| Finding::new(Kind::Units, words))
}

fn sized(clip: &ClipFacts) -> bool {
    clip.size > 0.0
}

fn places(survey: &Survey, wrong: impl Fn(&ClipFacts) -> bool) -> Vec<u32> {
    (0..)
        .zip(&survey.clips)
        .filter(|(_, clip)| wrong(clip))
        .map(|(index, _)| index)
        .collect()
}

fn length(size: f32, units: Units) -> String {
    let number = if size >= 100.0 {
        format!("{size:.0}")
    } else {
        format!("{size:.2}")
    };
    match units {
        Units::Pixel => format!("{number} pixels"),
        Units::Metre => format!("{number} m"),
        Units::Normalised => number,
    }
}
