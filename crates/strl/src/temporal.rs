//! The temporal half of a layer: multi-scale pooling over time, as in MS-G3D and CTR-GCN.

use candle_core::{Result, Tensor, bail};
use candle_nn::VarBuilder;
use skeletonmae::layers::{BatchNorm, Linear, theta, uniform};
use skeletonmae::ops::{Moments, Real};

use crate::ops::temporal::infer::Folded;
use crate::ops::{Branches, temporal};

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
    fn new(d_in: usize, d_out: usize, vb: VarBuilder<'_>) -> Result<Self> {
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
    pub fn new(d: usize, shape: Branches, vb: VarBuilder<'_>) -> Result<Self> {
        let count = shape.count();
        if !d.is_multiple_of(count) {
            bail!("a width of {d} can't be shared by {count} temporal branches");
        }
        let part = d / count;
        let branch = |i: usize| -> Result<Branch> {
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
            branches: (0..count - 1).map(branch).collect::<Result<_>>()?,
            point: Strided::new(d, part, vb.pp("point"))?,
            residual,
            shape,
            d,
        })
    }

    /// x (n, t, v, d) to (n, t / stride rounded up, v, d), in training.
    ///
    /// # Errors
    /// When x doesn't have the layer's width.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (y, moments) = temporal(x, &self.theta()?, &self.shape)?;
        for (norms, moments) in self.norms().iter().zip(&moments) {
            let mut at = 0;
            for (norm, bias) in norms {
                let width = norm.width();
                norm.gather(&moments.part(at, width), *bias)?;
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

    /// The parameters in the order of [`temporal`].
    fn theta(&self) -> Result<Tensor> {
        let norms = self.norms();
        let of = |norms: &[(&BatchNorm, Option<&Tensor>)]| -> Vec<Tensor> {
            let all = |k: usize| {
                norms
                    .iter()
                    .map(move |(norm, _)| norm.parameters()[k].clone())
            };
            all(0).chain(all(1)).collect()
        };
        let mut all: Vec<Tensor> = Vec::new();
        all.extend(self.branches.iter().map(|b| b.reduce.weight().clone()));
        all.extend(of(&norms[0]));
        let convolutions = self.branches.iter().filter_map(|b| b.convolution.as_ref());
        all.extend(convolutions.map(|(weight, _)| weight.clone()));
        all.push(self.point.map.0.clone());
        all.extend(of(&norms[1]));
        if let Some(residual) = &self.residual {
            all.push(residual.map.0.clone());
            all.extend(of(&norms[2]));
        }
        theta(&all.iter().collect::<Vec<_>>())
    }

    /// The half layer as it is now, for inference.
    ///
    /// # Errors
    /// When a parameter can't be read.
    pub fn folded<T: Real>(&self) -> Result<Folded<T>> {
        let moments = self.norms().into_iter().map(|norms| {
            let each = norms.into_iter().map(|(norm, bias)| norm.moments(bias));
            Ok(Moments::side_by_side(&each.collect::<Result<Vec<_>>>()?))
        });
        let moments = moments.collect::<Result<Vec<_>>>()?;
        let theta = self.theta()?.to_dtype(T::DTYPE)?.to_vec1::<T>()?;
        Folded::new(&self.shape, &theta, self.d, &moments)
    }
}
