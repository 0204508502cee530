//! Scores of several models of the same clips as one, such as those of joints, bones and their motions.

use std::cmp::Reverse;

use rayon::prelude::*;

use crate::metrics::{Scores, ranking};

/// Parts into which a tuned whole is divided: weights are tenths.
pub const PARTS: usize = 10;

/// Streams that weights can be tuned for; more would be thousands of candidates.
pub const MOST_STREAMS: usize = 6;

/// Below this a probability counts as this in the logarithm.
const LEAST: f64 = 1e-12;

/// Mean losses that differ by less are the same: rounding must not decide between streams that are alike.
const GRAIN: f64 = 1e-9;

/// Weights and how they did.
#[derive(Clone, Debug, PartialEq)]
pub struct Tuned {
    /// One a stream; they sum to 1.
    pub weights: Vec<f64>,
    /// Share of the labelled clips that is right.
    pub top1: f64,
    /// Weights that were tried.
    pub tried: usize,
}

/// The weighted mean of the probabilities of each clip. Weights of any sum above 0 are shares of it.
///
/// # Panics
/// When there is no stream, the streams aren't of the same clips in the same order, or weights and streams differ in number.
pub fn fuse(streams: &[Scores], weights: &[f64]) -> Scores {
    assert_eq!(streams.len(), weights.len(), "a weight a stream");
    assert!(
        streams.iter().all(|stream| stream.ids == streams[0].ids),
        "the same clips in the same order"
    );
    let sum: f64 = weights.iter().sum();
    let shares: Vec<f64> = weights.iter().map(|weight| weight / sum).collect();
    Scores {
        ids: streams[0].ids.clone(),
        labels: streams[0].labels.clone(),
        probabilities: (0..streams[0].ids.len())
            .map(|clip| mixed(streams, &shares, clip))
            .collect(),
    }
}

/// The best of all weights in tenths, on held-out clips: most right, then the least mean `-log p` of the truth, then nearest to
/// equal weights, then the first. `None` where no clip has a label, or for more than [`MOST_STREAMS`] streams.
///
/// # Panics
/// As [`fuse`].
pub fn tune(streams: &[Scores]) -> Option<Tuned> {
    assert!(
        streams.iter().all(|stream| stream.ids == streams[0].ids),
        "the same clips in the same order"
    );
    let known: Vec<(usize, usize)> = streams[0]
        .labels
        .iter()
        .enumerate()
        .filter_map(|(clip, &label)| Some((clip, usize::try_from(label).ok()?)))
        .collect();
    if known.is_empty() || streams.len() > MOST_STREAMS {
        return None;
    }
    let shares = |parts: &Vec<usize>| -> Vec<f64> {
        parts.iter().map(|&p| p as f64 / PARTS as f64).collect()
    };
    let candidates = tenths(streams.len());
    let measured: Vec<(usize, u64)> = candidates
        .par_iter()
        .map(|parts| {
            let shares = shares(parts);
            let (mut right, mut loss) = (0, 0.0);
            for &(clip, label) in &known {
                let p = mixed(streams, &shares, clip);
                right += usize::from(ranking(&p)[0] == label);
                loss -= p[label].max(LEAST).ln();
            }
            (right, (loss / known.len() as f64 / GRAIN).round() as u64)
        })
        .collect();
    let uneven = |at: usize| candidates[at].iter().map(|p| p * p).sum::<usize>();
    let best = (0..candidates.len()).min_by_key(|&at| {
        let (right, loss) = measured[at];
        (Reverse(right), loss, uneven(at))
    })?;
    Some(Tuned {
        weights: shares(&candidates[best]),
        top1: measured[best].0 as f64 / known.len() as f64,
        tried: candidates.len(),
    })
}

/// The probabilities of one clip, (k).
fn mixed(streams: &[Scores], shares: &[f64], clip: usize) -> Vec<f64> {
    let mut sum = vec![0.0; streams[0].probabilities[clip].len()];
    for (stream, share) in streams.iter().zip(shares) {
        for (sum, p) in sum.iter_mut().zip(&stream.probabilities[clip]) {
            *sum += share * p;
        }
    }
    sum
}

/// All ways to give [`PARTS`] parts to `n` streams.
fn tenths(n: usize) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    for stream in 0..n {
        let last = stream + 1 == n;
        all = all
            .into_iter()
            .flat_map(|start: Vec<usize>| {
                let left = PARTS - start.iter().sum::<usize>();
                let least = if last { left } else { 0 };
                (least..=left).map(move |parts| [&start[..], &[parts]].concat())
            })
            .collect();
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(labels: &[i64], probabilities: &[[f64; 2]]) -> Scores {
        Scores {
            ids: (0..labels.len()).map(|i| i.to_string()).collect(),
            labels: labels.to_vec(),
            probabilities: probabilities.iter().map(|p| p.to_vec()).collect(),
        }
    }

    #[test]
    fn weights_are_shares_of_their_sum() {
        let (a, b) = (scores(&[0], &[[1.0, 0.0]]), scores(&[0], &[[0.2, 0.8]]));
        let fused = fuse(&[a.clone(), b.clone()], &[3.0, 1.0]);
        assert!((fused.probabilities[0][0] - 0.8).abs() < 1e-12);
        let one = fuse(std::slice::from_ref(&a), &[7.0]);
        assert_eq!(one, a);
        assert_eq!(fuse(&[a.clone(), b], &[1.0, 0.0]), a);
    }

    #[test]
    fn every_division_occurs_once() {
        for (n, count) in [(1, 1), (2, 11), (3, 66), (4, 286), (6, 3003)] {
            let all = tenths(n);
            assert_eq!(all.len(), count);
            assert!(all.iter().all(|parts| parts.iter().sum::<usize>() == PARTS));
            let distinct: std::collections::BTreeSet<_> = all.iter().collect();
            assert_eq!(distinct.len(), count);
        }
    }

    #[test]
    fn tuning_finds_the_stream_that_knows() {
        let labels = [0, 1, 0, 1];
        let knows = scores(&labels, &[[0.6, 0.4], [0.4, 0.6], [0.6, 0.4], [0.4, 0.6]]);
        let errs = scores(&labels, &[[0.1, 0.9], [0.9, 0.1], [0.1, 0.9], [0.9, 0.1]]);
        let tuned = tune(&[errs.clone(), knows.clone()]).unwrap();
        assert_eq!((tuned.top1, tuned.tried), (1.0, 11));
        assert_eq!(tuned.weights, [0.0, 1.0]);
        // Streams that are alike in everything share equally.
        assert_eq!(
            tune(&[knows.clone(), knows.clone()]).unwrap().weights,
            [0.5, 0.5]
        );
        let unlabelled = scores(&[-1], &[[0.5, 0.5]]);
        assert_eq!(tune(&[unlabelled]), None);
        assert_eq!(tune(&vec![knows; MOST_STREAMS + 1]), None);
    }
}
