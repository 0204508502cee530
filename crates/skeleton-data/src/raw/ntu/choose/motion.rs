//! Measures of bodies, rounded as numpy rounds them: choices that hang on a comparison come out the same.

use super::super::Pose;

/// The variance of x, y and z over all joints of these poses, summed over the three, in square metres.
///
/// numpy's `var(axis=0)` of a single-precision array of rows takes two passes, each adding row by row in single precision.
pub(super) fn motion<'a>(poses: impl Iterator<Item = &'a Pose> + Clone) -> f32 {
    let joints = || poses.clone().flatten();
    let rows = joints().count() as f32;
    let mut mean = [0f32; 3];
    for joint in joints() {
        for (sum, x) in mean.iter_mut().zip(joint) {
            *sum += x;
        }
    }
    let mean = mean.map(|sum| sum / rows);
    let mut squares = [0f32; 3];
    for joint in joints() {
        for ((sum, x), mean) in squares.iter_mut().zip(joint).zip(mean) {
            let deviation = x - mean;
            *sum += deviation * deviation;
        }
    }
    let [x, y, z] = squares.map(|sum| sum / rows);
    x + y + z
}

/// Whether a body is at most `max_width` times as wide as it is high: ranges in single precision, the rest in double.
pub(super) fn is_clean(pose: &Pose, max_width: f64) -> bool {
    let range = |c: usize| {
        let coordinates = pose.iter().map(|joint| joint[c]);
        let highest = coordinates.clone().fold(f32::NEG_INFINITY, f32::max);
        highest - coordinates.fold(f32::INFINITY, f32::min)
    };
    f64::from(range(0)) <= max_width * f64::from(range(1))
}

/// The sum of the absolute values, added in numpy's order: up to 128 numbers through eight sums, more by halves.
pub(super) fn sum_of_sizes(values: &[f32]) -> f32 {
    const SUMS: usize = 8;
    const BLOCK: usize = 128;
    if values.len() < SUMS {
        return values.iter().fold(0.0, |sum, x| sum + x.abs());
    }
    if values.len() > BLOCK {
        let half = values.len() / 2;
        let (first, second) = values.split_at(half - half % SUMS);
        return sum_of_sizes(first) + sum_of_sizes(second);
    }
    let (blocks, rest) = values.as_chunks::<SUMS>();
    let mut s = [0f32; SUMS];
    for block in blocks {
        for (sum, x) in s.iter_mut().zip(block) {
            *sum += x.abs();
        }
    }
    let sum = ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
    rest.iter().fold(sum, |sum, x| sum + x.abs())
}
