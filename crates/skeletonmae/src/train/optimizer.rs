//! Adam and SGD over named parameters. Candle's SGD has no momentum and its AdamW keeps its moments
//! to itself.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor, Var};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// An update rule, as PyTorch defines it (weight decay is added to the gradient).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum OptimizerConfig {
    /// Kingma and Ba, 2015.
    Adam {
        /// Learning rate before the schedule.
        lr: f64,
        /// Decay of the first moment.
        #[serde(default = "beta1")]
        beta1: f64,
        /// Decay of the second moment.
        #[serde(default = "beta2")]
        beta2: f64,
        /// Factor of the parameter that is added to its gradient.
        #[serde(default)]
        weight_decay: f64,
    },
    /// Stochastic gradient descent with momentum.
    Sgd {
        /// Learning rate before the schedule.
        lr: f64,
        /// Decay of the velocity; 0 is plain gradient descent.
        momentum: f64,
        /// Looks ahead along the velocity.
        nesterov: bool,
        /// Factor of the parameter that is added to its gradient.
        weight_decay: f64,
    },
}

fn beta1() -> f64 {
    0.9
}

fn beta2() -> f64 {
    0.999
}

/// Added to the root of the second moment.
const EPSILON: f64 = 1e-8;

impl OptimizerConfig {
    /// Learning rate before the schedule.
    pub fn lr(&self) -> f64 {
        match self {
            Self::Adam { lr, .. } | Self::Sgd { lr, .. } => *lr,
        }
    }

    /// Refuses values no training can use.
    ///
    /// # Errors
    /// Names the field.
    pub fn validate(&self) -> Result<()> {
        let check =
            |field, value: f64, ok, expected| Error::refuse_unless(ok, field, expected, value);
        let share = |b: f64| (0.0..1.0).contains(&b);
        let decay = match *self {
            Self::Adam {
                beta1,
                beta2,
                weight_decay,
                ..
            } => {
                check("beta1", beta1, share(beta1), "0 <= beta1 < 1")?;
                check("beta2", beta2, share(beta2), "0 <= beta2 < 1")?;
                weight_decay
            }
            Self::Sgd {
                momentum,
                weight_decay,
                nesterov,
                ..
            } => {
                let ok = share(momentum) && !(nesterov && momentum == 0.0);
                let expected = "0 <= momentum < 1, and above 0 with nesterov";
                check("momentum", momentum, ok, expected)?;
                weight_decay
            }
        };
        check("weight_decay", decay, decay >= 0.0, "a number not below 0")?;
        let lr = self.lr();
        check("lr", lr, lr > 0.0 && lr.is_finite(), "a number above 0")
    }
}

/// Parameters with the moments of their gradients. Moments are kept and updates computed in double precision whatever
/// the parameters' type; these are few numbers beside the activations.
#[derive(Clone, Debug)]
pub struct Optimizer {
    config: OptimizerConfig,
    parameters: Vec<(String, Var)>,
    /// Of each parameter the first moment or velocity, and the second moment, which is empty for SGD.
    moments: Vec<[Vec<f64>; 2]>,
    steps: u64,
}

/// Beginnings of the moments' names.
const MOMENTS: [&str; 2] = ["first", "second"];

impl Optimizer {
    /// Moments start at zero. `parameters` come in the store's order.
    ///
    /// # Errors
    /// When the configuration is refused.
    pub fn new(config: OptimizerConfig, parameters: Vec<(String, Var)>) -> Result<Self> {
        config.validate()?;
        let zeros = |(_, var): &(String, Var)| {
            let first = vec![0.0; var.elem_count()];
            match config {
                OptimizerConfig::Adam { .. } => [first.clone(), first],
                OptimizerConfig::Sgd { .. } => [first, Vec::new()],
            }
        };
        Ok(Self {
            config,
            moments: parameters.iter().map(zeros).collect(),
            parameters,
            steps: 0,
        })
    }

