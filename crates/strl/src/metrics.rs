//! How good scores are.

use skeletonmae::Result;
use skeletonmae::train::ranks::{Ranks, Reader, Writer, gathered};

/// Class probabilities of some clips.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scores {
    /// (n), the clips' ids.
    pub ids: Vec<String>,
    /// (n), their classes; -1 where unlabelled.
    pub labels: Vec<i64>,
    /// (n, k).
    pub probabilities: Vec<Vec<f64>>,
}

/// The metrics of a labelled set. Fractions, not per cent.
#[derive(Clone, Debug, PartialEq)]
pub struct Metrics {
    /// Labelled clips.
    pub n: usize,
    /// Clips left out because they have no label.
    pub unlabelled: usize,
    /// Share whose most probable class is right.
    pub top1: f64,
    /// Share whose class is among the five most probable.
    pub top5: f64,
    /// Mean over the classes that occur of the share that is right.
    pub mean_class: f64,
    /// (k, k), clips by class (row) and most probable class (column).
    pub confusion: Vec<Vec<u64>>,
}

/// Classes from the most to the least probable; of equal ones the lower number comes first.
pub fn ranking(probabilities: &[f64]) -> Vec<usize> {
    let mut classes: Vec<usize> = (0..probabilities.len()).collect();
    classes.sort_by(|&a, &b| {
        probabilities[b]
            .total_cmp(&probabilities[a])
            .then(a.cmp(&b))
    });
    classes
}

impl Scores {
    /// Those of all ranks, which have scored clips that follow each other; the error of one ends all.
    ///
    /// # Errors
    /// This rank's own, another's, or when a rank is gone.
    pub fn of_ranks(ranks: &dyn Ranks, own: Result<Self>) -> Result<Self> {
        if ranks.size() == 1 {
            return own;
        }
        let written = own.map(|own| {
            let mut message = Writer::default();
            message.number(own.ids.len());
            for ((id, label), p) in own.ids.iter().zip(&own.labels).zip(&own.probabilities) {
                message.text(id);
                message.number(*label as usize);
                message.reals(p);
            }
            message.done()
        });
        let mut all = Self::default();
        for message in gathered(ranks, written)? {
            let mut message = Reader::of(&message);
            for _ in 0..message.number()? {
                all.ids.push(message.text()?);
                all.labels.push(message.number()? as i64);
                all.probabilities.push(message.reals()?);
            }
        }
        Ok(all)
    }

    /// One entry for every `views` that follow each other: the mean of their probabilities.
    ///
    /// # Panics
    /// When `views` is 0 or the entries don't divide by it: whoever scored all views of each clip in turn has a bug.
    pub fn averaged(self, views: usize) -> Self {
        if views == 1 {
            return self;
        }
        assert!(
            views > 0 && self.ids.len().is_multiple_of(views),
            "all views of each clip"
        );
        let mean = |views_of: &[Vec<f64>]| {
            let sum = |class: usize| views_of.iter().map(|p| p[class]).sum::<f64>();
            (0..views_of[0].len())
                .map(|class| sum(class) / views as f64)
                .collect()
        };
        Self {
            probabilities: self.probabilities.chunks(views).map(mean).collect(),
            labels: self.labels.into_iter().step_by(views).collect(),
            ids: self.ids.into_iter().step_by(views).collect(),
        }
    }

    /// Metrics over `k` classes; `None` where no clip has a label below k.
    pub fn metrics(&self, k: usize) -> Option<Metrics> {
        let mut confusion = vec![vec![0; k]; k];
        let (mut n, mut top1, mut top5) = (0, 0, 0);
        for (&label, p) in self.labels.iter().zip(&self.probabilities) {
            let Some(label) = usize::try_from(label).ok().filter(|&label| label < k) else {
                continue;
            };
            let ranking = ranking(p);
            n += 1;
            top1 += usize::from(ranking[0] == label);
            top5 += usize::from(ranking.iter().take(5).any(|&class| class == label));
            confusion[label][ranking[0]] += 1;
        }
        let rows = confusion
            .iter()
            .enumerate()
            .map(|(class, row)| (row[class], row.iter().sum()));
        let shares: Vec<f64> = rows
            .filter(|&(_, all): &(u64, u64)| all > 0)
            .map(|(right, all)| right as f64 / all as f64)
            .collect();
        (n > 0).then(|| Metrics {
            n,
            unlabelled: self.labels.len() - n,
            top1: top1 as f64 / n as f64,
            top5: top5 as f64 / n as f64,
            mean_class: shares.iter().sum::<f64>() / shares.len() as f64,
            confusion,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(labels: &[i64], probabilities: &[&[f64]]) -> Scores {
        Scores {
            ids: labels.iter().map(i64::to_string).collect(),
            labels: labels.to_vec(),
            probabilities: probabilities.iter().map(|p| p.to_vec()).collect(),
        }
    }

    #[test]
    fn views_are_averaged_clip_by_clip() {
        let views = [&[0.9, 0.1][..], &[0.2, 0.8], &[0.5, 0.5], &[0.0, 1.0]];
        let averaged = scores(&[0, 0, 1, 1], &views).averaged(2);
        assert_eq!(
            (&averaged.ids[..], &averaged.labels[..]),
            (&["0".to_owned(), "1".into()][..], &[0, 1][..])
        );
        assert!((averaged.probabilities[0][0] - 0.55).abs() < 1e-12);
        assert_eq!(averaged.probabilities[1], [0.25, 0.75]);
        let one = scores(&[3], &[&[1.0]]);
        assert_eq!(one.clone().averaged(1), one);
    }

    #[test]
    fn rows_of_the_confusion_are_the_truth() {
        let s = scores(
            &[0, 0, 1, -1],
            &[&[0.9, 0.1], &[0.2, 0.8], &[0.3, 0.7], &[1.0, 0.0]],
        );
        let m = s.metrics(2).unwrap();
        assert_eq!((m.n, m.unlabelled), (3, 1));
        assert_eq!(m.confusion, [[1, 1], [0, 1]]);
        assert_eq!(m.top1, 2.0 / 3.0);
        assert_eq!(m.mean_class, 0.75, "class 0 half right, class 1 wholly");
        assert_eq!(m.top5, 1.0);
    }

    #[test]
    fn a_class_without_clips_does_not_count() {
        let m = scores(&[2], &[&[0.0, 0.0, 1.0]]).metrics(3).unwrap();
        assert_eq!(m.mean_class, 1.0);
        assert_eq!(scores(&[-1], &[&[1.0]]).metrics(1), None);
    }

    #[test]
    fn the_sixth_is_not_among_five() {
        let p = [0.3, 0.2, 0.15, 0.1, 0.09, 0.08, 0.08];
        let m = scores(&[4, 5], &[&p, &p]).metrics(7).unwrap();
        assert_eq!(m.top5, 0.5);
    }
}
