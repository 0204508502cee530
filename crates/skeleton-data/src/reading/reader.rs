//! The steps of a read, with working memory that is kept from clip to clip.

use skeleton_graph::{Layout, random::Rng};

use super::Reading;
use crate::augment::{Augment, Draw, add_noise, swap_joints};
use crate::normalize::{Affine, Axes, Normalization, Stats, ViewJoints};
use crate::sample::{Arrays, Choice, Filler, Picks, Survey};
use crate::stream::{parents, to_bones, to_motion};
use crate::{ClipView, Error, Result};

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
#[derive(Debug)]
pub(crate) struct Reader {
    reading: Reading,
    mirror: Vec<usize>,
    parents: Vec<usize>,
    view_joints: Option<ViewJoints>,
    survey: Survey,
    picks: Picks,
    filler: Filler,
    /// The same samples a frame later, for motion.
    later: Later,
    row: Vec<f32>,
    bytes: Vec<u8>,
}

#[derive(Debug, Default)]
struct Later {
    keypoints: Vec<f32>,
    presence: Vec<f32>,
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
            survey: Survey::default(),
            picks: Picks::default(),
            filler: Filler::default(),
            later: Later::default(),
            row: Vec::new(),
            bytes: Vec::new(),
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
        check(view, self.mirror.len())?;
        let (threshold, persons) = (self.reading.score_threshold, self.reading.persons);
        self.survey.take(view, threshold, persons);
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
        let to = Arrays {
            keypoints: &mut keypoints[values..],
            presence: &mut presence[rows..],
        };
        match view.coordinates {
            2 => self.finish::<2>(view, change, to)?,
            _ => self.finish::<3>(view, change, to)?,
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
        to: Arrays<'_>,
    ) -> Result<()> {
        let stream = self.reading.stream;
        let (keypoints, presence) = (to.keypoints, to.presence);
        let complete = self.sample::<C>(view, false, keypoints, presence);
        let map = self.map::<C>(view, change.as_ref(), keypoints, presence)?;
        self.change::<C>(change.as_mut(), map.as_ref(), keypoints, presence, complete);
        if stream.is_of_motion() {
            let mut later = std::mem::take(&mut self.later);
            later.keypoints.resize(keypoints.len(), 0.0);
            later.presence.resize(presence.len(), 0.0);
            let (x, there) = (&mut later.keypoints[..], &mut later.presence[..]);
            let complete = self.sample::<C>(view, true, x, there);
            self.change::<C>(change.as_mut(), map.as_ref(), x, there, complete);
            to_motion::<C>(keypoints, presence, x, there);
            self.later = later;
        }
        if stream.is_of_bones() {
            // The bone of a motion is the motion of the bone.
            to_bones::<C>(keypoints, presence, &self.parents, &mut self.row);
        }
        Ok(())
    }

    /// Fills the arrays with the chosen frames, or those a frame later; returns whether every joint is present.
    fn sample<const C: usize>(
        &mut self,
        view: &ClipView<'_>,
        later: bool,
        keypoints: &mut [f32],
        presence: &mut [f32],
    ) -> bool {
        let (threshold, survey) = (self.reading.score_threshold, &self.survey);
        let to = Arrays {
            keypoints,
            presence,
        };
        if later {
            let picks = self.picks.later.iter().copied();
            self.filler.fill::<C>(view, threshold, survey, picks, to)
        } else {
            let picks = self.picks.now.iter().copied().map(Some);
            self.filler.fill::<C>(view, threshold, survey, picks, to)
        }
    }

    /// Normalisation and augmentation as one map of the sampled joints; none where nothing moves.
    fn map<const C: usize>(
        &self,
        view: &ClipView<'_>,
        change: Option<&Change<'_>>,
        keypoints: &[f32],
        presence: &[f32],
    ) -> Result<Option<Affine<C>>> {
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
        keypoints: &mut [f32],
        presence: &mut [f32],
        complete: bool,
    ) {
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

/// Whether the arrays have the lengths that the view promises, and the layout's joints.
fn check(view: &ClipView<'_>, layout_joints: usize) -> Result<()> {
    let wrong = |expected: String, found: String| Err(Error::clip(view.id, expected, found));
    if view.joints != layout_joints {
        return wrong(
            format!("the layout's {layout_joints} joints"),
            view.joints.to_string(),
        );
    }
    if !(2..=3).contains(&view.coordinates) {
        return wrong("2 or 3 coordinates".into(), view.coordinates.to_string());
    }
    let joints = view
        .persons
        .checked_mul(view.frames)
        .and_then(|rows| rows.checked_mul(view.joints));
    let values = joints.and_then(|joints| joints.checked_mul(view.coordinates));
    let (m, t, v, c) = (view.persons, view.frames, view.joints, view.coordinates);
    if values != Some(view.keypoints.len()) {
        let found = view.keypoints.len().to_string();
        return wrong(format!("{m} x {t} x {v} x {c} coordinates"), found);
    }
    match view.scores {
        Some(scores) if joints != Some(scores.len()) => {
            wrong(format!("{m} x {t} x {v} scores"), scores.len().to_string())
        }
        _ => Ok(()),
    }
}
