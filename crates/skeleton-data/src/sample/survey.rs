//! Which joints, tracks and frames of a clip are there, by the rules of [`sample`](super).

use half::f16;

use crate::{ClipView, ValuesRef};

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
    /// Finds the tracks and the frames of a clip: at most `persons` tracks, those with the most present joints (the
    /// earlier one where two are equal), in the source's order.
    pub fn take(&mut self, view: &ClipView<'_>, threshold: f32, persons: usize) {
        let t = view.frames;
        let rows = view.persons * t;
        self.seen.clear();
        self.seen
            .extend((0..rows).map(|row| any_present(view, threshold, row)));
        let seen = &self.seen;
        let track_rows = |track: usize| track * t..(track + 1) * t;
        self.tracks.clear();
        self.tracks
            .extend((0..view.persons).filter(|&track| seen[track_rows(track)].contains(&true)));
        if self.tracks.len() > persons {
            let count = |track: usize| {
                track_rows(track)
                    .map(|row| count_present(view, threshold, row))
                    .sum::<usize>()
            };
            self.tracks
                .sort_by_cached_key(|&track| std::cmp::Reverse(count(track)));
            self.tracks.truncate(persons);
            self.tracks.sort_unstable();
        }
        let tracks = &self.tracks;
        self.frames.clear();
        self.frames
            .extend((0..t).filter(|frame| tracks.iter().any(|track| seen[track * t + frame])));
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
        self.tracks
            .retain(|track| kept.iter().any(|frame| seen[track * t + frame]));
    }
}

/// Whether a joint of a stored row is present, without decoding the rest of the row.
pub(crate) fn is_present(view: &ClipView<'_>, threshold: f32, row: usize, joint: usize) -> bool {
    let (at, c) = (row * view.joints + joint, view.coordinates);
    let there = match view.keypoints {
        ValuesRef::F16(values) => half_is_somewhere(&values[at * c..(at + 1) * c]),
        ValuesRef::F32(values) => is_somewhere(&values[at * c..(at + 1) * c]),
    };
    there && is_sure(view, threshold, at)
}

fn any_present(view: &ClipView<'_>, threshold: f32, row: usize) -> bool {
    let (v, c) = (view.joints, view.coordinates);
    let (first, values) = (row * v, row * v * c..(row + 1) * v * c);
    let sure = |joint: usize| is_sure(view, threshold, first + joint);
    match view.keypoints {
        ValuesRef::F16(all) => {
            let mut joints = all[values].chunks_exact(c).enumerate();
            joints.any(|(joint, x)| half_is_somewhere(x) && sure(joint))
        }
        ValuesRef::F32(all) => {
            let mut joints = all[values].chunks_exact(c).enumerate();
            joints.any(|(joint, x)| is_somewhere(x) && sure(joint))
        }
    }
}

pub(super) fn count_present(view: &ClipView<'_>, threshold: f32, row: usize) -> usize {
    (0..view.joints)
        .filter(|&joint| is_present(view, threshold, row, joint))
        .count()
}

/// By their bits: a sign and a zero are nowhere, an exponent of ones is infinite or no number.
fn half_is_somewhere(joint: &[f16]) -> bool {
    joint.iter().any(|x| x.to_bits() & 0x7fff != 0)
        && joint.iter().all(|x| x.to_bits() & 0x7c00 != 0x7c00)
}

fn is_somewhere(joint: &[f32]) -> bool {
    joint.iter().any(|&x| x != 0.0) && joint.iter().all(|x| x.is_finite())
}

/// A score that is not a number is not above the threshold.
fn is_sure(view: &ClipView<'_>, threshold: f32, at: usize) -> bool {
    view.scores.is_none_or(|scores| scores.get(at) > threshold)
}
