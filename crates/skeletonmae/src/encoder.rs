//! The encoder `G_E` and the decoder `G_D`: paper section 3.2.
//!
//! Differs from the paper: it names three graph networks (Table 4c) and defines none; they are what their authors and
//! `GraphMAE` (Z. Hou et al., KDD 2022, arXiv 2205.10803), whose paradigm it follows, made of them.

use std::sync::Arc;

use candle_core::{Result, Tensor, bail};
use candle_nn::{Init, VarBuilder, init};
use serde::{Deserialize, Serialize};
use skeleton_graph::Adjacency;
use skeleton_kernels::params::Named as _;
use skeleton_kernels::plain::add_bias;
use skeleton_kernels::{
    self as kernels, Activation, Attention, BatchStats, GinEnd, JointMatrix, NormedMap, Real,
    Stats, infer,
};

pub use skeleton_kernels::Readout;

use crate::layers::{BatchNorm, Linear, Mode, Prelu};

/// Heads of the encoder's attention.
pub const HEADS: usize = 4;

/// The kind of the layers of encoder and decoder. Each ends, but for the decoder's, with `BatchNorm` and PReLU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Backbone {
    /// Graph isomorphism network (K. Xu et al., ICLR 2019), the paper's choice: an MLP of `(1 + eps) x` and the
    /// sum of the neighbours.
    #[default]
    Gin,
    /// Graph convolutional network (T. Kipf and M. Welling, ICLR 2017): one map of the neighbours and the joint
    /// itself, weighted by `D^-1/2 (A + I) D^-1/2`.
    Gcn,
    /// Graph attention network (P. Velickovic et al., ICLR 2018): the weights of neighbours and the joint itself
    /// depend on their features. Four heads, a quarter of the width each, in the encoder, one in the decoder, as
    /// in `GraphMAE`; no dropout of weights.
    Gat,
}

impl Backbone {
    /// As it is written in settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gin => "gin",
            Self::Gcn => "gcn",
            Self::Gat => "gat",
        }
    }
}

/// What an encoder reads.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// Features, (n, t, v, d).
    Features(&'a Tensor),
    /// The features `s E^T`, which are not made: where c is small, most of the first layer's work is saved.
    Embedded {
        /// (n, t, v, c).
        s: &'a Tensor,
        /// E, (d, c).
        map: &'a Tensor,
    },
}

/// `H = G_E(A, X)`: `L_D` layers of one kind on a graph, 3 in the paper (Table 4a).
#[derive(Clone, Debug)]
pub struct Encoder {
    graph: Graph,
    layers: Vec<Layer>,
}

/// How a layer lets joints know of each other.
#[derive(Clone, Debug)]
enum Graph {
    /// By A, binary and without self loops.
    Gin(Arc<JointMatrix>),
    /// By A^ = `D^-1/2 (A + I) D^-1/2`.
    Gcn(Arc<JointMatrix>),
    /// By attention.
    Gat(Arc<Attention>),
}

impl Graph {
    fn new(backbone: Backbone, adjacency: &Adjacency, heads: usize) -> Self {
        let matrix = |dense: Vec<f64>| Arc::new(JointMatrix::new(&dense, adjacency.len()));
        match backbone {
            Backbone::Gin => Self::Gin(matrix(adjacency.binary())),
            Backbone::Gcn => Self::Gcn(matrix(adjacency.symmetric())),
            Backbone::Gat => Self::Gat(Arc::new(Attention::new(adjacency, heads))),
        }
    }

    fn joints(&self) -> usize {
        match self {
            Self::Gin(matrix) | Self::Gcn(matrix) => matrix.joints(),
            Self::Gat(attention) => attention.joints(),
        }
    }
}

/// The parameters of one layer.
#[derive(Clone, Debug)]
enum Layer {
    /// `MLP((1 + eps) x + sum of the neighbours' x)`, MLP = linear, `BatchNorm`, ReLU, linear.
    Gin {
        eps: Tensor,
        linear1: Linear,
        norm1: BatchNorm,
        linear2: Linear,
        ending: Option<Ending>,
    },
    /// `A^ x W^T + b` or `attend(x W^T) + b`.
    Mapped {
        linear: Linear,
        /// (2, d), attention's.
        attention: Option<Tensor>,
        ending: Option<Ending>,
    },
}

