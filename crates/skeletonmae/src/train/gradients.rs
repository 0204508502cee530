//! Gradients of all parameters, accumulated over micro-batches.

use candle_core::{DType, Result, Tensor, Var};

/// One gradient a parameter, in the store's order; `None` where the loss doesn't depend on it.
#[derive(Clone, Debug)]
pub struct Gradients(Vec<Option<Tensor>>);

impl Gradients {
    /// None yet, for `n` parameters.
    pub fn none(n: usize) -> Self {
        Self(vec![None; n])
    }

    /// Adds the gradients of `loss`, a scalar.
    ///
    /// # Errors
    /// When an op's backward pass fails.
    pub fn add(&mut self, loss: &Tensor, parameters: &[(String, Var)]) -> Result<()> {
        let mut grads = loss.backward()?;
        for (slot, (_, var)) in self.0.iter_mut().zip(parameters) {
            *slot = match (slot.take(), grads.remove(var.as_tensor())) {
                (Some(sum), Some(grad)) => Some((sum + grad)?),
                (sum, grad) => sum.or(grad),
            };
        }
        Ok(())
    }

    /// The Euclidean norm over all of them; not finite where one of them isn't.
    ///
    /// # Errors
    /// When a gradient can't be read.
    pub fn norm(&self) -> Result<f64> {
        let mut sum = 0.0;
        for gradient in self.0.iter().flatten() {
            let values = gradient.to_dtype(DType::F64)?.flatten_all()?;
            sum += values.to_vec1::<f64>()?.iter().map(|g| g * g).sum::<f64>();
        }
        Ok(sum.sqrt())
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
