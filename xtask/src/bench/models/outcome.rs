//! What the rounds come to.

use super::Work;
use super::side::Kind;
use crate::bench::measure::median;

/// One side's rounds.
#[derive(Clone)]
pub struct Taken {
    pub kind: Kind,
    /// Seconds of a step, round by round.
    pub seconds: Vec<f64>,
    /// Growth of its memory.
    pub bytes: Option<f64>,
    pub parameters: f64,
}

impl Taken {
    pub fn median(&self) -> f64 {
        median(self.seconds.iter().copied())
    }
}

/// A work, all sides.
pub struct Outcome {
    pub work: &'static Work,
    pub taken: Vec<Taken>,
}

/// How many times faster we are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    /// Of the medians.
    pub ratio: f64,
    /// Quartiles of the rounds' ratios.
    pub quartiles: [f64; 2],
    pub goal: f64,
}

impl Ratio {
    pub fn met(&self) -> bool {
        self.ratio >= self.goal
    }
}

impl Outcome {
    pub fn of(&self, kind: Kind) -> Option<&Taken> {
        self.taken.iter().find(|taken| taken.kind == kind)
    }

    /// Against a side of PyTorch, where that was run.
    pub fn ratio(&self, kind: Kind) -> Option<Ratio> {
        let (ours, theirs) = (self.of(Kind::Ours)?, self.of(kind)?);
        let rounds = ours.seconds.iter().zip(&theirs.seconds);
        let by_round: Vec<f64> = rounds.map(|(ours, theirs)| theirs / ours).collect();
        let [eager, compiled] = self.work.goals;
        Some(Ratio {
            ratio: theirs.median() / ours.median(),
            quartiles: [quantile(&by_round, 0.25), quantile(&by_round, 0.75)],
            goal: if kind == Kind::Eager { eager } else { compiled },
        })
    }

    /// Our growth in memory as a share of eager PyTorch's. The compiled side's holds the compiler itself.
    pub fn memory(&self) -> Option<f64> {
        Some(self.of(Kind::Ours)?.bytes? / self.of(Kind::Eager)?.bytes?)
    }
}

/// Between the two values that surround the place `share` of the way through the sorted ones.
pub fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    let at = share * last as f64;
    let (low, high) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    low + (high - low) * at.fract()
}

#[cfg(test)]
pub mod tests {
    use super::super::WORKS;
    use super::*;

    pub fn outcome() -> Outcome {
        let taken = |kind, seconds: &[f64], bytes| Taken {
            kind,
            seconds: seconds.to_vec(),
            bytes: Some(bytes),
            parameters: 38535.0,
        };
        Outcome {
            work: &WORKS[0],
            taken: vec![
                taken(Kind::Ours, &[0.04, 0.05, 0.03], 40e6),
                taken(Kind::Eager, &[0.16, 0.1, 0.12], 100e6),
                taken(Kind::Compiled, &[0.06, 0.06, 0.06], 300e6),
            ],
        }
    }

    #[test]
    fn ratios_are_of_medians_and_quartiles_of_rounds() {
        let found = outcome().ratio(Kind::Eager).expect("both were run");
        let close = |a: f64, b: f64| (a - b).abs() < 1e-12;
        assert!(close(found.ratio, 3.0) && found.met(), "{found:?}");
        // By round 4, 2 and 4.
        assert!(close(found.quartiles[0], 3.0) && close(found.quartiles[1], 4.0));
        let found = outcome().ratio(Kind::Compiled).expect("both were run");
        assert!(close(found.ratio, 1.5) && !found.met(), "{found:?}");
        assert!(close(outcome().memory().expect("both are known"), 0.4));
        let mut alone = outcome();
        alone.taken.truncate(1);
        assert_eq!(alone.ratio(Kind::Eager), None);
        assert_eq!(alone.memory(), None);
    }

    #[test]
    fn quantiles_lie_between_values() {
        assert_eq!(quantile(&[4.0, 1.0, 2.0, 3.0, 5.0], 0.25), 2.0);
        assert_eq!(quantile(&[1.0, 2.0], 0.75), 1.75);
        assert_eq!(quantile(&[7.0], 0.25), 7.0);
        assert!(quantile(&[], 0.5).is_nan());
    }
}
