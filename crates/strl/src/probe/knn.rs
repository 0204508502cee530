//! The nearest neighbours among labelled clips.

use candle_core::{Device, Tensor};
use rayon::prelude::*;
use skeleton_kernels::{host, linear};
use skeletonmae::Result;
use skeletonmae::error::positive;

use super::representation::{Features, Standard};
use crate::metrics::Scores;

/// Clips compared with all training clips at a time.
const TOGETHER: usize = 512;

/// Each clip's `k` nearest training clips (all, where there are fewer) by the cosine of features standardised by the training
/// clips vote for their class with (1 + cosine) / 2; the shares of the votes are the scores. Of equally near clips the
/// earlier counts, of equal classes the lower number.
///
/// # Errors
/// When `k` is 0, there is no training clip, a label isn't below `classes`, or an operation fails.
pub fn neighbours(train: &Features, clips: &Features, classes: usize, k: usize) -> Result<Scores> {
    positive("neighbours", k)?;
    let labels = train.classes("the training clips of neighbours", classes)?;
    let standard = Standard::of(train);
    let known = directions(&standard, train)?; // (n, w)
    let asked = directions(&standard, clips)?; // (m, w)
    let mut probabilities = Vec::with_capacity(clips.len());
    for from in (0..clips.len()).step_by(TOGETHER) {
        let some = asked.narrow(0, from, TOGETHER.min(clips.len() - from))?;
        let cosines = linear(&some.contiguous()?, &known, None)?; // (some, n)
        let cosines = host::read::<f32>(&cosines)?;
        let rows = cosines.par_chunks_exact(train.len());
        let votes = rows.map(|row| vote(row, &labels, classes, k));
        probabilities.extend(votes.collect::<Vec<_>>());
    }
    Ok(Scores {
        ids: clips.ids.clone(),
        labels: clips.labels.clone(),
        probabilities,
    })
}

/// Standardised features of length 1; what is all zeros stays so.
fn directions(standard: &Standard, clips: &Features) -> Result<Tensor> {
    let mut rows = standard.rows(clips);
    for row in rows.chunks_exact_mut(clips.width.max(1)) {
        let square: f64 = row.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
        if square > 0.0 {
            let factor = 1.0 / square.sqrt();
            row.iter_mut()
                .for_each(|x| *x = (f64::from(*x) * factor) as f32);
        }
    }
    let shape = (clips.len(), clips.width);
    Ok(Tensor::from_vec(rows, shape, &Device::Cpu)?)
}

/// Shares of the votes of the `k` nearest, (classes).
fn vote(cosines: &[f32], labels: &[usize], classes: usize, k: usize) -> Vec<f64> {
    let mut order: Vec<usize> = (0..cosines.len()).collect();
    let nearer = |&a: &usize, &b: &usize| cosines[b].total_cmp(&cosines[a]).then(a.cmp(&b));
    let k = k.min(order.len());
    if k < order.len() {
        order.select_nth_unstable_by(k - 1, nearer);
        order.truncate(k);
    }
    // Votes are added in one order, so that rounding is the same each time.
    order.sort_unstable_by(nearer);
    let mut votes = vec![0.0; classes];
    let mut all = 0.0;
    for &clip in &order {
        // A cosine may be rounded to a little below -1.
        let weight = (0.5 * (1.0 + f64::from(cosines[clip]))).max(f64::MIN_POSITIVE);
        votes[labels[clip]] += weight;
        all += weight;
    }
    votes.into_iter().map(|vote| vote / all).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn features(labels: &[i64], values: &[f32]) -> Features {
        Features {
            ids: (0..labels.len()).map(|i| i.to_string()).collect(),
            labels: labels.to_vec(),
            width: values.len() / labels.len(),
            values: values.to_vec(),
        }
    }

    #[test]
    fn the_nearest_by_angle_decides_not_the_nearest_by_distance() {
        let train = features(
            &[0, 1, 0, 1],
            &[10.0, 0.0, 0.0, 10.0, -10.0, 0.0, 0.0, -10.0],
        );
        let scores = neighbours(&train, &features(&[0], &[100.0, 1.0]), 2, 1).unwrap();
        assert_eq!(scores.probabilities, [[1.0, 0.0]]);
    }

    #[test]
    fn votes_are_weighted_by_similarity() {
        // One very near clip of class 1 against two of class 0 at right angles: 1 + 1 against 1.
        let votes = vote(&[1.0, 0.0, 0.0], &[1, 0, 0], 2, 3);
        assert_eq!(votes, [0.5, 0.5]);
        let votes = vote(&[1.0, -0.2, 0.0], &[1, 0, 0], 2, 3);
        assert!(votes[1] > votes[0], "{votes:?}");
        let votes = vote(&[1.0, 0.2, 0.0], &[1, 0, 0], 2, 3);
        assert!(votes[0] > votes[1], "{votes:?}");
    }

    #[test]
    fn ties_go_to_the_earlier_clip_and_more_neighbours_than_clips_are_all() {
        assert_eq!(vote(&[0.5, 0.5, 0.5], &[2, 1, 0], 3, 1), [0.0, 0.0, 1.0]);
        let all = vote(&[0.5, 0.5], &[1, 0], 2, 100);
        assert_eq!(all, [0.5, 0.5]);
        let opposite = vote(&[-1.0], &[1], 2, 1);
        assert_eq!(opposite, [0.0, 1.0], "a vote even from the other side");
    }

    #[test]
    fn nothing_to_learn_from_is_refused() {
        let one = features(&[0], &[1.0]);
        assert!(neighbours(&Features::default(), &one, 1, 1).is_err());
        assert!(neighbours(&one, &one, 1, 0).is_err());
        assert!(neighbours(&features(&[-1], &[1.0]), &one, 1, 1).is_err());
    }
}
