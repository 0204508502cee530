//! What pre-training leaves, whatever its objective was: the embedding and the encoder.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::VarBuilder;
use serde::{Deserialize, Serialize};
use skeleton_graph::{Adjacency, Layout};
use skeleton_kernels::plain::fused_on_cpu;
use skeleton_kernels::{constant, host, infer};

use crate::encoder::{Backbone, Encoder, HEADS, Input, Readout};
use crate::error::Error;
use crate::layers::{Linear, Mode};
use crate::params::Store;

/// The shape of what is pre-trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaeConfig {
    /// The kind of graph network (Table 4c).
    pub backbone: Backbone,
    /// D, features of a joint (64 in the paper).
    pub width: usize,
    /// `L_D`, layers of the encoder (3 in the paper, Table 4a).
    pub encoder_layers: usize,
    /// Frames before and after in which a joint's own place is its neighbour, such as `[1]`.
    ///
    /// Differs from the paper, whose encoder sees one frame at a time: none there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub time_neighbours: Vec<usize>,
    /// Puts zeros in place of the masked joints' codes before the decoder, as `GraphMAE` does.
    pub remask: bool,
}

impl Default for MaeConfig {
    fn default() -> Self {
        Self {
            backbone: Backbone::Gin,
            width: 64,
            encoder_layers: 3,
            time_neighbours: Vec::new(),
            remask: false,
        }
    }
}

impl MaeConfig {
    /// Refuses what can't be built.
    ///
    /// # Errors
    /// Names the field.
    pub fn validate(&self) -> crate::Result<()> {
        crate::error::positive("width", self.width)?;
        crate::error::positive("encoder_layers", self.encoder_layers)?;
        let ok = self.backbone != Backbone::Gat || self.width.is_multiple_of(HEADS);
        let expected = format!("a multiple of {HEADS}, the heads of the backbone gat");
        Error::refuse_unless(ok, "width", &expected, self.width)?;
        let distances = &self.time_neighbours;
        let ok = distances.is_sorted_by(|a, b| a < b) && distances.first() != Some(&0);
        let found = || format!("{distances:?}");
        let field = "time_neighbours";
        Error::refuse_unless(ok, field, "ascending numbers of frames above 0", found())?;
        let ok = distances.is_empty() || self.backbone == Backbone::Gin;
        Error::refuse_unless(ok, field, "none, but for the backbone gin", found())
    }

    /// An encoder of this shape on a graph.
    ///
    /// # Errors
    /// When the builder lacks a parameter.
    pub fn encoder(&self, adjacency: &Adjacency, vb: VarBuilder<'_>) -> crate::Result<Encoder> {
        Encoder::new(
            self.backbone,
            self.encoder_layers,
            self.width,
            adjacency,
            vb,
        )
        .map(|encoder| encoder.with_time_neighbours(&self.time_neighbours))
    }
}

/// Embedding and encoder, under the names they have in every pre-trained model.
#[derive(Clone, Debug)]
pub struct Trunk {
    pub(crate) embed: Linear,
    pub(crate) encoder: Encoder,
    /// The type of the features: the parameters' unless [`with_features`](Self::with_features) said another.
    pub(crate) features: DType,
}

/// Beginnings of these names.
const NAMES: [&str; 2] = ["embed.", "encoder."];

impl Trunk {
    /// Of `coordinates` (2 or 3) numbers a joint on `layout`'s graph.
    ///
    /// # Errors
    /// When the builder lacks a parameter.
    pub fn new(
        config: &MaeConfig,
        layout: &Layout,
        coordinates: usize,
        vb: VarBuilder<'_>,
    ) -> crate::Result<Self> {
        Ok(Self {
            embed: Linear::new(coordinates, config.width, vb.pp("embed"))?,
            encoder: config.encoder(&layout.adjacency(), vb.pp("encoder"))?,
            features: vb.dtype(),
        })
    }

    /// The same with features and products of another type, such as `bf16` on a GPU; parameters, statistics and losses
    /// keep theirs.
    #[must_use]
    pub fn with_features(self, features: DType) -> Self {
        Self { features, ..self }
    }

    /// The trunk of a pre-trained model, all of whose tensors `tensors` are.
    ///
    /// # Errors
    /// When the trunk's are not among them.
    pub fn of(
        config: &MaeConfig,
        layout: &Layout,
        coordinates: usize,
        tensors: &BTreeMap<String, Tensor>,
        device: &Device,
    ) -> crate::Result<Self> {
        // Every number is replaced: the seed has no effect.
        let store = Store::new(0, DType::F32, device);
        let trunk = Self::new(config, layout, coordinates, store.builder())?;
        store.load(&Self::tensors(tensors))?;
        Ok(trunk)
    }

    /// d, features of a joint.
    pub fn width(&self) -> usize {
        self.embed.bias().elem_count()
    }

    /// Embedding and encoder as they are now, for inference on tracks of `frames` by the CPU's fused forms; `None` where the
    /// ops go through their definitions, or joints have neighbours in other frames.
    ///
    /// # Errors
    /// When a parameter can't be read.
    pub fn folded(&self, frames: usize) -> Result<Option<infer::Encoder<f32>>> {
        let [w, b] = [self.embed.weight(), self.embed.bias()];
        if self.features != DType::F32 || !fused_on_cpu(w) || !self.encoder.folds() {
            return Ok(None);
        }
        let bias = host::read::<f32>(b)?.repeat(frames);
        let encoder = self.encoder.folded::<f32>()?;
        Ok(Some(encoder.embedded(&host::read::<f32>(w)?, &bias)))
    }

    /// Those of a pre-trained model's tensors that are the trunk's.
    pub fn tensors(all: &BTreeMap<String, Tensor>) -> BTreeMap<String, Tensor> {
        let own = |name: &str| NAMES.iter().any(|start| name.starts_with(start));
        let own = all.iter().filter(|(name, _)| own(name));
        own.map(|(name, tensor)| (name.clone(), tensor.clone()))
            .collect()
    }

    /// H, the codes of s (n, t, v, c) with nothing hidden, (n, t, v, d).
    ///
    /// # Errors
    /// When s doesn't have the layout's joints or as many coordinates.
    pub fn encode(&self, s: &Tensor, mode: Mode) -> Result<Tensor> {
        let mut x = self.embed.forward(s)?.to_dtype(self.features)?;
        if mode == Mode::Eval {
            x = x.detach(); // parameters are constants
        }
        self.encoder
            .forward(Input::Features(&x), &Readout::Joints, mode)
    }
}

/// 1 where a joint isn't `hidden` (n, t, v), 0 elsewhere: (n, t, v, 1), as `like` (n, t, v, _) in type.
pub(crate) fn visible(like: &Tensor, hidden: &[bool]) -> Result<Tensor> {
    let (n, t, v, _) = like.dims4()?;
    let flags = hidden.iter().map(|&hidden| f64::from(!hidden));
    constant(flags.collect(), (n, t, v, 1), like)
}
