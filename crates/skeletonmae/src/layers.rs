//! Layers with parameters, shared with `strl`.

use std::cell::RefCell;

use candle_core::{DType, Result, Tensor, Var};
use candle_nn::{Init, VarBuilder, init};
use skeleton_kernels::{Affine, BatchStats, constant};

/// Weight of a batch's statistics in the running ones, as PyTorch's default.
const MOMENTUM: f64 = 0.1;

/// By which statistics a model normalises, and whether its parameters learn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The batch's, towards which the running ones are moved; parameters learn.
    Train,
    /// The running ones; they and the parameters are constants. Gradient still flows into an input that something before
    /// it learns by: a frozen encoder in fine-tuning is an encoder in evaluation.
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
    pub fn new(d_in: usize, d_out: usize, vb: VarBuilder<'_>) -> crate::Result<Self> {
        let weight = vb.get_with_hints((d_out, d_in), "weight", uniform(d_in))?;
        let bias = vb.get_with_hints(d_out, "bias", uniform(d_in))?;
        Ok(Self { weight, bias })
    }

    /// x (.., `d_in`) to (.., `d_out`).
    ///
    /// # Errors
    /// When the last axis of x isn't `d_in`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        skeleton_kernels::linear(x, &self.weight, Some(&self.bias))
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
/// arithmetic is part of the ops; here are the parameters and the running statistics.
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
    pub fn new(d: usize, vb: VarBuilder<'_>) -> crate::Result<Self> {
        Ok(Self {
            weight: vb.get_with_hints(d, "weight", init::ONE)?,
            bias: vb.get_with_hints(d, "bias", init::ZERO)?,
            running_mean: Var::from_tensor(&vb.get_with_hints(d, "running_mean", init::ZERO)?)?,
            running_var: Var::from_tensor(&vb.get_with_hints(d, "running_var", init::ONE)?)?,
        })
    }

    /// Weight and bias, (d) each.
    pub fn affine(&self) -> Affine<Tensor> {
        Affine {
            weight: self.weight.clone(),
            bias: self.bias.clone(),
        }
    }

    /// d, features.
    pub fn width(&self) -> usize {
        self.bias.elem_count()
    }

    /// The running statistics, of rows from which the `bias` in front of the norm is still missing.
    ///
    /// # Errors
    /// When the bias doesn't have the norm's features.
    pub fn running(&self, bias: Option<&Tensor>) -> Result<BatchStats> {
        let mut mean = exact(&self.running_mean)?;
        if let Some(bias) = bias {
            mean = (mean - exact(&bias.detach())?)?;
        }
        Ok(BatchStats {
            rows: 0,
            mean,
            variance: exact(&self.running_var)?,
        })
    }

    /// Moves the running statistics towards a batch's (whose variance is made unbiased first), gathered
    /// before the `bias` in front of the norm was added.
    ///
    /// # Errors
    /// When the statistics don't have the norm's features.
    pub fn update_running(&self, batch: &BatchStats, bias: Option<&Tensor>) -> Result<()> {
        let n = batch.rows as f64;
        let unbiased = n / (n - 1.0).max(1.0);
        let mut mean = exact(&batch.mean)?;
        if let Some(bias) = bias {
            mean = (mean + exact(&bias.detach())?)?;
        }
        Move::new(&self.running_mean, mean).now_or_later()?;
        let variance = (exact(&batch.variance)? * unbiased)?;
        Move::new(&self.running_var, variance).now_or_later()
    }
}

/// In `f64` on the CPU; other devices keep their type, since some have no `f64`.
fn exact(t: &Tensor) -> Result<Tensor> {
    match t.device().is_cpu() {
        true => t.to_dtype(DType::F64),
        false => Ok(t.clone()),
    }
}

/// A running statistic on its way towards a batch's: the old one's share of 0.9 and 0.1 of `values`.
#[derive(Clone, Debug)]
pub struct Move {
    /// The statistic, (d).
    pub var: Var,
    /// The batch's, (d), in `f64` on the CPU.
    pub values: Tensor,
}

thread_local! {
    /// The moves that wait, while [`later`] runs.
    static LATER: RefCell<Option<Vec<Move>>> = const { RefCell::new(None) };
}

/// What `forward` gives, with the moves of running statistics that it would have made: nothing has moved yet. A step of
/// training makes them when it is known to count, and in the order of its micro-batches, whoever computed them.
///
/// # Errors
/// Those of `forward`.
pub fn later<T>(forward: impl FnOnce() -> Result<T>) -> Result<(T, Vec<Move>)> {
    LATER.set(Some(Vec::new()));
    let result = forward();
    let moves = LATER.take().unwrap_or_default();
    Ok((result?, moves))
}

impl Move {
    fn new(var: &Var, values: Tensor) -> Self {
        let var = var.clone();
        Self { var, values }
    }

    /// Of `var` towards numbers that were [read](skeleton_kernels::host) elsewhere.
    ///
    /// # Errors
    /// When there aren't as many as `var` has.
    pub fn of(var: Var, values: &[f64]) -> Result<Self> {
        let values = constant(values.to_vec(), var.shape(), &exact(&var)?)?;
        Ok(Self { var, values })
    }

    fn now_or_later(self) -> Result<()> {
        LATER.with_borrow_mut(|later| match later {
            Some(later) => {
                later.push(self);
                Ok(())
            }
            None => self.make(),
        })
    }

    /// Moves the statistic.
    ///
    /// # Errors
    /// When an operation fails.
    pub fn make(&self) -> Result<()> {
        let old = exact(&self.var.as_detached_tensor())?;
        let new = ((old * (1.0 - MOMENTUM))? + (&self.values * MOMENTUM)?)?;
        self.var.set(&new.to_dtype(self.var.dtype())?)
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
    pub fn new(vb: VarBuilder<'_>) -> crate::Result<Self> {
        Ok(Self {
            weight: vb.get_with_hints(1, "weight", Init::Const(0.25))?,
        })
    }

    /// The slope, (1).
    pub fn slope(&self) -> &Tensor {
        &self.weight
    }
}
