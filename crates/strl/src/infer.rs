//! STRL in inference: parameters taken once, every norm folded into the map before it, no autograd.
//!
//! A few frames at a time pass through a whole encoder and the spatial half of a layer in the cache; only
//! what the temporal half needs, the frames of one track, meets the memory. Tracks are independent and
//! shared out to the threads.

use candle_core::{Result, Tensor, bail};
use skeletonmae::TrackBatch;
use skeletonmae::ops::gin::infer::{Folded, Map, leak};
use skeletonmae::ops::mix::Mixing;
use skeletonmae::ops::wide::wide;
use skeletonmae::ops::{Real, rows};

use crate::ops::embed;
use crate::ops::spatial::repeat_add;
use crate::ops::temporal::infer::Folded as Temporal;

/// The spatial half of a layer.
#[derive(Clone, Debug)]
pub struct Spatial<T> {
    encoder: Folded<T>,
    pool: T,
    mixing: Mixing<T>,
    /// The residual's shift is part of this one's.
    w: Map<T>,
    residual: Map<T>,
}

impl<T: Real> Spatial<T> {
    /// From folded parts.
    ///
    /// # Errors
    /// When the widths differ.
    pub fn new(
        encoder: Folded<T>,
        pool: f64,
        mixing: Mixing<T>,
        mut w: Map<T>,
        residual: Map<T>,
    ) -> Result<Self> {
        if [w.width(), residual.width()] != [encoder.width(); 2] {
            bail!(
                "an encoder of width {} in a layer of {}",
                encoder.width(),
                w.width()
            );
        }
        rows::add(w.shift_mut(), residual.shift());
        let pool = T::real(pool);
        Ok(Self {
            encoder,
            pool,
            mixing,
            w,
            residual,
        })
    }

    /// A track h (t, v, d) to the same shape.
    fn track(&self, h: &[T], v: usize) -> Vec<T> {
        let d = self.w.width();
        let mut out = vec![T::zero(); h.len()];
        let chunk = rows::frames_per_chunk(v) * v;
        rows::fill_by(&mut out, d, chunk, |from, out| {
            let (n, h) = (out.len() / d, &h[from * d..from * d + out.len()]);
            let mut scratch = self.encoder.scratch(n);
            let codes = self.encoder.frames(h, &mut scratch);
            let mut pooled = vec![T::zero(); n / v * d];
            let [mut sum, mut mixed] = [vec![T::zero(); n * d], vec![T::zero(); n * d]];
            wide(
                #[inline(always)]
                || {
                    skeletonmae::ops::gin::pool(codes, &mut pooled, v, d, self.pool);
                    repeat_add(h, &pooled, &mut sum, v, d);
                    self.mixing.apply(&sum, &mut mixed, d);
                },
            );
            self.w.rows(&mixed, out);
            self.residual.add(h, out);
            wide(
                #[inline(always)]
                || leak(out, T::zero()),
            );
        });
        out
    }
}

/// A classifier ready for inference, as it was when it was folded.
#[derive(Clone, Debug)]
pub struct Frozen<T> {
    /// W, b and P of the embedding, as [`embed::embed`] takes them.
    pub(crate) embed: Vec<T>,
    pub(crate) layers: Vec<(Spatial<T>, Temporal<T>)>,
    pub(crate) head: Vec<Map<T>>,
    /// t, v, c.
    pub(crate) shape: [usize; 3],
}

impl<T: Real> Frozen<T> {
    /// Scores before softmax, (b, k).
    ///
    /// # Errors
    /// When the batch doesn't have the model's joints, coordinates and frames.
    pub fn forward(&self, batch: &TrackBatch) -> Result<Tensor> {
        let (mut h, b) = self.by_clip(batch)?;
        for (i, layer) in self.head.iter().enumerate() {
            let mut out = vec![T::zero(); b * layer.width()];
            layer.rows(&h, &mut out);
            if i + 1 < self.head.len() {
                leak(&mut out, T::zero());
            }
            h = out;
        }
        let k = h.len() / b;
        Tensor::from_vec(h, (b, k), batch.keypoints.device())
    }

    /// A feature a clip, (b, d): what the classifier sees.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn features(&self, batch: &TrackBatch) -> Result<Tensor> {
        let (h, b) = self.by_clip(batch)?;
        let d = h.len() / b;
        Tensor::from_vec(h, (b, d), batch.keypoints.device())
    }

    /// The mean of each clip's tracks and the number of clips.
    fn by_clip(&self, batch: &TrackBatch) -> Result<(Vec<T>, usize)> {
        let (n, t, v, c) = batch.keypoints.dims4()?;
        if [t, v, c] != self.shape {
            bail!(
                "the model reads (t, v, c) = {:?}, found {:?}",
                self.shape,
                [t, v, c]
            );
        }
        let s = batch
            .keypoints
            .to_dtype(T::DTYPE)?
            .flatten_all()?
            .to_vec1::<T>()?;
        let size = t * v * c;
        let tracks = rows::each_of(n, |track| self.track(&s[track * size..(track + 1) * size]));
        let b = batch.clips();
        let d = tracks.first().map_or(0, Vec::len);
        let mut sums = vec![T::zero(); b * d];
        let mut counts = vec![0usize; b];
        for (&clip, track) in batch.track_clip.iter().zip(&tracks) {
            let clip = clip as usize;
            rows::add(&mut sums[clip * d..(clip + 1) * d], track);
            counts[clip] += 1;
        }
        for (sum, &count) in sums.chunks_exact_mut(d.max(1)).zip(&counts) {
            let share = T::real(1.0 / count.max(1) as f64);
            sum.iter_mut().for_each(|x| *x *= share);
        }
        Ok((sums, b))
    }

    /// The feature of a track s (t, v, c), (d).
    fn track(&self, s: &[T]) -> Vec<T> {
        let [mut t, v, c] = self.shape;
        let d = self.embed.len() / (c + 1 + t);
        let mut h = vec![T::zero(); t * v * d];
        embed::frames(&self.embed, s, &mut h, 0, self.shape);
        for (spatial, temporal) in &self.layers {
            h = temporal.track(&spatial.track(&h, v), t, v);
            t = h.len() / (v * d);
        }
        let mut mean = vec![T::zero(); d];
        let share = T::real(1.0 / (t * v) as f64);
        h.chunks_exact(d).for_each(|row| rows::add(&mut mean, row));
        mean.iter_mut().for_each(|x| *x *= share);
        mean
    }
}
