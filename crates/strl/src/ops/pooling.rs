//! Sums over joints, frames and tracks.

use candle_core::{Result, Shape, Tensor, bail};
use skeletonmae::ops::{Kernel, Real, View, apply1, apply2, rows};

struct PoolRepeatAdd(f64);

/// `x + Repeat_N(factor * sum over joints of g)`, the right side of the paper's equation 3: g and x
/// are (n, t, v, d).
///
/// # Errors
/// When g and x differ in shape.
pub fn pool_repeat_add(g: &Tensor, x: &Tensor, factor: f64) -> Result<Tensor> {
    apply2(PoolRepeatAdd(factor), g, x)
}

/// Calls `f(frame index, frame)` on each frame (v, d) of `out`.
fn each_frame<T: Real>(out: &mut [T], frame: usize, f: impl Fn(usize, &mut [T]) + Sync) {
    rows::fill_by(out, frame, 64, |first, frames| {
        for (i, out) in frames.chunks_exact_mut(frame).enumerate() {
            f(first + i, out);
        }
    });
}

/// `factor` times the sum of the rows of a frame (v, d).
fn joint_sum<T: Real>(frame: &[T], d: usize, factor: T) -> Vec<T> {
    let mut sum = vec![T::zero(); d];
    frame
        .chunks_exact(d)
        .for_each(|row| rows::add_scaled(&mut sum, factor, row));
    sum
}

impl Kernel<2> for PoolRepeatAdd {
    const NAME: &'static str = "pool_repeat_add";