/// `BatchNorm` and PReLU behind a layer of the encoder.
#[derive(Clone, Debug)]
struct Ending {
    norm: BatchNorm,
    prelu: Prelu,
}

impl Ending {
    fn new(d: usize, norm: VarBuilder<'_>, prelu: VarBuilder<'_>) -> Result<Self> {
        Ok(Self {
            norm: BatchNorm::new(d, norm)?,
            prelu: Prelu::new(prelu)?,
        })
    }

    fn parameters(&self) -> Activation<Tensor> {
        Activation {
            norm: self.norm.affine(),
            slope: self.prelu.slope().clone(),
        }
    }
}

impl Layer {
    fn new(
        graph: &Graph,
        [d, d_out]: [usize; 2],
        activated: bool,
        vb: VarBuilder<'_>,
    ) -> Result<Self> {
        let ending = |norm: &str| match activated {
            true => Ending::new(d_out, vb.pp(norm), vb.pp("prelu")).map(Some),
            false => Ok(None),
        };
        let attention = match graph {
            Graph::Gin(_) => {
                return Ok(Self::Gin {
                    eps: vb.get_with_hints(1, "eps", init::ZERO)?,
                    linear1: Linear::new(d, d, vb.pp("linear1"))?,
                    norm1: BatchNorm::new(d, vb.pp("norm1"))?,
                    linear2: Linear::new(d, d_out, vb.pp("linear2"))?,
                    ending: ending("norm2")?,
                });
            }
            Graph::Gcn(_) => None,
            Graph::Gat(attention) => {
                let heads = attention.heads();
                if !d_out.is_multiple_of(heads) {
                    bail!("{d_out} features for {heads} heads");
                }
                // Glorot's bound for a map from a head's features to one number, as the paper's authors have it.
                let bound = (6.0 / (d_out / heads + 1) as f64).sqrt();
                let init = Init::Uniform {
                    lo: -bound,
                    up: bound,
                };
                Some(vb.get_with_hints((2, d_out), "attention", init)?)
            }
        };
        Ok(Self::Mapped {
            linear: Linear::new(d, d_out, vb.pp("linear"))?,
            attention,
            ending: ending("norm")?,
        })
    }

    /// The norms, each with the bias in front of it.
    fn norms(&self) -> Vec<(&BatchNorm, &Tensor)> {
        let (first, ending, last) = match self {
            Self::Gin {
                linear1,
                norm1,
                linear2,
                ending,
                ..
            } => (Some((norm1, linear1.bias())), ending, linear2),
            Self::Mapped { linear, ending, .. } => (None, ending, linear),
        };
        let end = ending.as_ref().map(|own| (&own.norm, last.bias()));
        first.into_iter().chain(end).collect()
    }
}

/// W, or W E behind a map E: `(x E^T) W^T = x (W E)^T`, and what mixes joints commutes with maps of features.
fn behind(weight: &Tensor, map: Option<&Tensor>) -> Result<Tensor> {
    match map {
        Some(map) => weight.matmul(map),
        None => Ok(weight.clone()),
    }
}

impl Encoder {
    /// `layers` layers of width `d`, parameters under `layers.0`, `layers.1`, ...
    ///
    /// # Errors
    /// When the builder lacks a parameter, or the heads of an attention can't share the width.
    pub fn new(
        backbone: Backbone,
        layers: usize,
        d: usize,
        adjacency: &Adjacency,
        vb: VarBuilder<'_>,
    ) -> crate::Result<Self> {
        let graph = Graph::new(backbone, adjacency, HEADS);
        let vb = vb.pp("layers");
        let layer = |i: usize| Layer::new(&graph, [d, d], true, vb.pp(i));
        let layers = (0..layers).map(layer).collect::<Result<_>>()?;
        Ok(Self { graph, layers })
    }

