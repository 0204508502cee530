//! Sampling in time: a fixed number of frames from a clip of any length.
//!
//! A joint is present in a frame when its coordinates are finite and not all zero, and its score, where the source has
//! scores, is above the threshold. A track is a person with at least one present joint. Frames in which no track has
//! a present joint are dropped, and time counts the frames that are left. A sample lies on one of them or, by
//! [`Sampling::Linear`], between two.

mod fill;
pub mod uniform;

use rand::RngCore as _;
use serde::{Deserialize, Serialize};
use skeleton_graph::random::{Key, Purpose, Rng, stream};

pub(crate) use fill::{Arrays, Filler};

use crate::ClipView;

/// How a fixed number of frames is taken from a clip.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sampling {
    /// At times spaced evenly from the first frame to the last (numpy's `linspace`), linear between the two frames around
    /// each. Where one of them lacks a joint the other one's is taken as it is.
    #[default]
    Linear,
    /// pyskl's uniform sampling: real frames, none between two. In training a random start (clips shorter than the
    /// samples, which begin again after their last frame), random skips (up to twice as long) or a random frame
    /// of each bin (longer ones). In evaluation the views of a clip start evenly spaced, or are drawn from a
    /// fixed seed by the clip's name; one view alone takes the middle of each bin.
    Uniform,
}

/// Which people are read of a clip that has more than are read; of equal ones the earlier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PeopleBy {
    /// Those with the most present joints over all frames.
    #[default]
    Presence,
    /// Those with the largest sum of the scores of present joints; as by presence where there are no scores.
    Score,
    /// Those that move most: the variance of a joint's place over the frames in which it is present, summed over joints.
    Motion,
}

impl PeopleBy {
    /// Whether this is what is done where nothing is said.
    pub(crate) fn is_default(&self) -> bool {
        *self == PeopleBy::default()
    }
}

/// The part of a clip that is sampled, in frames from the first: `[start, start + length]`, both real numbers, so that
/// a crop is exact for any clip and any share. The whole of a clip of `n` frames is `[0, n - 1]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// Time of the first sample.
    pub start: f64,
    /// Time from the first sample to the last.
    pub length: f64,
}

impl Window {
    /// All of a clip of `frames` frames.
    pub fn whole(frames: usize) -> Window {
        Window {
            start: 0.0,
            length: frames.saturating_sub(1) as f64,
        }
    }

    /// The `share` (0 to 1) of a clip's duration, as far into the rest as `place` (0 to 1) says.
    pub fn crop(frames: usize, share: f64, place: f64) -> Window {
        let whole = Window::whole(frames).length;
        let length = whole * share;
        Window {
            start: (whole - length) * place,
            length,
        }
    }

    /// When sample `index` of `samples` lies: numpy's `linspace(start, start + length, samples)`.
    pub fn time(&self, index: usize, samples: usize) -> f64 {
        if samples > 1 && index == samples - 1 {
            return self.start + self.length;
        }
        let step = self.length / (samples.max(2) - 1) as f64;
        self.start + index as f64 * step
    }
}

/// What was found in a clip; working memory that is kept from clip to clip.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// Stored persons that are tracks, in the source's order.
    pub tracks: Vec<usize>,
    /// Stored frames that are kept, in order.
    pub frames: Vec<usize>,
    /// (m, t), whether the person has a present joint in the frame.
    seen: Vec<bool>,
}

