//! A synthetic, deterministic set of clips: no measurement of anybody, made so that the program can be tried, taught
//! and tested without a download. **Numbers measured on it say nothing about real actions.**
//!
//! A body with limbs of constant length moves by forward kinematics along joint-angle courses (sixteen actions, two of
//! them by two people). Subjects have their own limb lengths, pace and extent of movement; each clip has its own posture,
//! viewpoint and length. A camera sees the scene; a sensor adds noise that drifts and jitters, outliers, and bursts of
//! missing joints, more of them where the trunk hides a joint. Labels are what was performed, never wrong.
//!
//! Many classes come in pairs that differ in one limb, in a direction in time or space, or in a count, and arms that
//! have no part in an action are held in any posture: the mean pose of a clip doesn't tell its class.
//! A mirror image of a wave, a kick or a step is of another class: train on the set with `flip = 0`.
//!
//! Everything is drawn from [`stream`](skeleton_graph::random::stream) with the purpose `Synthetic`, by the clip's or
//! the subject's name: a clip is the same however many repetitions there are (the number of subjects decides who may be
//! a partner).

mod action;
mod body;
mod camera;
mod clip;
mod course;
mod dice;
mod pair;
mod rotation;
mod scene;
mod sensor;
mod subject;

use serde::{Deserialize, Serialize};
use skeleton_graph::Layout;

use crate::{Error, Result, Sequence, Units};
use action::Action;
use clip::Clip;
use sensor::Sensor;
use subject::Subject;

/// What the clips are measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SyntheticKind {
    /// Data set `synthetic`: 17 joints in pixels of a 1920 x 1080 image, with scores.
    Coco17,
    /// Data set `synthetic3d`: 25 joints in metres in the camera's space (x to its left, y up, z away from it, as a
    /// Kinect has them).
    Ntu25,
}

impl SyntheticKind {
    /// The name of the data set.
    pub fn dataset(self) -> &'static str {
        match self {
            SyntheticKind::Coco17 => "synthetic",
            SyntheticKind::Ntu25 => "synthetic3d",
        }
    }

    fn layout(self) -> &'static str {
        match self {
            SyntheticKind::Coco17 => "coco17",
            SyntheticKind::Ntu25 => "ntu25",
        }
    }

    fn coordinates(self) -> usize {
        match self {
            SyntheticKind::Coco17 => 2,
            SyntheticKind::Ntu25 => 3,
        }
    }

    fn sensor(self) -> Sensor {
        match self {
            SyntheticKind::Coco17 => Sensor {
                bias: 6.0,
                jitter: 3.0,
                drift: 5.0,
                outlier: 45.0,
            },
            SyntheticKind::Ntu25 => Sensor {
                bias: 0.03,
                jitter: 0.012,
                drift: 0.02,
                outlier: 0.18,
            },
        }
    }
}

/// How large the set is, and which one of all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyntheticSettings {
    /// Subjects; three in ten, at least two, are `val`, the others, at least two, `train`.
    pub subjects: u32,
    /// Clips of each subject and action.
    pub repetitions: u32,
    /// Which set.
    pub seed: u64,
}

impl Default for SyntheticSettings {
    /// 20 subjects, 16 actions, 3 repetitions: 960 clips, 672 of 14 subjects to train on, 288 of 6 others to validate.
    fn default() -> Self {
        SyntheticSettings {
            subjects: 20,
            repetitions: 3,
            seed: 0,
        }
    }
}

/// The set.
#[derive(Clone, Debug)]
pub struct Synthetic {
    /// `coco17` or `ntu25`.
    pub layout: Layout,
    /// Pixels or metres.
    pub units: Units,
    /// Names by label.
    pub classes: Vec<String>,
    /// By subject, action, repetition.
    pub sequences: Vec<Sequence>,
    /// `train` and `val`, which share no subject, neither as the first person nor as the second.
    pub splits: Vec<(String, Vec<String>)>,
}

/// Makes the set.
///
/// # Errors
/// Fewer than four subjects, no repetition, or more clips than fit 32 bits.
pub fn synthetic(kind: SyntheticKind, settings: &SyntheticSettings) -> Result<Synthetic> {
    let SyntheticSettings {
        subjects,
        repetitions,
        seed,
    } = *settings;
    if !(4..=999).contains(&subjects) {
        return Err(Error::setting("synthetic.subjects", "4 to 999", subjects));
    }
    if !(1..=999).contains(&repetitions) {
        return Err(Error::setting(
            "synthetic.repetitions",
            "1 to 999",
            repetitions,
        ));
    }
    let layout = Layout::built_in(kind.layout()).expect("both layouts are built in");
    let bodies: Vec<Subject> = (0..subjects)
        .map(|s| Subject::draw(seed, &format!("subject{s:03}")))
        .collect();
    let train = (subjects - (subjects * 3 / 10).max(2)) as usize;
    let (mut sequences, mut splits) = (Vec::new(), [Vec::new(), Vec::new()]);
    for subject in 0..bodies.len() {
        let group = if subject < train {
            0..train
        } else {
            train..bodies.len()
        };
        for label in 0..Action::ALL.len() {
            for repetition in 0..repetitions {
                let clip = Clip {
                    kind,
                    seed,
                    subject,
                    label,
                    repetition,
                };
                let sequence = clip.sequence(&layout, &bodies, group.clone());
                splits[usize::from(subject >= train)].push(sequence.id.clone());
                sequences.push(sequence);
            }
        }
    }
    let [train, val] = splits;
    Ok(Synthetic {
        layout,
        units: if kind == SyntheticKind::Coco17 {
            Units::Pixel
        } else {
            Units::Metre
        },
        classes: Action::ALL
            .iter()
            .map(|action| action.name().to_owned())
            .collect(),
        sequences,
        splits: vec![("train".into(), train), ("val".into(), val)],
    })
}

#[cfg(test)]
mod tests;
