//! What a layer's forward pass saves for its backward pass, and what its rows come from.

use crate::cpu::buffer::Buffer;
use crate::cpu::kernel::View;
use crate::cpu::moments::Moments;
use crate::cpu::norm::Norm;
use crate::cpu::real::Real;

/// Of one layer.
pub struct Layer<T: Real> {
    /// (rows, d), behind the first map.
    pub z1: Buffer<T>,
    pub norm1: Norm<T>,
    pub moments1: Moments,
    /// Where the layer ends with a norm and PReLU.
    pub end: Option<Activated<T>>,
}

pub struct Activated<T: Real> {
    /// (rows, d), behind the second map.
    pub z2: Buffer<T>,
    pub norm2: Norm<T>,
    pub moments2: Moments,
    pub slope: T,
}

impl<T: Real> Layer<T> {
    pub fn moments(&self) -> impl Iterator<Item = &Moments> {
        std::iter::once(&self.moments1).chain(self.end.as_ref().map(|end| &end.moments2))
    }

    /// Some rows of the layer's result.
    #[inline(always)]
    pub fn activated(&self, from: usize, out: &mut [T]) {
        if let Some(Activated {
            z2, norm2, slope, ..
        }) = &self.end
        {
            let at = from * norm2.width();
            norm2.prelu(*slope, &z2[at..at + out.len()], out);
        }
    }

    /// Some rows of ReLU(norm(z1)), one after the other.
    #[inline(always)]
    pub fn gather_relu(&self, rows: &[u32], out: &mut [T]) {
        let d = self.norm1.width();
        for (out, &row) in out.chunks_exact_mut(d).zip(rows) {
            let at = row as usize * d;
            self.norm1.relu(&self.z1[at..at + d], out);
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

    /// The memory that [`rows`](Self::rows) reads.
    #[inline(always)]
    pub fn memory(&self, from: usize, n: usize) -> &'a [T] {
        match self {
            Self::Input(x) => x.between(from, from + n),
            Self::Layer(layer, d) => match &layer.end {
                Some(end) => &end.z2[from * d..(from + n) * d],
                None => &[],
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
