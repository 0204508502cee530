//! Decoding the frames that were picked, and no others, into arrays of one length.

use half::slice::HalfFloatSliceExt;

use super::{Pick, Survey};
use crate::sequence::is_somewhere;
use crate::{ClipView, ValuesRef};

/// Marks a kept frame that no pick touches.
const UNTOUCHED: usize = usize::MAX;

/// Working memory that is kept from clip to clip.
#[derive(Debug, Default)]
pub(crate) struct Filler {
    /// The place of each kept frame among the touched ones.
    place: Vec<usize>,
    /// Stored frames that are touched, in order.
    touched: Vec<usize>,
    /// (touched, v, c) of one track; absent joints are 0.
    keypoints: Vec<f32>,
    /// (touched, v).
    presence: Vec<f32>,
    /// (touched, v), where the source has scores.
    scores: Vec<f32>,
    /// (touched), whether all joints are present.
    complete: Vec<bool>,
}

/// Where samples go: arrays of n tracks.
pub(crate) struct Arrays<'a> {
    /// (n, t, v, c).
    pub keypoints: &'a mut [f32],
    /// (n, t, v).
    pub presence: &'a mut [f32],
}

impl Filler {
    /// Fills the arrays of every surveyed track, a row a pick; a row without a pick is absent. Returns whether every joint
    /// is present.
    pub fn fill<const C: usize>(
        &mut self,
        view: &ClipView<'_>,
        threshold: f32,
        survey: &Survey,
        picks: &[Option<Pick>],
        to: &mut Arrays<'_>,
    ) -> bool {
        let v = view.joints;
        self.touch(survey, picks);
        let presence = to.presence.chunks_exact_mut(v);
        let mut rows = to.keypoints.chunks_exact_mut(v * C).zip(presence);
        let mut complete = true;
        for &track in &survey.tracks {
            self.decode::<C>(view, threshold, track);
            for (pick, (keypoints, presence)) in picks.iter().zip(&mut rows) {
                complete &= match pick {
                    Some(pick) => self.mix::<C>(*pick, v, keypoints, presence),
                    None => {
                        keypoints.fill(0.0);
                        presence.fill(0.0);
                        false
                    }
                };
            }
        }
        complete
    }

    /// Finds out which frames are needed.
    fn touch(&mut self, survey: &Survey, picks: &[Option<Pick>]) {
        self.place.clear();
        self.place.resize(survey.frames.len(), UNTOUCHED);
        for pick in picks.iter().flatten() {
            self.place[pick.low] = 0;
            if pick.weight > 0.0 {
                self.place[pick.high] = 0;
            }
        }
        self.touched.clear();
        for (place, &frame) in self.place.iter_mut().zip(&survey.frames) {
            if *place != UNTOUCHED {
                *place = self.touched.len();
                self.touched.push(frame);
            }
        }
    }

    /// Decodes the touched frames of one person.
    fn decode<const C: usize>(&mut self, view: &ClipView<'_>, threshold: f32, track: usize) {
        let v = view.joints;
        self.keypoints.resize(self.touched.len() * v * C, 0.0);
        self.scores.resize(self.touched.len() * v, 0.0);
        let mut done = 0;
        for run in self.touched.chunk_by(|a, b| a + 1 == *b) {
            let (row, end) = (track * view.frames + run[0], done + run.len());
            let keypoints = &mut self.keypoints[done * v * C..end * v * C];
            copy(view.keypoints, row * v * C, keypoints);
            if let Some(scores) = view.scores {
                copy(scores, row * v, &mut self.scores[done * v..end * v]);
            }
            done = end;
        }
        let joints = self.keypoints.as_chunks_mut::<C>().0;
        self.presence.clear();
        let presence = |joint: &[f32; C]| f32::from(u8::from(is_somewhere(joint)));
        self.presence.extend(joints.iter().map(presence));
        if view.scores.is_some() {
            for (there, &score) in self.presence.iter_mut().zip(&self.scores) {
                // A score that is not a number is not above the threshold.
                *there = if score > threshold { *there } else { 0.0 };
            }
        }
        self.complete.clear();
        let rows = joints.chunks_exact_mut(v);
        for (joints, presence) in rows.zip(self.presence.chunks_exact(v)) {
            let complete = presence.iter().fold(1.0, |all: f32, &there| all * there) == 1.0;
            self.complete.push(complete);
            if !complete {
                for (joint, &there) in joints.iter_mut().zip(presence) {
                    *joint = if there == 0.0 { [0.0; C] } else { *joint };
                }
            }
        }
    }

    /// Writes one sample of the decoded person; returns whether all its joints are present.
    fn mix<const C: usize>(
        &self,
        pick: Pick,
        v: usize,
        keypoints: &mut [f32],
        presence: &mut [f32],
    ) -> bool {
        let row = |frame: usize| {
            let place = self.place[frame];
            let (values, joints) = (place * v * C, place * v);
            (
                &self.keypoints[values..values + v * C],
                &self.presence[joints..joints + v],
                self.complete[place],
            )
        };
        let (first, in_first, complete) = row(pick.low);
        if pick.weight == 0.0 {
            keypoints.copy_from_slice(first);
            presence.copy_from_slice(in_first);
            return complete;
        }
        let (second, in_second, also_complete) = row(pick.high);
        if complete && also_complete {
            for ((mixed, a), b) in keypoints.iter_mut().zip(first).zip(second) {
                *mixed = a * (1.0 - pick.weight) + b * pick.weight;
            }
            presence.fill(1.0);
            return true;
        }
        let second = second.as_chunks::<C>().0;
        let ends = first.as_chunks::<C>().0.iter().zip(second);
        let theirs = in_first.iter().zip(in_second);
        let mixed = keypoints.as_chunks_mut::<C>().0.iter_mut().zip(presence);
        for (((mixed, there), (a, b)), (&in_a, &in_b)) in mixed.zip(ends).zip(theirs) {
            // Absent joints are 0: with weights 1 and 0 the sum is the present one's value.
            let of_b = if in_a == 0.0 { 1.0 } else { pick.weight * in_b };
            *mixed = std::array::from_fn(|c| a[c] * (1.0 - of_b) + b[c] * of_b);
            *there = in_a.max(in_b);
        }
        false
    }
}

fn copy(values: ValuesRef<'_>, start: usize, into: &mut [f32]) {
    let end = start + into.len();
    match values {
        ValuesRef::F16(values) => values[start..end].convert_to_f32_slice(into),
        ValuesRef::F32(values) => into.copy_from_slice(&values[start..end]),
    }
}
