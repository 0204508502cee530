//! The encoder `G_E` and the decoder `G_D`: paper section 3.2.
//!
//! Differs from the paper: it names three graph networks (Table 4c) and defines none; they are what their authors and
//! `GraphMAE` (Z. Hou et al., KDD 2022, arXiv 2205.10803), whose paradigm it follows, made of them.

use std::sync::{Arc, Mutex, PoisonError};

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

use crate::layers::{BatchNorm, Linear, Mode, Prelu, uniform};

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
    time: Option<Arc<OverTime>>,
}

/// The graph of a whole clip, in which a joint's own places some frames before and after are its neighbours: of joint j in frame f
/// GIN's sum is that of the neighbours' `x_(f, i)`, and of `x_(f - k, j)` and `x_(f + k, j)` for each distance k, where they are in the
/// clip.
///
/// Differs from the paper, whose encoder sees one frame at a time. GIN's sum takes more neighbours at no new parameters.
#[derive(Debug)]
struct OverTime {
    /// In frames.
    distances: Vec<usize>,
    /// The graphs made so far, for each number of frames.
    made: Mutex<Vec<(usize, Arc<JointMatrix>)>>,
}

impl OverTime {
    fn new(distances: &[usize]) -> Option<Arc<Self>> {
        let over_time = || Self {
            distances: distances.to_vec(),
            made: Mutex::default(),
        };
        (!distances.is_empty()).then(|| Arc::new(over_time()))
    }

    /// Of clips of t frames, each of which has the graph `frame`.
    fn graph(&self, frame: &JointMatrix, t: usize) -> Arc<JointMatrix> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, graph)) = made.iter().find(|(frames, _)| *frames == t) {
            return graph.clone();
        }
        let graph = Arc::new(frame.over_time(t, &self.distances));
        made.push((t, graph.clone()));
        graph
    }
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

/// The parameters of one layer: `MLP((1 + eps) x + sum of the neighbours' x)`, MLP = linear, `BatchNorm`, ReLU, linear
/// (GIN), `A^ x W^T + b` (GCN) or `attend(x W^T) + b` (GAT).
#[derive(Clone, Debug)]
struct Layer {
    /// What GIN has in front of its last linear map.
    hidden: Option<Hidden>,
    map: Linear,
    /// (2, d), attention's.
    attention: Option<Tensor>,
    /// `BatchNorm` and PReLU, behind the encoder's layers.
    ending: Option<(BatchNorm, Prelu)>,
}

#[derive(Clone, Debug)]
struct Hidden {
    eps: Tensor,
    map: Linear,
    norm: BatchNorm,
}

impl Layer {
    fn new(
        graph: &Graph,
        [d, d_out]: [usize; 2],
        activated: bool,
        vb: VarBuilder<'_>,
    ) -> crate::Result<Self> {
        let (map, norm) = match graph {
            Graph::Gin(_) => ("linear2", "norm2"),
            _ => ("linear", "norm"),
        };
        let mut layer = Self {
            hidden: None,
            map: Linear::new(d, d_out, vb.pp(map))?,
            attention: None,
            ending: None,
        };
        match graph {
            Graph::Gin(_) => {
                layer.hidden = Some(Hidden {
                    eps: vb.get_with_hints(1, "eps", init::ZERO)?,
                    map: Linear::new(d, d, vb.pp("linear1"))?,
                    norm: BatchNorm::new(d, vb.pp("norm1"))?,
                });
            }
            Graph::Gcn(_) => {}
            Graph::Gat(attention) => {
                let heads = attention.heads();
                let expected = format!("a multiple of the {heads} heads");
                crate::Error::refuse_unless(
                    d_out.is_multiple_of(heads),
                    "width",
                    &expected,
                    d_out,
                )?;
                // Glorot's bound for a map from a head's features to one number, as the paper's authors have it.
                let up = (6.0 / (d_out / heads + 1) as f64).sqrt();
                let init = Init::Uniform { lo: -up, up };
                layer.attention = Some(vb.get_with_hints((2, d_out), "attention", init)?);
            }
        }
        if activated {
            let prelu = Prelu::new(vb.pp("prelu"))?;
            layer.ending = Some((BatchNorm::new(d_out, vb.pp(norm))?, prelu));
        }
        Ok(layer)
    }

