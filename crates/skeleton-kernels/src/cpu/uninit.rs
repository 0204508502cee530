//! Buffers that start uninitialised. A result that becomes a tensor gives its memory away; to zero all of it before the
//! first number is calculated would send it through the caches twice.
#![allow(unsafe_code, reason = "memory is set after it was taken")]

use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use crate::cpu::real::Real;

/// Numbers that are set to zero a chunk at a time, when its turn comes.
#[derive(Debug)]
pub struct Uninit<T> {
    memory: Vec<T>,
    n: usize,
    set: AtomicUsize,
}

impl<T: Real> Uninit<T> {
    /// `n` numbers to come.
    pub fn new(n: usize) -> Self {
        Self {
            memory: Vec::with_capacity(n),
            n,
            set: AtomicUsize::new(0),
        }
    }

    /// All of it in chunks of `size` numbers, zeros when they are handed out.
    pub fn chunks(&mut self, size: usize) -> impl IndexedParallelIterator<Item = &mut [T]> {
        *self.set.get_mut() = 0;
        let set = &self.set;
        let all = &mut self.memory.spare_capacity_mut()[..self.n];
        all.par_chunks_mut(size.max(1)).map(|chunk| {
            chunk.fill(MaybeUninit::new(T::zero()));
            set.fetch_add(chunk.len(), Ordering::Relaxed);
            // SAFETY: the place and length of a chunk that is borrowed mutably for as long as the result, whose
            // numbers were set just now.
            unsafe { std::slice::from_raw_parts_mut(chunk.as_mut_ptr().cast(), chunk.len()) }
        })
    }

    /// The numbers.
    ///
    /// # Panics
    /// When [`chunks`](Self::chunks) weren't all taken.
    pub fn finish(mut self) -> Vec<T> {
        assert_eq!(*self.set.get_mut(), self.n, "every chunk is taken");
        // SAFETY: the memory holds `n` numbers, and all were set: chunks don't overlap, each adds its length
        // once, and `chunks` starts the count anew.
        unsafe { self.memory.set_len(self.n) };
        self.memory
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_come_as_zeros_and_are_kept() {
        let mut numbers = Uninit::<f64>::new(10);
        numbers.chunks(4).enumerate().for_each(|(i, chunk)| {
            assert!(chunk.iter().all(|&x| x == 0.0));
            chunk[0] = i as f64;
        });
        let expected = [0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 2.0, 0.0];
        assert_eq!(numbers.finish(), expected);
        assert!(Uninit::<f32>::new(0).finish().is_empty());
    }

    #[test]
    #[should_panic(expected = "every chunk is taken")]
    fn a_chunk_left_out_is_no_result() {
        let mut numbers = Uninit::<f32>::new(10);
        numbers.chunks(4).take(2).for_each(|_| ());
        numbers.finish();
    }
}
