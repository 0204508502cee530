//! Sampling in time: which joints, tracks and frames of a clip are there, and a fixed number of frames from them.
//!
//! A joint is present in a frame when its coordinates are finite and not all zero, and its score, where the source has
//! scores, is above the threshold. A track is a person with at least one present joint. Frames in which no track has
//! a present joint are dropped, and time counts the frames that are left.

use half::slice::HalfFloatSliceExt;

use crate::{ClipView, ValuesRef};

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

/// Working memory that is kept from clip to clip.
#[derive(Debug, Default)]
pub(crate) struct Sampler {
    /// Stored persons that are tracks, in the source's order.
    pub tracks: Vec<usize>,
    /// Stored frames that are kept, in order.
    pub frames: Vec<usize>,
    earlier: Row,
    later: Row,
}

/// One person in one frame, decoded.
#[derive(Debug, Default)]
struct Row {
    /// The stored row, none while the buffers hold nothing.
    index: Option<usize>,
    /// (v, c); absent joints are 0.
    keypoints: Vec<f32>,
    /// (v).
    presence: Vec<f32>,
    scores: Vec<f32>,
    complete: bool,
}

impl Sampler {
    /// Finds the tracks and the frames of a clip: at most `persons` tracks, those with the most present joints (the
    /// earlier one where two are equal), in the source's order.
    pub fn survey(&mut self, view: &ClipView<'_>, threshold: f32, persons: usize) {
        let rows = |track: usize| track * view.frames..(track + 1) * view.frames;
        self.tracks.clear();
        self.tracks.extend(
            (0..view.persons)
                .filter(|&track| rows(track).any(|row| any_present(view, threshold, row))),
        );
        if self.tracks.len() > persons {
            let count = |track: usize| {
                rows(track)
                    .map(|row| count_present(view, threshold, row))
                    .sum::<usize>()
            };
            self.tracks
                .sort_by_cached_key(|&track| std::cmp::Reverse(count(track)));
            self.tracks.truncate(persons);
            self.tracks.sort_unstable();
        }
        self.frames.clear();
        let tracks = &self.tracks;
        self.frames.extend((0..view.frames).filter(|frame| {
            tracks
                .iter()
                .any(|track| any_present(view, threshold, track * view.frames + frame))
        }));
    }

    /// Appends `samples` frames of every surveyed track, (n, t, v, c) and (n, t, v), linear between the two kept frames
    /// around each time. Where one of them lacks a joint the other one's is taken as it is; a time that falls on a
    /// frame takes that frame alone.
    pub fn resample<const C: usize>(
        &mut self,
        view: &ClipView<'_>,
        threshold: f32,
        window: Window,
        samples: usize,
        keypoints: &mut Vec<f32>,
        presence: &mut Vec<f32>,
    ) {
        let last = self.frames.len() - 1;
        self.earlier.index = None;
        self.later.index = None;
        for &track in &self.tracks {
            for sample in 0..samples {
                let time = window.time(sample, samples).clamp(0.0, last as f64);
                let low = time as usize;
                let weight = (time - low as f64) as f32;
                let row = |frame: usize| track * view.frames + self.frames[frame];
                let (first, second) = (row(low), row((low + 1).min(last)));
                if self.later.index == Some(first) {
                    std::mem::swap(&mut self.earlier, &mut self.later);
                }
                self.earlier.decode::<C>(view, threshold, first);
                if weight > 0.0 {
                    self.later.decode::<C>(view, threshold, second);
                    blend::<C>(&self.earlier, &self.later, weight, keypoints, presence);
                } else {
                    keypoints.extend_from_slice(&self.earlier.keypoints);
                    presence.extend_from_slice(&self.earlier.presence);
                }
            }
        }
    }
}

