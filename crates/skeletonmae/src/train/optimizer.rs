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

/// Parameters with the moments of their gradients, which lie in one flat buffer each, in the order of the
/// parameters: an update is one pass over them. Moments are kept and updates computed in double
/// precision whatever the parameters' type; these are few numbers beside the activations.
#[derive(Clone, Debug)]
pub struct Optimizer {
    config: OptimizerConfig,
    parameters: Vec<(String, Var)>,
    /// First moment or velocity.
    first: Vec<f64>,
    /// Second moment (Adam).
    second: Vec<f64>,
    steps: u64,
}

impl Optimizer {
    /// Moments start at zero. `parameters` come in the store's order.
    ///
    /// # Errors
    /// When the configuration is refused.
    pub fn new(config: OptimizerConfig, parameters: Vec<(String, Var)>) -> Result<Self> {
        config.validate()?;
        let n = parameters.iter().map(|(_, var)| var.elem_count()).sum();
        let second = match config {
            OptimizerConfig::Adam { .. } => vec![0.0; n],
            OptimizerConfig::Sgd { .. } => Vec::new(),
        };
        Ok(Self {
            config,
            first: vec![0.0; n],
            second,
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
        let mut at = 0;
        for ((_, var), gradient) in self.parameters.iter().zip(gradients) {
            let own = at..at + var.elem_count();
            at = own.end;
            let Some(gradient) = gradient else { continue };
            let mut values = numbers(var)?;
            let gradient = numbers(&gradient.broadcast_as(var.shape())?)?;
            let first = &mut self.first[own.clone()];
            match self.config {
                OptimizerConfig::Adam {
                    beta1,
                    beta2,
                    weight_decay,
                    ..
                } => {
                    let rule = Adam {
                        lr,
                        betas: (beta1, beta2),
                        weight_decay,
                        steps: self.steps,
                    };
                    rule.update(&mut values, &gradient, first, &mut self.second[own]);
                }
                OptimizerConfig::Sgd {
                    momentum,
                    nesterov,
                    weight_decay,
                    ..
                } => {
                    for ((x, &g), v) in values.iter_mut().zip(&gradient).zip(first) {
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
        for (kind, all) in [("first", &self.first), ("second", &self.second)] {
            let mut rest = &all[..];
            for (name, var) in self.parameters.iter().filter(|_| !all.is_empty()) {
                let (own, left) = rest.split_at(var.elem_count());
                rest = left;
                let moment = Tensor::from_slice(own, var.shape(), &Device::Cpu)?;
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
        let find = |kind: &str, like: &[f64]| -> Result<Vec<f64>> {
            let mut all = Vec::with_capacity(like.len());
            for (name, var) in self.parameters.iter().filter(|_| !like.is_empty()) {
                let name = format!("{kind}.{name}");
                match moments.get(&name) {
                    Some(t) if t.dims() == var.dims() => all.extend(numbers(t)?),
                    other => {
                        return Err(Error::Parameter {
                            expected: format!("{:?}", var.dims()),
                            found: other.map_or("none".into(), |t| format!("{:?}", t.dims())),
                            name,
                        });
                    }
                }
            }
            Ok(all)
        };
        let (first, second) = (find("first", &self.first)?, find("second", &self.second)?);
        (self.first, self.second, self.steps) = (first, second, steps);
        Ok(())
    }
}

fn numbers(t: &Tensor) -> candle_core::Result<Vec<f64>> {
    t.to_dtype(DType::F64)?.flatten_all()?.to_vec1()
}

struct Adam {
    lr: f64,
    betas: (f64, f64),
    weight_decay: f64,
    steps: u64,
}

impl Adam {
    fn update(&self, values: &mut [f64], gradient: &[f64], first: &mut [f64], second: &mut [f64]) {
        let (beta1, beta2) = self.betas;
        let t = self.steps as i32;
        let (mean, square) = (1.0 - beta1.powi(t), 1.0 - beta2.powi(t));
        let moments = first.iter_mut().zip(second);
        for ((x, &g), (m, v)) in values.iter_mut().zip(gradient).zip(moments) {
            let g = g + self.weight_decay * *x;
            *m = beta1 * *m + (1.0 - beta1) * g;
            *v = beta2 * *v + (1.0 - beta2) * g * g;
            *x -= self.lr * (*m / mean) / ((*v / square).sqrt() + EPSILON);
        }
    }
}
