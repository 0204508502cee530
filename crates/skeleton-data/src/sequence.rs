//! One clip in memory: what every reader produces and every writer takes.

use half::f16;
use serde::{Deserialize, Serialize};

use crate::names::MOST_WITHOUT_NUMBERS;
use crate::{Error, Result};

/// Numbers as the source stored them: half precision stays half, everything else is single.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// IEEE half precision, the pyskl files' usual type.
    F16(Vec<f16>),
    /// Single precision.
    F32(Vec<f32>),
}

/// What the arrays hold.
pub(crate) trait Number: Copy {
    const ZERO: Self;
    /// Zero of either sign.
    fn is_zero(self) -> bool;
    fn is_finite(self) -> bool;
}

impl Number for f16 {
    const ZERO: f16 = f16::ZERO;

    fn is_zero(self) -> bool {
        self.to_bits() & 0x7fff == 0
    }

    fn is_finite(self) -> bool {
        f16::is_finite(self)
    }
}

impl Number for f32 {
    const ZERO: f32 = 0.0;

    fn is_zero(self) -> bool {
        self == 0.0
    }

    fn is_finite(self) -> bool {
        f32::is_finite(self)
    }
}

/// The rule of presence, of coordinates: a joint is somewhere where they are finite and not all zero. Without branches, since
/// whole sets are asked this.
#[inline]
pub(crate) fn is_somewhere<T: Number>(place: &[T]) -> bool {
    let finite = place.iter().fold(true, |all, x| all & x.is_finite());
    finite & place.iter().fold(false, |any, x| any | !x.is_zero())
}

/// [`Values`] borrowed, from memory or from a mapped cache.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ValuesRef<'a> {
    /// IEEE half precision.
    F16(&'a [f16]),
    /// Single precision.
    F32(&'a [f32]),
}

impl Values {
    /// The same numbers, borrowed.
    pub fn view(&self) -> ValuesRef<'_> {
        match self {
            Values::F16(values) => ValuesRef::F16(values),
            Values::F32(values) => ValuesRef::F32(values),
        }
    }
}

impl<'a> ValuesRef<'a> {
    /// How many numbers there are.
    pub fn len(&self) -> usize {
        match self {
            ValuesRef::F16(values) => values.len(),
            ValuesRef::F32(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The same numbers, copied.
    pub fn to_owned(&self) -> Values {
        match self {
            ValuesRef::F16(values) => Values::F16(values.to_vec()),
            ValuesRef::F32(values) => Values::F32(values.to_vec()),
        }
    }

    /// The stored bytes.
    pub(crate) fn bytes(self) -> &'a [u8] {
        match self {
            ValuesRef::F16(values) => bytemuck::cast_slice(values),
            ValuesRef::F32(values) => bytemuck::cast_slice(values),
        }
    }

    /// Number `index`, in single precision.
    #[inline]
    pub fn get(&self, index: usize) -> f32 {
        match self {
            ValuesRef::F16(values) => values[index].to_f32(),
            ValuesRef::F32(values) => values[index],
        }
    }
}

/// What the coordinates are measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Units {
    /// Image pixels.
    Pixel,
    /// Metres in camera space.
    Metre,
    /// The source normalised them already.
    Normalised,
}

impl Units {
    /// Its name in files.
    pub fn name(self) -> &'static str {
        match self {
            Units::Pixel => "pixel",
            Units::Metre => "metre",
            Units::Normalised => "normalised",
        }
    }

    /// The units of that name.
    pub fn from_name(name: &str) -> Option<Units> {
        [Units::Pixel, Units::Metre, Units::Normalised]
            .into_iter()
            .find(|units| units.name() == name)
    }
}

/// One clip: the poses of `persons` people over `frames` frames.
#[derive(Clone, Debug, PartialEq)]
pub struct Sequence {
    /// Unique name of the clip (`frame_dir` of a pyskl file).
    pub id: String,
    /// Class, from 0; `None` when the clip has no label.
    pub label: Option<u32>,
    /// m, people stored (a person absent in a frame is all zeros there).
    pub persons: usize,
    /// t, frames.
    pub frames: usize,
    /// v, joints.
    pub joints: usize,
    /// c, coordinates of a joint (2 or 3).
    pub coordinates: usize,
    /// (m, t, v, c), row-major.
    pub keypoints: Values,
    /// (m, t, v), the detector's confidence in each joint.
    pub scores: Option<Values>,
    /// (height, width) of the image, in pixels.
    pub image: Option<(u32, u32)>,
    /// Subject (person) number, where the source knows it.
    pub subject: Option<u32>,
    /// Camera number, where the source knows it.
    pub camera: Option<u32>,
    /// Setup number, where the source knows it.
    pub setup: Option<u32>,
}

