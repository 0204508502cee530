//! The buffer pool. A training step needs the same few large buffers again and again, and newly allocated memory would
//! have to be zeroed by the system each time.

use std::any::Any;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::cpu::real::Real;

/// Free list of buffers. A request that no buffer fits evicts the oldest one first, so that there are never more
/// buffers than were once in use at the same time.
static FREE: Mutex<Vec<Box<dyn Any + Send>>> = Mutex::new(Vec::new());

fn free() -> MutexGuard<'static, Vec<Box<dyn Any + Send>>> {
    FREE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A buffer for `n` numbers from the free list; where none fits, the oldest is freed.
fn found<T: Real>(free: &mut Vec<Box<dyn Any + Send>>, n: usize) -> Option<Vec<T>> {
    // Half of it unused at most: batches differ by a few tracks.
    let fits = |b: &Box<dyn Any + Send>| {
        b.downcast_ref::<Vec<T>>()
            .is_some_and(|b| b.len() >= n && b.len() / 2 <= n)
    };
    let found = free.iter().rposition(fits).map(|i| free.remove(i));
    if found.is_none() && !free.is_empty() {
        free.remove(0);
    }
    found.and_then(|b| b.downcast().ok()).map(|b| *b)
}

/// `n` numbers that are to be written before they are read; their memory returns to the free list
/// when they are dropped.
#[derive(Debug)]
pub struct Buffer<T: Real> {
    memory: Vec<T>,
    n: usize,
}

impl<T: Real> Buffer<T> {
    /// `n` numbers, of whatever value.
    pub fn new(n: usize) -> Self {
        let mut free = free();
        let found = found(&mut free, n);
        drop(free);
        let memory = found.unwrap_or_else(|| vec![T::zero(); n]);
        Self { memory, n }
    }

    /// Moves the buffer out and leaves an empty one.
    #[must_use]
    pub fn take(&mut self) -> Self {
        let memory = std::mem::take(&mut self.memory);
        Self {
            memory,
            n: std::mem::take(&mut self.n),
        }
    }
}

impl<T: Real> Drop for Buffer<T> {
    fn drop(&mut self) {
        let memory = std::mem::take(&mut self.memory);
        if !memory.is_empty() {
            free().push(Box::new(memory));
        }
    }
}

impl<T: Real> std::ops::Deref for Buffer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.memory[..self.n]
    }
}

impl<T: Real> std::ops::DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.memory[..self.n]
    }
}

/// What an op's forward pass saves for its backward pass, whatever the float.
#[derive(Debug, Default)]
pub struct SavedForBackward(Mutex<Option<Box<dyn Any + Send>>>);

impl SavedForBackward {
    /// Saves `state`.
    pub fn put<S: Any + Send>(&self, state: S) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(state));
    }

    /// Takes the state, so that its memory can be overwritten.
    ///
    /// # Errors
    /// When it was taken before: a result has one backward pass.
    pub fn take<S: Any + Send>(&self) -> candle_core::Result<S> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        match state.and_then(|state| state.downcast::<S>().ok()) {
            Some(state) => Ok(*state),
            None => candle_core::bail!(
                "the forward pass saved nothing for this backward pass, or there was one before"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In a free list of its own, since all tests share the process's.
    #[test]
    fn memory_comes_back_and_does_not_pile_up() {
        let mut free: Vec<Box<dyn Any + Send>> = Vec::new();
        let mut used = |n: usize| {
            let memory = found::<f64>(&mut free, n).unwrap_or_else(|| vec![0.0; n]);
            let place = memory.as_ptr();
            free.push(Box::new(memory));
            (place, free.len())
        };
        assert_eq!(used(1000), used(900), "a little less");
        // Of sizes that don't fit each other one is kept, for one was in use at a time.
        for n in [10, 1000, 10, 100_000, 10] {
            assert_eq!(used(n).1, 1, "buffers for one user");
        }
    }

    #[test]
    fn a_buffer_taken_leaves_nothing() {
        let mut buffer = Buffer::<f32>::new(7);
        let taken = buffer.take();
        assert_eq!((buffer.len(), taken.len()), (0, 7));
    }

    #[test]
    fn what_was_saved_is_taken_once() {
        let saved = SavedForBackward::default();
        saved.put(3u8);
        assert_eq!(saved.take::<u8>().ok(), Some(3));
        assert!(saved.take::<u8>().is_err());
    }
}
