//! What `ssl inspect` says: a document, and a page whose counts are rows with bars, legible without colour.

use std::collections::BTreeMap;

use serde::Serialize;
use skeleton_data::ClipSource;
use skeleton_data::cache::{Cache, VerifyReport};
use skeleton_data::draw::plain;
use skeleton_data::survey::{ClipFacts, ScoreCounts, Survey};

use super::{columns, count, percent};
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
        let by = |number: fn(&ClipFacts) -> u32| {
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

/// Where no joint is missing as often as this, joints aren't listed.
const SMALL: f64 = 0.001;

impl Contents<'_> {
    /// A page for people.
    pub fn text(&self) -> String {
        let mut lines = self.head();
        lines.extend(self.published_lines());
        if !self.frames.histogram.is_empty() {
            lines.push("frames, by clips".to_owned());
            let digits = self.frames.max.to_string().len();
            let name = |bin: &Bin| format!("{:>digits$} to {:>digits$}", bin.from, bin.to);
            let rows: Vec<_> = self
                .frames
                .histogram
                .iter()
                .map(|bin| (name(bin), bin.clips))
                .collect();
            lines.extend(bars(&rows));
        }
        lines.extend(self.missing());
        lines.extend(self.score_distribution.iter().flat_map(Scores::lines));
        lines.push("splits, by clips".to_owned());
        lines.extend(bars(
            &self
                .splits
                .iter()
                .map(|(name, &clips)| (plain(name), clips as u64))
                .collect::<Vec<_>>(),
        ));
        lines.push("classes, by clips".to_owned());
        lines.extend(bars(
            &self
                .classes
                .iter()
                .map(|class| (plain(class.name), class.clips as u64))
                .collect::<Vec<_>>(),
        ));
        if let Some(verified) = &self.verified {
            lines.push(format!(
                "verified: the checksums of all {} agree",
                count(verified.samples, "clip")
            ));
        }
        lines.join("\n")
    }

    fn head(&self) -> Vec<String> {
        let scores = if self.scores { ", with scores" } else { "" };
        let mut lines = vec![
            format!("{}: {}", plain(self.dataset), count(self.clips, "clip")),
            format!(
                "  layout    {}, {} joints of {} coordinates in {} units, {}{scores}",
                plain(self.layout),
                self.joints,
                self.coordinates,
                self.units,
                self.element_type,
            ),
            format!(
                "  frames    {} to {}, median {}",
                self.frames.min, self.frames.max, self.frames.median
            ),
            format!("  people    {}", people(&self.persons)),
            format!("  missing   {} of all joints", percent(self.missing_joints)),
            format!("  digest    {}", self.digest),
            format!("  made by   {}", plain(self.created_by)),
        ];
        if self.tracks != self.persons {
            lines.insert(4, format!("  seen      {}", people(&self.tracks)));
        }
        if self.unlabelled > 0 {
            lines.push(format!(
                "  without a label: {}",
                count(self.unlabelled, "clip")
            ));
        }
        lines
    }

    fn published_lines(&self) -> Vec<String> {
        let Some(published) = &self.published else {
            return Vec::new();
        };
        if published.differences.is_empty() {
            let what = published.compared.join(", ");
            return vec![format!("as is known of {}: {what}", published.title)];
        }
        let mut lines = vec![format!("differs from what is known of {}", published.title)];
        lines.extend(
            published
                .differences
                .iter()
                .map(|difference| format!("  {}", plain(difference))),
        );
        lines
    }

    fn missing(&self) -> Vec<String> {
        if self.missing_joints == 0.0 {
            return Vec::new();
        }
        let mut lines = vec!["missing joints, by clips".to_owned()];
        let name = |upto: &Upto| {
            if upto.percent == 0.0 {
                "none".to_owned()
            } else {
                format!("up to {} %", upto.percent)
            }
        };
        lines.extend(bars(
            &self
                .missing_by_clip
                .iter()
                .map(|upto| (name(upto), upto.clips))
                .collect::<Vec<_>>(),
        ));
        if self.absent_poses > 0.0 {
            lines.push(format!(
                "people stored without any joint: {} of their frames",
                percent(self.absent_poses)
            ));
        }
        let shares = self.missing_by_joint.iter().map(|joint| joint.share);
        if shares.fold(0.0, f64::max) < SMALL {
            lines.push(format!(
                "missing, by joint: below {} of each",
                percent(SMALL)
            ));
            return lines;
        }
        lines.push("missing, by joint, where the person is seen".to_owned());
        let row = |Joint { joint, share }: &Joint<'_>| {
            let length = (LONGEST as f64 * share).ceil() as usize;
            barred(&plain(joint), &percent(*share), length)
        };
        let rows: Vec<_> = self.missing_by_joint.iter().map(row).collect();
        lines.extend(columns(&[false, true, false], &rows));
        lines
    }
}

