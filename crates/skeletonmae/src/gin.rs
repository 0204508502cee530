//! The graph isomorphism network, paper section 3.2: "Encoder G_E ... GIN layers".
//!
//! The paper doesn't define its layer; this is GraphMAE's (arXiv 2205.10803), whose paradigm it
//! follows.

use std::sync::Arc;

use candle_core::{DType, Result, Tensor, bail};
use candle_nn::{VarBuilder, init};

use crate::layers::{BatchNorm, Linear, Mode, Prelu, theta};
use crate::ops::gin::infer::Folded;
use crate::ops::{
    self, Ending, JointMatrix, Moments, Real, Stack, linear, mix_joints, norm_prelu_fixed,
};

/// The parameters of `h = MLP((1 + eps) x + sum of the neighbours' x)`, MLP = Linear, BatchNorm, ReLU,
/// Linear; in the encoder BatchNorm and PReLU follow.
#[derive(Clone, Debug)]
struct GinLayer {
    eps: Tensor,
    linear1: Linear,
    norm1: BatchNorm,
    linear2: Linear,
    ending: Option<(BatchNorm, Prelu)>,
}

impl GinLayer {
    fn new([d, d_out]: [usize; 2], activated: bool, vb: VarBuilder<'_>) -> Result<Self> {
        let ending = if activated {
            let prelu = Prelu::new(vb.pp("prelu"))?;
            Some((BatchNorm::new(d, vb.pp("norm2"))?, prelu))
        } else {
            None
        };
        Ok(Self {
            eps: vb.get_with_hints(1, "eps", init::ZERO)?,
            linear1: Linear::new(d, d, vb.pp("linear1"))?,
            norm1: BatchNorm::new(d, vb.pp("norm1"))?,
            linear2: Linear::new(d, d_out, vb.pp("linear2"))?,
            ending,
        })
    }

    /// The parameters in the order of [`ops::gin()`], `before` (d, c) being a map in front of the first.
    fn theta(&self, before: Option<&Tensor>) -> Result<Vec<Tensor>> {
        let w1 = self.linear1.weight();
        let first = match before {
            // (x E^T) W1^T = x (W1 E)^T, and neighbour sums commute with maps of features.
            Some(before) => w1.matmul(before)?,
            None => w1.clone(),
        };
        let [weight, bias] = self.norm1.parameters();
        let mut all = vec![self.eps.clone(), first, weight.clone(), bias.clone()];
        // The op's maps are (d, d): rows of zeros stand for outputs that there aren't.
        all.push(padded(self.linear2.weight(), &self.linear1)?);
        match &self.ending {
            Some((norm, prelu)) => {
                all.extend(norm.parameters().map(Tensor::clone));
                all.push(prelu.slope().clone());
            }
            None => all.push(padded(self.linear2.bias(), &self.linear1)?),
        }
        Ok(all)
    }

    fn frozen(
        &self,
        x: &Tensor,
        before: Option<&Tensor>,
        adjacency: &Arc<JointMatrix>,
        pool: Option<f64>,
    ) -> Result<Tensor> {
        let Some((norm2, prelu)) = &self.ending else {
            bail!("only an encoder is frozen");
        };
        let eps = self.eps.to_dtype(DType::F64)?.to_vec1::<f64>()?[0];
        let zero = self.linear1.bias().detach().zeros_like()?;
        let relu = zero.narrow(0, 0, 1)?;
        let map = |x: &Tensor, weight: &Tensor| linear(x, &weight.detach(), &zero);
        let end = |z: &Tensor, norm: &BatchNorm, of: &Linear, slope: &Tensor, pool| {
            let [weight, bias] = norm.parameters();
            let theta = theta(&[weight, bias, slope])?.detach();
            norm_prelu_fixed(z, &theta, pool, norm.moments(Some(of.bias()))?)
        };
        let first = match before {
            Some(before) => self.linear1.weight().matmul(before)?,
            None => self.linear1.weight().clone(),
        };
        let h = map(&mix_joints(x, adjacency, 1.0 + eps)?, &first)?;
        let h = end(&h, &self.norm1, &self.linear1, &relu, None)?;
        let h = map(&h, self.linear2.weight())?;
        end(&h, norm2, &self.linear2, prelu.slope(), pool)
    }