    /// The same parameters on another graph of as many joints.
    #[must_use]
    pub fn on(&self, adjacency: &Adjacency) -> Self {
        let (backbone, heads) = match &self.graph {
            Graph::Gin(_) => (Backbone::Gin, 1),
            Graph::Gcn(_) => (Backbone::Gcn, 1),
            Graph::Gat(attention) => (Backbone::Gat, attention.heads()),
        };
        Self {
            graph: Graph::new(backbone, adjacency, heads),
            layers: self.layers.clone(),
        }
    }

    /// What `readout` gives of the codes (n, t, v, d).
    ///
    /// # Errors
    /// When the input doesn't have the graph's joints or the encoder's width.
    pub fn forward(&self, input: Input<'_>, readout: &Readout, mode: Mode) -> Result<Tensor> {
        let (x, map) = match input {
            Input::Features(x) => (x, None),
            Input::Embedded { s, map } => (s, Some(map)),
        };
        let norms: Vec<_> = self.layers.iter().flat_map(Layer::norms).collect();
        let running = match mode {
            Mode::Train => Vec::new(),
            Mode::Eval => self.running()?,
        };
        let stats = match mode {
            Mode::Train => Stats::Batch,
            Mode::Eval => Stats::Running(&running),
        };
        let (y, gathered) = match &self.graph {
            Graph::Gin(matrix) => {
                let mut layers = self.gin_layers(map)?;
                if mode == Mode::Eval {
                    layers = layers.map(&mut |parameter: &Tensor| parameter.detach());
                }
                kernels::gin(x, &layers, matrix, readout, stats)?
            }
            _ => self.mapped(x, map, readout, stats)?,
        };
        for ((norm, bias), stats) in norms.into_iter().zip(&gathered) {
            norm.gather(stats, Some(bias))?;
        }
        Ok(y)
    }

    /// The running statistics of all norms, in order.
    fn running(&self) -> Result<Vec<BatchStats>> {
        let norms = self.layers.iter().flat_map(Layer::norms);
        norms.map(|(norm, bias)| norm.running(Some(bias))).collect()
    }

    /// The parameters of GIN layers, the first of which stands behind a `map` (d, c).
    fn gin_layers(&self, map: Option<&Tensor>) -> Result<Vec<kernels::GinLayer<Tensor>>> {
        let layers = self.layers.iter().enumerate();
        let layers = layers.map(|(i, layer)| match layer {
            Layer::Gin {
                eps,
                linear1,
                norm1,
                linear2,
                ending,
            } => Ok(kernels::GinLayer {
                eps: eps.clone(),
                first: NormedMap {
                    weight: behind(linear1.weight(), map.filter(|_| i == 0))?,
                    norm: norm1.affine(),
                },
                second: linear2.weight().clone(),
                end: match ending {
                    Some(own) => GinEnd::Activated(own.parameters()),
                    None => GinEnd::Bias(linear2.bias().clone()),
                },
            }),
            Layer::Mapped { .. } => bail!("a GIN encoder has GIN layers"),
        });
        layers.collect()
    }

    /// GCN and GAT layers: mixed and mapped, then the norm, in front of which the bias cancels, and PReLU.
    fn mapped(
        &self,
        x: &Tensor,
        map: Option<&Tensor>,
        readout: &Readout,
        stats: Stats<'_>,
    ) -> Result<(Tensor, Vec<BatchStats>)> {
        let own = |parameter: &Tensor| match stats {
            Stats::Batch => parameter.clone(),
            Stats::Running(_) => parameter.detach(),
        };
        let (mut h, mut gathered) = (x.clone(), Vec::new());
        for (i, layer) in self.layers.iter().enumerate() {
            let Layer::Mapped {
                linear,
                attention,
                ending,
            } = layer
            else {
                bail!("an encoder of mapped layers has no GIN layer");
            };
            let w = own(&behind(linear.weight(), map.filter(|_| i == 0))?);
            let zero = linear.bias().detach().zeros_like()?;
            let z = match (&self.graph, attention) {
                (Graph::Gat(graph), Some(a)) => {
                    kernels::attend(&kernels::linear(&h, &w, &zero)?, &own(a), graph)?
                }
                (Graph::Gcn(matrix), None) => {
                    kernels::linear(&kernels::mix_joints(&h, matrix)?, &w, &zero)?
                }
                _ => bail!("a layer of attention without its parameters"),
            };
            let Some(ending) = ending else {
                let bias = own(linear.bias());
                return Ok((add_bias(&readout.of(&z)?, &bias)?, gathered));
            };
            let pooled = match readout {
                Readout::Pooled(factor) if i + 1 == self.layers.len() => Some(*factor),
                _ => None,
            };
            let stats = match stats {
                Stats::Batch => Stats::Batch,
                Stats::Running(all) => Stats::Running(&all[i..=i]),
            };
            let activation = ending
                .parameters()
                .map(&mut |parameter: &Tensor| own(parameter));
            let (y, used) = kernels::norm_prelu(&z, &activation, pooled, stats)?;
            gathered.extend(used);
            h = y;
        }
        match readout {
            Readout::Rows(_) => Ok((readout.of(&h)?, gathered)),
            _ => Ok((h, gathered)),
        }
    }

