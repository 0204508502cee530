//! The temporal half of a layer: multi-scale pooling over time, as in MS-G3D and CTR-GCN.

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;
use skeleton_kernels::params::Named as _;
use skeleton_kernels::{
    Affine, BatchStats, Branches, NormedMap, Real, Stats, TemporalWeights, infer, temporal,
};
use skeletonmae::layers::{BatchNorm, Linear, uniform};
use skeletonmae::{Error, Mode};

/// A branch's 1 x 1 map, `BatchNorm` and ReLU, what follows, and the norm at its end.
#[derive(Clone, Debug)]
struct Branch {
    reduce: Linear,
    reduce_norm: BatchNorm,
    /// (kernel, part, part) and (part); the max-pool has none.
    convolution: Option<(Tensor, Tensor)>,
    norm: BatchNorm,
}

/// A 1 x 1 map of every `stride`-th frame and `BatchNorm`.
#[derive(Clone, Debug)]
struct Strided {
    /// (1, `d_out`, `d_in`) and (`d_out`).
    map: (Tensor, Tensor),
    norm: BatchNorm,
}

impl Strided {
    fn new(d_in: usize, d_out: usize, vb: VarBuilder<'_>) -> skeletonmae::Result<Self> {
        Ok(Self {
            map: convolution(1, d_in, d_out, vb.pp("map"))?,
            norm: BatchNorm::new(d_out, vb.pp("norm"))?,
        })
    }
}

/// Weight (kernel, `d_out`, `d_in`) and bias of a convolution over time.
fn convolution(
    kernel: usize,
    d_in: usize,
    d_out: usize,
    vb: VarBuilder<'_>,
) -> Result<(Tensor, Tensor)> {
    let init = uniform(d_in * kernel);
    let weight = vb.get_with_hints((kernel, d_out, d_in), "weight", init)?;
    Ok((weight, vb.get_with_hints(d_out, "bias", init)?))
}

/// Parallel branches over time (one dilated convolution a dilation, a max-pool of 3, a 1 x 1 map),
/// concatenated; a residual; ReLU.
#[derive(Clone, Debug)]
pub struct Temporal {
    shape: Branches,
    d: usize,
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
    pub fn new(d: usize, shape: Branches, vb: VarBuilder<'_>) -> skeletonmae::Result<Self> {
        let count = shape.count();
        let expected = format!("a multiple of {count}, the temporal branches");
        Error::refuse_unless(d.is_multiple_of(count), "width", &expected, d)?;
        let part = d / count;
        let branch = |i: usize| -> skeletonmae::Result<Branch> {
            let vb = vb.pp("branches").pp(i);
            let convolution = match shape.dilations.get(i) {
                None => None,
                Some(_) => Some(convolution(shape.kernel, part, part, vb.pp("convolution"))?),
            };
            Ok(Branch {
                reduce: Linear::new(d, part, vb.pp("reduce"))?,
                reduce_norm: BatchNorm::new(part, vb.pp("reduce_norm"))?,
                convolution,
                norm: BatchNorm::new(part, vb.pp("norm"))?,
            })
        };
        let residual = match shape.stride {
            1 => None,
            _ => Some(Strided::new(d, d, vb.pp("residual"))?),
        };
        Ok(Self {
            branches: (0..count - 1)
                .map(branch)
                .collect::<skeletonmae::Result<_>>()?,
            point: Strided::new(d, part, vb.pp("point"))?,
            residual,
            shape,
            d,
        })
    }

    /// x (n, t, v, d) to (n, t / stride rounded up, v, d).
    ///
    /// # Errors
    /// When x doesn't have the layer's width.
    pub fn forward(&self, x: &Tensor, mode: Mode) -> Result<Tensor> {
        let weights = self.weights()?;
        if mode == Mode::Eval {
            let weights = weights.map(&mut |parameter: &Tensor| parameter.detach());
            let running = self.running()?;
            return Ok(temporal(x, &weights, &self.shape, Stats::Running(&running))?.0);
        }
        let (y, stats) = temporal(x, &weights, &self.shape, Stats::Batch)?;
        for (norms, stats) in self.norms().iter().zip(&stats) {
            let mut at = 0;
            for (norm, bias) in norms {
                let width = norm.width();
                norm.update_running(&stats.part(at, width)?, *bias)?;
                at += width;
            }
        }
        Ok(y)
    }

    /// The norms with the biases in front of them, as the op puts them side by side. What comes out of a
    /// max-pool has none.
    fn norms(&self) -> Vec<Vec<(&BatchNorm, Option<&Tensor>)>> {
        let first = self.branches.iter();
        let first = first.map(|b| (&b.reduce_norm, Some(b.reduce.bias())));
        let end = self.branches.iter();
        let end = end.map(|b| (&b.norm, b.convolution.as_ref().map(|(_, bias)| bias)));
        let point = (&self.point.norm, Some(&self.point.map.1));
        let residual = self
            .residual
            .iter()
            .map(|r| vec![(&r.norm, Some(&r.map.1))]);
        let mut norms = vec![first.collect(), end.chain([point]).collect()];
        norms.extend(residual);
        norms
    }

    /// The running statistics of the norms, side by side.
    fn running(&self) -> Result<Vec<BatchStats>> {
        let all = self.norms().into_iter().map(|norms| {
            let each = norms.into_iter().map(|(norm, bias)| norm.running(bias));
            BatchStats::side_by_side(&each.collect::<Result<Vec<_>>>()?)
        });
        all.collect()
    }

    fn weights(&self) -> Result<TemporalWeights<Tensor>> {
        let norms = self.norms().into_iter().map(|norms| {
            let affine: Vec<Affine<Tensor>> = norms.iter().map(|(norm, _)| norm.affine()).collect();
            let all = |of: fn(&Affine<Tensor>) -> &Tensor| {
                Tensor::cat(&affine.iter().map(of).collect::<Vec<_>>(), 0)
            };
            Ok(Affine {
                weight: all(|affine| &affine.weight)?,
                bias: all(|affine| &affine.bias)?,
            })
        });
        let mut norms = norms.collect::<Result<Vec<_>>>()?.into_iter();
        let mut norm = || {
            norms
                .next()
                .expect("the op's norms are two, or three with a residual")
        };
        let reduce: Vec<&Tensor> = self.branches.iter().map(|b| b.reduce.weight()).collect();
        let convolutions = self.branches.iter().filter_map(|b| b.convolution.as_ref());
        Ok(TemporalWeights {
            reduce: NormedMap {
                weight: Tensor::cat(&reduce, 0)?,
                norm: norm(),
            },
            convolutions: convolutions.map(|(weight, _)| weight.clone()).collect(),
            point: self.point.map.0.squeeze(0)?,
            norm: norm(),
            residual: match &self.residual {
                None => None,
                Some(residual) => Some(NormedMap {
                    weight: residual.map.0.squeeze(0)?,
                    norm: norm(),
                }),
            },
        })
    }

    /// The half layer as it is now, for inference on the CPU.
    ///
    /// # Errors
    /// When a parameter can't be read.
    pub fn folded<T: Real>(&self) -> Result<infer::Temporal<T>> {
        infer::Temporal::new(&self.shape, &self.weights()?, self.d, &self.running()?)
    }
}
