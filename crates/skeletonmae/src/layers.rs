//! Layers with parameters, shared with `strl`.

use candle_core::{Result, Tensor, Var};
use candle_nn::{Init, VarBuilder, init};

use crate::ops::{self, Activation, Moments};

/// Weight of a batch's statistics in the running ones, as PyTorch's default.
const MOMENTUM: f64 = 0.1;

/// Whether statistics come from the batch (and are gathered) or from training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Batch statistics; running ones are updated.
    Train,
    /// Running statistics.
    Eval,
}

/// PyTorch's default bound for the first weights and biases of a map from `fan_in` numbers.
pub fn uniform(fan_in: usize) -> Init {
    let bound = 1.0 / (fan_in as f64).sqrt();
    Init::Uniform {
        lo: -bound,
        up: bound,
    }
}

/// `x W^T + b` over the last axis.
#[derive(Clone, Debug)]
pub struct Linear {
    weight: Tensor,
    bias: Tensor,
}

impl Linear {
    /// Parameters `weight` (`d_out`, `d_in`) and `bias` (`d_out`).
    ///
    /// # Errors
    /// When the builder has no such parameters.
    pub fn new(d_in: usize, d_out: usize, vb: VarBuilder<'_>) -> Result<Self> {
        let weight = vb.get_with_hints((d_out, d_in), "weight", uniform(d_in))?;
        let bias = vb.get_with_hints(d_out, "bias", uniform(d_in))?;
        Ok(Self { weight, bias })
    }

    /// Parameter `weight` alone.
    ///
    /// # Errors
    /// When the builder has no such parameter.
    pub fn without_bias(d_in: usize, d_out: usize, vb: VarBuilder<'_>) -> Result<Self> {
        let weight = vb.get_with_hints((d_out, d_in), "weight", uniform(d_in))?;
        let bias = Tensor::zeros(d_out, weight.dtype(), weight.device())?;
        Ok(Self { weight, bias })
    }

    /// x (.., `d_in`) to (.., `d_out`).
    ///
    /// # Errors
    /// When the last axis of x isn't `d_in`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        ops::linear(x, &self.weight, &self.bias)
    }

    /// W, (`d_out`, `d_in`).
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// b, (`d_out`).
    pub fn bias(&self) -> &Tensor {
        &self.bias
    }
}

/// Batch normalisation over all rows, i.e. all joints of all frames of all tracks of the batch.
#[derive(Clone, Debug)]
pub struct BatchNorm {
    weight: Tensor,
    bias: Tensor,
    running_mean: Var,
    running_var: Var,
}

impl BatchNorm {
    /// Parameters `weight` and `bias`, statistics `running_mean` and `running_var`, each (d).
    ///
    /// # Errors
    /// When the builder has no such tensors.
    pub fn new(d: usize, vb: VarBuilder<'_>) -> Result<Self> {
        Ok(Self {
            weight: vb.get_with_hints(d, "weight", init::ONE)?,
            bias: vb.get_with_hints(d, "bias", init::ZERO)?,
            running_mean: Var::from_tensor(&vb.get_with_hints(d, "running_mean", init::ZERO)?)?,
            running_var: Var::from_tensor(&vb.get_with_hints(d, "running_var", init::ONE)?)?,
        })
    }

    /// x (.., d), normalised and activated.
    ///
    /// # Errors
    /// When the last axis of x isn't d.
    pub fn forward(&self, x: &Tensor, activation: Activation, mode: Mode) -> Result<Tensor> {
        match mode {
            Mode::Train => {
                let (y, moments) = ops::batch_norm(x, &self.weight, &self.bias, activation)?;
                self.gather(&moments)?;
                Ok(y)
            }
            Mode::Eval => {
                let values = |var: &Var| var.to_dtype(candle_core::DType::F64)?.to_vec1::<f64>();
                let mean = values(&self.running_mean)?;
                let variance = values(&self.running_var)?;
                let moments = Moments {
                    rows: 0,
                    mean,
                    variance,
                };
                ops::fixed_norm(x, &self.weight, &self.bias, moments, activation)
            }
        }
    }

    /// Moves the running statistics towards the batch's (whose variance is made unbiased first).
    fn gather(&self, moments: &Moments) -> Result<()> {
        let n = moments.rows as f64;
        let unbiased = n / (n - 1.0).max(1.0);
        let move_to = |var: &Var, values: &[f64], factor: f64| -> Result<()> {
            let old = var.to_dtype(candle_core::DType::F64)?.to_vec1::<f64>()?;
            let new: Vec<f64> = old
                .iter()
                .zip(values)
                .map(|(old, new)| (1.0 - MOMENTUM) * old + MOMENTUM * factor * new)
                .collect();
            let new = Tensor::from_vec(new, var.shape(), var.device())?;
            var.set(&new.to_dtype(var.dtype())?)
        };
        move_to(&self.running_mean, &moments.mean, 1.0)?;
        move_to(&self.running_var, &moments.variance, unbiased)
    }
}

/// `x` where positive, a learned multiple of it elsewhere (one slope, 0.25 at first).
#[derive(Clone, Debug)]
pub struct Prelu {
    weight: Tensor,
}

impl Prelu {
    /// Parameter `weight` (1).
    ///
    /// # Errors
    /// When the builder has no such parameter.
    pub fn new(vb: VarBuilder<'_>) -> Result<Self> {
        Ok(Self {
            weight: vb.get_with_hints(1, "weight", Init::Const(0.25))?,
        })
    }

    /// x of any shape.
    ///
    /// # Errors
    /// None are expected.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        ops::prelu(x, &self.weight)
    }
}
