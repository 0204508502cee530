//! Prefetching. Features are larger than the caches, and while a chunk is multiplied the memory has nothing to do: so
//! products ask for the next chunk as they go.
#![allow(unsafe_code, reason = "prefetching is an intrinsic")]
#![cfg_attr(
    not(target_arch = "x86_64"),
    allow(dead_code, reason = "only the tiles of x86-64 ask")
)]

/// Bytes of a line of the cache.
const LINE: usize = 64;
/// Slices at most.
const SLICES: usize = 6;

/// Memory to be asked for. It is never read here, so that it doesn't matter what lies there.
#[derive(Debug)]
pub struct Prefetch {
    /// First and last address of what is left.
    left: [(usize, usize); SLICES],
}

impl Prefetch {
    /// Nothing.
    #[inline(always)]
    pub fn none() -> Self {
        Self {
            left: [(0, 0); SLICES],
        }
    }

    /// What follows each of these chunks (six at most) in its tensor, of the same size.
    #[inline(always)]
    pub fn after<T>(chunks: &[&[T]]) -> Self {
        let mut prefetch = Self::none();
        for (left, chunk) in prefetch.left.iter_mut().zip(chunks) {
            let end = chunk.as_ptr_range().end as usize;
            *left = (end, end + size_of_val(*chunk));
        }
        prefetch
    }

    /// The next `count` lines; `None` when all have been asked for.
    #[inline(always)]
    pub fn lines(&mut self, count: usize) -> Option<Lines> {
        let (at, _) = self.left.iter_mut().find(|(at, end)| at < end)?;
        let lines = Lines(*at);
        *at += count * LINE;
        Some(lines)
    }
}

/// Lines that follow each other.
#[derive(Clone, Copy, Debug)]
pub struct Lines(usize);

impl Lines {
    /// Those of `data`, which is at hand: asking for them does nothing.
    #[inline(always)]
    pub fn at_hand<T>(data: &[T]) -> Self {
        Self(data.as_ptr() as usize)
    }

    /// Asks for line `i`.
    #[inline(always)]
    pub fn ask(self, i: usize) {
        let at = self.0 + i * LINE;
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
            // SAFETY: a prefetch is a hint about an address; it neither reads nor faults, whatever lies there.
            unsafe { _mm_prefetch::<_MM_HINT_T1>(at as *const i8) };
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = at;
    }
}