    /// The norms, each with the map whose bias it takes in.
    fn norms(&self) -> impl Iterator<Item = (&BatchNorm, &Linear)> {
        let end = self.ending.as_ref().map(|(norm, _)| (norm, &self.linear2));
        std::iter::once((&self.norm1, &self.linear1)).chain(end)
    }
}

/// With zeros behind its rows, as many as `like` has.
fn padded(x: &Tensor, like: &Linear) -> Result<Tensor> {
    let missing = like.bias().elem_count() - x.dim(0)?;
    if missing == 0 {
        return Ok(x.clone());
    }
    x.pad_with_zeros(0, 0, missing)
}

/// Layers on a graph.
#[derive(Clone, Debug)]
struct Layers {
    adjacency: Arc<JointMatrix>,
    layers: Vec<GinLayer>,
}

impl Layers {
    fn stack(&self, ending: Ending) -> Stack {
        Stack {
            adjacency: self.adjacency.clone(),
            layers: self.layers.len(),
            ending,
        }
    }

    fn theta(&self, before: Option<&Tensor>) -> Result<Tensor> {
        let mut all = Vec::new();
        for (i, layer) in self.layers.iter().enumerate() {
            all.extend(layer.theta(before.filter(|_| i == 0))?);
        }
        theta(&all.iter().collect::<Vec<_>>())
    }

    fn norms(&self) -> impl Iterator<Item = (&BatchNorm, &Linear)> {
        self.layers.iter().flat_map(GinLayer::norms)
    }

    fn moments(&self) -> Result<Vec<Moments>> {
        self.norms()
            .map(|(norm, map)| norm.moments(Some(map.bias())))
            .collect()
    }

    fn forward(
        &self,
        x: &Tensor,
        before: Option<&Tensor>,
        ending: Ending,
        mode: Mode,
    ) -> Result<Tensor> {
        let (theta, stack) = (self.theta(before)?, self.stack(ending));
        match mode {
            Mode::Train => {
                let (y, moments) = ops::gin(x, &theta, stack)?;
                for ((norm, map), moments) in self.norms().zip(moments) {
                    norm.gather(&moments, Some(map.bias()))?;
                }
                Ok(y)
            }
            Mode::Eval => ops::gin_fixed(x, &theta, stack, self.moments()?),
            Mode::Frozen => bail!("only an encoder is frozen"),
        }
    }

    /// The stack as a function of x alone, whose parameters and running statistics are constants: ops of their
    /// own, since the fused ones have their statistics from the batch or have no way back.
    fn frozen(&self, x: &Tensor, before: Option<&Tensor>, pool: Option<f64>) -> Result<Tensor> {
        let mut h = x.clone();
        for (i, layer) in self.layers.iter().enumerate() {
            let pool = pool.filter(|_| i + 1 == self.layers.len());
            h = layer.frozen(&h, before.filter(|_| i == 0), &self.adjacency, pool)?;
        }
        Ok(h)
    }
}

/// `H = G_E(A, X)`: `L_D` layers, 3 in the paper (Table 4a).
#[derive(Clone, Debug)]
pub struct Encoder(Layers);

impl Encoder {
    /// `layers` layers of width `d`, parameters under `layers.0`, `layers.1`, ...
    ///
    /// # Errors
    /// When the builder lacks a parameter.
    pub fn new(
        layers: usize,
        d: usize,
        adjacency: &Arc<JointMatrix>,
        vb: VarBuilder<'_>,
    ) -> Result<Self> {
        let vb = vb.pp("layers");
        let layer = |i: usize| GinLayer::new([d, d], true, vb.pp(i));
        Ok(Self(Layers {
            adjacency: adjacency.clone(),
            layers: (0..layers).map(layer).collect::<Result<_>>()?,
        }))
    }

