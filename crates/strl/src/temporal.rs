//! The temporal half of a layer: multi-scale pooling over time, as in MS-G3D and CTR-GCN.

use candle_core::{Result, Tensor, bail};
use candle_nn::VarBuilder;
use skeletonmae::Mode;
use skeletonmae::layers::{BatchNorm, Linear, uniform};
use skeletonmae::ops::Activation;

use crate::ops::{Window, add_relu, temporal_convolution, temporal_max_pool};

/// A convolution over time with its parameters.
#[derive(Clone, Debug)]
struct Convolution {
    weight: Tensor,
    bias: Tensor,
    window: Window,
}

impl Convolution {
    fn new(d_in: usize, d_out: usize, window: Window, vb: VarBuilder<'_>) -> Result<Self> {
        let init = uniform(d_in * window.kernel);
        let weight = vb.get_with_hints((window.kernel, d_out, d_in), "weight", init)?;
        Ok(Self {
            weight,
            bias: vb.get_with_hints(d_out, "bias", init)?,
            window,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        temporal_convolution(x, &self.weight, &self.bias, self.window)
    }
}

/// What a branch does after its 1 x 1 map, `BatchNorm` and ReLU.
#[derive(Clone, Debug)]
enum Scale {
    Convolution(Convolution),
    MaxPool(Window),
}

#[derive(Clone, Debug)]
struct Branch {
    reduce: Linear,
    reduce_norm: BatchNorm,
    scale: Scale,
    norm: BatchNorm,
}

/// A strided 1 x 1 map and `BatchNorm`.
#[derive(Clone, Debug)]
struct Strided {
    map: Convolution,
    norm: BatchNorm,
}

impl Strided {
    fn new(d_in: usize, d_out: usize, stride: usize, vb: VarBuilder<'_>) -> Result<Self> {
        let window = Window {
            kernel: 1,
            stride,
            dilation: 1,
        };
        let map = Convolution::new(d_in, d_out, window, vb.pp("map"))?;
        Ok(Self {
            map,
            norm: BatchNorm::new(d_out, vb.pp("norm"))?,
        })
    }

    fn forward(&self, x: &Tensor, mode: Mode) -> Result<Tensor> {
        self.norm
            .forward(&self.map.forward(x)?, Activation::None, mode)
    }
}

/// Parallel branches over time (one dilated convolution a dilation, a max-pool of 3, a 1 x 1 map),
/// concatenated; a residual; ReLU.
#[derive(Clone, Debug)]
pub struct Temporal {
    branches: Vec<Branch>,
    point: Strided,
    residual: Option<Strided>,
}

impl Temporal {
    /// A half layer of width `d`, which the branches share evenly. With a stride of 1 the residual is
    /// the input itself.
    ///
    /// # Errors
    /// When `d` can't be shared evenly or the builder lacks a parameter.
    pub fn new(
        d: usize,
        kernel: usize,
        dilations: &[usize],
        stride: usize,
        vb: VarBuilder<'_>,
    ) -> Result<Self> {
        let count = dilations.len() + 2;
        if !d.is_multiple_of(count) {
            bail!("a width of {d} can't be shared by {count} temporal branches");
        }
        let part = d / count;
        let branch = |i: usize, scale: Scale| -> Result<Branch> {
            let vb = vb.pp("branches").pp(i);
            Ok(Branch {
                reduce: Linear::new(d, part, vb.pp("reduce"))?,
                reduce_norm: BatchNorm::new(part, vb.pp("reduce_norm"))?,
                scale,
                norm: BatchNorm::new(part, vb.pp("norm"))?,
            })
        };
        let mut branches = Vec::with_capacity(count - 1);
        for (i, &dilation) in dilations.iter().enumerate() {
            let window = Window {
                kernel,
                stride,
                dilation,
            };
            let vb = vb.pp("branches").pp(i).pp("convolution");
            branches.push(branch(
                i,
                Scale::Convolution(Convolution::new(part, part, window, vb)?),
            )?);
        }
        let window = Window {
            kernel: 3,
            stride,
            dilation: 1,
        };
        branches.push(branch(dilations.len(), Scale::MaxPool(window))?);
        let residual = match stride {
            1 => None,
            _ => Some(Strided::new(d, d, stride, vb.pp("residual"))?),
        };
        Ok(Self {
            branches,
            point: Strided::new(d, part, stride, vb.pp("point"))?,
            residual,
        })
    }

    /// x (n, t, v, d) to (n, t / stride rounded up, v, d).
    ///
    /// # Errors
    /// When x doesn't have the layer's width.
    pub fn forward(&self, x: &Tensor, mode: Mode) -> Result<Tensor> {
        let mut parts = Vec::with_capacity(self.branches.len() + 1);
        for branch in &self.branches {
            let y = branch.reduce.forward(x)?;
            let y = branch.reduce_norm.forward(&y, Activation::Relu, mode)?;
            let y = match &branch.scale {
                Scale::Convolution(convolution) => convolution.forward(&y)?,
                Scale::MaxPool(window) => temporal_max_pool(&y, *window)?,
            };
            parts.push(branch.norm.forward(&y, Activation::None, mode)?);
        }
        parts.push(self.point.forward(x, mode)?);
        let y = Tensor::cat(&parts, 3)?; // (n, t / stride, v, d)
        match &self.residual {
            None => add_relu(&y, x),
            Some(residual) => add_relu(&y, &residual.forward(x, mode)?),
        }
    }
}
