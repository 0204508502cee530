//! The spatial half of a layer in inference: equations 3 and 4.

use candle_core::{Result, Tensor, bail};

use super::{constant, encoder};
use crate::cpu::{
    Buffer, FoldedLinear, Mixing, Moments, Norm, Real, add_leak, add_to_joints, chunks, sum_joints,
};
use crate::graph::JointMatrix;
use crate::params::{NormedMap, SpatialWeights, numbers, slices};
use crate::stats::BatchStats;
use crate::wide;

/// The spatial half of a layer.
#[derive(Clone, Debug)]
pub struct Spatial<T> {
    encoder: encoder::Encoder<T>,
    factor: T,
    mixing: Mixing<T>,
    /// The residual's shift is part of this one's.
    w: FoldedLinear<T>,
    residual: FoldedLinear<T>,
    entry: Option<Entry<T>>,
}

/// What a first layer has in place of features: they are `s E^T + o_t`, o_t = b + P_t, and sums over joints
/// commute with maps of features, so that they need not be made.
#[derive(Clone, Debug)]
struct Entry<T> {
    /// Of (A_norm s, s) side by side: the coordinates' way through W and through the residual.
    map: FoldedLinear<T>,
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
    both: Buffer<T>,
    mixed: Buffer<T>,
}

impl<T: Real> Spatial<T> {
    /// Of a folded encoder, whose codes are summed over joints times `factor`, and what stands behind it, as
    /// [`spatial`](crate::spatial()) takes it and with the statistics that it returns.
    ///
    /// # Errors
    /// When these don't fit each other.
    pub fn new(
        encoder: encoder::Encoder<T>,
        factor: f64,
        a_norm: &JointMatrix,
        weights: &SpatialWeights<Tensor>,
        stats: &[BatchStats],
    ) -> Result<Self> {
        let weights = numbers::<T, _>(weights)?;
        let folded = |map: &NormedMap<Vec<T>>, stats: Option<&BatchStats>| match stats {
            Some(stats) if map.norm.bias.len() == encoder.width() => {
                let norm = Norm::new(&Moments::of_stats(stats)?, &slices(&map.norm));
                Ok(FoldedLinear::folded(&map.weight, &norm))
            }
            _ => bail!(
                "an encoder of width {} in a layer of {}",
                encoder.width(),
                map.norm.bias.len()
            ),
        };
        let mut w = folded(&weights.w, stats.first())?;
        let residual = folded(&weights.residual, stats.get(1))?;
        chunks::add(w.shift_mut(), residual.shift());
        Ok(Self {
            encoder,
            factor: T::real(factor),
            mixing: Mixing::plus(a_norm, T::zero()),
            w,
            residual,
            entry: None,
        })
    }

    /// The same as a first layer, which reads s (t, v, c): `e` is the embedding's (d, c), `o` the sum of
    /// its bias and the positions, (t, d).
    #[must_use]
    pub fn embedded(self, e: &[T], o: &[T]) -> Self {
        let c = e.len() / self.w.width();
        let sums = self.mixing.sums();
        let ones = vec![T::one(); sums.len()];
        let maps = [(&self.w, &sums[..]), (&self.residual, &ones)];
        let constant = constant(&maps, o, self.w.shift());
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
    pub fn track(&self, h: &[T], v: usize) -> Buffer<T> {
        let (d, width) = (self.w.width(), self.encoder.reads());
        let mut out = Buffer::new(h.len() / width * d);
        let chunk = chunks::frames_per_chunk(v) * v;
        let scratch = || Scratch {
            encoder: self.encoder.scratch(chunk),
            pooled: Buffer::new(chunk / v * d),
            of_pooled: Buffer::new(chunk / v * d),
            both: Buffer::new(chunk * d.max(2 * width)),
            mixed: Buffer::new(chunk * d.max(width)),
        };
        chunks::fill_with(&mut out, d, chunk, scratch, |scratch, row, out| {
            let n = out.len() / d;
            let h = &h[row * width..(row + n) * width];
            let codes = self.encoder.frames(h, row, &mut scratch.encoder);
            let pooled = &mut scratch.pooled[..n / v * d];
            wide!(sum_joints(codes, pooled, v, d, self.factor));
            let pooled = &scratch.pooled[..n / v * d];
            let buffers: [&mut [T]; 3] = [
                &mut scratch.of_pooled,
                &mut scratch.both,
                &mut scratch.mixed,
            ];
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
            add_to_joints(h, p, sum, v, d);
            self.mixing.apply(sum, mixed, d);
        });
        self.w.product(mixed, out);
        self.residual.add_product(h, out);
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
        self.w.product(p, of_p);
        entry.map.product(both, out);
        let constant = &entry.constant[row * d..row * d + out.len()];
        wide!({
            for (out, p) in out.chunks_exact_mut(v * d).zip(of_p.chunks_exact(d)) {
                for (out, &sum) in out.chunks_exact_mut(d).zip(&entry.sums) {
                    chunks::add_scaled(out, sum, p);
                }
            }
            add_leak(out, constant, T::zero());
        });
    }
}
