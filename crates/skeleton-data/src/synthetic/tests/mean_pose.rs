//! The mean pose of a clip must not tell its class: two simple classifiers on it stay below one half.

use super::*;
use crate::reading::{Reading, read_clip};

/// Each joint's mean place over all tracks and frames in which it is present, of the clip as a model reads it.
fn mean_pose(clip: &Sequence, layout: &Layout) -> Vec<f64> {
    let tracks = read_clip(&clip.view(), layout, &Reading::default(), None).unwrap();
    let (v, c) = (tracks.joints, tracks.coordinates);
    let (mut sums, mut counts) = (vec![0.0; v * c], vec![0.0; v]);
    for (row, presence) in tracks
        .keypoints
        .chunks_exact(v * c)
        .zip(tracks.presence.chunks_exact(v))
    {
        sums.iter_mut()
            .zip(row)
            .for_each(|(sum, &x)| *sum += f64::from(x));
        counts
            .iter_mut()
            .zip(presence)
            .for_each(|(count, &there)| *count += f64::from(there));
    }
    sums.iter()
        .enumerate()
        .map(|(i, sum)| sum / f64::max(counts[i / c], 1.0))
        .collect()
}

struct Half {
    poses: Vec<Vec<f64>>,
    labels: Vec<usize>,
}

/// Features standardised by the training half, and a constant.
fn halves_of(set: &Synthetic) -> [Half; 2] {
    let train = &set.splits[0].1;
    let mut halves = [0; 2].map(|_| Half {
        poses: Vec::new(),
        labels: Vec::new(),
    });
    for clip in &set.sequences {
        let half = &mut halves[usize::from(!train.contains(&clip.id))];
        half.poses.push(mean_pose(clip, &set.layout));
        half.labels.push(clip.label.unwrap() as usize);
    }
    let count = halves[0].poses.len() as f64;
    for feature in 0..halves[0].poses[0].len() {
        let mean = halves[0]
            .poses
            .iter()
            .map(|pose| pose[feature])
            .sum::<f64>()
            / count;
        let variance = halves[0]
            .poses
            .iter()
            .map(|pose| (pose[feature] - mean).powi(2))
            .sum::<f64>()
            / count;
        for pose in halves.iter_mut().flat_map(|half| &mut half.poses) {
            pose[feature] = (pose[feature] - mean) / (variance.sqrt() + 1e-6);
        }
    }
    halves
        .iter_mut()
        .flat_map(|half| &mut half.poses)
        .for_each(|pose| pose.push(1.0));
    halves
}

fn accuracy(half: &Half, score: impl Fn(&[f64], usize) -> f64) -> f64 {
    let right = half.poses.iter().zip(&half.labels).filter(|(pose, label)| {
        let best = (0..ACTIONS.len()).max_by(|&a, &b| score(pose, a).total_cmp(&score(pose, b)));
        best == Some(**label)
    });
    right.count() as f64 / half.labels.len() as f64
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Ridge regression of the class indicators: (X'X + penalty) W = X'Y by elimination; a row of W per class.
fn ridge(half: &Half, penalty: f64) -> Vec<Vec<f64>> {
    let (size, classes) = (half.poses[0].len(), ACTIONS.len());
    let mut rows = vec![vec![0.0; size + classes]; size];
    for (pose, &label) in half.poses.iter().zip(&half.labels) {
        for (row, &x) in rows.iter_mut().zip(pose) {
            row.iter_mut().zip(pose).for_each(|(sum, &y)| *sum += x * y);
            row[size + label] += x;
        }
    }
    for (i, row) in rows.iter_mut().enumerate() {
        row[i] += penalty;
    }
    // The matrix is positive definite: no pivoting.
    for i in 0..size {
        let pivot = rows[i].clone();
        for (j, row) in rows.iter_mut().enumerate() {
            if j != i {
                let factor = row[i] / pivot[i];
                row.iter_mut()
                    .zip(&pivot)
                    .for_each(|(a, b)| *a -= factor * b);
            }
        }
    }
    (0..classes)
        .map(|k| (0..size).map(|i| rows[i][size + k] / rows[i][i]).collect())
        .collect()
}

fn centroids(half: &Half) -> Vec<Vec<f64>> {
    let centroid = |class: usize| {
        let of_class = half
            .poses
            .iter()
            .zip(&half.labels)
            .filter(|(_, label)| **label == class);
        let mut sum = vec![0.0; half.poses[0].len()];
        let mut count = 0.0;
        for (pose, _) in of_class {
            sum.iter_mut().zip(pose).for_each(|(sum, x)| *sum += x);
            count += 1.0;
        }
        sum.into_iter().map(|x| x / count).collect()
    };
    (0..ACTIONS.len()).map(centroid).collect()
}

#[test]
fn the_mean_pose_does_not_tell_the_class() {
    for kind in [SyntheticKind::Coco17, SyntheticKind::Ntu25] {
        let [train, val] = halves_of(&make(kind, &SyntheticSettings::default()));
        for penalty in [1.0, 10.0, 100.0] {
            let weights = ridge(&train, penalty);
            let right = accuracy(&val, |pose, class| dot(pose, &weights[class]));
            eprintln!("{kind:?}: ridge ({penalty}) on the mean pose: {right:.3}");
            // Far above chance, so that the classifier works; the bound is the promise.
            assert!((0.2..0.5).contains(&right), "{kind:?} {penalty}: {right}");
        }
        let centroids = centroids(&train);
        let nearest = |pose: &[f64], class: usize| {
            -pose
                .iter()
                .zip(&centroids[class])
                .map(|(a, b)| (a - b).powi(2))
                .sum::<f64>()
        };
        let right = accuracy(&val, nearest);
        eprintln!("{kind:?}: nearest centroid of the mean pose: {right:.3}");
        assert!((0.2..0.5).contains(&right), "{kind:?}: {right}");
    }
}