impl Survey {
    /// Finds the tracks and the frames of a clip: at most `persons` tracks, those that are first `by` presence, score or motion
    /// (the earlier one where two are equal), in the source's order.
    pub fn take(&mut self, view: &ClipView<'_>, threshold: f32, persons: usize, by: PeopleBy) {
        let t = view.frames;
        let rows = view.persons * t;
        self.seen.clear();
        let is_seen = |row| any_present(view, threshold, row);
        self.seen.extend((0..rows).map(is_seen));
        let seen = &self.seen;
        let track_rows = |track: usize| track * t..(track + 1) * t;
        self.tracks.clear();
        let is_track = |&track: &usize| seen[track_rows(track)].contains(&true);
        self.tracks.extend((0..view.persons).filter(is_track));
        if self.tracks.len() > persons {
            let rank = |&track: &usize| (rank(view, threshold, track, by), track);
            let mut ranked: Vec<(f64, usize)> = self.tracks.iter().map(rank).collect();
            ranked.sort_by(|(one, _), (other, _)| other.total_cmp(one));
            self.tracks.clear();
            self.tracks.extend(ranked.iter().map(|&(_, track)| track));
            self.tracks.truncate(persons);
            self.tracks.sort_unstable();
        }
        let tracks = &self.tracks;
        self.frames.clear();
        let is_kept = |frame: &usize| tracks.iter().any(|track| seen[track * t + frame]);
        self.frames.extend((0..t).filter(is_kept));
    }

    /// Puts the track that is seen in the most frames (the earlier one where two are equal) first, and keeps the frames in
    /// which it is seen, and the tracks that are seen in these.
    pub fn follow(&mut self, frames: usize) {
        let (seen, t) = (&self.seen, frames);
        let count = |track: usize| {
            let row = &seen[track * t..(track + 1) * t];
            row.iter().filter(|&&there| there).count()
        };
        let places = 0..self.tracks.len();
        let Some(place) = places.min_by_key(|&place| std::cmp::Reverse(count(self.tracks[place])))
        else {
            return;
        };
        self.tracks[..=place].rotate_right(1);
        let leader = self.tracks[0];
        self.frames.retain(|frame| seen[leader * t + frame]);
        let kept = &self.frames;
        let is_seen = |track: &usize| kept.iter().any(|frame| seen[track * t + frame]);
        self.tracks.retain(is_seen);
    }
}

fn any_present(view: &ClipView<'_>, threshold: f32, row: usize) -> bool {
    let mut joints = row * view.joints..(row + 1) * view.joints;
    joints.any(|joint| view.is_present(joint, threshold))
}

/// How far in front a track is.
fn rank(view: &ClipView<'_>, threshold: f32, track: usize, by: PeopleBy) -> f64 {
    let (t, v) = (view.frames, view.joints);
    let joints = (track * t * v..(track + 1) * t * v).filter(|&at| view.is_present(at, threshold));
    match (by, view.scores) {
        (PeopleBy::Presence, _) | (PeopleBy::Score, None) => joints.count() as f64,
        (PeopleBy::Score, Some(scores)) => joints.map(|at| f64::from(scores.get(at))).sum(),
        (PeopleBy::Motion, _) => {
            // By joint: frames, and sums of places and of their squares about the first.
            let mut sums = vec![(0.0f64, [0.0f64; 3], 0.0f64, [0.0f32; 3]); v];
            for at in joints {
                let (n, sum, squares, first) = &mut sums[at % v];
                let place = view.place(at);
                if *n == 0.0 {
                    *first = place;
                }
                *n += 1.0;
                for axis in 0..3 {
                    let x = f64::from(place[axis]) - f64::from(first[axis]);
                    sum[axis] += x;
                    *squares += x * x;
                }
            }
            let variance = |(n, sum, squares, _): &(f64, [f64; 3], f64, [f32; 3])| match *n > 0.0 {
                true => squares / n - sum.iter().map(|x| (x / n) * (x / n)).sum::<f64>(),
                false => 0.0,
            };
            sums.iter().map(variance).sum()
        }
    }
}

/// Which share of a clip's motion, as [`PeopleBy::Motion`] has it, is that of the people who are read.
pub(crate) fn share_of_motion(
    view: &ClipView<'_>,
    threshold: f32,
    persons: usize,
    by: PeopleBy,
) -> f64 {
    let mut survey = Survey::default();
    survey.take(view, threshold, persons, by);
    let motion = |track: usize| rank(view, threshold, track, PeopleBy::Motion);
    let all: f64 = (0..view.persons).map(motion).sum();
    let read: f64 = survey.tracks.iter().map(|&track| motion(track)).sum();
    if all > 0.0 { read / all } else { 1.0 }
}