impl Row {
    fn decode<const C: usize>(&mut self, view: &ClipView<'_>, threshold: f32, index: usize) {
        if self.index == Some(index) {
            return;
        }
        self.index = Some(index);
        let v = view.joints;
        copy(view.keypoints, index * v * C, v * C, &mut self.keypoints);
        let joints = self.keypoints.as_chunks_mut::<C>().0;
        self.presence.clear();
        self.presence.extend(joints.iter().map(|joint| {
            // A coordinate that is no number or not finite makes the sum so.
            let size: f32 = joint.iter().map(|x| x.abs()).sum();
            f32::from(u8::from(size > 0.0 && size < f32::INFINITY))
        }));
        if let Some(scores) = view.scores {
            copy(scores, index * v, v, &mut self.scores);
            for (there, &score) in self.presence.iter_mut().zip(&self.scores) {
                // A score that is not a number is not above the threshold.
                *there = if score > threshold { *there } else { 0.0 };
            }
        }
        self.complete = self.presence.iter().all(|&there| there == 1.0);
        if !self.complete {
            for (joint, &there) in joints.iter_mut().zip(&self.presence) {
                *joint = if there == 0.0 { [0.0; C] } else { *joint };
            }
        }
    }
}

/// Appends the frame `weight` of the way from `a` to `b`.
fn blend<const C: usize>(
    a: &Row,
    b: &Row,
    weight: f32,
    keypoints: &mut Vec<f32>,
    presence: &mut Vec<f32>,
) {
    if a.complete && b.complete {
        keypoints.extend(
            a.keypoints
                .iter()
                .zip(&b.keypoints)
                .map(|(a, b)| a * (1.0 - weight) + b * weight),
        );
        presence.extend_from_slice(&a.presence);
        return;
    }
    let start = keypoints.len();
    keypoints.extend_from_slice(&b.keypoints);
    let (mixed, firsts) = (
        keypoints[start..].as_chunks_mut::<C>().0,
        a.keypoints.as_chunks::<C>().0,
    );
    for ((mixed, first), (&in_a, &in_b)) in mixed
        .iter_mut()
        .zip(firsts)
        .zip(a.presence.iter().zip(&b.presence))
    {
        // Absent joints are 0: with weights 1 and 0 the sum is the present one's value.
        let of_b = if in_a == 0.0 { 1.0 } else { weight * in_b };
        for c in 0..C {
            mixed[c] = first[c] * (1.0 - of_b) + mixed[c] * of_b;
        }
    }
    presence.extend(
        a.presence
            .iter()
            .zip(&b.presence)
            .map(|(&in_a, &in_b)| in_a.max(in_b)),
    );
}

fn copy(values: ValuesRef<'_>, start: usize, count: usize, into: &mut Vec<f32>) {
    into.resize(count, 0.0);
    match values {
        ValuesRef::F16(values) => values[start..start + count].convert_to_f32_slice(into),
        ValuesRef::F32(values) => into.copy_from_slice(&values[start..start + count]),
    }
}

/// Whether a joint of a stored row is present, without decoding the rest of the row.
fn is_present(view: &ClipView<'_>, threshold: f32, row: usize, joint: usize) -> bool {
    let (at, c) = (row * view.joints + joint, view.coordinates);
    let there = match view.keypoints {
        ValuesRef::F16(values) => {
            let joint = &values[at * c..(at + 1) * c];
            joint.iter().any(|x| x.to_bits() & 0x7fff != 0)
                && joint.iter().all(|x| x.to_bits() & 0x7c00 != 0x7c00)
        }
        ValuesRef::F32(values) => {
            let joint = &values[at * c..(at + 1) * c];
            joint.iter().any(|&x| x != 0.0) && joint.iter().all(|x| x.is_finite())
        }
    };
    there && view.scores.is_none_or(|scores| scores.get(at) > threshold)
}

fn any_present(view: &ClipView<'_>, threshold: f32, row: usize) -> bool {
    (0..view.joints).any(|joint| is_present(view, threshold, row, joint))
}

fn count_present(view: &ClipView<'_>, threshold: f32, row: usize) -> usize {
    (0..view.joints)
        .filter(|&joint| is_present(view, threshold, row, joint))
        .count()
}

#[cfg(test)]
mod tests;
