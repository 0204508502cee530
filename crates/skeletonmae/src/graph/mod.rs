//! GCN and GAT layers: one map a layer, before which or behind which joints are mixed.

pub mod infer;

use std::sync::Arc;

use candle_core::{Result, Tensor, bail};
use candle_nn::{Init, VarBuilder};
use skeleton_graph::Adjacency;

use crate::layers::{BatchNorm, Linear, Mode, Prelu, theta};
use crate::ops::{
    Attention, JointMatrix, attend, linear, mix_joints, norm_prelu, norm_prelu_fixed, take_rows,
};

/// Heads of the encoder's attention.
pub const HEADS: usize = 4;

/// How a layer lets joints know of each other, on one graph.
#[derive(Clone, Debug)]
pub(crate) enum Mixing {
    /// `(A^ x) W^T`, A^ = `D^-1/2 (A + I) D^-1/2`.
    Gcn(Arc<JointMatrix>),
    /// `attend(x W^T)`.
    Gat(Arc<Attention>),
}

impl Mixing {
    pub fn gcn(adjacency: &Adjacency) -> Self {
        let matrix = JointMatrix::new(&adjacency.symmetric(), adjacency.len());
        Self::Gcn(Arc::new(matrix))
    }

    pub fn gat(adjacency: &Adjacency, heads: usize) -> Self {
        Self::Gat(Arc::new(Attention::new(adjacency, heads)))
    }

    /// The same on another graph.
    fn on(&self, adjacency: &Adjacency) -> Self {
        match self {
            Self::Gcn(_) => Self::gcn(adjacency),
            Self::Gat(attention) => Self::gat(adjacency, attention.heads()),
        }
    }
}

/// The parameters of one layer.
#[derive(Clone, Debug)]
struct Layer {
    /// Its bias is added behind the mixing.
    map: Linear,
    /// (2, d), attention's.
    attention: Option<Tensor>,
    ending: Option<(BatchNorm, Prelu)>,
}

impl Layer {
    fn new(
        [d_in, d_out]: [usize; 2],
        mixing: &Mixing,
        activated: bool,
        vb: VarBuilder<'_>,
    ) -> Result<Self> {
        let attention = match mixing {
            Mixing::Gcn(_) => None,
            Mixing::Gat(attention) => {
                if !d_out.is_multiple_of(attention.heads()) {
                    bail!("{d_out} features for {} heads", attention.heads());
                }
                // Glorot's bound for a map from a head's features to one number, as the paper's authors have it.
                let bound = (6.0 / (d_out / attention.heads() + 1) as f64).sqrt();
                let init = Init::Uniform {
                    lo: -bound,
                    up: bound,
                };
                Some(vb.get_with_hints((2, d_out), "attention", init)?)
            }
        };
        let ending = match activated {
            false => None,
            true => Some((
                BatchNorm::new(d_out, vb.pp("norm"))?,
                Prelu::new(vb.pp("prelu"))?,
            )),
        };
        Ok(Self {
            map: Linear::new(d_in, d_out, vb.pp("linear"))?,
            attention,
            ending,
        })
    }

    /// What the layer makes of x before its bias: mixed and mapped. `before` (d, c) is a map in front of it, x
    /// then (n, t, v, c).
    fn mixed(
        &self,
        x: &Tensor,
        before: Option<&Tensor>,
        mixing: &Mixing,
        fixed: bool,
    ) -> Result<Tensor> {
        let own = |t: &Tensor| if fixed { t.detach() } else { t.clone() };
        let mut w = own(self.map.weight());
        if let Some(before) = before {
            // (x E^T) W^T = x (W E)^T, and what mixes joints commutes with maps of features.
            w = w.matmul(&own(before))?;
        }
        let zero = self.map.bias().detach().zeros_like()?;
        match (mixing, &self.attention) {
            (Mixing::Gcn(matrix), _) => linear(&mix_joints(x, matrix, 0.0)?, &w, &zero),
            (Mixing::Gat(attention), Some(a)) => attend(&linear(x, &w, &zero)?, &own(a), attention),
            (Mixing::Gat(_), None) => bail!("a layer of attention without its parameters"),
        }
    }