    /// The norms, each with the bias in front of it.
    fn norms(&self) -> impl Iterator<Item = (&BatchNorm, &Tensor)> {
        let hidden = self.hidden.iter().map(|own| (&own.norm, own.map.bias()));
        hidden.chain(self.ending.iter().map(|(norm, _)| (norm, self.map.bias())))
    }

    /// The parameters of the norm and PReLU behind it.
    fn activation(&self) -> Option<Activation<Tensor>> {
        self.ending.as_ref().map(|(norm, prelu)| Activation {
            norm: norm.affine(),
            slope: prelu.slope().clone(),
        })
    }

    /// The parameters of a GIN layer behind a `map` (d, c).
    fn gin(&self, map: Option<&Tensor>) -> Result<kernels::GinLayer<Tensor>> {
        let Some(hidden) = &self.hidden else {
            bail!("a GIN layer has two maps");
        };
        Ok(kernels::GinLayer {
            eps: hidden.eps.clone(),
            first: NormedMap {
                weight: behind(hidden.map.weight(), map)?,
                norm: hidden.norm.affine(),
            },
            second: self.map.weight().clone(),
            end: match self.activation() {
                Some(own) => GinEnd::Activated(own),
                None => GinEnd::Bias(self.map.bias().clone()),
            },
        })
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
        let layers = (0..layers).map(layer).collect::<crate::Result<_>>()?;
        Ok(Self {
            graph,
            layers,
            time: None,
        })
    }

