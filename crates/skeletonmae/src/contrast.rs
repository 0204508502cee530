//! Contrastive pre-training of the same encoder after `GraphCL` ([`Contrastive`]): what Table 4b compares
//! `SkeletonMAE` with.

use candle_core::{D, DType, Result, Tensor};
use candle_nn::VarBuilder;
use candle_nn::ops::log_softmax;
use skeleton_graph::random::{Key, Purpose, Rng, stream};
use skeleton_graph::{Adjacency, Layout};
use skeleton_kernels::{constant, track_mean};

use crate::batch::TrackBatch;
use crate::encoder::{Input, Readout};
use crate::layers::{Linear, Mode};
use crate::mask::{At, choose};
use crate::objective::Contrastive;
use crate::trunk::{MaeConfig, Trunk, visible};

/// Embedding, encoder and projection head.
#[derive(Clone, Debug)]
pub struct GraphCl {
    trunk: Trunk,
    head: [Linear; 2],
    adjacency: Adjacency,
}

/// What one of the two views of a batch lacks.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// (n, t, v), the joints whose features are 0.
    pub dropped: Vec<bool>,
    /// The graph without the dropped bones.
    pub graph: Adjacency,
}

impl Contrastive {
    /// The two views of a batch: joints a function of seed, epoch and clip id, bones of seed, epoch and the
    /// batch's index.
    pub fn views(&self, adjacency: &Adjacency, batch: &TrackBatch, at: At) -> [View; 2] {
        let v = adjacency.len();
        let frames = batch.presence.len() / (batch.track_clip.len() * v).max(1);
        let of_clip = |id: &String| self.of_clip(v, id, at);
        let clips: Vec<[Vec<bool>; 2]> = batch.ids.iter().map(of_clip).collect();
        let mut rng = stream(at.seed, Purpose::View, at.epoch, Key::Index(at.index));
        let edges = adjacency.edges();
        [0, 1].map(|view| {
            let tracks = batch.track_clip.iter();
            let tracks = tracks.map(|&clip| clips[clip as usize][view].repeat(frames));
            let lacks = flags(edges.len(), self.edges, &mut rng);
            let lacks = edges.iter().zip(lacks).filter(|(_, lacks)| *lacks);
            View {
                dropped: tracks.flatten().collect(),
                graph: adjacency.without(&lacks.map(|(&edge, _)| edge).collect::<Vec<_>>()),
            }
        })
    }

    /// The joints, (v) each, that the two views of a clip lack.
    fn of_clip(&self, joints: usize, id: &str, at: At) -> [Vec<bool>; 2] {
        let mut rng = stream(at.seed, Purpose::View, at.epoch, Key::Clip(id));
        [(); 2].map(|()| flags(joints, self.joints, &mut rng))
    }

    /// The joints that each clip of a batch of clips read twice lacks, (n, t, v): a function of seed, epoch and clip id.
    pub fn dropped(&self, joints: usize, batch: &TrackBatch, at: At) -> Vec<bool> {
        let frames = batch.presence.len() / (batch.track_clip.len() * joints).max(1);
        let flags: Vec<Vec<bool>> = batch
            .ids
            .chunks(2)
            .flat_map(|pair| self.of_clip(joints, &pair[0], at))
            .collect();
        let tracks = batch.track_clip.iter();
        tracks
            .flat_map(|&clip| flags[clip as usize].repeat(frames))
            .collect()
    }
}

/// True at a share of n places, never at all.
fn flags(n: usize, share: f64, rng: &mut Rng) -> Vec<bool> {
    let count = ((share * n as f64).round() as usize).min(n.saturating_sub(1));
    let chosen = choose(n, count, rng);
    (0..n).map(|place| chosen.contains(&place)).collect()
}

