//! The people of a clip, and what happens at its ends.

use half::f16;

use super::super::JOINTS;
use super::super::rules::{Decision, Skip};
use super::{Track, sum_of_sizes};
use crate::Values;

/// The most poses a clip can have, absent ones included, for each that was seen.
const FOR_A_POSE: usize = 8;
/// What it can have beside: nine minutes of one person.
const FREE_POSES: usize = 1 << 14;
/// Numbers of a pose.
const NUMBERS: usize = JOINTS * 3;
/// The joint that tells whether someone is there when slots change places.
const MID_SPINE: usize = 1;

/// The people of a clip.
#[derive(Clone, Debug, PartialEq)]
pub struct People<K = Values> {
    /// m, slots; an empty one is all zeros.
    pub persons: usize,
    /// t, frames.
    pub frames: usize,
    /// (m, t, v, c): metres; zeros where someone is absent.
    pub keypoints: K,
}

/// People in single precision.
pub(super) type Single = People<Vec<f32>>;

impl Single {
    /// Nobody yet. Frames without a body take two bytes of text, so that a small file can promise many: more than the poses
    /// that were `seen` make likely.
    pub(super) fn empty(persons: usize, frames: usize, seen: usize) -> Result<Single, Skip> {
        let most = FREE_POSES.saturating_add(FOR_A_POSE.saturating_mul(seen));
        if frames.saturating_mul(persons) > most {
            return Err(Skip::TooLong);
        }
        Ok(Single {
            persons,
            frames,
            keypoints: vec![0.0; persons * frames * NUMBERS],
        })
    }

    /// One body from its first to its last frame, untrimmed.
    pub(super) fn of(track: &Track<'_>, log: &mut Vec<Decision>) -> Result<Single, Skip> {
        log.push(track.placed(0));
        let start = track.start();
        let mut people = Single::empty(1, track.end() - start, track.frames())?;
        people.put(0, track, start);
        Ok(people)
    }

    /// Puts a body into a slot, over what is there; frame `start` becomes the first.
    pub(super) fn put(&mut self, slot: usize, track: &Track<'_>, start: usize) {
        for (at, pose) in track.at.iter().zip(&track.body.poses) {
            let row = (slot * self.frames + at - start) * NUMBERS;
            self.keypoints[row..row + NUMBERS].copy_from_slice(pose.as_flattened());
        }
    }

    fn pose(&self, slot: usize, frame: usize) -> &[f32] {
        let row = (slot * self.frames + frame) * NUMBERS;
        &self.keypoints[row..row + NUMBERS]
    }

    /// Rule 5: cuts frames at both ends in which nobody is.
    pub(super) fn trim(&mut self, below: f64, log: &mut Vec<Decision>) -> Result<(), Skip> {
        let mut row = Vec::with_capacity(self.persons * NUMBERS);
        let mut is_empty = |frame: usize| {
            row.clear();
            (0..self.persons).for_each(|slot| row.extend_from_slice(self.pose(slot, frame)));
            f64::from(sum_of_sizes(&row)) < below
        };
        let frames = 0..self.frames;
        let leading = frames.take_while(|&frame| is_empty(frame)).count();
        if leading == self.frames {
            return Err(Skip::AllZero);
        }
        let frames = (0..self.frames).rev();
        let trailing = frames.take_while(|&frame| is_empty(frame)).count();
        if leading + trailing == 0 {
            return Ok(());
        }
        log.push(Decision::Trimmed { leading, trailing });
        let kept = leading * NUMBERS..(self.frames - trailing) * NUMBERS;
        let slots = self.keypoints.chunks_exact(self.frames * NUMBERS);
        let keypoints = slots.flat_map(|slot| &slot[kept.clone()]).copied();
        self.keypoints = keypoints.collect();
        self.frames -= leading + trailing;
        Ok(())
    }

    /// Rule 5: someone who is there in the first frame comes before someone who isn't.
    pub(super) fn swap(&mut self, below: f64, log: &mut Vec<Decision>) {
        if self.persons < 2 || self.frames == 0 {
            return;
        }
        let size = |slot: usize| {
            let joint = &self.pose(slot, 0)[MID_SPINE * 3..][..3];
            f64::from(sum_of_sizes(joint))
        };
        if size(0) < below && size(1) > below {
            let (first, others) = self.keypoints.split_at_mut(self.frames * NUMBERS);
            first.swap_with_slice(&mut others[..first.len()]);
            log.push(Decision::Swapped);
        }
    }

    /// As a clip stores them. What is beyond half precision, 65,504 metres away, becomes missing.
    pub(super) fn stored(self, half: bool, log: &mut Vec<Decision>) -> People {
        let (persons, frames, mut keypoints) = (self.persons, self.frames, self.keypoints);
        if half {
            let mut lost = 0;
            for joint in keypoints.as_chunks_mut::<3>().0 {
                if joint.iter().any(|&x| f16::from_f32(x).is_infinite()) {
                    *joint = [0.0; 3];
                    lost += 1;
                }
            }
            if lost > 0 {
                log.push(Decision::MissingJoints { joints: lost });
            }
        }
        People {
            persons,
            frames,
            keypoints: match half {
                true => Values::F16(keypoints.into_iter().map(f16::from_f32).collect()),
                false => Values::F32(keypoints),
            },
        }
    }
}
