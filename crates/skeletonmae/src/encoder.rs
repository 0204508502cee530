//! The encoder G_E and the decoder G_D, of whichever backbone: paper section 3.2.

use std::sync::Arc;

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;
use skeleton_graph::Adjacency;

use crate::backbone::Backbone;
use crate::graph::{self, HEADS, Mixing};
use crate::layers::Mode;
use crate::ops::{JointMatrix, Real};
use crate::{gin, ops};

fn binary(adjacency: &Adjacency) -> Arc<JointMatrix> {
    Arc::new(JointMatrix::new(&adjacency.binary(), adjacency.len()))
}

/// `H = G_E(A, X)`: `L_D` layers, 3 in the paper (Table 4a).
#[derive(Clone, Debug)]
pub enum Encoder {
    /// Of GIN layers.
    Gin(gin::Encoder),
    /// Of GCN or GAT layers.
    Graph(graph::Encoder),
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
    ) -> Result<Self> {
        let mixing = match backbone {
            Backbone::Gin => {
                let encoder = gin::Encoder::new(layers, d, &binary(adjacency), vb)?;
                return Ok(Self::Gin(encoder));
            }
            Backbone::Gcn => Mixing::gcn(adjacency),
            Backbone::Gat => Mixing::gat(adjacency, HEADS),
        };
        graph::Encoder::new(layers, d, mixing, vb).map(Self::Graph)
    }

    /// The same parameters on another graph of as many joints.
    #[must_use]
    pub fn on(&self, adjacency: &Adjacency) -> Self {
        match self {
            Self::Gin(encoder) => Self::Gin(encoder.on(&binary(adjacency))),
            Self::Graph(encoder) => Self::Graph(encoder.on(adjacency)),
        }
    }

    /// x and the result are (n, t, v, d).
    ///
    /// # Errors
    /// When x doesn't have the graph's joints or the encoder's width.
    pub fn forward(&self, x: &Tensor, mode: Mode) -> Result<Tensor> {
        match self {
            Self::Gin(encoder) => encoder.forward(x, mode),
            Self::Graph(encoder) => encoder.forward(x, None, None, mode),
        }
    }

    /// [`forward`](Self::forward) of `s e^T`, s (n, t, v, c) and e (d, c), without making those features:
    /// where c is small, most of the first layer's work is saved.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn forward_through(&self, s: &Tensor, e: &Tensor, mode: Mode) -> Result<Tensor> {
        match self {
            Self::Gin(encoder) => encoder.forward_through(s, e, mode),
            Self::Graph(encoder) => encoder.forward(s, Some(e), None, mode),
        }
    }

    /// `factor` times the sum over joints of [`forward`](Self::forward), (n, t, d).
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn pooled(&self, x: &Tensor, factor: f64, mode: Mode) -> Result<Tensor> {
        match self {
            Self::Gin(encoder) => encoder.pooled(x, factor, mode),
            Self::Graph(encoder) => encoder.forward(x, None, Some(factor), mode),
        }
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
        match self {
            Self::Gin(encoder) => encoder.pooled_through(s, e, factor, mode),
            Self::Graph(encoder) => encoder.forward(s, Some(e), Some(factor), mode),
        }
    }

    /// The encoder as it is now, for inference.
    ///
    /// # Errors
    /// When a parameter can't be read.
    pub fn folded<T: Real>(&self) -> Result<Folded<T>> {
        match self {
            Self::Gin(encoder) => encoder.folded().map(Folded::Gin),
            Self::Graph(encoder) => encoder.folded().map(Folded::Graph),
        }
    }
}

/// `Y = G_D(A, H)`: one layer of the encoder's kind ("one GIN layer"), behind a map without bias that joins it
/// to the encoder.
#[derive(Clone, Debug)]
pub enum Decoder {
    /// Of a GIN layer.
    Gin(gin::Decoder),
    /// Of a GCN or GAT layer.
    Graph(graph::Decoder),
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
    ) -> Result<Self> {
        let mixing = match backbone {
            Backbone::Gin => {
                let decoder = gin::Decoder::new([d, d_out], &binary(adjacency), join, vb)?;
                return Ok(Self::Gin(decoder));
            }
            Backbone::Gcn => Mixing::gcn(adjacency),
            Backbone::Gat => Mixing::gat(adjacency, 1),
        };
        graph::Decoder::new([d, d_out], mixing, join, vb).map(Self::Graph)
    }

    /// The reconstructions of some `rows` of h (n, t, v, d), ascending: (rows, `d_out`).
    ///
    /// # Errors
    /// When h doesn't have the graph's joints or the decoder's width.
    pub fn forward(&self, h: &Tensor, rows: &Arc<Vec<u32>>, mode: Mode) -> Result<Tensor> {
        match self {
            Self::Gin(decoder) => decoder.forward(h, rows, mode),
            Self::Graph(decoder) => decoder.forward(h, rows, mode),
        }
    }
}

/// An encoder in inference: whole frames at a time.
#[derive(Clone, Debug)]
pub enum Folded<T> {
    /// Of GIN layers.
    Gin(ops::gin::infer::Folded<T>),
    /// Of GCN or GAT layers.
    Graph(graph::infer::Folded<T>),
}

/// Its buffers.
#[derive(Debug)]
pub enum Scratch<T: Real> {
    /// Of GIN layers.
    Gin(ops::gin::infer::Scratch<T>),
    /// Of GCN or GAT layers.
    Graph(graph::infer::Scratch<T>),
}

impl<T: Real> Folded<T> {
    /// The encoder on `s E^T + o_t`, E (d, c) and o (t, d), without making these features: it reads s (t, v,
    /// c) itself.
    #[must_use]
    pub fn embedded(self, e: &[T], o: &[T]) -> Self {
        match self {
            Self::Gin(folded) => Self::Gin(folded.embedded(e, o)),
            Self::Graph(folded) => Self::Graph(folded.embedded(e, o)),
        }
    }

    /// d, features of the result.
    pub fn width(&self) -> usize {
        match self {
            Self::Gin(folded) => folded.width(),
            Self::Graph(folded) => folded.width(),
        }
    }

    /// c, numbers of a joint that it reads.
    pub fn reads(&self) -> usize {
        match self {
            Self::Gin(folded) => folded.reads(),
            Self::Graph(folded) => folded.reads(),
        }
    }

    /// Buffers for up to `rows` rows.
    pub fn scratch(&self, rows: usize) -> Scratch<T> {
        match self {
            Self::Gin(folded) => Scratch::Gin(folded.scratch(rows)),
            Self::Graph(folded) => Scratch::Graph(folded.scratch(rows)),
        }
    }

    /// The result of whole frames x (rows, c), (rows, d); `row` is where in its track the first of them
    /// stands.
    ///
    /// # Panics
    /// When the buffers are those of another encoder.
    pub fn frames<'b>(&self, x: &[T], row: usize, scratch: &'b mut Scratch<T>) -> &'b [T] {
        match (self, scratch) {
            (Self::Gin(folded), Scratch::Gin(scratch)) => folded.frames(x, row, scratch),
            (Self::Graph(folded), Scratch::Graph(scratch)) => folded.frames(x, row, scratch),
            _ => panic!("an encoder's buffers are made by its own `scratch`"),
        }
    }
}
