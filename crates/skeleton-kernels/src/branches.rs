//! The shape of multi-scale pooling over time.

use candle_core::{Result, bail};

/// Where a window of frames stands: kernel size, stride, dilation; padded so that stride 1 keeps the number of frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Taps, odd.
    pub kernel: usize,
    /// Frames from one window to the next.
    pub stride: usize,
    /// Frames from one tap to the next.
    pub dilation: usize,
}

impl Window {
    /// Output frames of `t` input frames.
    pub fn frames(&self, t: usize) -> usize {
        t.div_ceil(self.stride)
    }

    /// Frames of padding in front.
    pub(crate) fn padding(&self) -> usize {
        self.kernel / 2 * self.dilation
    }
}

/// The branches: one convolution of `kernel` taps a dilation, a max-pool of three frames, a point (a map of each frame
/// alone); each gives an even share of the width.
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

    /// Features of a branch of d in all.
    pub fn part(&self, d: usize) -> usize {
        d / self.count()
    }

    /// Features behind the first maps of all branches that have one.
    pub fn reduced(&self, d: usize) -> usize {
        self.part(d) * (self.count() - 1)
    }

    /// Output frames of `t` input frames.
    pub fn frames(&self, t: usize) -> usize {
        t.div_ceil(self.stride)
    }

    /// The windows of the convolutions.
    pub(crate) fn convolutions(&self) -> impl Iterator<Item = Window> {
        self.dilations.iter().map(|&dilation| Window {
            kernel: self.kernel,
            stride: self.stride,
            dilation,
        })
    }

    /// The window of the max-pool.
    pub(crate) fn max_pool(&self) -> Window {
        Window {
            kernel: 3,
            stride: self.stride,
            dilation: 1,
        }
    }

    /// Refuses what can't be applied to (n, t, v, d).
    pub(crate) fn check(&self, dims: &[usize]) -> Result<()> {
        let &[n, t, v, d] = dims else {
            bail!("temporal: expected (n, t, v, d), found {dims:?}");
        };
        let usable = self.kernel % 2 == 1 && self.stride > 0 && !self.dilations.contains(&0);
        if !usable || !d.is_multiple_of(self.count()) || n * t * v * d == 0 {
            bail!("temporal: {self:?} on {dims:?}");
        }
        Ok(())
    }
}