impl GraphCl {
    /// A model of `coordinates` (2 or 3) numbers a joint on `layout`'s graph. Embedding and encoder have the
    /// names they have in a [`SkeletonMae`](crate::SkeletonMae).
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
            head: projection(config.width, vb.pp("head"))?,
            trunk: Trunk::new(config, layout, coordinates, vb)?,
            adjacency: layout.adjacency(),
        })
    }

    /// The same with features of [another type](Trunk::with_features).
    #[must_use]
    pub fn with_features(self, features: DType) -> Self {
        let trunk = self.trunk.with_features(features);
        Self { trunk, ..self }
    }

    /// The graph without anything dropped.
    pub fn adjacency(&self) -> &Adjacency {
        &self.adjacency
    }

    /// The loss of a batch: the sum over its clips of NT-Xent, divided by `denominator`, which is the number of
    /// clips unless the batch is one of several micro-batches. The other clips are those of the batch.
    ///
    /// # Errors
    /// When the batch doesn't have the layout's joints.
    pub fn loss(
        &self,
        batch: &TrackBatch,
        views: &[View; 2],
        temperature: f64,
        denominator: f64,
        mode: Mode,
    ) -> Result<Tensor> {
        let [a, b] = views;
        let z = [self.project(batch, a, mode)?, self.project(batch, b, mode)?];
        nt_xent(&z, temperature)? * (batch.clips() as f64 / denominator)
    }

    /// The projected representations of one view's clips, (b, d).
    ///
    /// # Errors
    /// As [`loss`](Self::loss).
    pub fn project(&self, batch: &TrackBatch, view: &View, mode: Mode) -> Result<Tensor> {
        let Trunk {
            embed,
            encoder,
            features,
        } = &self.trunk;
        let (s, e) = without(&batch.keypoints, &view.dropped, embed)?;
        let s = s.to_dtype(*features)?;
        let x = Input::Embedded { s: &s, map: &e };
        let mean = Readout::Pooled(1.0 / view.graph.len() as f64);
        let h = encoder.on(&view.graph).forward(x, &mean, mode)?; // (n, t, d)
        let h = batch.mean_by_clip(&track_mean(&h.unsqueeze(2)?)?)?; // (b, d)
        projected(&self.head, &h)
    }
}

/// The two maps of [`projected`], of width `d`.
///
/// # Errors
/// When the builder lacks a parameter.
pub fn projection(d: usize, vb: VarBuilder<'_>) -> crate::Result<[Linear; 2]> {
    Ok([Linear::new(d, d, vb.pp(0))?, Linear::new(d, d, vb.pp(1))?])
}

/// What two maps with ReLU between them make of clips' features.
///
/// # Errors
/// When the features don't have the maps' width.
pub fn projected([first, second]: &[Linear; 2], h: &Tensor) -> Result<Tensor> {
    second.forward(&first.forward(h)?.relu()?)
}

/// (s, 1) of joints that are there and (0, 0) of dropped ones, (n, t, v, c + 1), and the map [W, b] by which the feature of
/// these is W s + b and 0.
///
/// # Errors
/// When the flags aren't of the joints of s.
pub fn without(s: &Tensor, dropped: &[bool], embed: &Linear) -> Result<(Tensor, Tensor)> {
    let seen = visible(s, dropped)?;
    let s = Tensor::cat(&[&s.broadcast_mul(&seen)?, &seen], 3)?;
    let map = Tensor::cat(&[embed.weight(), &embed.bias().unsqueeze(1)?], 1)?;
    Ok((s, map))
}

/// The mean over both views' clips of `-log (exp(cos(z, z') / temperature) / sum over the others w of exp(cos(z,
/// w) / temperature))`, z' the same clip's other view, w the 2 b - 1 other representations. Views are (b, d).
///
/// # Errors
/// When the views' shapes differ.
pub fn nt_xent([a, b]: &[Tensor; 2], temperature: f64) -> Result<Tensor> {
    let clips = a.dim(0)?;
    let z = Tensor::cat(&[a, b], 0)?; // (2 b, d)
    // Norms below this count as this, as in the cosine error.
    let norm = (z.sqr()?.sum_keepdim(D::Minus1)? + 1e-16)?.sqrt()?;
    let z = z.broadcast_div(&norm)?;
    let cosines = (z.matmul(&z.t()?)? / temperature)?; // (2 b, 2 b)
    let pairs = 2 * clips;
    let mut own = vec![0.0f64; pairs * pairs];
    let mut other = own.clone();
    for i in 0..pairs {
        // Far below any cosine, so that exp of it is 0; infinity would make 0 times infinity of it.
        own[i * pairs + i] = -1e9;
        other[i * pairs + (i + clips) % pairs] = 1.0;
    }
    let matrix = |values: Vec<f64>| constant(values, (pairs, pairs), &z);
    let log_p = log_softmax(&(cosines + matrix(own)?)?, 1)?;
    let of_pairs = (log_p * matrix(other)?)?.sum_all()?;
    of_pairs * (-1.0 / pairs as f64)
}