/// What [`Sequence::repair`] changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Repaired {
    /// Joints that had a coordinate that is not finite, made missing.
    pub joints: usize,
    /// Scores that were not finite, made zero.
    pub scores: usize,
    /// Joints that a mark of the source said to be missing ([`Meaning::missing`](crate::raw::Meaning)).
    pub marked: usize,
}

impl std::ops::Add for Repaired {
    type Output = Repaired;

    fn add(self, more: Repaired) -> Repaired {
        Repaired {
            joints: self.joints + more.joints,
            scores: self.scores + more.scores,
            marked: self.marked + more.marked,
        }
    }
}

/// A clip where it lies: in a [`Sequence`] or in a mapped cache.
#[derive(Clone, Copy, Debug)]
pub struct ClipView<'a> {
    /// Unique name of the clip.
    pub id: &'a str,
    /// Class, from 0.
    pub label: Option<u32>,
    /// m, people stored.
    pub persons: usize,
    /// t, frames.
    pub frames: usize,
    /// v, joints.
    pub joints: usize,
    /// c, coordinates of a joint.
    pub coordinates: usize,
    /// (m, t, v, c).
    pub keypoints: ValuesRef<'a>,
    /// (m, t, v).
    pub scores: Option<ValuesRef<'a>>,
    /// (height, width) of the image, in pixels.
    pub image: Option<(u32, u32)>,
}

impl Sequence {
    /// A clip of keypoints (m, t, v, c), of which nothing else is known.
    pub fn new(
        id: impl Into<String>,
        [persons, frames, joints, coordinates]: [usize; 4],
        keypoints: Values,
    ) -> Sequence {
        Sequence {
            id: id.into(),
            label: None,
            persons,
            frames,
            joints,
            coordinates,
            keypoints,
            scores: None,
            image: None,
            subject: None,
            camera: None,
            setup: None,
        }
    }

    /// Whether the arrays have the lengths that persons, frames, joints and coordinates promise, and the layout's joints.
    ///
    /// # Errors
    /// Names the clip and the array.
    pub fn check(&self, layout_joints: usize) -> Result<()> {
        self.view().check(layout_joints)
    }

    /// Whether every coordinate and score is finite.
    pub fn is_finite(&self) -> bool {
        let finite = |values: &Values| match values {
            Values::F16(values) => values.iter().all(|x| x.is_finite()),
            Values::F32(values) => values.iter().all(|x| x.is_finite()),
        };
        finite(&self.keypoints) && self.scores.as_ref().is_none_or(finite)
    }

    /// Makes joints with a coordinate that is not finite missing (all zeros, score zero), and such scores zero.
    pub fn repair(&mut self) -> Repaired {
        let mut repaired = Repaired::default();
        let c = self.coordinates.max(1);
        let joints = match &mut self.keypoints {
            Values::F16(values) => lost_joints(values, c),
            Values::F32(values) => lost_joints(values, c),
        };
        repaired.joints = joints.len();
        repaired.scores = match &mut self.scores {
            Some(Values::F16(scores)) => finite_scores(scores, &joints),
            Some(Values::F32(scores)) => finite_scores(scores, &joints),
            None => 0,
        };
        repaired
    }

    /// The clip, borrowed.
    pub fn view(&self) -> ClipView<'_> {
        ClipView {
            id: &self.id,
            label: self.label,
            persons: self.persons,
            frames: self.frames,
            joints: self.joints,
            coordinates: self.coordinates,
            keypoints: self.keypoints.view(),
            scores: self.scores.as_ref().map(Values::view),
            image: self.image,
        }
    }
}

/// Zeroes joints of `c` coordinates that aren't all finite, and says which they were.
fn lost_joints<T: Number>(values: &mut [T], c: usize) -> Vec<usize> {
    let mut lost = Vec::new();
    for (joint, coordinates) in values.chunks_exact_mut(c).enumerate() {
        if !coordinates.iter().all(|x| x.is_finite()) {
            coordinates.fill(T::ZERO);
            lost.push(joint);
        }
    }
    lost
}

