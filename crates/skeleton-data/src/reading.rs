//! Reading one clip. The order of a read:
//!
//! 1. **Presence** of every joint is decided on the source's coordinates and scores; people without a present joint are no
//!    tracks, frames without anybody are dropped ([`View`](crate::normalize::View) drops those without the leading one).
//! 2. **Frames** are taken: a crop in training, then [`Sampling`] chooses `frames` of it.
//! 3. **Normalisation**, then **augmentation** (mirror, turn, scale): one affine map of the joints.
//! 4. **Noise**, in training.
//! 5. The **stream**: bones, motion, both or neither.
//!
//! Absent joints, bones and motions are 0 after everything. pyskl normalises, takes the stream, then samples; since its
//! normalisations don't look at the samples and a motion always is that of one frame of the source, the numbers are the same.

mod reader;

use serde::{Deserialize, Serialize};
use skeleton_graph::{Layout, random::Rng};

use crate::augment::Augment;
use crate::normalize::Normalization;
use crate::sample::Sampling;
use crate::stream::Stream;
use crate::{ClipView, Error, Result};

pub(crate) use reader::{Purpose, Reader};

/// More frames than any model here is given: nine minutes at 30 a second.
const MOST_FRAMES: usize = 1 << 14;
/// More views than an evaluation gains by.
const MOST_CLIPS: usize = 1 << 10;
/// More people than a camera sees.
const MOST_PERSONS: usize = 1 << 10;

/// How clips become arrays of one length. A checkpoint records it: a model reads new clips the way it was trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    /// T, the frames every clip is resampled to.
    pub frames: usize,
    /// How they are taken from the clip; `linear` where it isn't said.
    #[serde(default)]
    pub sampling: Sampling,
    /// Views of a clip in evaluation, whose class probabilities are averaged; 1 where it isn't said. More than one needs
    /// uniform sampling, since linear resizing has one result.
    #[serde(default = "one")]
    pub clips: usize,
    /// What of the skeleton the model sees; `joint` where it isn't said.
    #[serde(default)]
    pub stream: Stream,
    /// A joint whose score is not above this is absent; of no effect on sources without scores.
    pub score_threshold: f32,
    /// At most this many people of a clip are read: those with the most present joints.
    pub persons: usize,
    /// What is subtracted from the coordinates and what divides or turns them.
    pub normalization: Normalization,
}

fn one() -> usize {
    1
}

impl Default for Reading {
    /// 64 frames of at most two people by linear resizing, joints standardised by the clip, joints of score 0 absent.
    fn default() -> Self {
        Reading {
            frames: 64,
            sampling: Sampling::Linear,
            clips: 1,
            stream: Stream::Joint,
            score_threshold: 0.0,
            persons: 2,
            normalization: Normalization::Clip,
        }
    }
}

impl Reading {
    /// Checks the ranges.
    ///
    /// # Errors
    /// A setting out of its range, by name.
    pub fn check(&self) -> Result<()> {
        let counts = [
            ("reading.frames", self.frames, MOST_FRAMES),
            ("reading.clips", self.clips, MOST_CLIPS),
            ("reading.persons", self.persons, MOST_PERSONS),
        ];
        for (name, count, most) in counts {
            if !(1..=most).contains(&count) {
                return Err(Error::setting(name, format!("1 to {most}"), count));
            }
        }
        if self.clips > 1 && self.sampling == Sampling::Linear {
            let expected = "1 with linear sampling, which reads a clip in one way only";
            return Err(Error::setting("reading.clips", expected, self.clips));
        }
        if self.score_threshold.is_nan() {
            let found = self.score_threshold;
            return Err(Error::setting("reading.score_threshold", "a number", found));
        }
        Ok(())
    }
}

/// The tracks of one clip.
#[derive(Clone, Debug, PartialEq)]
pub struct Tracks {
    /// n, the people of the clip that were read.
    pub tracks: usize,
    /// t.
    pub frames: usize,
    /// v.
    pub joints: usize,
    /// c.
    pub coordinates: usize,
    /// (n, t, v, c); absent joints are 0.
    pub keypoints: Vec<f32>,
    /// (n, t, v), 1 where the joint is present, else 0.
    pub presence: Vec<f32>,
}

/// Reads one clip: for training with `augment`, which carries the changes and the generator they are drawn from; for
/// evaluation, its first view, without.
///
/// # Errors
/// A clip that doesn't fit the layout, has no present joint, or can't be normalised as asked; a setting out of range.
pub fn read_clip(
    view: &ClipView<'_>,
    layout: &Layout,
    reading: &Reading,
    augment: Option<(&Augment, &mut Rng)>,
) -> Result<Tracks> {
    let purpose = match augment {
        Some((augment, rng)) => {
            augment.check()?;
            Purpose::Training { augment, rng }
        }
        None => Purpose::Evaluation { view: 0 },
    };
    read(view, layout, reading, purpose)
}

/// Reads view `number` (below [`Reading::clips`]) of one clip, for evaluation.
///
/// # Errors
/// As [`read_clip`]; a number that is too high.
pub fn read_view(
    view: &ClipView<'_>,
    layout: &Layout,
    reading: &Reading,
    number: usize,
) -> Result<Tracks> {
    if number >= reading.clips {
        let expected = format!("above the view's number {number}");
        return Err(Error::setting("reading.clips", expected, reading.clips));
    }
    read(view, layout, reading, Purpose::Evaluation { view: number })
}

fn read(
    view: &ClipView<'_>,
    layout: &Layout,
    reading: &Reading,
    purpose: Purpose<'_>,
) -> Result<Tracks> {
    let (mut keypoints, mut presence) = (Vec::new(), Vec::new());
    let mut reader = Reader::new(layout, reading)?;
    let tracks = reader.read(view, purpose, &mut keypoints, &mut presence)?;
    Ok(Tracks {
        tracks,
        frames: reading.frames,
        joints: view.joints,
        coordinates: view.coordinates,
        keypoints,
        presence,
    })
}

#[cfg(test)]
mod tests;
