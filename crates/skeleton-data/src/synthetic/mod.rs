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
//! Everything is drawn from [`stream`] with the purpose `Synthetic`, by the clip's or
//! the subject's name: a clip is the same however many repetitions there are (the number of subjects decides who may be
//! a partner).

mod action;
mod body;
mod scene;
mod subject;

use std::ops::{ControlFlow, Range};

use half::f16;
use rand::RngCore as _;
use serde::{Deserialize, Serialize};
use skeleton_graph::Layout;
use skeleton_graph::random::{Key, Purpose, Rng, stream};

use crate::parallel::visit_in_order;
use crate::{Error, Result, Sequence, Units, Values};
use action::{ACTIONS, Action};
use body::{POINTS, Point, Vec3};
use scene::{Camera, Channel, IMAGE, Scene, Sensor, hidden};
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

    /// The layout's name, and what the coordinates are measured in.
    fn layout(self) -> (&'static str, Units) {
        match self {
            SyntheticKind::Coco17 => ("coco17", Units::Pixel),
            SyntheticKind::Ntu25 => ("ntu25", Units::Metre),
        }
    }

    fn coordinates(self) -> usize {
        match self {
            SyntheticKind::Coco17 => 2,
            SyntheticKind::Ntu25 => 3,
        }
    }

    fn sensor(self) -> Sensor {
        let [bias, jitter, drift, outlier] = match self {
            SyntheticKind::Coco17 => [6.0, 3.0, 5.0, 45.0],
            SyntheticKind::Ntu25 => [0.03, 0.012, 0.02, 0.18],
        };
        Sensor {
            bias,
            jitter,
            drift,
            outlier,
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
/// As [`Generator::new`].
pub fn synthetic(kind: SyntheticKind, settings: &SyntheticSettings) -> Result<Synthetic> {
    let generator = Generator::new(kind, settings)?;
    Ok(Synthetic {
        sequences: (0..generator.len()).map(|at| generator.clip(at)).collect(),
        classes: generator.classes(),
        units: generator.units(),
        splits: generator.splits(),
        layout: generator.layout,
    })
}

/// The most clips of a set, whose ids are held in memory.
const MOST_CLIPS: u64 = 1 << 24;

/// A set whose clips are made as they are asked for, so that it may be larger than memory.
#[derive(Debug)]
pub struct Generator {
    layout: Layout,
    bodies: Vec<Subject>,
    /// The first subjects, who are `train`.
    train: usize,
    kind: SyntheticKind,
    seed: u64,
    /// Of each subject's actions in turn, the number of clips up to its last one.
    ends: Vec<usize>,
}

impl Generator {
    /// The set of these settings: as many clips of every action by every subject.
    ///
    /// # Errors
    /// Fewer than four subjects, no repetition, or more than 999 of either.
    pub fn new(kind: SyntheticKind, settings: &SyntheticSettings) -> Result<Generator> {
        let SyntheticSettings {
            subjects,
            repetitions,
            seed,
        } = *settings;
        if !(1..=999).contains(&repetitions) {
            let name = "synthetic.repetitions";
            return Err(Error::setting(name, "1 to 999", repetitions));
        }
        // A share of 2 in 16 actions: of each one as many.
        let clips = u64::from(subjects) * u64::from(repetitions) * ACTIONS.len() as u64;
        Self::of_clips(kind, subjects, clips.max(1), 0.125, seed)
    }

    /// A set of so many clips, dealt evenly to subjects and, by `pairs`, to actions: the share of clips of two people, who
    /// perform 2 of the 16 actions.
    ///
    /// # Errors
    /// Fewer than 4 or more than 999 subjects, no clip or more than 16,777,216, or a share that isn't 0 to 1.
    pub fn of_clips(
        kind: SyntheticKind,
        subjects: u32,
        clips: u64,
        pairs: f64,
        seed: u64,
    ) -> Result<Generator> {
        if !(1..=MOST_CLIPS).contains(&clips) {
            let (name, expected) = ("synthetic.clips", format!("1 to {MOST_CLIPS}"));
            return Err(Error::setting(name, expected, clips));
        }
        if !(0.0..=1.0).contains(&pairs) {
            let name = "synthetic.pairs";
            return Err(Error::setting(name, "a share from 0 to 1", pairs));
        }
        if !(4..=999).contains(&subjects) {
            return Err(Error::setting("synthetic.subjects", "4 to 999", subjects));
        }
        let together = (pairs * clips as f64).round() as u64;
        let persons = |label: usize| ACTIONS[label].action.facts().persons;
        let repetitions = |subject: u32, label: usize| {
            let alike = |other: &usize| persons(*other) == persons(label);
            let actions = (0..ACTIONS.len()).filter(alike).count() as u64;
            let before = (0..label).filter(alike).count() as u64;
            let share = match persons(label) {
                1 => clips - together,
                _ => together,
            };
            let own = portion(share, actions, before);
            // Each action begins with another subject, so that no subject has all of the odd ones.
            let place = (u64::from(subject) + before) % u64::from(subjects);
            portion(own, u64::from(subjects), place) as usize
        };
        let (layout, _) = kind.layout();
        let (mut ends, mut end) = (Vec::new(), 0);
        for subject in 0..subjects {
            for label in 0..ACTIONS.len() {
                end += repetitions(subject, label);
                ends.push(end);
            }
        }
        let body = |s| Subject::draw(seed, &format!("subject{s:03}"));
        Ok(Generator {
            layout: Layout::built_in(layout).expect("both layouts are built in"),
            bodies: (0..subjects).map(body).collect(),
            train: (subjects - (subjects * 3 / 10).max(2)) as usize,
            kind,
            seed,
            ends,
        })
    }

    /// How many clips there are.
    pub fn len(&self) -> usize {
        self.ends.last().copied().unwrap_or(0)
    }

    /// Whether there is no clip.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Which clip it is.
    fn at(&self, index: usize) -> Clip {
        let place = self.ends.partition_point(|&end| end <= index);
        let before = place.checked_sub(1).map_or(0, |last| self.ends[last]);
        Clip {
            kind: self.kind,
            seed: self.seed,
            subject: (place / ACTIONS.len()) as u32,
            label: (place % ACTIONS.len()) as u32,
            repetition: (index - before) as u32,
        }
    }

    /// `coco17` or `ntu25`.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Pixels or metres.
    pub fn units(&self) -> Units {
        self.kind.layout().1
    }

    /// Names by label.
    pub fn classes(&self) -> Vec<String> {
        let names = ACTIONS.iter().map(|action| action.name);
        names.map(str::to_owned).collect()
    }

    /// `train` and `val`, which share no subject, neither as the first person nor as the second.
    pub fn splits(&self) -> Vec<(String, Vec<String>)> {
        let train = self.ends[self.train * ACTIONS.len() - 1];
        let ids = |clips: Range<usize>| clips.map(|index| self.at(index).id()).collect();
        vec![
            ("train".into(), ids(0..train)),
            ("val".into(), ids(train..self.len())),
        ]
    }

    /// A clip, by subject, action, repetition.
    ///
    /// # Panics
    /// Where there is none.
    pub fn clip(&self, index: usize) -> Sequence {
        let clip = self.at(index);
        let group = match (clip.subject as usize) < self.train {
            true => 0..self.train,
            false => self.train..self.bodies.len(),
        };
        clip.sequence(&self.layout, &self.bodies, group)
    }

    /// Shows all clips in order, a few at a time made by all threads.
    ///
    /// # Errors
    /// The first of `visit`, which sees no clip after it.
    pub fn each<E: From<Error>>(
        &self,
        mut visit: impl FnMut(Sequence) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let mut failed = None;
        let job = || |at| Ok(self.clip(at));
        let seen = visit_in_order(self.len(), threads, job, |clip| match visit(clip) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        });
        // A break is by what `failed` says.
        let _: ControlFlow<()> = seen?;
        failed.map_or(Ok(()), Err)
    }
}

/// Of `all` things dealt to `places`, those of one place.
fn portion(all: u64, places: u64, place: u64) -> u64 {
    all / places + u64::from(place < all % places)
}

/// Which clip of the set.
#[derive(Debug)]
struct Clip {
    kind: SyntheticKind,
    seed: u64,
    /// Who it is of, and what.
    subject: u32,
    label: u32,
    repetition: u32,
}

impl Clip {
    fn id(&self) -> String {
        let Clip {
            subject,
            label,
            repetition,
            ..
        } = self;
        format!("s{subject:03}_a{label:02}_r{repetition:03}")
    }

    /// Performs, sees and measures the clip; `group` are the subjects of its split.
    fn sequence(&self, layout: &Layout, bodies: &[Subject], group: Range<usize>) -> Sequence {
        let (id, action) = (self.id(), ACTIONS[self.label as usize].action);
        let mut dice = Dice::new(self.seed, &id);
        let subjects = cast(&mut dice, self.subject as usize, action, bodies, group);
        let scene = Scene::draw(&mut dice, action, &subjects);
        let camera = Camera::draw(&mut dice);
        let (keypoints, scores) = self.measure(&mut dice, layout, &scene, &camera, &subjects);
        Sequence {
            id,
            label: Some(self.label),
            persons: subjects.len(),
            frames: scene.frames.len(),
            joints: layout.len(),
            coordinates: self.kind.coordinates(),
            keypoints: Values::F16(keypoints),
            scores: (self.kind == SyntheticKind::Coco17).then_some(Values::F16(scores)),
            image: (self.kind == SyntheticKind::Coco17).then_some(IMAGE),
            subject: Some(self.subject),
            camera: None,
            setup: None,
        }
    }

    /// Coordinates (m, t, v, c) and scores (m, t, v).
    fn measure(
        &self,
        dice: &mut Dice,
        layout: &Layout,
        scene: &Scene,
        camera: &Camera,
        subjects: &[&Subject],
    ) -> (Vec<f16>, Vec<f16>) {
        let point = |joint: &String| {
            Point::named(joint).expect("the body has every joint of the two layouts")
        };
        let joints: Vec<Point> = layout.joints().iter().map(point).collect();
        let (sensor, coordinates) = (self.kind.sensor(), self.kind.coordinates());
        let seen = |frame: usize| -> Vec<[Vec3; POINTS]> {
            let bodies = scene.points(frame, subjects).into_iter();
            bodies
                .map(|body| body.map(|point| camera.see(point)))
                .collect()
        };
        let seen: Vec<_> = (0..scene.frames.len()).map(seen).collect();
        let (mut keypoints, mut scores) = (Vec::new(), Vec::new());
        for person in 0..subjects.len() {
            let mut channels: Vec<Channel> = joints.iter().map(|_| sensor.channel(dice)).collect();
            for bodies in &seen {
                for (&joint, channel) in joints.iter().zip(&mut channels) {
                    let point = bodies[person][joint as usize];
                    let place = match self.kind {
                        SyntheticKind::Coco17 => {
                            let [x, y] = camera.project(point);
                            [x, y, 0.0]
                        }
                        SyntheticKind::Ntu25 => [-point[0], point[1], -point[2]],
                    };
                    let hidden = hidden(camera, bodies, point);
                    let measured = sensor.measure(dice, channel, place, coordinates, hidden);
                    let place = measured.place[..coordinates].iter();
                    keypoints.extend(place.map(|&x| f16::from_f64(x)));
                    scores.push(f16::from_f64(measured.score));
                }
            }
        }
        (keypoints, scores)
    }
}

/// The clip's subject and, for two, a partner of the same split, in either order.
fn cast<'a>(
    dice: &mut Dice,
    subject: usize,
    action: Action,
    bodies: &'a [Subject],
    group: Range<usize>,
) -> Vec<&'a Subject> {
    if action.facts().persons == 1 {
        return vec![&bodies[subject]];
    }
    let mut partner = group.start + dice.below(group.len() - 1);
    if partner >= subject {
        partner += 1;
    }
    let mut pair = vec![&bodies[subject], &bodies[partner]];
    if dice.chance(0.5) {
        pair.swap(0, 1);
    }
    pair
}

/// The stream of one clip or subject.
struct Dice(Rng);

impl Dice {
    /// The stream that the set's seed gives `name`.
    fn new(seed: u64, name: &str) -> Dice {
        Dice(stream(seed, Purpose::Synthetic, 0, Key::Clip(name)))
    }

    /// Uniform in 0..1, from the upper 53 bits: the rule is ours, so that no version of a crate changes the set.
    fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Uniform between two numbers.
    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Uniform between two angles given in degrees, in radians.
    fn degrees(&mut self, low: f64, high: f64) -> f64 {
        self.between(low, high).to_radians()
    }

    /// True with this probability.
    fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Uniform below `count`.
    fn below(&mut self, count: usize) -> usize {
        ((self.unit() * count as f64) as usize).min(count - 1)
    }

    /// Standard normal (Box and Muller).
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }
}

#[cfg(test)]
mod tests;
