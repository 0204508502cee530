//! Adam and SGD over named parameters. Candle's SGD has no momentum and its AdamW keeps its moments
//! to itself.

use std::collections::BTreeMap;

use candle_core::{Tensor, Var};
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
    /// Names the setting.
    pub fn validate(&self) -> Result<()> {
        let check = |key, value: f64, ok: bool, expected: &str| {
            let (expected, found) = (expected.to_owned(), value.to_string());
            if ok {
                Ok(())
            } else {
                Err(Error::Setting {
                    key,
                    expected,
                    found,
                })
            }
        };
        let decay = match *self {
            Self::Adam {
                beta1,
                beta2,
                weight_decay,
                ..
            } => {
                let share = |b: f64| (0.0..1.0).contains(&b);
                check("optimizer.beta1", beta1, share(beta1), "0 <= beta1 < 1")?;
                check("optimizer.beta2", beta2, share(beta2), "0 <= beta2 < 1")?;
                weight_decay
            }
            Self::Sgd {
                momentum,
                weight_decay,
                nesterov,
                ..
            } => {
                let ok = (0.0..1.0).contains(&momentum) && !(nesterov && momentum == 0.0);
                let expected = "0 <= momentum < 1, and above 0 with nesterov";
                check("optimizer.momentum", momentum, ok, expected)?;
                weight_decay
            }
        };
        check(
            "optimizer.weight_decay",
            decay,
            decay >= 0.0,
            "a number not below 0",
        )?;
        let lr = self.lr();
        check(
            "optimizer.lr",
            lr,
            lr > 0.0 && lr.is_finite(),
            "a number above 0",
        )
    }
}

/// Parameters with the moments of their gradients.
#[derive(Clone, Debug)]
pub struct Optimizer {
    config: OptimizerConfig,
    parameters: Vec<(String, Var)>,
    /// First moment or velocity, by parameter.
    first: Vec<Tensor>,
    /// Second moment, by parameter (Adam).
    second: Vec<Tensor>,
    steps: u64,
}

impl Optimizer {
    /// Moments start at zero. `parameters` come in the store's order.
    ///
    /// # Errors
    /// When the configuration is refused.
    pub fn new(config: OptimizerConfig, parameters: Vec<(String, Var)>) -> Result<Self> {
        config.validate()?;
        let zeros = |used: bool| -> Result<Vec<Tensor>> {
            let used = parameters.iter().filter(|_| used);
            Ok(used
                .map(|(_, var)| var.zeros_like())
                .collect::<candle_core::Result<_>>()?)
        };
        let second = zeros(matches!(config, OptimizerConfig::Adam { .. }))?;
        Ok(Self {
            config,
            first: zeros(true)?,
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
        for (i, gradient) in gradients.iter().enumerate() {
            let Some(g) = gradient else { continue };
            match self.config {
                OptimizerConfig::Adam {
                    beta1,
                    beta2,
                    weight_decay,
                    ..
                } => {
                    self.adam(i, g, lr, (beta1, beta2), weight_decay)?;
                }
                OptimizerConfig::Sgd {
                    momentum,
                    nesterov,
                    weight_decay,
                    ..
                } => {
                    self.sgd(i, g, lr, (momentum, nesterov), weight_decay)?;
                }
            }
        }
        Ok(())
    }

    fn decayed(&self, i: usize, g: &Tensor, weight_decay: f64) -> candle_core::Result<Tensor> {
        let parameter = self.parameters[i].1.as_detached_tensor();
        if weight_decay == 0.0 {
            Ok(g.clone())
        } else {
            g + (parameter * weight_decay)?
        }
    }

    fn adam(&mut self, i: usize, g: &Tensor, lr: f64, betas: (f64, f64), decay: f64) -> Result<()> {
        let g = self.decayed(i, g, decay)?;
        let (beta1, beta2) = betas;
        self.first[i] = ((&self.first[i] * beta1)? + (&g * (1.0 - beta1))?)?;
        self.second[i] = ((&self.second[i] * beta2)? + (g.sqr()? * (1.0 - beta2))?)?;
        let t = self.steps as i32;
        let root = (&self.second[i] / (1.0 - beta2.powi(t)))?.sqrt()?;
        let mean = (&self.first[i] / (1.0 - beta1.powi(t)))?;
        let step = ((mean / (root + EPSILON)?)? * lr)?;
        let var = &self.parameters[i].1;
        Ok(var.set(&(var.as_detached_tensor() - step)?)?)
    }

    fn sgd(&mut self, i: usize, g: &Tensor, lr: f64, rule: (f64, bool), decay: f64) -> Result<()> {
        let g = self.decayed(i, g, decay)?;
        let (momentum, nesterov) = rule;
        let velocity = ((&self.first[i] * momentum)? + &g)?;
        let step = if nesterov {
            (g + (&velocity * momentum)?)?
        } else {
            velocity.clone()
        };
        self.first[i] = velocity;
        let var = &self.parameters[i].1;
        Ok(var.set(&(var.as_detached_tensor() - (step * lr)?)?)?)
    }

    /// Updates so far and the moments, named `first.PARAMETER` and `second.PARAMETER`.
    pub fn state(&self) -> (u64, BTreeMap<String, Tensor>) {
        let names = || self.parameters.iter().map(|(name, _)| name);
        let first = names()
            .zip(&self.first)
            .map(|(name, t)| (format!("first.{name}"), t.clone()));
        let second = names()
            .zip(&self.second)
            .map(|(name, t)| (format!("second.{name}"), t.clone()));
        (self.steps, first.chain(second).collect())
    }

    /// Takes a saved [`state`](Self::state) on.
    ///
    /// # Errors
    /// When a moment is missing or has another shape; nothing is taken on then.
    pub fn restore(&mut self, steps: u64, moments: &BTreeMap<String, Tensor>) -> Result<()> {
        let find = |kind: &str, like: &[Tensor]| -> Result<Vec<Tensor>> {
            let parameters = self.parameters.iter().zip(like);
            let found = parameters.map(|((name, _), like)| {
                let name = format!("{kind}.{name}");
                let shape = |t: &Tensor| format!("{:?}", t.dims());
                match moments.get(&name) {
                    Some(t) if t.dims() == like.dims() => Ok(t.clone()),
                    other => Err(Error::Parameter {
                        expected: shape(like),
                        found: other.map_or("none".into(), shape),
                        name,
                    }),
                }
            });
            found.collect()
        };
        let (first, second) = (find("first", &self.first)?, find("second", &self.second)?);
        (self.first, self.second, self.steps) = (first, second, steps);
        Ok(())
    }
}