/// Zeroes the scores of lost joints, and those that aren't finite, which are counted.
fn finite_scores<T: Number>(scores: &mut [T], lost: &[usize]) -> usize {
    let mut count = 0;
    for score in scores.iter_mut().filter(|score| !score.is_finite()) {
        *score = T::ZERO;
        count += 1;
    }
    for &joint in lost {
        if let Some(score) = scores.get_mut(joint) {
            *score = T::ZERO;
        }
    }
    count
}

impl ClipView<'_> {
    /// Whether the arrays have the lengths that persons, frames, joints and coordinates promise, and the layout's joints.
    ///
    /// # Errors
    /// Names the clip and the array.
    pub fn check(&self, layout_joints: usize) -> Result<()> {
        let wrong = |expected: String, found: String| Err(Error::clip(self.id, expected, found));
        if self.joints != layout_joints {
            let expected = format!("the {layout_joints} joints of the layout");
            return wrong(expected, self.joints.to_string());
        }
        if !(2..=3).contains(&self.coordinates) {
            return wrong("2 or 3 coordinates".into(), self.coordinates.to_string());
        }
        let most = self.persons.max(self.frames);
        if self.keypoints.is_empty() && most > MOST_WITHOUT_NUMBERS {
            let expected =
                format!("at most {MOST_WITHOUT_NUMBERS} people and frames without numbers");
            return wrong(expected, most.to_string());
        }
        let rows = self.persons.checked_mul(self.frames);
        let joints = rows.and_then(|rows| rows.checked_mul(self.joints));
        let numbers = joints.and_then(|joints| joints.checked_mul(self.coordinates));
        let (m, t, v, c) = (self.persons, self.frames, self.joints, self.coordinates);
        if numbers != Some(self.keypoints.len()) {
            let found = format!("{} numbers", self.keypoints.len());
            return wrong(format!("keypoints of shape [{m}, {t}, {v}, {c}]"), found);
        }
        match self.scores {
            Some(scores) if joints != Some(scores.len()) => {
                let found = format!("{} numbers", scores.len());
                wrong(format!("scores of shape [{m}, {t}, {v}]"), found)
            }
            _ => Ok(()),
        }
    }
}

impl ClipView<'_> {
    /// x, y and z of a joint, by its place in (m, t, v); z is 0 in the plane.
    pub(crate) fn place(&self, joint: usize) -> [f32; 3] {
        let c = self.coordinates;
        std::array::from_fn(|axis| match axis < c {
            true => self.keypoints.get(joint * c + axis),
            false => 0.0,
        })
    }

    /// The rule of presence: whether a joint, by its place in (m, t, v), is somewhere, and its score, where there are scores,
    /// above the threshold. A score that is not a number is above nothing.
    #[inline]
    pub(crate) fn is_present(&self, joint: usize, threshold: f32) -> bool {
        let place = joint * self.coordinates..(joint + 1) * self.coordinates;
        let is_somewhere = match self.keypoints {
            ValuesRef::F16(values) => is_somewhere(&values[place]),
            ValuesRef::F32(values) => is_somewhere(&values[place]),
        };
        is_somewhere
            && self
                .scores
                .is_none_or(|scores| scores.get(joint) > threshold)
    }
}

/// Something clips can be read from by index: a cache, or sequences in memory.
pub trait ClipSource: Send + Sync {
    /// How many clips there are.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The layout all clips share.
    fn layout(&self) -> &skeleton_graph::Layout;

    /// Clip `index`, which is below [`len`](Self::len).
    ///
    /// # Errors
    /// When the stored clip is damaged: a cache checks a clip's checksum at its first read.
    fn clip(&self, index: usize) -> Result<ClipView<'_>>;
}

/// Clips in memory: a source that needs no file.
#[derive(Clone, Debug)]
pub struct MemoryClips {
    /// The joints of all clips.
    pub layout: skeleton_graph::Layout,
    /// What the coordinates are measured in.
    pub units: Units,
    /// Class names; may be empty where clips have no labels.
    pub classes: Vec<String>,
    /// The clips.
    pub clips: Vec<Sequence>,
}

impl ClipSource for MemoryClips {
    fn len(&self) -> usize {
        self.clips.len()
    }

    fn layout(&self) -> &skeleton_graph::Layout {
        &self.layout
    }

    fn clip(&self, index: usize) -> Result<ClipView<'_>> {
        let clip = &self.clips[index];
        clip.check(self.layout.len())?;
        Ok(clip.view())
    }
}
