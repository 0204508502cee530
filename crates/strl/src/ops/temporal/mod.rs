//! The temporal half of a layer as one op: parallel branches over time, written side by side.
//!
//! What lies in memory between the passes is what comes out of the branches' first maps (z), out of the
//! branches (c) and out of the residual's map (q), each in front of a norm. Tracks are the chunks.

mod backward;
mod forward;
pub mod infer;
mod params;
mod window;

use std::sync::{Arc, OnceLock};

use candle_core::{Result, Shape, Tensor, bail};
use skeletonmae::ops::pool::Saved;
use skeletonmae::ops::{Kernel, Moments, Real, View, apply2};

pub use window::Window;

/// The branches: one convolution of `kernel` taps a dilation, a max-pool of three frames, a point; each
/// gives an even share of the width.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branches {
    /// Taps of a convolution, odd.
    pub kernel: usize,
    /// Of the convolutions.
    pub dilations: Vec<usize>,
    /// Frames from one window to the next; above 1 the residual is a map of every `stride`-th frame with
    /// a norm, at 1 the input itself.
    pub stride: usize,
}

impl Branches {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.dilations.len() + 2
    }

    /// The windows of the convolutions.
    fn convolutions(&self) -> impl Iterator<Item = Window> {
        self.dilations.iter().map(|&dilation| Window {
            kernel: self.kernel,
            stride: self.stride,
            dilation,
        })
    }

    /// The window of the max-pool.
    fn pool(&self) -> Window {
        Window {
            kernel: 3,
            stride: self.stride,
            dilation: 1,
        }
    }

    /// Output frames of `t` input frames.
    pub fn frames(&self, t: usize) -> usize {
        t.div_ceil(self.stride)
    }

    fn check(&self, dims: &[usize], parameters: usize) -> Result<Shapes> {
        let &[n, t, v, d] = dims else {
            bail!("temporal: expected (n, t, v, d), found {dims:?}");
        };
        let usable = self.kernel % 2 == 1 && self.stride > 0 && !self.dilations.contains(&0);
        if !usable || !d.is_multiple_of(self.count()) || n * t * v * d == 0 {
            bail!("temporal: {self:?} on {dims:?}");
        }
        let shapes = Shapes {
            n,
            t,
            t_out: self.frames(t),
            v,
            d,
            part: d / self.count(),
            reduced: d / self.count() * (self.count() - 1),
        };
        let expected = params::count(self, &shapes);
        if parameters != expected {
            bail!("temporal: {parameters} parameters, expected {expected} for {self:?}, width {d}");
        }
        Ok(shapes)
    }
}

/// Extents of one call.
#[derive(Clone, Copy, Debug)]
struct Shapes {
    n: usize,
    t: usize,
    t_out: usize,
    v: usize,
    d: usize,
    /// Features of a branch.
    part: usize,
    /// Features behind the first maps of all branches that have one.
    reduced: usize,
}

struct Temporal {
    branches: Branches,
    moments: Arc<OnceLock<Vec<Moments>>>,
    saved: Saved,
}

/// The branches with their residual and ReLU in training: x (n, t, v, d), result (n, t / stride rounded
/// up, v, d). The statistics of the norms are returned: behind the first maps, behind the branches,
/// behind the residual's map if there is one, each over the concatenated features.
///
/// `theta` holds the first maps of the branches that have one (reduced, d), weight and bias of the norm
/// behind them, the convolutions (kernel, part, part) each, the point (part, d), weight and bias of the
/// norm behind the branches, and, for a stride above 1, the residual's map (d, d) with weight and bias of
/// its norm. Biases in front of norms cancel and aren't among them.
///
/// # Errors
/// When the shapes don't fit.
pub fn temporal(x: &Tensor, theta: &Tensor, branches: &Branches) -> Result<(Tensor, Vec<Moments>)> {
    let moments = Arc::new(OnceLock::new());
    let op = Temporal {
        branches: branches.clone(),
        moments: moments.clone(),
        saved: Saved::default(),
    };
    let y = apply2(op, x, theta)?;
    match moments.get() {
        Some(moments) => Ok((y, moments.clone())),
        None => bail!("temporal: the forward pass gathered no statistics"),
    }
}

impl Kernel<2> for Temporal {
    const NAME: &'static str = "temporal";

    fn forward<T: Real>(&self, [x, theta]: [View<'_, T>; 2]) -> Result<(Vec<T>, Shape)> {
        let shapes = self.branches.check(x.dims, theta.data.len())?;
        let parameters = params::split(&self.branches, &shapes, theta.data);
        let pass = forward::Pass::new(&self.branches, shapes, &parameters);
        let (y, kept) = pass.run(x.data);
        self.moments.get_or_init(|| kept.moments.clone());
        self.saved.put(kept);
        let Shapes { n, t_out, v, d, .. } = shapes;
        Ok((y, (n, t_out, v, d).into()))
    }

    fn backward<T: Real>(
        &self,
        [x, theta]: [View<'_, T>; 2],
        y: View<'_, T>,
        grad: View<'_, T>,
        _: [bool; 2],
    ) -> Result<[Option<Vec<T>>; 2]> {
        let shapes = self.branches.check(x.dims, theta.data.len())?;
        let parameters = params::split(&self.branches, &shapes, theta.data);
        let pass = forward::Pass::new(&self.branches, shapes, &parameters);
        let kept = self.saved.take::<forward::Kept<T>>()?;
        let way = backward::Way {
            pass: &pass,
            x: x.data,
            y: y.data,
            grad: grad.data,
            kept: &kept,
        };
        let (dx, dtheta) = way.run();
        Ok([Some(dx), Some(dtheta)])
    }
}
