//! What pre-training leaves, whatever its objective was: the embedding and the encoder.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::VarBuilder;
use skeleton_graph::Layout;

use crate::encoder::{Encoder, Input, Readout};
use crate::layers::{Linear, Mode};
use crate::model::MaeConfig;
use crate::params::Store;

/// Embedding and encoder, under the names they have in every pre-trained model.
#[derive(Clone, Debug)]
pub struct Trunk {
    embed: Linear,
    encoder: Encoder,
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
        })
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
        let x = self.embed.forward(s)?;
        self.encoder
            .forward(Input::Features(&x), &Readout::Joints, mode)
    }
}
