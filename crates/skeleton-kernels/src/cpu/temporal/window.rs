//! Windows of frames.
//!
//! In a channels-last track (t, v, d) the rows of neighbouring frames lie v rows apart. A convolution over time is one
//! matrix product over rows in which the taps of a window stand side by side.

use crate::branches::Window;
use crate::cpu::{Real, chunks};

/// Some columns of the rows of a track: `width` of them from `from` on, in rows of `row` numbers.
#[derive(Clone, Copy, Debug)]
pub struct Columns {
    pub from: usize,
    pub width: usize,
    pub row: usize,
}

impl Window {
    /// The input frame that tap `k` of output frame `o` reads, if there is one.
    #[inline(always)]
    pub(crate) fn input(&self, o: usize, k: usize, t: usize) -> Option<usize> {
        let at = (o * self.stride + k * self.dilation).checked_sub(self.padding())?;
        (at < t).then_some(at)
    }

    /// The taps of each window side by side: `out` is (t / stride rounded up, v, kernel * width); taps
    /// outside the track are zero.
    #[inline(always)]
    pub(crate) fn gather<T: Real>(&self, x: &[T], of: Columns, out: &mut [T], t: usize, v: usize) {
        let Columns { from, width, row } = of;
        let side = self.kernel * width;
        for (o, out) in out.chunks_exact_mut(v * side).enumerate() {
            for k in 0..self.kernel {
                let Some(at) = self.input(o, k, t) else {
                    for out in out.chunks_exact_mut(side) {
                        out[k * width..(k + 1) * width].fill(T::zero());
                    }
                    continue;
                };
                let frame = x[at * v * row..(at + 1) * v * row].chunks_exact(row);
                for (out, x) in out.chunks_exact_mut(side).zip(frame) {
                    let (out, x) = (&mut out[k * width..(k + 1) * width], &x[from..from + width]);
                    copy(out, x);
                }
            }
        }
    }

    /// The backward pass of [`gather`](Self::gather): adds to the columns of x.
    #[inline(always)]
    pub(crate) fn scatter<T: Real>(
        &self,
        taps: &[T],
        x: &mut [T],
        of: Columns,
        t: usize,
        v: usize,
    ) {
        let Columns { from, width, row } = of;
        let side = self.kernel * width;
        for (o, taps) in taps.chunks_exact(v * side).enumerate() {
            for k in 0..self.kernel {
                let Some(at) = self.input(o, k, t) else {
                    continue;
                };
                let frame = x[at * v * row..(at + 1) * v * row].chunks_exact_mut(row);
                for (taps, x) in taps.chunks_exact(side).zip(frame) {
                    let taps = &taps[k * width..(k + 1) * width];
                    chunks::add(&mut x[from..from + width], taps);
                }
            }
        }
    }

    /// The largest of each window, feature by feature, into columns of `out`. NaN stays NaN.
    #[inline(always)]
    pub(crate) fn largest<T: Real>(
        &self,
        x: &[T],
        of: Columns,
        out: &mut [T],
        to: Columns,
        t: usize,
        v: usize,
    ) {
        for (o, out) in out.chunks_exact_mut(v * to.row).enumerate() {
            for joint in 0..v {
                let at = joint * to.row + to.from;
                let out = &mut out[at..at + of.width];
                out.fill(T::neg_infinity());
                for f in (0..self.kernel).filter_map(|k| self.input(o, k, t)) {
                    let at = (f * v + joint) * of.row + of.from;
                    for (out, &x) in out.iter_mut().zip(&x[at..at + of.width]) {
                        *out = if *out >= x { *out } else { x };
                    }
                }
            }
        }
    }

    /// The backward pass of [`largest`](Self::largest): the gradient `g`, in the columns the result `y`
    /// was written to, goes to the earliest of the equal numbers.
    #[inline(always)]
    pub(crate) fn largest_backward<T: Real>(
        &self,
        [x, y, g]: [&[T]; 3],
        of: Columns,
        dx: &mut [T],
        to: Columns,
        t: usize,
        v: usize,
    ) {
        let mut left = vec![T::zero(); of.width];
        for o in 0..self.frames(t) {
            for joint in 0..v {
                let at = (o * v + joint) * to.row + to.from;
                let y = &y[at..at + of.width];
                left.copy_from_slice(&g[at..at + of.width]);
                for f in (0..self.kernel).filter_map(|k| self.input(o, k, t)) {
                    let at = (f * v + joint) * of.row + of.from;
                    let (x, dx) = (&x[at..at + of.width], &mut dx[at..at + of.width]);
                    for i in 0..of.width {
                        let chosen = if x[i] == y[i] { left[i] } else { T::zero() };
                        dx[i] += chosen;
                        left[i] -= chosen;
                    }
                }
            }
        }
    }
}

/// A few numbers, for which a call to copy memory would cost more than the copy.
#[inline(always)]
fn copy<T: Real>(out: &mut [T], x: &[T]) {
    match (out.first_chunk_mut::<16>(), x.first_chunk::<16>()) {
        (Some(out), Some(wide)) if x.len() == 16 => *out = *wide,
        _ => out.copy_from_slice(x),
    }
}

/// Every `stride`-th frame of a track, one after the other.
#[inline(always)]
pub fn every<T: Real>(x: &[T], stride: usize, out: &mut [T], frame: usize) {
    for (out, x) in out
        .chunks_exact_mut(frame)
        .zip(x.chunks_exact(frame).step_by(stride))
    {
        out.copy_from_slice(x);
    }
}
