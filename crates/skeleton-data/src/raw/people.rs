//! Who is who from frame to frame, where a pose estimator says it and where it doesn't.

use std::collections::HashSet;

/// People kept of a clip.
pub const MOST_PEOPLE: usize = 8;
/// People of a frame who are compared with those before: a crowd is not compared with a crowd, since who is kept in the end are few.
pub(crate) const MOST_COMPARED: usize = 8 * MOST_PEOPLE;

/// A person in a frame.
#[derive(Clone, Debug)]
pub(crate) struct Pose {
    /// Which person it is, where the program says it.
    pub person: Option<i64>,
    /// (v, c)
    pub places: Vec<f32>,
    /// (v)
    pub scores: Vec<f32>,
}

impl Pose {
    /// Of the box around the joints that were found; of fewer than two infinite.
    fn diagonal(&self) -> f32 {
        let c = self.places.len() / self.scores.len().max(1);
        let found = || (0..self.scores.len()).filter(|&joint| self.scores[joint] > 0.0);
        if found().count() < 2 {
            return f32::INFINITY;
        }
        let side = |axis: usize| {
            let places = found().map(|joint| self.places[joint * c + axis]);
            let (low, high) = places.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), x| {
                (low.min(x), high.max(x))
            });
            (high - low) * (high - low)
        };
        (0..c).map(side).sum::<f32>().sqrt()
    }
}

/// Which track each pose of a frame goes on. A person whom the program numbers is the track that `named` gives for the number;
/// the others are those of the tracks without a number (`open`, each with its last pose) whose joints are nearest on average, the
/// nearest pairs first, and no farther away than the diagonal of their box.
pub(crate) fn matched(
    poses: &[Pose],
    named: impl Fn(i64) -> Option<usize>,
    open: &[(usize, &Pose)],
) -> Vec<Option<usize>> {
    let mut of_pose: Vec<Option<usize>> = vec![None; poses.len()];
    let mut taken: HashSet<usize> = HashSet::new();
    for (at, pose) in poses.iter().enumerate() {
        let Some(track) = pose.person.and_then(&named) else {
            continue;
        };
        // A number that a frame has twice is one person's once.
        if taken.insert(track) {
            of_pose[at] = Some(track);
        }
    }
    let free = |at: &usize| of_pose[*at].is_none() && poses[*at].person.is_none();
    let free: Vec<usize> = (0..poses.len()).filter(free).take(MOST_COMPARED).collect();
    let mut pairs: Vec<(f32, usize, usize)> = Vec::new();
    for &(track, last) in open.iter().filter(|(track, _)| !taken.contains(track)) {
        let reach = last.diagonal();
        let near = free.iter().filter_map(|&at| {
            let distance = distance(last, &poses[at])?;
            (distance <= reach).then_some((distance, track, at))
        });
        pairs.extend(near);
    }
    pairs.sort_by(|one, other| one.partial_cmp(other).unwrap_or(std::cmp::Ordering::Equal));
    for (_, track, at) in pairs {
        if of_pose[at].is_none() && taken.insert(track) {
            of_pose[at] = Some(track);
        }
    }
    of_pose
}

/// Mean distance of the joints that both have; none where there are none.
fn distance(one: &Pose, other: &Pose) -> Option<f32> {
    let c = one.places.len() / one.scores.len().max(1);
    let (mut sum, mut joints) = (0.0, 0);
    for joint in 0..one.scores.len() {
        if one.scores[joint] > 0.0 && other.scores[joint] > 0.0 {
            let axes = joint * c..(joint + 1) * c;
            let square = |(a, b): (&f32, &f32)| (a - b) * (a - b);
            let squares: f32 = one.places[axes.clone()]
                .iter()
                .zip(&other.places[axes])
                .map(square)
                .sum();
            sum += squares.sqrt();
            joints += 1;
        }
    }
    (joints > 0).then(|| sum / joints as f32)
}
