//! STRL (H. Yan et al., ICCV 2023, arXiv 2307.08476), section 3.3.

use std::collections::BTreeMap;

use candle_core::{DType, Result, Tensor};
use candle_nn::{VarBuilder, init};
use rand::Rng as _;
use serde::{Deserialize, Serialize};
use skeleton_graph::Layout;
use skeleton_graph::random::{Key, Purpose, stream};
use skeletonmae::layers::{Linear, theta};
use skeletonmae::mask::At;
use skeletonmae::ops::Real;
use skeletonmae::ops::map::Map;
use skeletonmae::{MaeConfig, Store, TrackBatch};

use crate::infer::Frozen;
use crate::ops::{Branches, embed, track_mean};
use crate::spatial::{JointPool, Normalised, Spatial};
use crate::temporal::Temporal;
use crate::tuning::Tuning;

/// The shape of the classifier. Width and encoder are the pre-trained model's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StrlConfig {
    /// M, layers (3 in the paper, Table 5a). The first keeps the frames, each further one halves them.
    pub layers: usize,
    /// Frames a temporal convolution sees, odd.
    pub kernel: usize,
    /// Dilations, a temporal convolution each.
    pub dilations: Vec<usize>,
    /// `SumPool` of equation 3.
    pub pool: JointPool,
    /// `A_norm` of equation 4.
    pub adjacency: Normalised,
    /// Share of the clip's features left out in training.
    pub dropout: f64,
    /// Widths of hidden layers (each with ReLU) between the clip's feature and the classes.
    pub head: Vec<usize>,
}

impl Default for StrlConfig {
    fn default() -> Self {
        Self {
            layers: 3,
            kernel: 5,
            dilations: vec![1, 2],
            pool: JointPool::Mean,
            adjacency: Normalised::Row,
            dropout: 0.2,
            head: Vec::new(),
        }
    }
}

/// What of a batch's clips is left out in training: factors (b, d) of their features; none where nothing is.
#[derive(Clone, Debug)]
pub struct Dropout(Option<Tensor>);

/// Embedding, M layers, classifier.
#[derive(Clone, Debug)]
pub struct Strl {
    embed: Linear,
    position: Tensor,
    layers: Vec<(Spatial, Temporal)>,
    dropout: f64,
    head: Vec<Linear>,
    /// t, v, c of what it reads.
    shape: [usize; 3],
}

/// What the model is built for.
#[derive(Clone, Copy, Debug)]
pub struct Task<'a> {
    /// The skeleton.
    pub layout: &'a Layout,
    /// c, 2 or 3.
    pub coordinates: usize,
    /// T, frames of a clip.
    pub frames: usize,
    /// k, classes.
    pub classes: usize,
}

impl Strl {
    /// A classifier whose parameters come from `vb`.
    ///
    /// # Errors
    /// When the branches can't share the width evenly or the builder lacks a parameter.
    pub fn new(
        mae: &MaeConfig,
        config: &StrlConfig,
        task: Task<'_>,
        vb: VarBuilder<'_>,
    ) -> Result<Self> {
        let d = mae.width;
        let mut layers = Vec::with_capacity(config.layers);
        for i in 0..config.layers {
            let vb = vb.pp("layers").pp(i);
            let (pool, adjacency) = (config.pool, config.adjacency);
            let spatial = vb.pp("spatial");
            let branches = Branches {
                kernel: config.kernel,
                dilations: config.dilations.clone(),
                stride: if i == 0 { 1 } else { 2 },
            };
            layers.push((
                Spatial::new(mae, task.layout, pool, adjacency, spatial)?,
                Temporal::new(d, branches, vb.pp("temporal"))?,
            ));
        }
        let widths: Vec<usize> = [&[d][..], &config.head, &[task.classes]].concat();
        let head = widths.windows(2).enumerate();
        let head = head.map(|(i, w)| Linear::new(w[0], w[1], vb.pp("head").pp(i)));
        Ok(Self {
            embed: Linear::new(task.coordinates, d, vb.pp("embed"))?,
            position: vb.get_with_hints((task.frames, d), "position", init::ZERO)?,
            layers,
            dropout: config.dropout,
            head: head.collect::<Result<_>>()?,
            shape: [task.frames, task.layout.len(), task.coordinates],
        })
    }

    /// Scores before softmax, (b, k), by the running statistics.
    ///
    /// # Errors
    /// When the batch doesn't have the model's joints, coordinates and frames.
    pub fn forward(&self, batch: &TrackBatch) -> Result<Tensor> {
        match self.position.dtype() {
            DType::F64 => self.frozen::<f64>()?.forward(batch),
            _ => self.frozen::<f32>()?.forward(batch),
        }
    }

