//! Convolution and max-pooling over time.
//!
//! In a channels-last track (t, v, d) the rows of neighbouring frames lie v rows apart, so a
//! convolution over time is one matrix product a tap, over a shifted block of rows.

use candle_core::{Result, Shape, Tensor, bail};
use skeletonmae::ops::linear::bias_gradient;
use skeletonmae::ops::product::{Matrix, product};
use skeletonmae::ops::{Kernel, Real, View, apply1, apply3, rows};

/// Where a window of frames stands: kernel size, stride, dilation; padded so that stride 1 keeps the
/// number of frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Taps, odd.
    pub kernel: usize,
    /// Frames from one window to the next.
    pub stride: usize,
    /// Frames from one tap to the next.
    pub dilation: usize,
}

/// The frames of tap `k`: output frames `from..to` read input frames `first`, `first + stride`, ...
struct Tap {
    k: usize,
    from: usize,
    to: usize,
    first: usize,
}

impl Window {
    /// Output frames of `t` input frames.
    pub fn frames(&self, t: usize) -> usize {
        t.div_ceil(self.stride)
    }

    /// The taps that meet any of `t` input frames.
    fn taps(self, t: usize) -> impl Iterator<Item = Tap> {
        let padding = self.kernel / 2 * self.dilation;
        let taps = (0..self.kernel).map(move |k| {
            // Input frame of output frame o: o * stride + shift - padding.
            let shift = k * self.dilation;
            let from = padding.saturating_sub(shift).div_ceil(self.stride);
            let to = (t + padding)
                .saturating_sub(shift)
                .div_ceil(self.stride)
                .min(self.frames(t));
            let first = (from * self.stride + shift).saturating_sub(padding);
            Tap { k, from, to, first }
        });
        taps.filter(|tap| tap.from < tap.to)
    }
}

struct Convolution(Window);

/// Convolution over time: x (n, t, v, `d_in`), `weight` (kernel, `d_out`, `d_in`), `bias` (`d_out`),
/// result (n, t / stride rounded up, v, `d_out`).
///
/// # Errors
/// When the shapes don't fit the window or each other.
pub fn temporal_convolution(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    window: Window,
) -> Result<Tensor> {
    apply3(Convolution(window), x, weight, bias)
}

impl Convolution {
    /// The input rows of a tap, gathered where the stride leaves gaps.
    fn source<'a, T: Real>(
        &self,
        track: &'a [T],
        tap: &Tap,
        frame: usize,
        scratch: &'a mut Vec<T>,
    ) -> &'a [T] {
        let n = tap.to - tap.from;
        if self.0.stride == 1 {
            return &track[tap.first * frame..(tap.first + n) * frame];
        }
        scratch.clear();
        for i in 0..n {
            let at = tap.first + i * self.0.stride;
            scratch.extend_from_slice(&track[at * frame..(at + 1) * frame]);
        }
        scratch
    }

    fn input_gradient<T: Real>(&self, x: View<'_, T>, w: View<'_, T>, grad: View<'_, T>) -> Vec<T> {
        let (&[_, t, v, d_in], &[_, d_out, _]) = (x.dims, w.dims) else {
            unreachable!("the forward pass checked both")
        };
        let t_out = self.0.frames(t);
        let mut dx = vec![T::zero(); x.data.len()];
        rows::fill_by(&mut dx, t * v * d_in, 1, |track, dx| {
            let g = &grad.data[track * t_out * v * d_out..(track + 1) * t_out * v * d_out];
            let mut scratch = Vec::new();
            for tap in self.0.taps(t) {
                let n = (tap.to - tap.from) * v;
                let g = &g[tap.from * v * d_out..tap.to * v * d_out];
                let g = Matrix::new(g, n, d_out);
                let w = Matrix::new(w.between(tap.k * d_out, (tap.k + 1) * d_out), d_out, d_in);
                if self.0.stride == 1 {
                    let start = tap.first * v * d_in;
                    product(&mut dx[start..start + n * d_in], g, w, true);
                    continue;
                }
                scratch.clear();
                scratch.resize(n * d_in, T::zero());
                product(&mut scratch, g, w, false);
                for (i, part) in scratch.chunks_exact(v * d_in).enumerate() {
                    let at = (tap.first + i * self.0.stride) * v * d_in;
                    rows::add(&mut dx[at..at + v * d_in], part);
                }
            }
        });
        dx
    }

    fn weight_gradient<T: Real>(
        &self,
        x: View<'_, T>,
        w: View<'_, T>,
        grad: View<'_, T>,
    ) -> Vec<T> {
        let (&[tracks, t, v, d_in], &[_, d_out, _]) = (x.dims, w.dims) else {
            unreachable!("the forward pass checked both")
        };
        let t_out = self.0.frames(t);
        let parts = rows::each_of(tracks, |track| {
            let x = &x.data[track * t * v * d_in..(track + 1) * t * v * d_in];
            let g = &grad.data[track * t_out * v * d_out..(track + 1) * t_out * v * d_out];
            let mut part = vec![T::zero(); w.data.len()];
            let mut scratch = Vec::new();
            for tap in self.0.taps(t) {
                let size = d_out * d_in;
                let part = &mut part[tap.k * size..(tap.k + 1) * size];
                let n = (tap.to - tap.from) * v;
                let g = Matrix::new(&g[tap.from * v * d_out..tap.to * v * d_out], n, d_out);
                let x = Matrix::new(self.source(x, &tap, v * d_in, &mut scratch), n, d_in);
                product(part, g.transposed(), x, false);
            }
            part
        });
        let mut total = vec![T::zero(); w.data.len()];
        parts.iter().for_each(|part| rows::add(&mut total, part));
        total
    }
}

