//! One clip in memory: what every reader produces and every writer takes.

use half::f16;
use serde::{Deserialize, Serialize};

use crate::Result;

/// Numbers as the source stored them: half precision stays half, everything else is single.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// IEEE half precision, the pyskl files' usual type.
    F16(Vec<f16>),
    /// Single precision.
    F32(Vec<f32>),
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

impl ValuesRef<'_> {
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
