//! Adam and SGD over named parameters. Candle's SGD has no momentum and its AdamW keeps its moments
//! to itself.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor, Var};
use serde::{Deserialize, Serialize};
use skeleton_kernels::{constant, host};

use crate::error::{Error, Result};
use crate::train::gradients::{exact, flat};

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
        let rate = lr >= 0.0 && lr.is_finite();
        check(
            "lr",
            lr,
            rate,
            "a number not below 0 (0 moves statistics alone)",
        )
    }
}

/// Parameters with the moments of their gradients. All moments are one tensor on the parameters' device, so that an update is
/// a dozen operations however many parameters there are. Beside the CPU's fused forms moments and updates are `f64`, whatever
/// the parameters' type; on other devices they have that type.
#[derive(Clone, Debug)]
pub struct Optimizer {
    config: OptimizerConfig,
    parameters: Vec<(String, Var)>,
    /// First moment or velocity, and Adam's second moment: each the numbers of all parameters, in their order. None for
    /// no parameters.
    moments: Vec<Tensor>,
    steps: u64,
    /// What each number's rate is multiplied by, where it isn't 1 for all.
    factors: Option<Tensor>,
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
        let count = match config {
            OptimizerConfig::Adam { .. } => 2,
            OptimizerConfig::Sgd { .. } => 1,
        };
        let moments = match flat(parameters.iter().map(|(_, var)| var.as_tensor()))? {
            None => Vec::new(),
            Some(all) => vec![exact(&all)?.zeros_like()?; count],
        };
        Ok(Self {
            config,
            parameters,
            moments,
            steps: 0,
            factors: None,
        })
    }

    /// The same with a learning rate of each parameter's own, `factor` of its name times that of the step.
    ///
    /// # Errors
    /// When the factors can't be put beside the parameters.
    pub fn with_factors(mut self, factor: impl Fn(&str) -> f64) -> Result<Self> {
        let named = self.parameters.iter();
        let factors = named.map(|(name, var)| (factor(name), var.elem_count()));
        let factors: Vec<f64> = factors.flat_map(|(factor, n)| vec![factor; n]).collect();
        self.factors = match self.moments.first() {
            Some(like) if factors.iter().any(|factor| *factor != 1.0) => {
                Some(constant(factors, like.shape(), like)?)
            }
            _ => None,
        };
        Ok(self)
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
        let own: Vec<(&Var, &Option<Tensor>)> = self
            .parameters
            .iter()
            .map(|(_, var)| var)
            .zip(gradients)
            .collect();
        let mut moved = vec![Vec::new(); self.moments.len()];
        let mut from = 0;
        // Neighbours that all have a gradient, or none: as a rule that is all of them.
        for run in own.chunk_by(|(_, a), (_, b)| a.is_some() == b.is_some()) {
            let numbers = run.iter().map(|(var, _)| var.elem_count()).sum();
            let moments = self.moments.iter().map(|all| all.narrow(0, from, numbers));
            let mut moments = moments.collect::<candle_core::Result<Vec<_>>>()?;
            if run[0].1.is_some() {
                let factors = self.factors.as_ref();
                let factors = factors
                    .map(|all| all.narrow(0, from, numbers))
                    .transpose()?;
                moments = self.update(run, &moments, (lr, factors))?;
            }
            for (moved, moment) in moved.iter_mut().zip(moments) {
                moved.push(moment);
            }
            from += numbers;
        }
        let moments = moved.iter().map(|parts| Tensor::cat(parts, 0));
        self.moments = moments.collect::<candle_core::Result<_>>()?;
        Ok(())
    }

    /// Changes parameters that have gradients; returns the moments after it.
    fn update(
        &self,
        run: &[(&Var, &Option<Tensor>)],
        moments: &[Tensor],
        (lr, factors): (f64, Option<Tensor>),
    ) -> candle_core::Result<Vec<Tensor>> {
        let shaped = run.iter().filter_map(|(var, gradient)| {
            let gradient = gradient.as_ref()?;
            Some(gradient.broadcast_as(var.shape()))
        });
        let shaped = shaped.collect::<candle_core::Result<Vec<_>>>()?;
        let (Some(g), Some(x)) = (
            flat(shaped.iter())?,
            flat(run.iter().map(|(var, _)| var.as_tensor()))?,
        ) else {
            return Ok(moments.to_vec());
        };
        let (mut g, x) = (exact(&g)?, exact(&x)?);
        let (step, moments) = match (self.config, moments) {
            (
                OptimizerConfig::Adam {
                    beta1,
                    beta2,
                    weight_decay,
                    ..
                },
                [m, v],
            ) => {
                g = decayed(g, &x, weight_decay)?;
                let m = ((m * beta1)? + (&g * (1.0 - beta1))?)?;
                let v = ((v * beta2)? + ((&g * (1.0 - beta2))? * &g)?)?;
                let [mean, square] = [beta1, beta2].map(|beta| 1.0 - beta.powi(self.steps as i32));
                let below = (over(&v, square)?.sqrt()? + EPSILON)?;
                (((over(&m, mean)? * lr)? / below)?, vec![m, v])
            }
            (
                OptimizerConfig::Sgd {
                    momentum,
                    nesterov,
                    weight_decay,
                    ..
                },
                [v],
            ) => {
                g = decayed(g, &x, weight_decay)?;
                let v = ((v * momentum)? + &g)?;
                let along = if nesterov {
                    (g + (&v * momentum)?)?
                } else {
                    v.clone()
                };
                ((along * lr)?, vec![v])
            }
            _ => candle_core::bail!("the moments of another rule"),
        };
        let step = match factors {
            None => step,
            Some(factors) => (step * factors)?,
        };
        let x = (x - step)?;
        let mut from = 0;
        for (var, _) in run {
            let own = x.narrow(0, from, var.elem_count())?.reshape(var.shape())?;
            var.set(&own.to_dtype(var.dtype())?)?;
            from += var.elem_count();
        }
        Ok(moments)
    }

    /// Updates so far and the moments, named `first.PARAMETER` and `second.PARAMETER`, in `f64` on the host.
    ///
    /// # Errors
    /// When a tensor can't be made.
    pub fn state(&self) -> Result<(u64, BTreeMap<String, Tensor>)> {
        let mut named = BTreeMap::new();
        for (kind, moment) in MOMENTS.iter().zip(&self.moments) {
            let numbers = host::read::<f64>(moment)?;
            let mut left = &numbers[..];
            for (name, var) in &self.parameters {
                let (own, others) = left.split_at(var.elem_count());
                let moment = Tensor::from_slice(own, var.shape(), &Device::Cpu)?;
                named.insert(format!("{kind}.{name}"), moment);
                left = others;
            }
        }
        Ok((self.steps, named))
    }

    /// Takes a saved [`state`](Self::state) on, whatever device it was saved on.
    ///
    /// # Errors
    /// When a moment is missing or has another shape; nothing is taken on then.
    pub fn restore(&mut self, steps: u64, moments: &BTreeMap<String, Tensor>) -> Result<()> {
        let mut restored = Vec::new();
        for (kind, moment) in MOMENTS.iter().zip(&self.moments) {
            let mut numbers: Vec<f64> = Vec::with_capacity(moment.elem_count());
            for (name, var) in &self.parameters {
                let name = format!("{kind}.{name}");
                let given = moments.get(&name);
                let Some(given) = given.filter(|given| given.dims() == var.dims()) else {
                    let given = given.map(Tensor::dims);
                    return Err(Error::parameter(&name, Some(var.dims()), given));
                };
                numbers.extend(host::read::<f64>(given)?);
            }
            restored.push(constant(numbers, moment.shape(), moment)?);
        }
        (self.moments, self.steps) = (restored, steps);
        Ok(())
    }
}

/// Weight decay as PyTorch has it: `g + decay x`.
fn decayed(g: Tensor, x: &Tensor, decay: f64) -> candle_core::Result<Tensor> {
    match decay {
        0.0 => Ok(g),
        decay => g + (x * decay)?,
    }
}

/// `x / divisor`, where Candle's own division by a number multiplies by its rounded inverse.
fn over(x: &Tensor, divisor: f64) -> candle_core::Result<Tensor> {
    x.broadcast_div(&constant(vec![divisor], 1, x)?)
}
