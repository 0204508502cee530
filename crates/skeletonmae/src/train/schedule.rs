//! Learning rates by epoch.

use serde::{Deserialize, Serialize};

/// Warm-up, then a decay. The rate holds for a whole epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Epochs in which the rate rises in equal steps to its full height.
    pub warmup_epochs: usize,
    /// What follows.
    pub decay: Decay,
}

/// How the rate falls after the warm-up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Decay {
    /// It doesn't.
    Constant,
    /// Half a cosine, towards 0 after the last epoch.
    Cosine,
    /// Multiplied by `factor` from each of the epochs on (paper section 4: by 0.1 at 90 and 100).
    Step {
        /// Epochs, from 0.
        epochs: Vec<usize>,
        /// The factor.
        factor: f64,
    },
}

impl Schedule {
    /// The same over `to` epochs in place of `from`.
    #[must_use]
    pub fn stretched(self, from: usize, to: usize) -> Self {
        let stretch = |epochs: usize| (epochs as f64 * to as f64 / from as f64).round() as usize;
        let decay = match self.decay {
            Decay::Step { epochs, factor } => Decay::Step {
                epochs: epochs.into_iter().map(stretch).collect(),
                factor,
            },
            other => other,
        };
        Self {
            warmup_epochs: stretch(self.warmup_epochs),
            decay,
        }
    }

    /// The factor of the learning rate in `epoch` (from 0) of `epochs`.
    pub fn factor(&self, epoch: usize, epochs: usize) -> f64 {
        if epoch < self.warmup_epochs {
            return (epoch + 1) as f64 / self.warmup_epochs as f64;
        }
        match &self.decay {
            Decay::Constant => 1.0,
            Decay::Cosine => {
                let length = epochs.saturating_sub(self.warmup_epochs).max(1);
                let gone = (epoch - self.warmup_epochs) as f64 / length as f64;
                0.5 * (1.0 + (std::f64::consts::PI * gone).cos())
            }
            Decay::Step { epochs, factor } => {
                let passed = epochs.iter().filter(|&&at| epoch >= at).count();
                factor.powi(passed as i32)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_papers_schedule() {
        let decay = Decay::Step {
            epochs: vec![90, 100],
            factor: 0.1,
        };
        let schedule = Schedule {
            warmup_epochs: 5,
            decay,
        };
        let at = |epoch| schedule.factor(epoch, 110);
        assert_eq!(
            [at(0), at(3), at(4), at(5), at(89)],
            [0.2, 0.8, 1.0, 1.0, 1.0]
        );
        assert!((at(90) - 0.1).abs() < 1e-12 && (at(109) - 0.01).abs() < 1e-12);
    }

    #[test]
    fn a_stretched_schedule_has_the_same_shape() {
        let schedule = Schedule {
            warmup_epochs: 5,
            decay: Decay::Step {
                epochs: vec![90, 100],
                factor: 0.1,
            },
        };
        assert_eq!(schedule.clone().stretched(110, 110), schedule);
        let long = schedule.clone().stretched(110, 330);
        let same = |at: usize| (long.factor(3 * at + 2, 330), schedule.factor(at, 110));
        for at in [0, 2, 4, 50, 89, 90, 99, 100, 109] {
            let (long, short) = same(at);
            assert!((long - short).abs() < 1e-12, "{at}");
        }
    }

    /// `torch_ssl.py`: .5 * (1 + cos(pi * (e - 5) / (epochs - 5))) after 5 epochs of warm-up.
    #[test]
    fn the_yardsticks_cosine() {
        let schedule = Schedule {
            warmup_epochs: 5,
            decay: Decay::Cosine,
        };
        assert_eq!(schedule.factor(5, 60), 1.0);
        // python: .5 * (1 + math.cos(math.pi * (40 - 5) / 55))
        assert!((schedule.factor(40, 60) - 0.292_292_493_499_057_2).abs() < 1e-12);
    }
}
