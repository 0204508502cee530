//! What is pre-trained, whatever the objective.

use candle_core::{DType, Result, Tensor};
use candle_nn::VarBuilder;
use skeleton_graph::Layout;
use skeleton_kernels::host;

use crate::batch::TrackBatch;
use crate::contrast::{GraphCl, View};
use crate::layers::Mode;
use crate::mask::{At, Mask};
use crate::model::SkeletonMae;
use crate::objective::{Contrastive, Objective, Reconstruction};
use crate::trunk::MaeConfig;

/// A model with its objective and the layout that it draws on. Embedding and encoder have the same names in either.
#[derive(Clone, Debug)]
pub enum Pretext {
    /// `SkeletonMAE`.
    Reconstruction(SkeletonMae, Reconstruction, Box<Layout>),
    /// `GraphCL`.
    Contrastive(GraphCl, Contrastive),
}

/// What was drawn for a batch.
#[derive(Clone, Debug)]
pub enum Draw {
    /// The joints that are hidden.
    Mask(Mask),
    /// What the two views lack.
    Views([View; 2]),
    /// (n, t, v), the joints that the two readings of each clip lack.
    Dropped(Vec<bool>),
}

impl Pretext {
    /// The model that `objective` trains, of `coordinates` (2 or 3) numbers a joint on `layout`'s graph.
    ///
    /// # Errors
    /// When the builder lacks a parameter.
    pub fn new(
        objective: &Objective,
        config: &MaeConfig,
        layout: &Layout,
        coordinates: usize,
        vb: VarBuilder<'_>,
    ) -> crate::Result<Self> {
        match objective {
            Objective::Reconstruction(own) => {
                let model = SkeletonMae::with_target(own.target, config, layout, coordinates, vb)?;
                let layout = Box::new(layout.clone());
                Ok(Self::Reconstruction(model, own.clone(), layout))
            }
            Objective::Contrastive(own) => {
                let model = GraphCl::new(config, layout, coordinates, vb)?;
                Ok(Self::Contrastive(model, *own))
            }
        }
    }

    /// The same with features of [another type](crate::Trunk::with_features).
    #[must_use]
    pub fn with_features(self, features: DType) -> Self {
        match self {
            Self::Reconstruction(model, own, layout) => {
                Self::Reconstruction(model.with_features(features), own, layout)
            }
            Self::Contrastive(model, own) => Self::Contrastive(model.with_features(features), own),
        }
    }

    /// The autoencoder, where there is one that finds coordinates.
    pub fn autoencoder(&self) -> Option<&SkeletonMae> {
        match self {
            Self::Reconstruction(model, ..) => Some(model).filter(|model| model.target().places()),
            Self::Contrastive(..) => None,
        }
    }

    /// What is random of a batch, with the batch's weight in a mean over several: its targets or its clips.
    pub fn draw(&self, batch: &TrackBatch, at: At) -> (Draw, f64) {
        match self {
            Self::Reconstruction(_, own, layout) => {
                let mask = own.draw(layout, batch, at);
                let weight = mask.count() as f64;
                (Draw::Mask(mask), weight)
            }
            Self::Contrastive(model, own) => {
                let views = own.views(model.adjacency(), batch, at);
                (Draw::Views(views), batch.clips() as f64)
            }
        }
    }

    /// The loss of a batch by what was drawn for it: the sum over its targets or clips, divided by `total`.
    ///
    /// # Errors
    /// When the batch doesn't fit the model, or the draw is another objective's.
    pub fn loss(&self, batch: &TrackBatch, draw: &Draw, total: f64, mode: Mode) -> Result<Tensor> {
        match (self, draw) {
            (Self::Reconstruction(model, own, _), Draw::Mask(mask)) => {
                model.loss(batch, mask, own.loss, total, mode)
            }
            (Self::Contrastive(model, own), Draw::Views(views)) => {
                model.loss(batch, views, own.temperature, total, mode)
            }
            _ => candle_core::bail!("a mask for two views, or the other way round"),
        }
    }

    /// The sum of the loss over a held-out batch, by the running statistics, and its weight.
    ///
    /// # Errors
    /// As [`loss`](Self::loss).
    pub fn held_out(&self, batch: &TrackBatch, at: At) -> Result<(f64, f64)> {
        let (draw, weight) = self.draw(batch, at);
        let loss = self.loss(batch, &draw, 1.0, Mode::Eval)?;
        Ok((host::read::<f64>(&loss)?[0], weight))
    }
}
