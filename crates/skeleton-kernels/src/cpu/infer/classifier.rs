//! A whole classifier in inference. Tracks are independent and shared out to the threads.

use candle_core::{Result, Shape, Tensor, bail};

use super::{Spatial, Temporal};
use crate::cpu::{Buffer, FoldedLinear, Real, chunks};
use crate::params::{Embedding, numbers};

/// Embedding, layers and head, folded.
#[derive(Clone, Debug)]
pub struct Classifier<T> {
    /// The first of them reads coordinates.
    layers: Vec<(Spatial<T>, Temporal<T>)>,
    head: Vec<FoldedLinear<T>>,
    /// t, v, c.
    shape: [usize; 3],
}

impl<T: Real> Classifier<T> {
    /// Of folded layers on `joints` and the head's maps, (weight, bias) each, between which ReLU stands.
    ///
    /// # Errors
    /// When a parameter can't be read.
    pub fn new(
        embedding: &Embedding<Tensor>,
        mut layers: Vec<(Spatial<T>, Temporal<T>)>,
        head: &[(&Tensor, &Tensor)],
        joints: usize,
    ) -> Result<Self> {
        let (t, c) = (embedding.position.dim(0)?, embedding.weight.dim(1)?);
        let own = numbers::<T, _>(embedding)?;
        let d = own.bias.len();
        // s E^T + o_t, o_t = P_t + b.
        let positions = own.position.chunks_exact(d);
        let o = positions.flat_map(|p| p.iter().zip(&own.bias).map(|(&p, &b)| p + b));
        let o: Vec<T> = o.collect();
        if !layers.is_empty() {
            let (spatial, temporal) = layers.remove(0);
            layers.insert(0, (spatial.embedded(&own.weight, &o), temporal));
        }
        let values = |t: &Tensor| t.to_dtype(T::DTYPE)?.flatten_all()?.to_vec1::<T>();
        let head = head
            .iter()
            .map(|(weight, bias)| Ok(FoldedLinear::new(&values(weight)?, &values(bias)?)));
        Ok(Self {
            layers,
            head: head.collect::<Result<_>>()?,
            shape: [t, joints, c],
        })
    }

    /// Scores before softmax, (b, k), of tracks s (n, t, v, c), `track_clip` (n) the clip of each among `clips`.
    ///
    /// # Errors
    /// When s doesn't have the model's joints, coordinates and frames.
    pub fn scores(&self, s: &Tensor, track_clip: &[u32], clips: usize) -> Result<Tensor> {
        let mut h = self.by_clip(s, track_clip, clips)?;
        for (i, layer) in self.head.iter().enumerate() {
            let mut out = vec![T::zero(); clips * layer.width()];
            // ReLU between the maps, nothing behind the last.
            let last = i + 1 == self.head.len();
            layer.rows(&h, if last { T::one() } else { T::zero() }, &mut out);
            h = out;
        }
        let k = h.len() / clips.max(1);
        Tensor::from_vec(h, Shape::from((clips, k)), s.device())
    }

    /// A feature a clip, (b, d): what the head reads.
    ///
    /// # Errors
    /// As [`scores`](Self::scores).
    pub fn features(&self, s: &Tensor, track_clip: &[u32], clips: usize) -> Result<Tensor> {
        let h = self.by_clip(s, track_clip, clips)?;
        let d = h.len() / clips.max(1);
        Tensor::from_vec(h, Shape::from((clips, d)), s.device())
    }

    /// The mean of each clip's tracks.
    fn by_clip(&self, s: &Tensor, track_clip: &[u32], clips: usize) -> Result<Vec<T>> {
        let (n, t, v, c) = s.dims4()?;
        if [t, v, c] != self.shape {
            let expected = self.shape;
            bail!(
                "the model reads (t, v, c) = {expected:?}, found {:?}",
                [t, v, c]
            );
        }
        let s = s.to_dtype(T::DTYPE)?.flatten_all()?.to_vec1::<T>()?;
        let size = t * v * c;
        let tracks = chunks::each_of(n, |track| self.track(&s[track * size..(track + 1) * size]));
        let d = tracks.first().map_or(0, Vec::len);
        let mut sums = vec![T::zero(); clips * d];
        let mut counts = vec![0usize; clips];
        for (&clip, track) in track_clip.iter().zip(&tracks) {
            let clip = clip as usize;
            chunks::add(&mut sums[clip * d..(clip + 1) * d], track);
            counts[clip] += 1;
        }
        for (sum, &count) in sums.chunks_exact_mut(d.max(1)).zip(&counts) {
            let share = T::real(1.0 / count.max(1) as f64);
            sum.iter_mut().for_each(|x| *x *= share);
        }
        Ok(sums)
    }

    /// The feature of a track s (t, v, c), (d).
    fn track(&self, s: &[T]) -> Vec<T> {
        let [mut t, v, _] = self.shape;
        let mut h: Option<Buffer<T>> = None;
        for (spatial, temporal) in &self.layers {
            let own = spatial.track(h.as_deref().unwrap_or(s), v);
            h = Some(temporal.track(&own, t, v));
            t = temporal.frames(t);
        }
        let h = h.as_deref().unwrap_or_default();
        let d = h.len() / (t * v);
        let mut mean = vec![T::zero(); d];
        let share = T::real(1.0 / (t * v) as f64);
        h.chunks_exact(d)
            .for_each(|row| chunks::add(&mut mean, row));
        mean.iter_mut().for_each(|x| *x *= share);
        mean
    }
}
