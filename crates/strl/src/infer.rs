//! STRL in inference: parameters taken once, every norm folded into the map before it, no autograd.
//!
//! A few frames at a time pass through a whole encoder and the spatial half of a layer in the cache; only
//! what the temporal half needs, the frames of one track, meets the memory. Tracks are independent and
//! shared out to the threads.

use candle_core::{Result, Tensor, bail};
use skeletonmae::TrackBatch;
use skeletonmae::encoder::{self, Folded};
use skeletonmae::ops::gin::pool;
use skeletonmae::ops::map::{Map, add_leak};
use skeletonmae::ops::mix::Mixing;
use skeletonmae::ops::pool::Buffer;
use skeletonmae::ops::{Real, rows};
use skeletonmae::wide;

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
    entry: Option<Entry<T>>,
}

/// What a first layer has in place of features: they are `s E^T + o_t`, o_t = b + P_t, and sums over joints
/// commute with maps of features, so that they need not be made.
#[derive(Clone, Debug)]
struct Entry<T> {
    /// Of (A_norm s, s) side by side: the coordinates' way through W and through the residual.
    map: Map<T>,
    /// (t, v, d): what o_t comes to, with all shifts.
    constant: Vec<T>,
    /// The sum of each row of A_norm.
    sums: Vec<T>,
}

/// Buffers of the frames under way.
struct Scratch<T: Real> {
    encoder: encoder::Scratch<T>,
    pooled: Buffer<T>,
    of_pooled: Buffer<T>,
    sum: Buffer<T>,
    mixed: Buffer<T>,
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
        Ok(Self {
            encoder,
            pool: T::real(pool),
            mixing,
            w,
            residual,
            entry: None,
        })
    }

    /// The same as a first layer, which reads s (t, v, c): `e` is the embedding's (d, c), `o` the sum of
    /// its bias and the positions, (t, d).
    #[must_use]
    pub fn embedded(self, e: &[T], o: &[T]) -> Self {
        let d = self.w.width();
        let c = e.len() / d;
        let (of_w, of_r) = (self.w.of_rows(o), self.residual.of_rows(o));
        let sums = self.mixing.sums();
        let mut constant = Vec::with_capacity(o.len() * sums.len());
        for (w, r) in of_w.chunks_exact(d).zip(of_r.chunks_exact(d)) {
            for &sum in &sums {
                let all = w.iter().zip(r).zip(self.w.shift());
                constant.extend(all.map(|((&w, &r), &shift)| sum * w + r + shift));
            }
        }
        let [w, r] = [&self.w, &self.residual].map(|map| map.after(e, c));
        let entry = Entry {
            map: w.beside(&r),
            constant,
            sums,
        };
        Self {
            encoder: self.encoder.embedded(e, o),
            entry: Some(entry),
            ..self
        }
    }

    /// A track h (t, v, d), in a first layer s (t, v, c), to (t, v, d).
    fn track(&self, h: &[T], v: usize) -> Buffer<T> {
        let (d, width) = (self.w.width(), self.encoder.reads());
        let mut out = Buffer::new(h.len() / width * d);
        let chunk = rows::frames_per_chunk(v) * v;
        let scratch = || Scratch {
            encoder: self.encoder.scratch(chunk),
            pooled: Buffer::new(chunk / v * d),
            of_pooled: Buffer::new(chunk / v * d),
            sum: Buffer::new(chunk * d.max(2 * width)),
            mixed: Buffer::new(chunk * d.max(width)),
        };
        rows::fill_with(&mut out, d, chunk, scratch, |scratch, row, out| {
            let n = out.len() / d;
            let h = &h[row * width..(row + n) * width];
            let codes = self.encoder.frames(h, row, &mut scratch.encoder);
            let pooled = &mut scratch.pooled[..n / v * d];
            wide!(pool(codes, pooled, v, d, self.pool));
            let pooled = &scratch.pooled[..n / v * d];
            let buffers: [&mut [T]; 3] =
                [&mut scratch.of_pooled, &mut scratch.sum, &mut scratch.mixed];
            match &self.entry {
                None => self.mix([h, pooled], out, buffers, v),
                Some(entry) => self.enter(entry, [h, pooled], row, out, buffers, v),
            }
        });
        out
    }

    /// `A_norm (h + Repeat(p)) W^T + h R^T` of whole frames.
    fn mix(&self, [h, p]: [&[T]; 2], out: &mut [T], [_, sum, mixed]: [&mut [T]; 3], v: usize) {
        let d = self.w.width();
        let (sum, mixed) = (&mut sum[..h.len()], &mut mixed[..h.len()]);
        wide!({
            repeat_add(h, p, sum, v, d);
            self.mixing.apply(sum, mixed, d);
        });
        self.w.product(mixed, out, false);
        self.residual.product(h, out, true);
        wide!(self.w.finish(T::zero(), out));
    }

    /// The same from coordinates s.
    fn enter(
        &self,
        entry: &Entry<T>,
        [s, p]: [&[T]; 2],
        row: usize,
        out: &mut [T],
        [of_p, both, mixed]: [&mut [T]; 3],
        v: usize,
    ) {
        let (d, c) = (self.w.width(), self.encoder.reads());
        let (mixed, of_p) = (&mut mixed[..s.len()], &mut of_p[..p.len()]);
        let both = &mut both[..2 * s.len()];
        self.mixing.apply(s, mixed, c);
        let sides = mixed.chunks_exact(c).zip(s.chunks_exact(c));
        for (both, (mixed, s)) in both.chunks_exact_mut(2 * c).zip(sides) {
            both[..c].copy_from_slice(mixed);
            both[c..].copy_from_slice(s);
        }
        self.w.product(p, of_p, false);
        entry.map.product(both, out, false);
        let constant = &entry.constant[row * d..row * d + out.len()];
        wide!({
            for (out, p) in out.chunks_exact_mut(v * d).zip(of_p.chunks_exact(d)) {
                for (out, &sum) in out.chunks_exact_mut(d).zip(&entry.sums) {
                    rows::add_scaled(out, sum, p);
                }
            }
            add_leak(out, constant, T::zero());
        });
    }
}

/// A classifier ready for inference, as it was when it was folded.
#[derive(Clone, Debug)]
pub struct Frozen<T> {
    /// The first of them reads coordinates.
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
            // ReLU between the maps, nothing behind the last.
            let last = i + 1 == self.head.len();
            layer.rows(&h, if last { T::one() } else { T::zero() }, &mut out);
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
        h.chunks_exact(d).for_each(|row| rows::add(&mut mean, row));
        mean.iter_mut().for_each(|x| *x *= share);
        mean
    }
}
