//! STRL (H. Yan et al., ICCV 2023, arXiv 2307.08476), section 3.3.

use std::collections::{BTreeMap, BTreeSet};

use candle_core::{DType, Result, Tensor, Var, bail};
use candle_nn::{VarBuilder, init};
use rand::Rng as _;
use serde::{Deserialize, Serialize};
use skeleton_graph::Layout;
use skeleton_graph::random::{Key, Purpose, stream};
use skeleton_kernels::plain::fused_on_cpu;
use skeleton_kernels::{Branches, Embedding, Real, constant, embed, infer, track_mean};
use skeletonmae::layers::Linear;
use skeletonmae::mask::At;
use skeletonmae::{MaeConfig, Mode, Store, TrackBatch};

use crate::spatial::{JointPool, Normalised, Spatial};
use crate::temporal::Temporal;

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

/// Whether the encoders learn in fine-tuning, with the embedding that they share with pre-training.
///
/// Differs from the paper: it fine-tunes end to end; frozen encoders are the comparison.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tuning {
    /// They do.
    #[default]
    Tuned,
    /// They are functions that stay what pre-training made of them: by their running statistics in training
    /// too, which stay as they are, like every parameter.
    Frozen,
}

impl Tuning {
    /// Whether the classifier's parameter of this name is trained.
    pub fn trains(self, name: &str) -> bool {
        let encoder = name.starts_with("embed.") || name.contains(".spatial.encoder.");
        self == Self::Tuned || !encoder
    }

    /// Those of a classifier's parameters that are trained: what the optimizer is given.
    pub fn trained(self, parameters: Vec<(String, Var)>) -> Vec<(String, Var)> {
        let all = parameters.into_iter();
        all.filter(|(name, _)| self.trains(name)).collect()
    }
}

/// What of a batch's clips is left out in training: factors (b, d) of their features; none where nothing is.
#[derive(Clone, Debug)]
pub struct Dropout(Option<Tensor>);

/// Embedding and M layers: what makes features of coordinates.
#[derive(Clone, Debug)]
pub struct Body {
    /// Coordinates become features by this and `position`: [`embed`](skeleton_kernels::embed::reference).
    embed: Linear,
    position: Tensor,
    /// [Equations 3 and 4](skeleton_kernels::spatial::reference), then [pooling over
    /// time](skeleton_kernels::temporal::reference).
    layers: Vec<(Spatial, Temporal)>,
    /// t, v, c of what it reads.
    shape: [usize; 3],
    /// The type of the features.
    features: DType,
}

