//! Coordinates that are no numbers.

use half::f16;
use serde::Serialize;

use crate::{Sequence, Values};

/// What [`Sequence::repair`] changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Repaired {
    /// Joints that had a coordinate that is not finite, made missing.
    pub joints: usize,
    /// Scores that were not finite, made zero.
    pub scores: usize,
}

impl Sequence {
    /// Makes joints with a coordinate that is not finite missing (all zeros, score zero), and such scores zero.
    pub fn repair(&mut self) -> Repaired {
        let mut repaired = Repaired::default();
        let c = self.coordinates.max(1);
        let joints = match &mut self.keypoints {
            Values::F16(values) => lost_joints(values, c, f16::ZERO, f16::is_finite),
            Values::F32(values) => lost_joints(values, c, 0.0, f32::is_finite),
        };
        repaired.joints = joints.len();
        match &mut self.scores {
            Some(Values::F16(scores)) => {
                repaired.scores = finite_scores(scores, &joints, f16::ZERO, f16::is_finite)
            }
            Some(Values::F32(scores)) => {
                repaired.scores = finite_scores(scores, &joints, 0.0, f32::is_finite)
            }
            None => {}
        }
        repaired
    }
}

/// Zeroes joints of `c` coordinates that aren't all finite, and says which they were.
fn lost_joints<T: Copy>(
    values: &mut [T],
    c: usize,
    zero: T,
    finite: impl Fn(T) -> bool,
) -> Vec<usize> {
    let mut lost = Vec::new();
    for (joint, coordinates) in values.chunks_exact_mut(c).enumerate() {
        if !coordinates.iter().all(|&x| finite(x)) {
            coordinates.fill(zero);
            lost.push(joint);
        }
    }
    lost
}

/// Zeroes the scores of lost joints, and those that aren't finite, which are counted.
fn finite_scores<T: Copy>(
    scores: &mut [T],
    lost: &[usize],
    zero: T,
    finite: impl Fn(T) -> bool,
) -> usize {
    let mut count = 0;
    for score in scores.iter_mut().filter(|score| !finite(**score)) {
        *score = zero;
        count += 1;
    }
    for &joint in lost {
        if let Some(score) = scores.get_mut(joint) {
            *score = zero;
        }
    }
    count
}