    fn forward<T: Real>(&self, [g, x]: [View<'_, T>; 2]) -> Result<(Vec<T>, Shape)> {
        let (_, _, v, d) = x.dims4()?;
        if g.dims != x.dims {
            bail!("pool_repeat_add: g {:?}, x {:?}", g.dims, x.dims);
        }
        let mut out = x.data.to_vec();
        each_frame(&mut out, v * d, |frame, out| {
            let pooled = joint_sum(g.between(frame * v, (frame + 1) * v), d, T::real(self.0));
            out.chunks_exact_mut(d)
                .for_each(|row| rows::add(row, &pooled));
        });
        Ok((out, x.dims.into()))
    }

    fn backward<T: Real>(
        &self,
        [g, _]: [View<'_, T>; 2],
        _: View<'_, T>,
        grad: View<'_, T>,
        wanted: [bool; 2],
    ) -> Result<[Option<Vec<T>>; 2]> {
        let (_, _, v, d) = g.dims4()?;
        let dg = wanted[0].then(|| {
            let mut dg = vec![T::zero(); g.data.len()];
            each_frame(&mut dg, v * d, |frame, dg| {
                let grads = grad.between(frame * v, (frame + 1) * v);
                let pooled = joint_sum(grads, d, T::real(self.0));
                dg.chunks_exact_mut(d)
                    .for_each(|row| row.copy_from_slice(&pooled));
            });
            dg
        });
        Ok([dg, wanted[1].then(|| grad.data.to_vec())])
    }
}

struct AddTime;

/// Adds the temporal position embedding `p` (t, d) to every joint and track of x (n, t, v, d).
///
/// # Errors
/// When x doesn't have the embedding's frames and width.
pub fn add_time(x: &Tensor, p: &Tensor) -> Result<Tensor> {
    apply2(AddTime, x, p)
}

impl Kernel<2> for AddTime {
    const NAME: &'static str = "add_time";

    fn forward<T: Real>(&self, [x, p]: [View<'_, T>; 2]) -> Result<(Vec<T>, Shape)> {
        let (_, t, v, d) = x.dims4()?;
        if p.dims != [t, d] {
            bail!(
                "add_time: x {:?} doesn't fit positions {:?}",
                x.dims,
                p.dims
            );
        }
        let mut out = x.data.to_vec();
        each_frame(&mut out, v * d, |frame, out| {
            let p = p.between(frame % t, frame % t + 1);
            out.chunks_exact_mut(d).for_each(|row| rows::add(row, p));
        });
        Ok((out, x.dims.into()))
    }

    fn backward<T: Real>(
        &self,
        [x, _]: [View<'_, T>; 2],
        _: View<'_, T>,
        grad: View<'_, T>,
        wanted: [bool; 2],
    ) -> Result<[Option<Vec<T>>; 2]> {
        let (n, t, v, d) = x.dims4()?;
        let dp = wanted[1].then(|| {
            let mut dp = vec![T::zero(); t * d];
            each_frame(&mut dp, d, |frame, dp| {
                for track in 0..n {
                    let first = (track * t + frame) * v;
                    grad.between(first, first + v)
                        .chunks_exact(d)
                        .for_each(|g| rows::add(dp, g));
                }
            });
            dp
        });
        Ok([wanted[0].then(|| grad.data.to_vec()), dp])
    }
}

struct AddRelu;

/// `max(a + b, 0)`, the end of a residual block.
///
/// # Errors
/// When a and b differ in shape.
pub fn add_relu(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    apply2(AddRelu, a, b)
}

impl Kernel<2> for AddRelu {
    const NAME: &'static str = "add_relu";

    fn forward<T: Real>(&self, [a, b]: [View<'_, T>; 2]) -> Result<(Vec<T>, Shape)> {
        if a.dims != b.dims {
            bail!("add_relu: a {:?}, b {:?}", a.dims, b.dims);
        }
        let d = a.width();
        let mut out = vec![T::zero(); a.data.len()];
        rows::fill(&mut out, d, |from, out| {
            let to = from + out.len() / d;
            let pairs = a.between(from, to).iter().zip(b.between(from, to));
            for (out, (&a, &b)) in out.iter_mut().zip(pairs) {
                *out = if a + b < T::zero() { T::zero() } else { a + b }; // NaN stays NaN
            }
        });
        Ok((out, a.dims.into()))
    }

    fn backward<T: Real>(
        &self,
        _: [View<'_, T>; 2],
        out: View<'_, T>,
        grad: View<'_, T>,
        wanted: [bool; 2],
    ) -> Result<[Option<Vec<T>>; 2]> {
        let d = out.width();
        let mut passed = vec![T::zero(); out.data.len()];
        rows::fill(&mut passed, d, |from, passed| {
            let to = from + passed.len() / d;
            let pairs = out.between(from, to).iter().zip(grad.between(from, to));
            for (passed, (&out, &g)) in passed.iter_mut().zip(pairs) {
                *passed = if out > T::zero() { g } else { T::zero() };
            }
        });
        Ok([
            wanted[0].then(|| passed.clone()),
            wanted[1].then_some(passed),
        ])
    }
}

struct TrackMean;

/// The mean over frames and joints: (n, t, v, d) to (n, d).
///
/// # Errors
/// When x doesn't have four axes.
pub fn track_mean(x: &Tensor) -> Result<Tensor> {
    apply1(TrackMean, x)
}

impl Kernel<1> for TrackMean {
    const NAME: &'static str = "track_mean";

    fn forward<T: Real>(&self, [x]: [View<'_, T>; 1]) -> Result<(Vec<T>, Shape)> {
        let (n, t, v, d) = x.dims4()?;
        let factor = T::real(1.0 / (t * v) as f64);
        let mut out = vec![T::zero(); n * d];
        rows::fill_by(&mut out, d, 1, |track, out| {
            let rows = x
                .between(track * t * v, (track + 1) * t * v)
                .chunks_exact(d);
            rows.for_each(|row| rows::add(out, row));
            out.iter_mut().for_each(|sum| *sum *= factor);
        });
        Ok((out, (n, d).into()))
    }

    fn backward<T: Real>(
        &self,
        [x]: [View<'_, T>; 1],
        _: View<'_, T>,
        grad: View<'_, T>,
        _: [bool; 1],
    ) -> Result<[Option<Vec<T>>; 1]> {
        let (_, t, v, d) = x.dims4()?;
        let factor = T::real(1.0 / (t * v) as f64);
        let mut dx = vec![T::zero(); x.data.len()];
        rows::fill_by(&mut dx, t * v * d, 1, |track, dx| {
            let g: Vec<T> = grad
                .between(track, track + 1)
                .iter()
                .map(|&g| g * factor)
                .collect();
            dx.chunks_exact_mut(d)
                .for_each(|row| row.copy_from_slice(&g));
        });
        Ok([Some(dx)])
    }
}