    /// `BatchNorm` and PReLU, the bias in front of which cancels or is part of the statistics.
    fn end(&self, z: &Tensor, pool: Option<f64>, mode: Mode) -> Result<Tensor> {
        let Some((norm, prelu)) = &self.ending else {
            bail!("a layer that ends with its map in the encoder");
        };
        let [weight, bias] = norm.parameters();
        let theta = theta(&[weight, bias, prelu.slope()])?;
        if mode == Mode::Train {
            let (y, moments) = norm_prelu(z, &theta, pool)?;
            norm.gather(&moments, Some(self.map.bias()))?;
            return Ok(y);
        }
        let moments = norm.moments(Some(self.map.bias()))?;
        norm_prelu_fixed(z, &theta.detach(), pool, moments)
    }
}

/// The encoder: layers of one kind.
#[derive(Clone, Debug)]
pub struct Encoder {
    mixing: Mixing,
    layers: Vec<Layer>,
}

impl Encoder {
    /// `layers` layers of width `d`, parameters under `layers.0`, `layers.1`, ...
    pub(crate) fn new(layers: usize, d: usize, mixing: Mixing, vb: VarBuilder<'_>) -> Result<Self> {
        let vb = vb.pp("layers");
        let layer = |i: usize| Layer::new([d, d], &mixing, true, vb.pp(i));
        let layers = (0..layers).map(layer).collect::<Result<_>>()?;
        Ok(Self { mixing, layers })
    }

    /// The same layers on another graph.
    pub(crate) fn on(&self, adjacency: &Adjacency) -> Self {
        Self {
            mixing: self.mixing.on(adjacency),
            layers: self.layers.clone(),
        }
    }

    /// x (n, t, v, d), or (n, t, v, c) with a map `before` (d, c) in front, to (n, t, v, d); with a `pool`, to that
    /// factor times the sum over joints, (n, t, d).
    pub(crate) fn forward(
        &self,
        x: &Tensor,
        before: Option<&Tensor>,
        pool: Option<f64>,
        mode: Mode,
    ) -> Result<Tensor> {
        let mut h = match mode {
            Mode::Eval => x.detach(),
            Mode::Train | Mode::Frozen => x.clone(),
        };
        for (i, layer) in self.layers.iter().enumerate() {
            let before = before.filter(|_| i == 0);
            let pool = pool.filter(|_| i + 1 == self.layers.len());
            let z = layer.mixed(&h, before, &self.mixing, mode != Mode::Train)?;
            h = layer.end(&z, pool, mode)?;
        }
        Ok(h)
    }
}

/// The decoder: a map without bias from the encoder, then one layer, which ends with its map.
#[derive(Clone, Debug)]
pub struct Decoder {
    join: Linear,
    mixing: Mixing,
    layer: Layer,
}

impl Decoder {
    /// From width `d` to `d_out`.
    pub(crate) fn new(
        [d, d_out]: [usize; 2],
        mixing: Mixing,
        join: VarBuilder<'_>,
        vb: VarBuilder<'_>,
    ) -> Result<Self> {
        Ok(Self {
            join: Linear::without_bias(d, d, join)?,
            layer: Layer::new([d, d_out], &mixing, false, vb)?,
            mixing,
        })
    }

    /// Some rows of the reconstruction of h (n, t, v, d): (rows, `d_out`).
    pub(crate) fn forward(&self, h: &Tensor, rows: &Arc<Vec<u32>>, mode: Mode) -> Result<Tensor> {
        let fixed = mode != Mode::Train;
        let h = if mode == Mode::Eval {
            h.detach()
        } else {
            h.clone()
        };
        let join = self.join.weight();
        let y = self.layer.mixed(&h, Some(join), &self.mixing, fixed)?;
        take_rows(&y, rows)?.broadcast_add(self.layer.map.bias())
    }
}
