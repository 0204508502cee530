//! Gradients of all parameters, accumulated over micro-batches.

use candle_core::{DType, Result, Tensor, Var};
use skeleton_kernels::host;
use skeleton_kernels::plain::fused_on_cpu;

/// One gradient a parameter, in the store's order; `None` where the loss doesn't depend on it.
#[derive(Clone, Debug)]
pub struct Gradients(Vec<Option<Tensor>>);

impl Gradients {
    /// None yet, for `n` parameters.
    pub fn none(n: usize) -> Self {
        Self(vec![None; n])
    }

    /// Those of `loss`, a scalar.
    ///
    /// # Errors
    /// When an op's backward pass fails.
    pub fn of(loss: &Tensor, parameters: &[(String, Var)]) -> Result<Self> {
        let mut grads = loss.backward()?;
        // Candle's gradient holds the activations that it was computed from.
        let own = |(_, var): &(_, Var)| Some(grads.remove(var.as_tensor())?.detach());
        Ok(Self(parameters.iter().map(own).collect()))
    }

    /// These.
    pub(super) fn of_tensors(gradients: Vec<Option<Tensor>>) -> Self {
        Self(gradients)
    }

    /// Adds the gradients of `loss`, a scalar.
    ///
    /// # Errors
    /// When an op's backward pass fails.
    pub fn add(&mut self, loss: &Tensor, parameters: &[(String, Var)]) -> Result<()> {
        self.join(Self::of(loss, parameters)?)
    }

    /// Adds those of another loss.
    pub(super) fn join(&mut self, others: Self) -> Result<()> {
        for (slot, grad) in self.0.iter_mut().zip(others.0) {
            *slot = match (slot.take(), grad) {
                (Some(sum), Some(grad)) => Some((sum + grad)?),
                (sum, grad) => sum.or(grad),
            };
        }
        Ok(())
    }

    /// The square of the [norm](Self::norm), (1), on the device; `None` where there is no gradient.
    ///
    /// # Errors
    /// When an operation fails.
    pub fn square(&self) -> Result<Option<Tensor>> {
        match &flat(self.0.iter().flatten())? {
            None => Ok(None),
            Some(all) => Ok(Some(exact(all)?.sqr()?.sum_keepdim(0)?)),
        }
    }

    /// The Euclidean norm over all of them; not finite where one of them isn't.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn norm(&self) -> Result<f64> {
        let square = self.square()?.map(|square| host::read::<f64>(&square));
        Ok(square.transpose()?.map_or(0.0, |square| square[0].sqrt()))
    }

    /// Multiplies all of them by `factor`.
    ///
    /// # Errors
    /// When a product can't be made.
    pub fn scale(&mut self, factor: f64) -> Result<()> {
        for gradient in self.0.iter_mut().flatten() {
            *gradient = (&*gradient * factor)?;
        }
        Ok(())
    }

    /// The gradients, in order.
    pub fn as_slice(&self) -> &[Option<Tensor>] {
        &self.0
    }
}

/// All numbers of some tensors one after the other, constants of whatever is computed from them; `None` where there is no
/// tensor.
pub(super) fn flat<'a>(tensors: impl Iterator<Item = &'a Tensor>) -> Result<Option<Tensor>> {
    let flat = tensors
        .map(Tensor::flatten_all)
        .collect::<Result<Vec<_>>>()?;
    match flat.is_empty() {
        true => Ok(None),
        false => Ok(Some(Tensor::cat(&flat, 0)?.detach())),
    }
}

/// x in the type of moments and norms: `f64` beside the fused forms of the CPU, its own on other devices, some of which
/// have no `f64`.
pub(super) fn exact(x: &Tensor) -> Result<Tensor> {
    match fused_on_cpu(x) {
        true => x.to_dtype(DType::F64),
        false => Ok(x.clone()),
    }
}
