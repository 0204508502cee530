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

use serde::{Deserialize, Serialize};
use skeleton_graph::{Layout, random::Rng};

use crate::augment::{Augment, Draw, add_noise, swap_joints};
use crate::normalize::{Affine, Axes, Normalization, Stats, ViewJoints};
use crate::sample::{Arrays, Choice, Filler, PeopleBy, Picks, Sampling, Survey};
use crate::stream::{Stream, parents, to_bones, to_motion};
use crate::{ClipView, Error, Result};

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
    /// At most this many people of a clip are read.
    pub persons: usize,
    /// Which of them where there are more; those with the most present joints where it isn't said.
    #[serde(default, skip_serializing_if = "PeopleBy::is_default")]
    pub people: PeopleBy,
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
            people: PeopleBy::Presence,
            normalization: Normalization::Clip,
        }
    }
}

impl Reading {
    /// Whether a clip shows anybody: a joint that is present in some frame. One that doesn't can't be read.
    pub fn shows_somebody(&self, clip: &ClipView<'_>) -> bool {
        let joints = clip.persons * clip.frames * clip.joints;
        (0..joints).any(|joint| clip.is_present(joint, self.score_threshold))
    }

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

// The steps of a read, with working memory that is kept from clip to clip.

/// What a clip is read for.
pub(crate) enum Purpose<'a> {
    /// Training: changed as drawn. The settings have been checked.
    Training {
        augment: &'a Augment,
        rng: &'a mut Rng,
    },
    /// Evaluation: one view of [`Reading::clips`].
    Evaluation { view: usize },
}

/// Reads clips of one layout by one set of settings.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    reading: Reading,
    mirror: Vec<usize>,
    parents: Vec<usize>,
    view_joints: Option<ViewJoints>,
    survey: Survey,
    picks: Picks,
    filler: Filler,
    /// The same samples a frame later, for motion.
    later: (Vec<f32>, Vec<f32>),
    row: Vec<f32>,
    bytes: Vec<u8>,
}

/// What was drawn for one clip of a training.
struct Change<'a> {
    draw: Draw,
    noise: f32,
    rng: &'a mut Rng,
}

impl Reader {
    /// # Errors
    /// A setting out of its range, or a joint's name that the layout doesn't have.
    pub fn new(layout: &Layout, reading: &Reading) -> Result<Reader> {
        reading.check()?;
        let view_joints = match &reading.normalization {
            Normalization::View(view) => Some(view.resolve(layout)?),
            _ => None,
        };
        Ok(Reader {
            reading: reading.clone(),
            mirror: layout.mirror(),
            parents: parents(layout),
            view_joints,
            ..Reader::default()
        })
    }

    /// Appends the clip's tracks, (n, t, v, c) and (n, t, v), and returns n. After an error the appended part is
    /// unspecified.
    pub fn read(
        &mut self,
        view: &ClipView<'_>,
        purpose: Purpose<'_>,
        keypoints: &mut Vec<f32>,
        presence: &mut Vec<f32>,
    ) -> Result<usize> {
        view.check(self.mirror.len())?;
        let (threshold, persons) = (self.reading.score_threshold, self.reading.persons);
        self.survey
            .take(view, threshold, persons, self.reading.people);
        if self.survey.tracks.is_empty() {
            return Err(Error::clip(view.id, "a present joint", "none in any frame"));
        }
        if self.view_joints.is_some() {
            self.survey.follow(view.frames);
        }
        let change = self.choose(view, purpose);
        let tracks = self.survey.tracks.len();
        let (values, rows) = (keypoints.len(), presence.len());
        let added = tracks * self.reading.frames * view.joints;
        keypoints.resize(values + added * view.coordinates, 0.0);
        presence.resize(rows + added, 0.0);
        let mut to = Arrays {
            keypoints: &mut keypoints[values..],
            presence: &mut presence[rows..],
        };
        match view.coordinates {
            2 => self.finish::<2>(view, change, &mut to)?,
            _ => self.finish::<3>(view, change, &mut to)?,
        }
        Ok(tracks)
    }

