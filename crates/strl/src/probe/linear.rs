//! The linear probe: multinomial logistic regression.

use candle_core::{DType, Device, Var};
use candle_nn::ops::softmax_last_dim;
use skeleton_kernels::{host, linear};
use skeletonmae::Result;
use skeletonmae::train::{Decay, Gradients, Optimizer, OptimizerConfig, Schedule};

use super::representation::{Features, Standard};
use crate::finetune::{cross_entropy_to, target};
use crate::metrics::{Scores, ranking};

/// Steps of Adam, each over all clips.
pub const STEPS: usize = 300;

/// The first step's rate, which falls along half a cosine.
pub const LEARNING_RATE: f64 = 0.01;

/// Weight decays to choose from, the strongest first: of equally good ones the first is taken.
pub const DECAYS: [f64; 5] = [1.0, 1e-1, 1e-2, 1e-3, 1e-4];

/// A map from standardised features to classes. Its first weights are zero, so nothing is random in it.
#[derive(Clone, Debug)]
pub struct Linear {
    standard: Standard,
    /// (k, w).
    weight: Var,
    /// (k).
    bias: Var,
}

/// A weight decay and how it did on held-out clips.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chosen {
    /// The weight decay.
    pub decay: f64,
    /// Share of the held-out clips that it gets right.
    pub top1: f64,
}

impl Linear {
    /// Fits `classes` classes to labelled clips: [`STEPS`] full-batch steps of Adam from zero.
    ///
    /// # Errors
    /// When there is no clip, a label isn't below `classes`, or an operation fails.
    pub fn fit(train: &Features, classes: usize, decay: f64) -> Result<Linear> {
        train.classes("the probe's training clips", classes)?;
        let standard = Standard::of(train);
        let x = standard.tensor(train)?;
        let zeros = |shape: &[usize]| Var::zeros(shape, DType::F32, &Device::Cpu);
        let (weight, bias) = (zeros(&[classes, train.width])?, zeros(&[classes])?);
        let rule = OptimizerConfig::Adam {
            lr: LEARNING_RATE,
            beta1: 0.9,
            beta2: 0.999,
            weight_decay: decay,
        };
        let parameters = vec![
            ("bias".to_owned(), bias.clone()),
            ("weight".to_owned(), weight.clone()),
        ];
        let mut optimizer = Optimizer::new(rule, parameters)?;
        let schedule = Schedule {
            warmup_epochs: 0,
            decay: Decay::Cosine,
        };
        let target = target((train.len(), classes), &train.labels, 0.0, &x)?;
        for step in 0..STEPS {
            let logits = linear(&x, weight.as_tensor(), Some(bias.as_tensor()))?; // (n, k)
            let loss = cross_entropy_to(&logits, &target, train.len() as f64)?;
            let mut gradients = Gradients::none(2);
            gradients.add(&loss, optimizer.parameters())?;
            let lr = LEARNING_RATE * schedule.factor(step, STEPS);
            optimizer.step(gradients.as_slice(), lr)?;
        }
        Ok(Linear {
            standard,
            weight,
            bias,
        })
    }

    /// Class probabilities of other clips.
    ///
    /// # Errors
    /// When their features aren't of the width that was fitted.
    pub fn score(&self, clips: &Features) -> Result<Scores> {
        let x = self.standard.tensor(clips)?;
        let logits = linear(&x, self.weight.as_tensor(), Some(self.bias.as_tensor()))?;
        let p = host::read::<f64>(&softmax_last_dim(&logits)?)?;
        Ok(Scores {
            ids: clips.ids.clone(),
            labels: clips.labels.clone(),
            probabilities: p
                .chunks_exact(logits.dim(1)?)
                .map(<[f64]>::to_vec)
                .collect(),
        })
    }
}

/// The one of [`DECAYS`] whose fit to `kept` gets most of `held` right.
///
/// # Errors
/// As [`Linear::fit`].
pub fn choose_decay(kept: &Features, held: &Features, classes: usize) -> Result<Chosen> {
    let mut best: Option<Chosen> = None;
    for decay in DECAYS {
        let scores = Linear::fit(kept, classes, decay)?.score(held)?;
        let right = scores.labels.iter().zip(&scores.probabilities);
        let right = right.filter(|(label, p)| **label == ranking(p)[0] as i64);
        let top1 = right.count() as f64 / held.len().max(1) as f64;
        if best.is_none_or(|best| top1 > best.top1) {
            best = Some(Chosen { decay, top1 });
        }
    }
    Ok(best.expect("there are decays to choose from"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two classes along one feature of two; the other one is noise of a larger size.
    fn clips(n: usize) -> Features {
        let noise = |i: usize| ((i * 7919) % 101) as f32 - 50.0;
        Features {
            ids: (0..n).map(|i| i.to_string()).collect(),
            labels: (0..n).map(|i| (i % 2) as i64).collect(),
            width: 2,
            values: (0..n)
                .flat_map(|i| [(i % 2) as f32 + 0.001 * noise(i * 3), noise(i)])
                .collect(),
        }
    }

    #[test]
    fn separable_classes_are_told_apart_and_twice_is_the_same() {
        let (train, test) = (clips(40), clips(90));
        let scores = Linear::fit(&train, 2, 1e-3).unwrap().score(&test).unwrap();
        assert_eq!(scores.metrics(2).unwrap().top1, 1.0);
        let again = Linear::fit(&train, 2, 1e-3).unwrap().score(&test).unwrap();
        assert_eq!(scores, again);
    }

    #[test]
    fn a_fit_is_a_minimum() {
        // At the minimum of the mean loss plus decay/2 |W|^2 the gradient vanishes: mean of (p - y) = -decay b.
        let (train, decay) = (clips(40), 0.1);
        let fit = Linear::fit(&train, 2, decay).unwrap();
        let p = fit.score(&train).unwrap().probabilities;
        let bias = fit.bias.to_vec1::<f32>().unwrap();
        for (class, &bias) in bias.iter().enumerate() {
            let off: f64 = p
                .iter()
                .zip(&train.labels)
                .map(|(p, &label)| p[class] - f64::from(u8::from(label == class as i64)))
                .sum::<f64>()
                / 40.0;
            assert!((off + decay * f64::from(bias)).abs() < 1e-3, "{off} {bias}");
        }
    }

    #[test]
    fn the_strongest_of_equal_decays_is_chosen() {
        let chosen = choose_decay(&clips(40), &clips(20), 2).unwrap();
        assert_eq!(
            chosen,
            Chosen {
                decay: DECAYS[0],
                top1: 1.0
            }
        );
    }

    #[test]
    fn labels_beyond_the_classes_are_refused() {
        let mut wrong = clips(4);
        wrong.labels[2] = 2;
        let refused = Linear::fit(&wrong, 2, 0.0).unwrap_err().to_string();
        assert!(refused.contains("found 2"), "{refused}");
        assert!(Linear::fit(&Features::default(), 2, 0.0).is_err());
    }
}
