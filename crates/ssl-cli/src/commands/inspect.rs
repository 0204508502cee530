//! `ssl inspect`

use std::collections::BTreeMap;

use serde::Serialize;
use skeleton_data::ClipSource;
use skeleton_data::cache::{Cache, VerifyReport};

use crate::args::InspectArgs;
use crate::failure::{Failure, Outcome};
use crate::printer::Printer;
use crate::report::{count, percent};
use crate::signal::Interrupt;

/// What a cache holds.
#[derive(Debug, Serialize)]
struct Contents<'a> {
    dataset: &'a str,
    layout: &'a str,
    joints: usize,
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
    persons: BTreeMap<usize, usize>,
    /// Share of joints that are missing, of all people in all frames.
    missing_joints: f64,
    digest: &'a str,
    created_by: &'a str,
    source: &'a serde_json::Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    verified: Option<VerifyReport>,
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
}

/// Says what a cache holds, and checks it.
pub fn run(args: &InspectArgs, printer: &Printer, interrupt: &Interrupt) -> Outcome {
    let cache = Cache::open(&args.cache)?;
    let verified = if args.verify {
        Some(cache.verify()?)
    } else {
        None
    };
    let contents = Contents::of(&cache, verified, printer, interrupt)?;
    if args.json {
        printer.json(&contents)
    } else {
        printer.document(&contents.text())
    }
}

impl<'a> Contents<'a> {
    fn of(
        cache: &'a Cache,
        verified: Option<VerifyReport>,
        printer: &Printer,
        interrupt: &Interrupt,
    ) -> Outcome<Self> {
        let labels = cache.labels();
        let clips_of = |class: usize| {
            labels
                .iter()
                .filter(|label| **label == Some(class as u32))
                .count()
        };
        let classes = cache
            .classes()
            .iter()
            .enumerate()
            .map(|(class, name)| Class {
                name,
                clips: clips_of(class),
            });
        let mut lengths: Vec<usize> = (0..cache.len())
            .map(|clip| cache.sample(clip).frames)
            .collect();
        lengths.sort_unstable();
        let at = |place: usize| lengths.get(place).copied().unwrap_or(0);
        let mut persons = BTreeMap::new();
        for clip in 0..cache.len() {
            *persons.entry(cache.sample(clip).persons).or_default() += 1;
        }
        Ok(Contents {
            dataset: cache.dataset(),
            layout: cache.layout().name(),
            joints: cache.layout().len(),
            coordinates: cache.coordinates(),
            units: cache.units().name(),
            element_type: cache.element_type(),
            scores: cache.has_scores(),
            clips: cache.len(),
            unlabelled: labels.iter().filter(|label| label.is_none()).count(),
            splits: cache.splits().collect(),
            classes: classes.collect(),
            frames: Frames {
                min: at(0),
                median: at(lengths.len() / 2),
                max: at(lengths.len().saturating_sub(1)),
            },
            persons,
            missing_joints: missing(cache, printer, interrupt)?,
            digest: cache.digest(),
            created_by: cache.created_by(),
            source: cache.source(),
            verified,
        })
    }

    fn text(&self) -> String {
        let mut lines = vec![
            format!("{}: {}", self.dataset, count(self.clips, "clip")),
            format!(
                "  layout    {}, {} joints of {} coordinates in {} units, {}{}",
                self.layout,
                self.joints,
                self.coordinates,
                self.units,
                self.element_type,
                if self.scores { ", with scores" } else { "" }
            ),
            format!(
                "  frames    {} to {}, median {}",
                self.frames.min, self.frames.max, self.frames.median
            ),
            format!("  people    {}", self.people()),
            format!("  missing   {} of all joints", percent(self.missing_joints)),
            format!("  digest    {}", self.digest),
            format!("  made by   {}", self.created_by),
        ];
        if self.unlabelled > 0 {
            lines.push(format!(
                "  without a label: {}",
                count(self.unlabelled, "clip")
            ));
        }
        lines.push("splits".to_owned());
        let splits: Vec<(&str, usize)> = self
            .splits
            .iter()
            .map(|(name, clips)| (*name, *clips))
            .collect();
        lines.extend(table(&splits));
        lines.push("classes".to_owned());
        let classes: Vec<(&str, usize)> = self
            .classes
            .iter()
            .map(|class| (class.name, class.clips))
            .collect();
        lines.extend(table(&classes));
        if let Some(verified) = &self.verified {
            lines.push(format!(
                "verified: the checksums of all {} agree",
                count(verified.samples, "clip")
            ));
        }
        lines.join("\n")
    }

    fn people(&self) -> String {
        let parts: Vec<String> = self
            .persons
            .iter()
            .map(|(persons, clips)| format!("{persons} in {}", count(*clips, "clip")))
            .collect();
        parts.join(", ")
    }
}

/// Names with their numbers of clips, in two columns.
fn table(rows: &[(&str, usize)]) -> Vec<String> {
    let width = rows
        .iter()
        .map(|(name, _)| name.chars().count())
        .max()
        .unwrap_or(0);
    rows.iter()
        .map(|(name, clips)| format!("  {name:width$}  {clips:>6}"))
        .collect()
}

/// Share of joints whose coordinates are all zero: the source had none.
fn missing(cache: &Cache, printer: &Printer, interrupt: &Interrupt) -> Outcome<f64> {
    let (mut missing, mut all) = (0u64, 0u64);
    let mut progress = printer.progress("reading", cache.len() as u64);
    for index in 0..cache.len() {
        if let Some(signal) = interrupt.received() {
            return Err(Failure::Interrupted {
                signal,
                message: "nothing was changed".to_owned(),
            });
        }
        let clip = cache.clip(index)?;
        let joints = clip.keypoints.len() / clip.coordinates;
        let absent = |joint: &usize| {
            (0..clip.coordinates).all(|c| clip.keypoints.get(joint * clip.coordinates + c) == 0.0)
        };
        missing += (0..joints).filter(absent).count() as u64;
        all += joints as u64;
        progress.advance(1);
    }
    Ok(if all == 0 {
        0.0
    } else {
        missing as f64 / all as f64
    })
}