    /// The same in training: by the batch's own statistics, without what is dropped; `encoder` says whether the
    /// encoders learn.
    ///
    /// # Errors
    /// As [`forward`](Self::forward), and when the dropout is another batch's.
    pub fn forward_train(
        &self,
        batch: &TrackBatch,
        dropout: &Dropout,
        encoder: Tuning,
    ) -> Result<Tensor> {
        let own = |t: &Tensor| match encoder {
            Tuning::Tuned => t.clone(),
            Tuning::Frozen => t.detach(),
        };
        let (w, b) = (own(self.embed.weight()), own(self.embed.bias()));
        let mut h = theta(&[&w, &b, &self.position])?;
        h = embed(&batch.keypoints, &h)?; // (n, t, v, d)
        for (spatial, temporal) in &self.layers {
            h = temporal.forward(&spatial.forward(&h, encoder)?)?; // (n, t / stride, v, d)
        }
        // "Person features are averaged before the classifier": (n, d) to (b, d).
        h = batch.mean_by_clip(&track_mean(&h)?)?;
        if let Dropout(Some(factors)) = dropout {
            h = (h * factors)?;
        }
        let (last, hidden) = self
            .head
            .split_last()
            .expect("the head ends in the map to the classes");
        for layer in hidden {
            h = layer.forward(&h)?.relu()?;
        }
        last.forward(&h) // (b, k)
    }

    /// The model as it is now, for inference: take it once and score many batches by it.
    ///
    /// # Errors
    /// When a parameter can't be read.
    pub fn frozen<T: Real>(&self) -> Result<Frozen<T>> {
        let values = |t: &Tensor| t.to_dtype(T::DTYPE)?.flatten_all()?.to_vec1::<T>();
        let e = values(self.embed.weight())?;
        let o = values(&self.position.broadcast_add(self.embed.bias())?)?;
        let mut layers = Vec::with_capacity(self.layers.len());
        for (i, (spatial, temporal)) in self.layers.iter().enumerate() {
            let spatial = spatial.folded::<T>()?;
            let spatial = if i == 0 {
                spatial.embedded(&e, &o)
            } else {
                spatial
            };
            layers.push((spatial, temporal.folded()?));
        }
        let head = self.head.iter();
        let head = head.map(|map| Ok(Map::new(&values(map.weight())?, &values(map.bias())?)));
        Ok(Frozen {
            layers,
            head: head.collect::<Result<_>>()?,
            shape: self.shape,
        })
    }

    /// The dropout of a batch, a function of seed, epoch and clip id.
    ///
    /// # Errors
    /// When a tensor can't be made.
    pub fn dropout(&self, batch: &TrackBatch, at: At) -> Result<Dropout> {
        if self.dropout == 0.0 {
            return Ok(Dropout(None));
        }
        let (b, d) = (batch.clips(), self.position.dim(1)?);
        let kept = 1.0 / (1.0 - self.dropout);
        let factors = batch.ids.iter().flat_map(|id| {
            let mut rng = stream(at.seed, Purpose::Dropout, at.epoch, Key::Clip(id));
            (0..d).map(move |_| {
                if rng.random::<f64>() < self.dropout {
                    0.0
                } else {
                    kept
                }
            })
        });
        let device = self.position.device();
        let factors = Tensor::from_vec(factors.collect::<Vec<f64>>(), (b, d), device)?;
        Ok(Dropout(Some(factors.to_dtype(self.position.dtype())?)))
    }
}

/// Copies a pre-trained model's embedding and encoder (`mae`, all its tensors by name) into `store`,
/// one copy of the encoder a layer (section 3.3: "one copy per layer, fine-tuned end to end").
///
/// # Errors
/// When the pre-trained tensors aren't those the classifier has.
pub fn load_encoder(
    store: &Store,
    config: &StrlConfig,
    mae: &BTreeMap<String, Tensor>,
) -> skeletonmae::Result<()> {
    let mut tensors = store.tensors();
    for (name, tensor) in mae {
        if name.starts_with("embed.") {
            tensors.insert(name.clone(), tensor.clone());
        } else if name.starts_with("encoder.") {
            for layer in 0..config.layers {
                tensors.insert(format!("layers.{layer}.spatial.{name}"), tensor.clone());
            }
        }
    }
    store.load(&tensors)
}