/// A body and a classifier.
#[derive(Clone, Debug)]
pub struct Strl {
    body: Body,
    dropout: f64,
    /// The classifier: linear maps of a clip's feature, which is the mean of [its tracks'](skeleton_kernels::track_mean::reference).
    head: Vec<Linear>,
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

impl Body {
    /// Of coordinates (n, `frames`, v, `coordinates`) on `layout`'s graph.
    ///
    /// # Errors
    /// When the branches can't share the width evenly or the builder lacks a parameter.
    pub fn new(
        mae: &MaeConfig,
        config: &StrlConfig,
        (layout, coordinates, frames): (&Layout, usize, usize),
        vb: VarBuilder<'_>,
    ) -> skeletonmae::Result<Self> {
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
                Spatial::new(mae, layout, pool, adjacency, spatial)?,
                Temporal::new(d, branches, vb.pp("temporal"))?,
            ));
        }
        Ok(Self {
            embed: Linear::new(coordinates, d, vb.pp("embed"))?,
            position: vb.get_with_hints((frames, d), "position", init::ZERO)?,
            layers,
            shape: [frames, layout.len(), coordinates],
            features: vb.dtype(),
        })
    }

    /// The same with features of another type.
    #[must_use]
    pub fn with_features(self, features: DType) -> Self {
        Self { features, ..self }
    }

    /// W and b, by which coordinates become features.
    pub fn embed(&self) -> &Linear {
        &self.embed
    }

    /// Those of a pre-trained model's tensors that are the body's.
    pub fn tensors(all: &BTreeMap<String, Tensor>) -> BTreeMap<String, Tensor> {
        let starts = ["position", "embed.", "layers."];
        let own = |name: &str| starts.iter().any(|start| name.starts_with(start));
        let own = all.iter().filter(|(name, _)| own(name));
        own.map(|(name, tensor)| (name.clone(), tensor.clone()))
            .collect()
    }

    /// d, features of a joint.
    pub fn width(&self) -> usize {
        self.embed.bias().elem_count()
    }

    /// v, joints.
    pub fn joints(&self) -> usize {
        self.shape[1]
    }

    /// Frames for which one of the last layer's features stands.
    pub fn stride(&self) -> usize {
        1 << self.layers.len().saturating_sub(1)
    }

    /// The features of numbers s (n, t, v, m) of each joint that become features by `map` (d, m) in place of the embedding, which
    /// is part of it as a rule: (n, t / [`stride`](Self::stride), v, d).
    ///
    /// # Errors
    /// When s doesn't have the model's joints and frames, or the map another width.
    pub fn embedded_by(&self, map: &Tensor, s: &Tensor, mode: Mode) -> Result<Tensor> {
        let own = self.embedding(mode, mode);
        let embedding = Embedding {
            weight: match mode {
                Mode::Train => map.clone(),
                Mode::Eval => map.detach(),
            },
            bias: own.bias.zeros_like()?,
            position: own.position,
        };
        self.forward(s, &embedding, [mode; 2])
    }

    /// The features of s (n, t, v, _) by an embedding, (n, t / [`stride`](Self::stride), v, d); the encoders go by a mode of
    /// their own.
    ///
    /// # Errors
    /// As [`embedded_by`](Self::embedded_by).
    fn forward(
        &self,
        s: &Tensor,
        embedding: &Embedding<Tensor>,
        [mode, of_encoder]: [Mode; 2],
    ) -> Result<Tensor> {
        let (_, t, v, _) = s.dims4()?;
        if [t, v] != self.shape[..2] {
            let expected = &self.shape[..2];
            bail!("the model reads (t, v) = {expected:?}, found {:?}", [t, v]);
        }
        let mut h = embed(&s.to_dtype(self.features)?, embedding)?; // (n, t, v, d)
        for (spatial, temporal) in &self.layers {
            h = spatial.forward(&h, mode, of_encoder)?;
            h = temporal.forward(&h, mode)?; // (n, t / stride, v, d)
        }
        Ok(h)
    }

    /// The features of coordinates (n, t, v, c) by running statistics, (n, t / stride, v, d).
    ///
    /// # Errors
    /// As [`embedded_by`](Self::embedded_by).
    pub fn encode(&self, s: &Tensor) -> Result<Tensor> {
        let embedding = self.embedding(Mode::Eval, Mode::Eval);
        self.forward(s, &embedding, [Mode::Eval; 2])
    }

    /// The embedding with positions. Its map is the encoder's, and learns where that does.
    fn embedding(&self, mode: Mode, encoder: Mode) -> Embedding<Tensor> {
        let own = |t: &Tensor, mode: Mode| match mode {
            Mode::Train => t.clone(),
            Mode::Eval => t.detach(),
        };
        Embedding {
            weight: own(self.embed.weight(), encoder),
            bias: own(self.embed.bias(), encoder),
            position: own(&self.position, mode),
        }
    }
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
    ) -> skeletonmae::Result<Self> {
        let widths: Vec<usize> = [&[mae.width][..], &config.head, &[task.classes]].concat();
        let head = widths.windows(2).enumerate();
        let head = head.map(|(i, w)| Linear::new(w[0], w[1], vb.pp("head").pp(i)));
        let input = (task.layout, task.coordinates, task.frames);
        Ok(Self {
            body: Body::new(mae, config, input, vb.clone())?,
            dropout: config.dropout,
            head: head.collect::<skeletonmae::Result<_>>()?,
        })
    }

    /// The same with features and products of another type, such as `bf16` on a GPU; parameters, statistics, a track's
    /// mean and the loss keep theirs.
    #[must_use]
    pub fn with_features(self, features: DType) -> Self {
        let body = self.body.with_features(features);
        Self { body, ..self }
    }

    /// Scores before softmax, (b, k), by the running statistics.
    ///
    /// # Errors
    /// When the batch doesn't have the model's joints, coordinates and frames.
    pub fn forward(&self, batch: &TrackBatch) -> Result<Tensor> {
        self.frozen()?.forward(batch)
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
        let mut h = self.features(batch, Mode::Train, encoder)?;
        if let Dropout(Some(factors)) = dropout {
            h = (h * factors)?;
        }
        self.classify(&h)
    }

    /// What the head reads, (b, d).
    fn features(&self, batch: &TrackBatch, mode: Mode, encoder: Tuning) -> Result<Tensor> {
        let frozen = mode == Mode::Eval || encoder == Tuning::Frozen;
        let of_encoder = if frozen { Mode::Eval } else { Mode::Train };
        let embedding = self.body.embedding(mode, of_encoder);
        let modes = [mode, of_encoder];
        let h = self.body.forward(&batch.keypoints, &embedding, modes)?;
        // "Person features are averaged before the classifier": (n, d) to (b, d).
        batch.mean_by_clip(&track_mean(&h)?)
    }

    /// The scores (b, k) of what the head reads, (b, d).
    fn classify(&self, features: &Tensor) -> Result<Tensor> {
        let (last, hidden) = self
            .head
            .split_last()
            .expect("the head ends in the map to the classes");
        let mut h = features.clone();
        for layer in hidden {
            h = layer.forward(&h)?.relu()?;
        }
        last.forward(&h)
    }

    /// The model as it is now, for inference: take it once and score many batches by it.
    ///
    /// # Errors
    /// When a parameter can't be read.
    pub fn frozen(&self) -> Result<Frozen> {
        Ok(Frozen(match self.body.position.dtype() {
            of if of != self.body.features
                || !fused_on_cpu(&self.body.position)
                || !self.body.layers.iter().all(|(spatial, _)| spatial.folds()) =>
            {
                Form::Model(Box::new(self.clone()))
            }
            DType::F64 => Form::F64(self.folded()?),
            _ => Form::F32(self.folded()?),
        }))
    }

    fn folded<T: Real>(&self) -> Result<infer::Classifier<T>> {
        let layers = self.body.layers.iter();
        let layers = layers.map(|(spatial, temporal)| Ok((spatial.folded()?, temporal.folded()?)));
        let head: Vec<_> = self
            .head
            .iter()
            .map(|map| (map.weight(), map.bias()))
            .collect();
        let (layers, [_, joints, _]) = (layers.collect::<Result<_>>()?, self.body.shape);
        infer::Classifier::new(
            &self.body.embedding(Mode::Eval, Mode::Eval),
            layers,
            &head,
            joints,
        )
    }

    /// The dropout of a batch, a function of seed, epoch and clip id.
    ///
    /// # Errors
    /// When a tensor can't be made.
    pub fn dropout(&self, batch: &TrackBatch, at: At) -> Result<Dropout> {
        if self.dropout == 0.0 {
            return Ok(Dropout(None));
        }
        let (b, d) = (batch.clips(), self.body.width());
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
        let factors = constant(factors.collect(), (b, d), &self.body.position)?;
        Ok(Dropout(Some(factors)))
    }
}

