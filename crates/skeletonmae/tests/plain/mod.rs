//! Layers of each backbone in plain Candle operations, by the names of their parameters.

use std::collections::BTreeMap;

use candle_core::{Device, Result, Tensor};
use skeleton_graph::Adjacency;
use skeleton_kernels::stats::EPSILON;
use skeletonmae::{Backbone, Mode, Store};

/// A layer's parameters by the ends of their names.
pub struct Named<'a>(pub &'a BTreeMap<String, Tensor>, pub String);

/// The sum of x (n, t, v, d) of so many frames before and after, 0 beyond a clip's ends.
fn around(x: &Tensor, distances: &[usize]) -> Result<Tensor> {
    let (n, t, v, d) = x.dims4()?;
    let mut sum = x.zeros_like()?;
    for &far in distances.iter().filter(|&&far| far < t) {
        let beyond = Tensor::zeros((n, far, v, d), x.dtype(), x.device())?;
        let before = Tensor::cat(&[&beyond, &x.narrow(1, 0, t - far)?], 1)?;
        let after = Tensor::cat(&[&x.narrow(1, far, t - far)?, &beyond], 1)?;
        sum = ((sum + before)? + after)?;
    }
    Ok(sum)
}

impl Named<'_> {
    fn get(&self, name: &str) -> &Tensor {
        &self.0[&format!("{}{name}", self.1)]
    }

    fn map(&self, x: &Tensor, name: &str) -> Result<Tensor> {
        let weight = self.get(&format!("{name}.weight"));
        x.broadcast_matmul(&weight.t()?)?
            .broadcast_add(self.get(&format!("{name}.bias")))
    }

    fn norm(&self, x: &Tensor, name: &str, mode: Mode) -> Result<Tensor> {
        let of = |end: &str| self.get(&format!("{name}.{end}"));
        let (mean, variance) = match mode {
            Mode::Train => {
                let rows = x.reshape(((), x.dim(3)?))?;
                let mean = rows.mean_keepdim(0)?;
                let variance = rows.broadcast_sub(&mean)?.sqr()?.mean_keepdim(0)?;
                (mean.squeeze(0)?, variance.squeeze(0)?)
            }
            _ => (of("running_mean").clone(), of("running_var").clone()),
        };
        let scale = (variance + EPSILON)?.sqrt()?;
        let y = x.broadcast_sub(&mean)?.broadcast_div(&scale)?;
        y.broadcast_mul(of("weight"))?.broadcast_add(of("bias"))
    }

    fn prelu(&self, x: &Tensor) -> Result<Tensor> {
        x.relu()? - x.neg()?.relu()?.broadcast_mul(self.get("prelu.weight"))?
    }

    /// Attention of `heads` heads over joints and their neighbours.
    fn attend(&self, u: &Tensor, graph: &Adjacency, heads: usize) -> Result<Tensor> {
        let (part, a) = (u.dim(3)? / heads, self.get("attention"));
        let joint = |i: usize, h: usize| u.narrow(2, i, 1)?.narrow(3, h * part, part);
        let mut joints = Vec::new();
        for i in 0..graph.len() {
            let others: Vec<usize> = graph.neighbours(i).iter().copied().chain([i]).collect();
            let mut of_heads = Vec::new();
            for h in 0..heads {
                let a = a.narrow(1, h * part, part)?;
                let dot = |j: usize, side: usize| {
                    joint(j, h)?.broadcast_mul(&a.get(side)?)?.sum_keepdim(3)
                };
                let (mut top, mut bottom) = (joint(i, h)?.zeros_like()?, dot(i, 0)?.zeros_like()?);
                for &j in &others {
                    let e = (dot(i, 0)? + dot(j, 1)?)?;
                    let e = (e.relu()? - (e.neg()?.relu()? * 0.2)?)?.exp()?;
                    top = (top + joint(j, h)?.broadcast_mul(&e)?)?;
                    bottom = (bottom + e)?;
                }
                of_heads.push(top.broadcast_div(&bottom)?);
            }
            joints.push(Tensor::cat(&of_heads, 3)?);
        }
        Tensor::cat(&joints, 2)
    }

    /// What a layer does before its end, in the encoder (4 heads) or the decoder (1); GIN's joints are neighbours of themselves at
    /// `distances` in time.
    pub fn body(
        &self,
        x: &Tensor,
        backbone: Backbone,
        (graph, distances): (&Adjacency, &[usize]),
        heads: usize,
        mode: Mode,
    ) -> Result<Tensor> {
        let v = graph.len();
        let matrix = |values: Vec<f64>| Tensor::from_vec(values, (v, v), &Device::Cpu);
        match backbone {
            Backbone::Gin => {
                let own = x.broadcast_mul(&(self.get("eps") + 1.0)?)?;
                let own = (own + around(x, distances)?)?;
                let h = self.map(
                    &(matrix(graph.binary())?.broadcast_matmul(x)? + own)?,
                    "linear1",
                )?;
                self.map(&self.norm(&h, "norm1", mode)?.relu()?, "linear2")
            }
            Backbone::Gcn => self.map(&matrix(graph.symmetric())?.broadcast_matmul(x)?, "linear"),
            Backbone::Gat => {
                let u = x.broadcast_matmul(&self.get("linear.weight").t()?)?;
                self.attend(&u, graph, heads)?
                    .broadcast_add(self.get("linear.bias"))
            }
        }
    }
}

/// The encoder of as many layers, its tensors in `store`.
pub fn encoder(
    store: &Store,
    (backbone, layers): (Backbone, usize),
    x: &Tensor,
    graph: (&Adjacency, &[usize]),
    mode: Mode,
) -> Result<Tensor> {
    let tensors = store.tensors();
    let mut h = x.clone();
    for i in 0..layers {
        let layer = Named(&tensors, format!("layers.{i}."));
        let z = layer.body(&h, backbone, graph, 4, mode)?;
        let norm = if backbone == Backbone::Gin {
            "norm2"
        } else {
            "norm"
        };
        h = layer.prelu(&layer.norm(&z, norm, mode)?)?;
    }
    Ok(h)
}
