//! Clips that are byte for byte the same.

use super::Catalogue;
use super::finding::{Finding, Kind, Place, clips};
use crate::survey::Survey;
use crate::{ClipSource, Result};

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
    pub fn find(source: &dyn ClipSource, survey: &Survey) -> Result<Copies> {
        let mut first: Vec<u32> = (0..survey.clips.len() as u32).collect();
        let hash = |clip: u32| survey.clips[clip as usize].content;
        let mut order: Vec<u32> = first
            .iter()
            .copied()
            .filter(|&clip| survey.clips[clip as usize].present > 0)
            .collect();
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
    pub fn first(&self, clip: u32) -> u32 {
        self.first[clip as usize]
    }

    /// Copies anywhere, and those that are labelled differently.
    pub fn findings(&self, catalogue: &Catalogue<'_>) -> Vec<Finding> {
        let copies: Vec<Place> = (0..)
            .zip(&self.first)
            .filter(|&(clip, &first)| clip != first)
            .map(|(clip, &first)| Place {
                clip,
                twin: Some(first),
            })
            .collect();
        let label = |clip: u32| catalogue.labels[clip as usize];
        let differ = |place: &&Place| {
            let twin = place.twin.and_then(label);
            label(place.clip)
                .zip(twin)
                .is_some_and(|(one, other)| one != other)
        };
        let contradictions: Vec<Place> = copies.iter().filter(differ).copied().collect();
        let mut found = Vec::new();
        if !contradictions.is_empty() {
            let words = format!(
                "{} with the coordinates of an earlier clip and another label",
                clips(contradictions.len())
            );
            found.push(Finding {
                places: contradictions,
                ..Finding::new(Kind::ContradictoryLabels, words)
            });
        }
        if !copies.is_empty() {
            let words = format!(
                "{} with the coordinates of an earlier clip",
                clips(copies.len())
            );
            found.push(Finding {
                places: copies,
                ..Finding::new(Kind::Copies, words)
            });
        }
        found
    }
}

fn same(source: &dyn ClipSource, one: u32, other: u32) -> Result<bool> {
    let (one, other) = (source.clip(one as usize)?, source.clip(other as usize)?);
    Ok((one.persons, one.frames) == (other.persons, other.frames)
        && one.keypoints.bytes() == other.keypoints.bytes())
}