/// A classifier ready for inference. On the CPU its norms are folded into the linear maps before them and it stays as it was
/// taken; elsewhere it is the model by its running statistics, which must not be trained meanwhile.
#[derive(Clone, Debug)]
pub struct Frozen(Form);

#[derive(Clone, Debug)]
enum Form {
    F32(infer::Classifier<f32>),
    F64(infer::Classifier<f64>),
    Model(Box<Strl>),
}

impl Frozen {
    /// Scores before softmax, (b, k).
    ///
    /// # Errors
    /// When the batch doesn't have the model's joints, coordinates and frames.
    pub fn forward(&self, batch: &TrackBatch) -> Result<Tensor> {
        let (s, of, b) = (&batch.keypoints, &batch.track_clip, batch.clips());
        match &self.0 {
            Form::F32(folded) => folded.scores(s, of, b),
            Form::F64(folded) => folded.scores(s, of, b),
            Form::Model(model) => {
                let h = model.features(batch, Mode::Eval, Tuning::Frozen)?;
                Ok(model.classify(&h)?.detach())
            }
        }
    }

    /// A feature a clip, (b, d): what the head reads.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn features(&self, batch: &TrackBatch) -> Result<Tensor> {
        let (s, of, b) = (&batch.keypoints, &batch.track_clip, batch.clips());
        match &self.0 {
            Form::F32(folded) => folded.features(s, of, b),
            Form::F64(folded) => folded.features(s, of, b),
            Form::Model(model) => model.features(batch, Mode::Eval, Tuning::Frozen),
        }
    }
}

/// Copies a pre-trained model's embedding and encoder (`mae`, all its tensors by name) into `store`,
/// one copy of the encoder a layer (section 3.3: "one copy per layer, fine-tuned end to end"); gives the names of what it set.
///
/// # Errors
/// When the pre-trained tensors aren't those the classifier has.
pub fn load_encoder(
    store: &Store,
    config: &StrlConfig,
    mae: &BTreeMap<String, Tensor>,
) -> skeletonmae::Result<BTreeSet<String>> {
    let mut copies = BTreeMap::new();
    for (name, tensor) in mae {
        if name.starts_with("embed.") {
            copies.insert(name.clone(), tensor.clone());
        } else if name.starts_with("encoder.") {
            let of_layer = |layer| (format!("layers.{layer}.spatial.{name}"), tensor.clone());
            copies.extend((0..config.layers).map(of_layer));
        }
    }
    put(store, copies)
}

/// Copies a pre-trained [`Body`] (all tensors of its model by name) into `store`; the head stays as it was drawn. Gives the
/// names of what it set.
///
/// # Errors
/// As [`load_encoder`].
pub fn load_body(
    store: &Store,
    pretrained: &BTreeMap<String, Tensor>,
) -> skeletonmae::Result<BTreeSet<String>> {
    put(store, Body::tensors(pretrained))
}

fn put(store: &Store, own: BTreeMap<String, Tensor>) -> skeletonmae::Result<BTreeSet<String>> {
    let names = own.keys().cloned().collect();
    let mut tensors = store.tensors();
    tensors.extend(own);
    store.load(&tensors)?;
    Ok(names)
}