    /// Draws what happens to the clip, and chooses its frames.
    fn choose<'a>(&mut self, view: &ClipView<'_>, purpose: Purpose<'a>) -> Option<Change<'a>> {
        let reading = &self.reading;
        let lengths = (self.survey.frames.len(), reading.frames);
        let motion = reading.stream.is_of_motion();
        let mut choose = |choice| self.picks.choose(reading.sampling, lengths, choice, motion);
        match purpose {
            Purpose::Training { augment, rng } => {
                let draw = augment.draw(rng);
                let (share, place) = (draw.share, draw.place);
                choose(Choice::Random { share, place, rng });
                let noise = augment.noise;
                Some(Change { draw, noise, rng })
            }
            Purpose::Evaluation { view: number } => {
                choose(Choice::View {
                    view: number,
                    views: reading.clips,
                    id: view.id,
                });
                None
            }
        }
    }

    /// Samples, normalises, augments and takes the stream.
    fn finish<const C: usize>(
        &mut self,
        view: &ClipView<'_>,
        mut change: Option<Change<'_>>,
        to: &mut Arrays<'_>,
    ) -> Result<()> {
        let stream = self.reading.stream;
        let complete = self.sample::<C>(view, false, to);
        let map = self.map::<C>(view, change.as_ref(), to)?;
        self.change::<C>(change.as_mut(), map.as_ref(), to, complete);
        if stream.is_of_motion() {
            let (mut keypoints, mut presence) = std::mem::take(&mut self.later);
            keypoints.resize(to.keypoints.len(), 0.0);
            presence.resize(to.presence.len(), 0.0);
            let mut later = Arrays {
                keypoints: &mut keypoints,
                presence: &mut presence,
            };
            let complete = self.sample::<C>(view, true, &mut later);
            self.change::<C>(change.as_mut(), map.as_ref(), &mut later, complete);
            to_motion::<C>(to.keypoints, to.presence, &keypoints, &presence);
            self.later = (keypoints, presence);
        }
        if stream.is_of_bones() {
            // The bone of a motion is the motion of the bone.
            to_bones::<C>(to.keypoints, to.presence, &self.parents, &mut self.row);
        }
        Ok(())
    }

    /// Fills the arrays with the chosen frames, or those a frame later; returns whether every joint is present.
    fn sample<const C: usize>(
        &mut self,
        view: &ClipView<'_>,
        later: bool,
        to: &mut Arrays<'_>,
    ) -> bool {
        let (threshold, survey) = (self.reading.score_threshold, &self.survey);
        let picks = match later {
            true => &self.picks.later,
            false => &self.picks.now,
        };
        self.filler.fill::<C>(view, threshold, survey, picks, to)
    }

    /// Normalisation and augmentation as one map of the sampled joints; none where nothing moves.
    fn map<const C: usize>(
        &self,
        view: &ClipView<'_>,
        change: Option<&Change<'_>>,
        sampled: &Arrays<'_>,
    ) -> Result<Option<Affine<C>>> {
        let (keypoints, presence) = (&*sampled.keypoints, &*sampled.presence);
        let normalization = &self.reading.normalization;
        let matrix = change.and_then(|change| change.draw.matrix::<C>(normalization.up()));
        let stats = match (normalization.wants_stats(), matrix) {
            (true, _) => Stats::of(keypoints, presence),
            (false, Some(_)) => Stats::mean_of(keypoints, presence),
            (false, None) => Stats::none(),
        };
        let threshold = self.reading.score_threshold;
        let axes = match &self.view_joints {
            Some(joints) => Some(Axes::find(view, threshold, &self.survey, joints)?),
            None => None,
        };
        let normal = normalization.affine(view, &stats, axes.as_ref())?;
        Ok(match matrix {
            Some(matrix) => {
                let normal = normal.unwrap_or_else(Affine::identity);
                Some(normal.then_about(&matrix, stats.mean))
            }
            None => normal,
        })
    }

    /// Moves sampled joints, and adds their noise.
    fn change<const C: usize>(
        &mut self,
        change: Option<&mut Change<'_>>,
        map: Option<&Affine<C>>,
        sampled: &mut Arrays<'_>,
        complete: bool,
    ) {
        let (keypoints, presence) = (&mut *sampled.keypoints, &mut *sampled.presence);
        if change.as_ref().is_some_and(|change| change.draw.flip) {
            swap_joints::<C>(keypoints, &self.mirror, &mut self.row);
            if !complete {
                swap_joints::<1>(presence, &self.mirror, &mut self.row);
            }
        }
        if let Some(map) = map {
            map.apply(keypoints, presence, complete);
        }
        if let Some(change) = change {
            let noise = change.noise;
            add_noise::<C>(keypoints, presence, noise, change.rng, &mut self.bytes);
        }
    }
}

#[cfg(test)]
mod tests;