/// Where one sample lies: the share `weight` of the way from one kept frame to another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Pick {
    pub low: usize,
    pub high: usize,
    pub weight: f32,
}

impl Pick {
    /// At `time` among frames from 0 to `last`; a time that falls on a frame takes that frame alone.
    fn at(time: f64, last: usize) -> Pick {
        let time = time.clamp(0.0, last as f64);
        let low = time as usize;
        Pick {
            low,
            high: (low + 1).min(last),
            weight: (time - low as f64) as f32,
        }
    }

    fn frame(frame: usize) -> Pick {
        Pick {
            low: frame,
            high: frame,
            weight: 0.0,
        }
    }
}

/// What decides the frames of one read.
pub(crate) enum Choice<'a> {
    /// Training: a part of the clip, and what random frames are drawn from.
    Random {
        share: f64,
        place: f64,
        rng: &'a mut Rng,
    },
    /// Evaluation: which view of how many, and the clip's name.
    View {
        view: usize,
        views: usize,
        id: &'a str,
    },
}

/// The samples of one clip, in kept frames.
#[derive(Debug, Default)]
pub(crate) struct Picks {
    /// A pick a sample.
    pub now: Vec<Option<Pick>>,
    /// One frame after each, none where the clip ends before; empty unless asked for.
    pub later: Vec<Option<Pick>>,
    indices: Vec<usize>,
}

impl Picks {
    /// Chooses `samples` of `frames` (1 or more) kept frames.
    pub fn choose(
        &mut self,
        sampling: Sampling,
        (frames, samples): (usize, usize),
        choice: Choice<'_>,
        later: bool,
    ) {
        let last = frames - 1;
        self.now.clear();
        self.later.clear();
        match sampling {
            Sampling::Linear => {
                let window = match choice {
                    Choice::Random { share, place, .. } => Window::crop(frames, share, place),
                    Choice::View { .. } => Window::whole(frames),
                };
                for sample in 0..samples {
                    let time = window.time(sample, samples);
                    self.now.push(Some(Pick::at(time, last)));
                    if later {
                        let next = time + 1.0 <= last as f64;
                        self.later.push(next.then(|| Pick::at(time + 1.0, last)));
                    }
                }
            }
            Sampling::Uniform => {
                self.choose_uniform(frames, samples, choice);
                let pick = |frame: usize| (frame <= last).then(|| Pick::frame(frame));
                let frames = self.indices.iter();
                self.now.extend(frames.clone().map(|&frame| pick(frame)));
                if later {
                    self.later.extend(frames.map(|&frame| pick(frame + 1)));
                }
            }
        }
    }

    fn choose_uniform(&mut self, frames: usize, samples: usize, choice: Choice<'_>) {
        match choice {
            Choice::Random { share, place, rng } => {
                let kept = ((frames as f64 * share) as usize).clamp(1, frames);
                let start = (((frames - kept + 1) as f64 * place) as usize).min(frames - kept);
                uniform::random(kept, samples, |n| below(rng, n), &mut self.indices);
                self.indices.iter_mut().for_each(|frame| *frame += start);
            }
            Choice::View { view, views, id } => {
                // Evaluation asks for the same frames whatever the seed of the training was.
                let mut rng = stream(0, Purpose::Sample, view as u64, Key::Clip(id));
                let draw = |n| below(&mut rng, n);
                uniform::view(frames, samples, (view, views), draw, &mut self.indices);
            }
        }
    }
}

/// A number below `n` (1 to 2^32): each is equally likely to one part in 2^32 / n.
pub(crate) fn below(rng: &mut Rng, n: usize) -> usize {
    ((u64::from(rng.next_u32()) * n as u64) >> 32) as usize
}

#[cfg(test)]
mod tests;
