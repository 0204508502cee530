//! What a layer's way forward keeps for its way back, and what its rows come from.

use crate::ops::kernel::{Real, View};
use crate::ops::norm::{Moments, Norm};
use crate::ops::pool::Buffer;

/// What a layer's passes keep.
pub struct Layer<T: Real> {
    /// (rows, d), behind the first map.
    pub z1: Buffer<T>,
    pub norm1: Norm<T>,
    pub moments1: Moments,
    pub end: Kept<T>,
}

pub enum Kept<T: Real> {
    Activated {
        /// (rows, d), behind the second map.
        z2: Buffer<T>,
        norm2: Norm<T>,
        moments2: Moments,
        slope: T,
    },
    Mlp,
}

impl<T: Real> Layer<T> {
    pub fn moments(&self) -> impl Iterator<Item = &Moments> {
        let second = match &self.end {
            Kept::Activated { moments2, .. } => Some(moments2),
            Kept::Mlp => None,
        };
        std::iter::once(&self.moments1).chain(second)
    }

    /// Some rows of the layer's result.
    #[inline(always)]
    pub fn activated(&self, from: usize, out: &mut [T]) {
        if let Kept::Activated {
            z2, norm2, slope, ..
        } = &self.end
        {
            let at = from * norm2.width();
            norm2.prelu(*slope, &z2[at..at + out.len()], out);
        }
    }
}

/// What a layer's rows come from: the stack's input, or the layer before.
#[derive(Clone, Copy)]
pub enum Source<'a, T: Real> {
    Input(View<'a, T>),
    Layer(&'a Layer<T>, usize),
}

impl<'a, T: Real> Source<'a, T> {
    pub fn width(&self) -> usize {
        match self {
            Self::Input(x) => x.width(),
            Self::Layer(_, d) => *d,
        }
    }

    /// `n` rows, made in `scratch` where they don't lie in memory.
    #[inline(always)]
    pub fn rows<'b>(&self, from: usize, n: usize, scratch: &'b mut [T]) -> &'b [T]
    where
        'a: 'b,
    {
        match self {
            Self::Input(x) => x.between(from, from + n),
            Self::Layer(layer, d) => {
                let scratch = &mut scratch[..n * d];
                layer.activated(from, scratch);
                scratch
            }
        }
    }
}

impl<'a, T: Real> Source<'a, T> {
    /// What [`rows`](Self::rows) reads, as it lies in memory.
    #[inline(always)]
    pub fn memory(&self, from: usize, n: usize) -> &'a [T] {
        match self {
            Self::Input(x) => x.between(from, from + n),
            Self::Layer(layer, d) => match &layer.end {
                Kept::Activated { z2, .. } => &z2[from * d..(from + n) * d],
                Kept::Mlp => &[],
            },
        }
    }

    /// `n` rows that [`rows`](Self::rows) has made in `scratch` before.
    pub fn made<'b>(&self, from: usize, n: usize, scratch: &'b [T]) -> &'b [T]
    where
        'a: 'b,
    {
        match self {
            Self::Input(x) => x.between(from, from + n),
            Self::Layer(_, d) => &scratch[..n * d],
        }
    }
}
