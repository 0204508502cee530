//! Layers with parameters, shared with `strl`.

use candle_core::{DType, Result, Tensor, Var};
use candle_nn::{Init, VarBuilder, init};

use crate::ops::map::Map;
use crate::ops::norm::Norm;
use crate::ops::{self, Moments, Real};

/// Weight of a batch's statistics in the running ones, as PyTorch's default.
const MOMENTUM: f64 = 0.1;

/// Whether statistics come from the batch (and are gathered) or from training, and what can be learnt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Batch statistics; running ones are updated.
    Train,
    /// Running statistics; no gradient flows.
    Eval,
    /// Running statistics and parameters are constants; gradient flows into the input.
    Frozen,
}

/// Parameters one after the other in a flat tensor, as the fused ops take them.
///
/// # Errors
/// When a tensor can't be read.
pub fn theta(parameters: &[&Tensor]) -> Result<Tensor> {
    let flat = parameters.iter().map(|parameter| parameter.flatten_all());
    Tensor::cat(&flat.collect::<Result<Vec<_>>>()?, 0)
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

/// Batch normalisation over all rows, i.e. all joints of all frames of all tracks of the batch. The
/// arithmetic is part of the ops ([`ops::norm`]); here are the parameters and the statistics.
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

    /// Weight and bias, (d) each.
    pub fn parameters(&self) -> [&Tensor; 2] {
        [&self.weight, &self.bias]
    }

    /// d, features.
    pub fn width(&self) -> usize {
        self.bias.elem_count()
    }

    /// A map with this norm folded in, by the statistics of training.
    ///
    /// # Errors
    /// When a tensor can't be read.
    pub fn folded<T: Real>(&self, map: &Linear) -> Result<Map<T>> {
        let values = |t: &Tensor| t.to_dtype(T::DTYPE)?.flatten_all()?.to_vec1::<T>();
        let moments = self.moments(Some(&map.bias))?;
        let norm = Norm::new(&moments, &values(&self.weight)?, &values(&self.bias)?);
        Ok(Map::folded(&values(&map.weight)?, &norm))
    }

    /// The statistics of training, of rows from which the `bias` in front of the norm is still missing.
    ///
    /// # Errors
    /// When a tensor can't be read.
    pub fn moments(&self, bias: Option<&Tensor>) -> Result<Moments> {
        let mut mean = self.running_mean.to_dtype(DType::F64)?;
        if let Some(bias) = bias {
            mean = (mean - bias.to_dtype(DType::F64)?)?;
        }
        Ok(Moments {
            rows: 0,
            mean: mean.to_vec1()?,
            variance: self.running_var.to_dtype(DType::F64)?.to_vec1()?,
        })
    }

    /// Moves the running statistics towards a batch's (whose variance is made unbiased first), gathered
    /// before the `bias` in front of the norm was added.
    ///
    /// # Errors
    /// When a tensor can't be read.
    pub fn gather(&self, moments: &Moments, bias: Option<&Tensor>) -> Result<()> {
        let n = moments.rows as f64;
        let unbiased = n / (n - 1.0).max(1.0);
        let bias = match bias {
            Some(bias) => bias.to_dtype(DType::F64)?.to_vec1()?,
            None => vec![0.0; moments.mean.len()],
        };
        let mean = moments.mean.iter().zip(&bias).map(|(m, b)| m + b);
        let variance = moments.variance.iter().map(|v| v * unbiased);
        move_towards(&self.running_mean, mean)?;
        move_towards(&self.running_var, variance)
    }
}

fn move_towards(var: &Var, values: impl Iterator<Item = f64>) -> Result<()> {
    let old = var.to_dtype(DType::F64)?.to_vec1::<f64>()?;
    let new: Vec<f64> = old
        .iter()
        .zip(values)
        .map(|(old, new)| (1.0 - MOMENTUM) * old + MOMENTUM * new)
        .collect();
    let new = Tensor::from_vec(new, var.shape(), var.device())?;
    var.set(&new.to_dtype(var.dtype())?)
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

    /// The slope, (1).
    pub fn slope(&self) -> &Tensor {
        &self.weight
    }
}