    /// The encoder as it is now, for inference on the CPU.
    ///
    /// # Errors
    /// When a parameter can't be read.
    pub fn folded<T: Real>(&self) -> Result<infer::Encoder<T>> {
        let running = self.running()?;
        let layers = match &self.graph {
            Graph::Gin(matrix) => {
                let layers = self.gin_layers(None)?;
                let each = layers.iter().zip(running.chunks(2));
                each.map(|(layer, stats)| infer::Layer::gin(layer, matrix, stats))
                    .collect::<Result<_>>()?
            }
            graph => {
                let each = self.layers.iter().zip(&running);
                let folded = each.map(|(layer, stats)| match (layer, graph) {
                    (
                        Layer::Mapped {
                            linear,
                            attention: Some(a),
                            ending: Some(end),
                        },
                        Graph::Gat(attention),
                    ) => infer::Layer::gat(linear.weight(), a, &end.parameters(), attention, stats),
                    (
                        Layer::Mapped {
                            linear,
                            ending: Some(end),
                            ..
                        },
                        Graph::Gcn(matrix),
                    ) => infer::Layer::gcn(linear.weight(), &end.parameters(), matrix, stats),
                    _ => bail!("only an encoder is folded"),
                });
                folded.collect::<Result<_>>()?
            }
        };
        infer::Encoder::new(layers, self.graph.joints())
    }
}

/// `Y = G_D(A, H)`: one layer of the encoder's kind ("one GIN layer") without norm and PReLU behind it, and in front of it
/// a map without bias that joins it to the encoder.
#[derive(Clone, Debug)]
pub struct Decoder {
    join: Linear,
    layer: Encoder,
}

impl Decoder {
    /// From width `d` to `d_out`; `join` holds the parameters of the map in front.
    ///
    /// # Errors
    /// When a builder lacks a parameter, or `d_out` is above `d`.
    pub fn new(
        backbone: Backbone,
        [d, d_out]: [usize; 2],
        adjacency: &Adjacency,
        join: VarBuilder<'_>,
        vb: VarBuilder<'_>,
    ) -> crate::Result<Self> {
        let expected = format!("{d_out} or more, the numbers that the decoder gives");
        crate::Error::refuse_unless(d_out <= d, "width", &expected, d)?;
        let graph = Graph::new(backbone, adjacency, 1);
        let layers = vec![Layer::new(&graph, [d, d_out], false, vb)?];
        Ok(Self {
            join: Linear::without_bias(d, d, join)?,
            layer: Encoder { graph, layers },
        })
    }

    /// The reconstructions of some `rows` of h (n, t, v, d), ascending: (rows, `d_out`).
    ///
    /// # Errors
    /// When h doesn't have the graph's joints or the decoder's width.
    pub fn forward(&self, h: &Tensor, rows: &Arc<Vec<u32>>, mode: Mode) -> Result<Tensor> {
        let input = Input::Embedded {
            s: h,
            map: self.join.weight(),
        };
        self.layer
            .forward(input, &Readout::Rows(rows.clone()), mode)
    }
}