    /// The same, in whose graph a joint's own places so many frames before and after are its neighbours, too. Only GIN's sum takes
    /// them.
    #[must_use]
    pub fn with_time_neighbours(self, distances: &[usize]) -> Self {
        let time = OverTime::new(distances);
        Self { time, ..self }
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
            time: self
                .time
                .as_ref()
                .and_then(|time| OverTime::new(&time.distances)),
        }
    }

    /// What `readout` gives of the codes (n, t, v, d).
    ///
    /// # Errors
    /// When the input doesn't have the graph's joints or the encoder's width.
    pub fn forward(&self, input: Input<'_>, readout: &Readout, mode: Mode) -> Result<Tensor> {
        if let (Readout::Rows(rows), Some(_)) =
            (readout, self.layers.last().and_then(Layer::activation))
        {
            return kernels::take_rows(&self.forward(input, &Readout::Joints, mode)?, rows);
        }
        let (x, map) = match input {
            Input::Features(x) => (x, None),
            Input::Embedded { s, map } => (s, Some(map)),
        };
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
                self.gin(x, &layers, matrix, readout, stats)?
            }
            _ => self.mapped(x, map, readout, stats)?,
        };
        for ((norm, bias), stats) in self.norms().zip(&gathered) {
            norm.update_running(stats, Some(bias))?;
        }
        Ok(y)
    }

    fn norms(&self) -> impl Iterator<Item = (&BatchNorm, &Tensor)> {
        self.layers.iter().flat_map(Layer::norms)
    }

    /// The running statistics of all norms, in order.
    fn running(&self) -> Result<Vec<BatchStats>> {
        self.norms()
            .map(|(norm, bias)| norm.running(Some(bias)))
            .collect()
    }

    /// The parameters of GIN layers, the first of which stands behind a `map` (d, c).
    fn gin_layers(&self, map: Option<&Tensor>) -> Result<Vec<kernels::GinLayer<Tensor>>> {
        let layers = self.layers.iter().enumerate();
        layers
            .map(|(i, layer)| layer.gin(map.filter(|_| i == 0)))
            .collect()
    }

    /// GIN layers, in each frame, or over time.
    fn gin(
        &self,
        x: &Tensor,
        layers: &[kernels::GinLayer<Tensor>],
        frame: &Arc<JointMatrix>,
        readout: &Readout,
        stats: Stats<'_>,
    ) -> Result<(Tensor, Vec<BatchStats>)> {
        let (n, t, v, c) = x.dims4()?;
        match &self.time {
            Some(time) if v == frame.joints() => {
                // A clip is one frame of t v joints.
                let x = x.reshape((n, 1, t * v, c))?;
                let graph = time.graph(frame, t); // (t v, t v)
                let (h, gathered) = kernels::gin(&x, layers, &graph, &Readout::Joints, stats)?; // (n, 1, t v, d)
                Ok((readout.of(&h.reshape((n, t, v, ()))?)?, gathered))
            }
            // It refuses other joints, too.
            _ => kernels::gin(x, layers, frame, readout, stats),
        }
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
            let w = own(&behind(layer.map.weight(), map.filter(|_| i == 0))?);
            let z = match (&self.graph, &layer.attention) {
                (Graph::Gat(graph), Some(a)) => {
                    kernels::attend(&kernels::linear(&h, &w, None)?, &own(a), graph)?
                }
                (Graph::Gcn(matrix), _) => {
                    kernels::linear(&kernels::mix_joints(&h, matrix)?, &w, None)?
                }
                _ => bail!("a layer of attention without its parameters"),
            };
            let Some(activation) = layer.activation() else {
                let y = add_bias(&readout.of(&z)?, &own(layer.map.bias()))?;
                return Ok((y, gathered));
            };
            let pooled = match readout {
                Readout::Pooled(factor) if i + 1 == self.layers.len() => Some(*factor),
                _ => None,
            };
            let stats = match stats {
                Stats::Batch => Stats::Batch,
                Stats::Running(all) => Stats::Running(&all[i..=i]),
            };
            let activation = activation.map(&mut |parameter: &Tensor| own(parameter));
            let (y, used) = kernels::norm_prelu(&z, &activation, pooled, stats)?;
            gathered.extend(used);
            h = y;
        }
        Ok((h, gathered))
    }

    /// Whether there is a [folded](Self::folded) form, which goes through a clip frame by frame.
    pub fn folds(&self) -> bool {
        self.time.is_none()
    }

    /// The encoder as it is now, for inference on the CPU.
    ///
    /// # Errors
    /// When a parameter can't be read, or joints have neighbours in other frames.
    pub fn folded<T: Real>(&self) -> Result<infer::Encoder<T>> {
        if !self.folds() {
            bail!("an encoder over time has no folded form");
        }
        let fold = |layer: &Layer| {
            let stats = layer.norms().map(|(norm, bias)| norm.running(Some(bias)));
            let stats = stats.collect::<Result<Vec<_>>>()?;
            let (w, end) = (layer.map.weight(), layer.activation());
            match (&self.graph, end, &layer.attention) {
                (Graph::Gin(matrix), ..) => infer::Layer::gin(&layer.gin(None)?, matrix, &stats),
                (Graph::Gcn(matrix), Some(end), _) => infer::Layer::gcn(w, &end, matrix, &stats[0]),
                (Graph::Gat(graph), Some(end), Some(a)) => {
                    infer::Layer::gat(w, a, &end, graph, &stats[0])
                }
                _ => bail!("only an encoder is folded"),
            }
        };
        let layers = self.layers.iter().map(fold).collect::<Result<_>>()?;
        infer::Encoder::new(layers, self.graph.joints())
    }
}

/// `Y = G_D(A, H)`: one layer of the encoder's kind ("one GIN layer") without norm and PReLU behind it, and in front of it
/// a map without bias that joins it to the encoder.
#[derive(Clone, Debug)]
pub struct Decoder {
    /// (d, d).
    join: Tensor,
    layer: Encoder,
}

impl Decoder {
    /// From width `d` to `d_out`; `join` holds the parameters of the linear map in front.
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
            join: join.get_with_hints((d, d), "weight", uniform(d))?,
            layer: Encoder {
                graph,
                layers,
                time: None,
            },
        })
    }

    /// The reconstructions of some `rows` of h (n, t, v, d), ascending: (rows, `d_out`).
    ///
    /// # Errors
    /// When h doesn't have the graph's joints or the decoder's width.
    pub fn forward(&self, h: &Tensor, rows: &Arc<Vec<u32>>, mode: Mode) -> Result<Tensor> {
        let input = Input::Embedded {
            s: h,
            map: &self.join,
        };
        self.layer
            .forward(input, &Readout::Rows(rows.clone()), mode)
    }
}