    /// The same layers on another graph.
    #[must_use]
    pub fn on(&self, adjacency: &Arc<JointMatrix>) -> Self {
        Self(Layers {
            adjacency: adjacency.clone(),
            layers: self.0.layers.clone(),
        })
    }

    /// x and the result are (n, t, v, d).
    ///
    /// # Errors
    /// When x doesn't have the graph's joints or the encoder's width.
    pub fn forward(&self, x: &Tensor, mode: Mode) -> Result<Tensor> {
        self.run(x, None, Ending::Activated, mode)
    }

    /// [`forward`](Self::forward) of `s e^T`, s (n, t, v, c) and e (d, c), without making those features:
    /// where c is small, most of the first layer's work is saved.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn forward_through(&self, s: &Tensor, e: &Tensor, mode: Mode) -> Result<Tensor> {
        self.run(s, Some(e), Ending::Activated, mode)
    }

    /// `factor` times the sum over joints of [`forward`](Self::forward), (n, t, d).
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn pooled(&self, x: &Tensor, factor: f64, mode: Mode) -> Result<Tensor> {
        self.run(x, None, Ending::Pooled { factor }, mode)
    }

    /// `factor` times the sum over joints of [`forward_through`](Self::forward_through), (n, t, d).
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn pooled_through(
        &self,
        s: &Tensor,
        e: &Tensor,
        factor: f64,
        mode: Mode,
    ) -> Result<Tensor> {
        self.run(s, Some(e), Ending::Pooled { factor }, mode)
    }

    fn run(
        &self,
        x: &Tensor,
        before: Option<&Tensor>,
        ending: Ending,
        mode: Mode,
    ) -> Result<Tensor> {
        match (mode, &ending) {
            (Mode::Frozen, Ending::Pooled { factor }) => self.0.frozen(x, before, Some(*factor)),
            (Mode::Frozen, _) => self.0.frozen(x, before, None),
            _ => self.0.forward(x, before, ending, mode),
        }
    }

    /// The encoder as it is now, for inference.
    ///
    /// # Errors
    /// When a parameter can't be read.
    pub fn folded<T: Real>(&self) -> Result<Folded<T>> {
        let theta = self.0.theta(None)?.to_dtype(T::DTYPE)?.to_vec1::<T>()?;
        let d = self.0.layers[0].linear1.bias().elem_count();
        let stack = self.0.stack(Ending::Activated);
        Folded::new(&stack, &theta, d, &self.0.moments()?)
    }
}

/// `Y = G_D(A, H)`: "one GIN layer", behind a map without bias that joins it to the encoder.
#[derive(Clone, Debug)]
pub struct Decoder {
    join: Linear,
    layers: Layers,
    d_out: usize,
}

impl Decoder {
    /// From width `d` to `d_out`, in which the MLP's second map ends; `join` holds the parameters of the map.
    ///
    /// # Errors
    /// When a builder lacks a parameter, or `d_out` is above `d`.
    pub fn new(
        [d, d_out]: [usize; 2],
        adjacency: &Arc<JointMatrix>,
        join: VarBuilder<'_>,
        vb: VarBuilder<'_>,
    ) -> Result<Self> {
        if d_out > d {
            bail!("a decoder of width {d} can't give {d_out} numbers a joint");
        }
        Ok(Self {
            join: Linear::without_bias(d, d, join)?,
            layers: Layers {
                adjacency: adjacency.clone(),
                layers: vec![GinLayer::new([d, d_out], false, vb)?],
            },
            d_out,
        })
    }

    /// The reconstructions of some `rows` of h (n, t, v, d), ascending: (rows, `d_out`).
    ///
    /// # Errors
    /// When h doesn't have the graph's joints or the decoder's width.
    pub fn forward(&self, h: &Tensor, rows: &Arc<Vec<u32>>, mode: Mode) -> Result<Tensor> {
        let ending = Ending::Mlp { rows: rows.clone() };
        let y = self
            .layers
            .forward(h, Some(self.join.weight()), ending, mode)?;
        y.narrow(1, 0, self.d_out)
    }
}