impl Scores {
    fn lines(&self) -> Vec<String> {
        let mut rows = vec![("0 or less".to_owned(), self.zero_or_less)];
        let tenth = |(bin, &n): (usize, &u64)| (format!("up to {:.1}", (bin + 1) as f64 / 10.0), n);
        rows.extend(self.tenths.iter().enumerate().map(tenth));
        let rest = [("above 1", self.above_one), ("not finite", self.not_finite)];
        rows.extend(
            rest.into_iter()
                .filter(|&(_, n)| n > 0)
                .map(|(name, n)| (name.to_owned(), n)),
        );
        let quantiles: Vec<String> = self
            .quantiles
            .iter()
            .map(|(at, score)| format!("{at} % up to {score:.2}"))
            .collect();
        let mut lines = vec![format!("scores, by joints: {}", quantiles.join(", "))];
        lines.extend(bars(&rows));
        lines
    }
}

fn people(clips: &BTreeMap<u32, usize>) -> String {
    let parts: Vec<String> = clips
        .iter()
        .map(|(persons, &clips)| format!("{persons} in {}", count(clips, "clip")))
        .collect();
    parts.join(", ")
}

/// The longest bar.
const LONGEST: usize = 40;

/// `  name   12  ####`, names left, counts right. Whatever is not 0 has a bar.
fn bars<N: AsRef<str>>(rows: &[(N, u64)]) -> Vec<String> {
    let most = rows.iter().map(|&(_, n)| n).max().unwrap_or(0).max(1);
    // In u128: counts of joints times the length may leave u64.
    let length = |n| (u128::from(n) * LONGEST as u128).div_ceil(u128::from(most)) as usize;
    let row = |(name, n): &(N, u64)| barred(name.as_ref(), &n.to_string(), length(*n));
    let rows: Vec<_> = rows.iter().map(row).collect();
    columns(&[false, true, false], &rows)
}

/// A row of [`columns`] with a bar of some length.
fn barred(name: &str, number: &str, length: usize) -> [String; 3] {
    let bar = "#".repeat(length);
    [format!("  {name}"), format!("{number:>8}"), bar]
}

/// Whole numbers in at most ten bins of equal width, as (first, last, count).
fn bins(values: &[usize]) -> Vec<(usize, usize, u64)> {
    let (Some(&low), Some(&high)) = (values.iter().min(), values.iter().max()) else {
        return Vec::new();
    };
    let width = (high - low) / 10 + 1;
    let bin = |n: usize| {
        let first = low + n * width;
        (first, first.saturating_add(width - 1).min(high), 0)
    };
    let mut bins: Vec<(usize, usize, u64)> = (0..=(high - low) / width).map(bin).collect();
    for value in values {
        bins[(value - low) / width].2 += 1;
    }
    bins
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_in_proportion_and_never_vanish() {
        let rows = bars(&[("a", 40u64), ("long", 1), ("b", 0), ("c", 20)]);
        assert_eq!(rows[0], format!("  a           40  {}", "#".repeat(40)));
        assert_eq!(rows[1], "  long         1  #");
        assert_eq!(rows[2], "  b            0");
        assert_eq!(rows[3], format!("  c           20  {}", "#".repeat(20)));
        assert_eq!(bars::<&str>(&[]), [""; 0]);
    }

    #[test]
    fn bins_hold_every_value_once() {
        assert_eq!(bins(&[]), []);
        assert_eq!(bins(&[5, 5]), [(5, 5, 2)]);
        let values: Vec<usize> = (1..=201).collect();
        let bins = bins(&values);
        assert_eq!((bins[0], bins.len()), ((1, 21, 21), 10));
        assert_eq!(bins.last(), Some(&(190, 201, 12)));
        assert_eq!(bins.iter().map(|bin| bin.2).sum::<u64>(), 201);
        assert!(super::bins(&[0, usize::MAX]).len() <= 11);
    }
}