    /// The parameters, in order.
    pub fn parameters(&self) -> &[(String, Var)] {
        &self.parameters
    }

    /// The rule.
    pub fn config(&self) -> &OptimizerConfig {
        &self.config
    }

    /// One update by `gradients`, one a parameter in the same order; `None` leaves the parameter be.
    ///
    /// # Errors
    /// When a gradient doesn't have its parameter's shape.
    pub fn step(&mut self, gradients: &[Option<Tensor>], lr: f64) -> Result<()> {
        self.steps += 1;
        let own = self.parameters.iter().zip(&mut self.moments);
        for (((_, var), [first, second]), gradient) in own.zip(gradients) {
            let Some(gradient) = gradient else { continue };
            let mut values = numbers(var)?;
            let gradient = numbers(&gradient.broadcast_as(var.shape())?)?;
            let each = values.iter_mut().zip(&gradient).zip(first);
            match self.config {
                OptimizerConfig::Adam {
                    beta1,
                    beta2,
                    weight_decay,
                    ..
                } => {
                    let t = self.steps as i32;
                    let (mean, square) = (1.0 - beta1.powi(t), 1.0 - beta2.powi(t));
                    for (((x, &g), m), v) in each.zip(second) {
                        let g = g + weight_decay * *x;
                        *m = beta1 * *m + (1.0 - beta1) * g;
                        *v = beta2 * *v + (1.0 - beta2) * g * g;
                        *x -= lr * (*m / mean) / ((*v / square).sqrt() + EPSILON);
                    }
                }
                OptimizerConfig::Sgd {
                    momentum,
                    nesterov,
                    weight_decay,
                    ..
                } => {
                    for ((x, &g), v) in each {
                        let g = g + weight_decay * *x;
                        *v = momentum * *v + g;
                        *x -= lr * if nesterov { g + momentum * *v } else { *v };
                    }
                }
            }
            let values = Tensor::from_vec(values, var.shape(), var.device())?;
            var.set(&values.to_dtype(var.dtype())?)?;
        }
        Ok(())
    }

    /// Updates so far and the moments, named `first.PARAMETER` and `second.PARAMETER`, in `f64`.
    ///
    /// # Errors
    /// When a tensor can't be made.
    pub fn state(&self) -> Result<(u64, BTreeMap<String, Tensor>)> {
        let mut moments = BTreeMap::new();
        for ((name, var), own) in self.parameters.iter().zip(&self.moments) {
            for (kind, moment) in MOMENTS.iter().zip(own).filter(|(_, m)| !m.is_empty()) {
                let moment = Tensor::from_slice(moment, var.shape(), &Device::Cpu)?;
                moments.insert(format!("{kind}.{name}"), moment);
            }
        }
        Ok((self.steps, moments))
    }

    /// Takes a saved [`state`](Self::state) on.
    ///
    /// # Errors
    /// When a moment is missing or has another shape; nothing is taken on then.
    pub fn restore(&mut self, steps: u64, moments: &BTreeMap<String, Tensor>) -> Result<()> {
        let mut restored = self.moments.clone();
        for ((name, var), own) in self.parameters.iter().zip(&mut restored) {
            for (kind, moment) in MOMENTS.iter().zip(own).filter(|(_, m)| !m.is_empty()) {
                let name = format!("{kind}.{name}");
                let given = moments.get(&name);
                let Some(given) = given.filter(|given| given.dims() == var.dims()) else {
                    let given = given.map(Tensor::dims);
                    return Err(Error::parameter(&name, Some(var.dims()), given));
                };
                *moment = numbers(given)?;
            }
        }
        (self.moments, self.steps) = (restored, steps);
        Ok(())
    }
}

fn numbers(t: &Tensor) -> candle_core::Result<Vec<f64>> {
    t.to_dtype(DType::F64)?.flatten_all()?.to_vec1()
}