impl Kernel<3> for Convolution {
    const NAME: &'static str = "temporal_convolution";

    fn forward<T: Real>(&self, [x, w, b]: [View<'_, T>; 3]) -> Result<(Vec<T>, Shape)> {
        let (n, t, v, d_in) = x.dims4()?;
        let Window { kernel, stride, .. } = self.0;
        let &[taps, d_out, width] = w.dims else {
            bail!(
                "temporal_convolution: weight (kernel, d_out, d_in), found {:?}",
                w.dims
            );
        };
        if taps != kernel
            || width != d_in
            || b.dims != [d_out]
            || kernel.is_multiple_of(2)
            || stride == 0
        {
            let (w, b) = (w.dims, b.dims);
            bail!(
                "temporal_convolution: x {:?}, weight {w:?}, bias {b:?}, {:?}",
                x.dims,
                self.0
            );
        }
        let t_out = self.0.frames(t);
        let mut out = vec![T::zero(); n * t_out * v * d_out];
        rows::fill_by(&mut out, t_out * v * d_out, 1, |track, out| {
            let x = &x.data[track * t * v * d_in..(track + 1) * t * v * d_in];
            for row in out.chunks_exact_mut(d_out) {
                row.copy_from_slice(b.data);
            }
            let mut scratch = Vec::new();
            for tap in self.0.taps(t) {
                let n = (tap.to - tap.from) * v;
                let x = Matrix::new(self.source(x, &tap, v * d_in, &mut scratch), n, d_in);
                let w = Matrix::new(w.between(tap.k * d_out, (tap.k + 1) * d_out), d_out, d_in);
                let out = &mut out[tap.from * v * d_out..tap.to * v * d_out];
                product(out, x, w.transposed(), true);
            }
        });
        Ok((out, (n, t_out, v, d_out).into()))
    }

    fn backward<T: Real>(
        &self,
        [x, w, _]: [View<'_, T>; 3],
        _: View<'_, T>,
        grad: View<'_, T>,
        wanted: [bool; 3],
    ) -> Result<[Option<Vec<T>>; 3]> {
        Ok([
            wanted[0].then(|| self.input_gradient(x, w, grad)),
            wanted[1].then(|| self.weight_gradient(x, w, grad)),
            wanted[2].then(|| bias_gradient(grad)),
        ])
    }
}

struct MaxPool(Window);

/// The largest of each window over time, feature by feature: x (n, t, v, d), result
/// (n, t / stride rounded up, v, d). Of equal numbers the earliest gets the gradient.
///
/// # Errors
/// When x doesn't have four axes.
pub fn temporal_max_pool(x: &Tensor, window: Window) -> Result<Tensor> {
    apply1(MaxPool(window), x)
}

impl MaxPool {
    /// The input frames of output frame `o`.
    fn frames_of(&self, o: usize, t: usize) -> impl Iterator<Item = usize> {
        let Window {
            kernel,
            stride,
            dilation,
        } = self.0;
        let padding = kernel / 2 * dilation;
        let frames = (0..kernel).map(move |k| o * stride + k * dilation);
        frames
            .filter(move |&f| f >= padding && f - padding < t)
            .map(move |f| f - padding)
    }
}

impl Kernel<1> for MaxPool {
    const NAME: &'static str = "temporal_max_pool";

    fn forward<T: Real>(&self, [x]: [View<'_, T>; 1]) -> Result<(Vec<T>, Shape)> {
        let (n, t, v, d) = x.dims4()?;
        let (t_out, frame) = (self.0.frames(t), v * d);
        let mut out = vec![T::neg_infinity(); n * t_out * frame];
        rows::fill_by(&mut out, t_out * frame, 1, |track, out| {
            let x = &x.data[track * t * frame..(track + 1) * t * frame];
            for (o, out) in out.chunks_exact_mut(frame).enumerate() {
                for f in self.frames_of(o, t) {
                    for (out, &x) in out.iter_mut().zip(&x[f * frame..(f + 1) * frame]) {
                        *out = if x > *out || x.is_nan() { x } else { *out };
                    }
                }
            }
        });
        Ok((out, (n, t_out, v, d).into()))
    }

    fn backward<T: Real>(
        &self,
        [x]: [View<'_, T>; 1],
        out: View<'_, T>,
        grad: View<'_, T>,
        _: [bool; 1],
    ) -> Result<[Option<Vec<T>>; 1]> {
        let (_, t, v, d) = x.dims4()?;
        let (t_out, frame) = (self.0.frames(t), v * d);
        let mut dx = vec![T::zero(); x.data.len()];
        rows::fill_by(&mut dx, t * frame, 1, |track, dx| {
            let x = &x.data[track * t * frame..(track + 1) * t * frame];
            for o in 0..t_out {
                let at = (track * t_out + o) * frame;
                let mut left = grad.data[at..at + frame].to_vec();
                for f in self.frames_of(o, t) {
                    for i in 0..frame {
                        if x[f * frame + i] == out.data[at + i] {
                            dx[f * frame + i] += left[i];
                            left[i] = T::zero();
                        }
                    }
                }
            }
        });
        Ok([Some(dx)])
    }
}
