//! What `ssl inspect` says.

mod text;

use std::collections::BTreeMap;

use serde::Serialize;
use skeleton_data::ClipSource;
use skeleton_data::cache::{Cache, VerifyReport};
use skeleton_data::survey::{ScoreCounts, Survey};

use super::bars::bins;
use crate::expected;

/// Shares of missing joints by which clips are counted: up to each, in percent.
const MISSING: [f64; 6] = [0.0, 1.0, 5.0, 20.0, 50.0, 100.0];

/// What a cache holds.
#[derive(Debug, Serialize)]
pub struct Contents<'a> {
    dataset: &'a str,
    layout: &'a str,
    joints: usize,
    parts: Vec<Part<'a>>,
    coordinates: usize,
    units: &'a str,
    element_type: &'a str,
    scores: bool,
    clips: usize,
    unlabelled: usize,
    splits: BTreeMap<&'a str, usize>,
    classes: Vec<Class<'a>>,
    frames: Frames,
    /// Clips by the number of people stored.
    persons: BTreeMap<u32, usize>,
    /// Clips by the number of people with a joint.
    tracks: BTreeMap<u32, usize>,
    /// Share of joints that are missing, of all people in all frames.
    missing_joints: f64,
    /// Share of stored rows (one person in one frame) without any joint.
    absent_poses: f64,
    /// By joint, the share of the other rows that lack it.
    missing_by_joint: Vec<Joint<'a>>,
    /// Clips by their share of missing joints.
    missing_by_clip: Vec<Upto>,
    #[serde(skip_serializing_if = "Option::is_none")]
    score_distribution: Option<Scores>,
    #[serde(skip_serializing_if = "Option::is_none")]
    published: Option<Published>,
    digest: &'a str,
    created_by: &'a str,
    source: &'a serde_json::Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    verified: Option<VerifyReport>,
}

/// A part of the layout with its joints' names.
#[derive(Debug, Serialize)]
struct Part<'a> {
    name: &'a str,
    joints: Vec<&'a str>,
}

#[derive(Debug, Serialize)]
struct Class<'a> {
    name: &'a str,
    clips: usize,
}

#[derive(Debug, Serialize)]
struct Frames {
    min: usize,
    median: usize,
    max: usize,
    histogram: Vec<Bin>,
}

#[derive(Debug, Serialize)]
struct Bin {
    from: usize,
    to: usize,
    clips: u64,
}

#[derive(Debug, Serialize)]
struct Joint<'a> {
    joint: &'a str,
    share: f64,
}

/// Clips whose share of missing joints is above the one before and not above this one.
#[derive(Debug, Serialize)]
struct Upto {
    percent: f64,
    clips: u64,
}

#[derive(Debug, Serialize)]
struct Scores {
    zero_or_less: u64,
    above_one: u64,
    not_finite: u64,
    /// Scores above 0 in ten equal bins up to 1.
    tenths: [u64; 10],
    /// Of all scores, by percent.
    quantiles: BTreeMap<u8, f64>,
}

/// What is known of the data set, beside what was found.
#[derive(Debug, Serialize)]
struct Published {
    title: &'static str,
    /// What is known of it.
    compared: Vec<&'static str>,
    differences: Vec<String>,
}

impl<'a> Contents<'a> {
    /// Puts together what the cache says of itself and what a pass over its clips found.
    pub fn new(cache: &'a Cache, survey: &Survey, verified: Option<VerifyReport>) -> Contents<'a> {
        let labels = cache.labels();
        let mut of_class = vec![0; cache.classes().len()];
        labels
            .iter()
            .flatten()
            .for_each(|&label| of_class[label as usize] += 1);
        let classes = cache
            .classes()
            .iter()
            .zip(of_class)
            .map(|(name, clips)| Class { name, clips });
        let by = |number: fn(&skeleton_data::survey::ClipFacts) -> u32| {
            let mut clips = BTreeMap::new();
            survey
                .clips
                .iter()
                .for_each(|clip| *clips.entry(number(clip)).or_default() += 1);
            clips
        };
        let shares = survey
            .missing
            .iter()
            .map(|&missing| share(missing, survey.poses));
        let joints = cache.layout().joints().iter().zip(shares);
        Contents {
            dataset: cache.dataset(),
            layout: cache.layout().name(),
            joints: cache.layout().len(),
            parts: cache
                .layout()
                .parts()
                .iter()
                .map(|part| Part::of(part, cache))
                .collect(),
            coordinates: cache.coordinates(),
            units: cache.units().name(),
            element_type: cache.element_type(),
            scores: cache.has_scores(),
            clips: cache.len(),
            unlabelled: labels.iter().filter(|label| label.is_none()).count(),
            splits: cache.splits().collect(),
            classes: classes.collect(),
            frames: Frames::of(survey),
            persons: by(|clip| clip.persons),
            tracks: by(|clip| clip.tracks),
            missing_joints: survey.missing_share(),
            absent_poses: share(survey.rows - survey.poses, survey.rows),
            missing_by_joint: joints
                .map(|(joint, share)| Joint { joint, share })
                .collect(),
            missing_by_clip: by_clip(survey),
            score_distribution: survey.scores.as_ref().map(Scores::of),
            published: expected::differences(cache).map(|(facts, differences)| Published {
                title: &facts.title,
                compared: expected::known(facts),
                differences,
            }),
            digest: cache.digest(),
            created_by: cache.created_by(),
            source: cache.source(),
            verified,
        }
    }
}

impl<'a> Part<'a> {
    fn of(part: &'a skeleton_graph::Part, cache: &'a Cache) -> Part<'a> {
        let names = cache.layout().joints();
        Part {
            name: &part.name,
            joints: part.joints.iter().map(|&j| names[j].as_str()).collect(),
        }
    }
}

impl Frames {
    fn of(survey: &Survey) -> Frames {
        let mut lengths: Vec<usize> = survey
            .clips
            .iter()
            .map(|clip| clip.frames as usize)
            .collect();
        lengths.sort_unstable();
        let at = |place: usize| lengths.get(place).copied().unwrap_or(0);
        Frames {
            min: at(0),
            median: at(lengths.len() / 2),
            max: at(lengths.len().saturating_sub(1)),
            histogram: bins(&lengths)
                .into_iter()
                .map(|(from, to, clips)| Bin { from, to, clips })
                .collect(),
        }
    }
}

impl Scores {
    fn of(counts: &ScoreCounts) -> Scores {
        Scores {
            zero_or_less: counts.zero,
            above_one: counts.above,
            not_finite: counts.not_finite,
            tenths: counts.tenths(),
            quantiles: [5, 25, 50, 75, 95]
                .into_iter()
                .map(|at| (at, counts.quantile(f64::from(at) / 100.0)))
                .collect(),
        }
    }
}

fn by_clip(survey: &Survey) -> Vec<Upto> {
    let joints = survey.missing.len() as u64;
    let mut upto: Vec<Upto> = MISSING
        .iter()
        .map(|&percent| Upto { percent, clips: 0 })
        .collect();
    for clip in &survey.clips {
        let all = u64::from(clip.persons) * u64::from(clip.frames) * joints;
        let missing = 100.0 * share(all - clip.present, all);
        if let Some(bin) = upto.iter_mut().find(|bin| missing <= bin.percent) {
            bin.clips += 1;
        }
    }
    upto
}

fn share(part: u64, all: u64) -> f64 {
    if all == 0 {
        0.0
    } else {
        part as f64 / all as f64
    }
}
