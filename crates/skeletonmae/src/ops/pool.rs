//! Buffers that outlive a step. A training step needs the same few large ones again and again, and
//! fresh memory would have to be zeroed by the system each time.

use std::any::Any;
use std::sync::{Mutex, PoisonError};

use super::kernel::Real;

/// Buffers kept; older ones are freed.
const KEPT: usize = 64;

static FREE: Mutex<Vec<Box<dyn Any + Send>>> = Mutex::new(Vec::new());

/// A buffer of `n` numbers that are to be written before they are read; it returns to the pool when it
/// is dropped.
#[derive(Debug)]
pub struct Buffer<T: Real>(Vec<T>);

impl<T: Real> Buffer<T> {
    /// A buffer of `n` numbers, of whatever value.
    pub fn new(n: usize) -> Self {
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        let fits =
            |b: &Box<dyn Any + Send>| b.downcast_ref::<Vec<T>>().is_some_and(|b| b.len() == n);
        let found = free.iter().rposition(fits).map(|i| free.remove(i));
        drop(free);
        Self(match found.and_then(|b| b.downcast::<Vec<T>>().ok()) {
            Some(buffer) => *buffer,
            None => vec![T::zero(); n],
        })
    }
}

impl<T: Real> Drop for Buffer<T> {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.0);
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() >= KEPT {
            free.remove(0);
        }
        free.push(Box::new(buffer));
    }
}

impl<T: Real> std::ops::Deref for Buffer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T: Real> std::ops::DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.0
    }
}

/// What an op's forward pass keeps for its backward pass, whatever the float.
#[derive(Debug, Default)]
pub struct Saved(Mutex<Option<Box<dyn Any + Send>>>);

impl Saved {
    /// Keeps `state`.
    pub fn put<S: Any + Send>(&self, state: S) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(state));
    }

    /// Gives the state to `f`.
    ///
    /// # Errors
    /// When none of this type was kept.
    pub fn with<S: Any + Send, R>(
        &self,
        f: impl FnOnce(&S) -> candle_core::Result<R>,
    ) -> candle_core::Result<R> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match state.as_ref().and_then(|state| state.downcast_ref::<S>()) {
            Some(state) => f(state),
            None => candle_core::bail!("the forward pass kept nothing for the backward pass"),
        }
    }
}
