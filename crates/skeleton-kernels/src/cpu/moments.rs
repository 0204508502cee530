//! Statistics of a batch, gathered chunk by chunk.

use candle_core::{DType, Device, Result, Tensor, bail};

use crate::cpu::kernel::SideResult;
use crate::cpu::matrix::{columns, lanes, lanes_mut};
use crate::cpu::real::Real;
use crate::stats::{BatchStats, Stats};

/// Per-feature statistics of a batch of rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    /// Rows they were gathered over.
    pub rows: usize,
    /// Means, (d).
    pub mean: Vec<f64>,
    /// Biased variances, (d).
    pub variance: Vec<f64>,
}

/// Sums over the rows of one chunk, taken about its first row so that nothing cancels.
#[derive(Clone, Debug)]
pub struct Sums<T> {
    rows: usize,
    /// (3, d): the first row, the sums and the sums of squares of the differences from it.
    sums: Vec<T>,
}

impl<T: Real> Sums<T> {
    /// Of a chunk of rows of width d.
    #[inline(always)]
    pub fn of(rows: &[T], d: usize) -> Self {
        let mut sums = vec![T::zero(); 3 * d];
        columns!(d, sum(rows, &mut sums));
        Self {
            rows: rows.len() / d,
            sums,
        }
    }
}

#[inline(always)]
fn sum<T: Real, const W: usize>(at: usize, d: usize, rows: &[T], sums: &mut [T]) {
    // The mean first, then the squares about it, in a chunk that lies in the cache: squares about
    // anything else would cancel.
    let mut mean = [T::zero(); W];
    for row in rows.chunks_exact(d) {
        let row = lanes::<T, W>(row, at);
        for i in 0..W {
            mean[i] += row[i];
        }
    }
    let share = T::real(d as f64 / rows.len() as f64);
    mean.iter_mut().for_each(|mean| *mean *= share);
    let (mut sum, mut square) = ([T::zero(); W], [T::zero(); W]);
    for row in rows.chunks_exact(d) {
        let row = lanes::<T, W>(row, at);
        for i in 0..W {
            let x = row[i] - mean[i];
            sum[i] += x;
            square[i] += x * x;
        }
    }
    *lanes_mut(sums, at) = mean;
    *lanes_mut(sums, d + at) = sum;
    *lanes_mut(sums, 2 * d + at) = square;
}

impl Moments {
    /// Of all chunks, combined in order (Chan, Golub and LeVeque, 1979).
    pub fn combine<T: Real>(chunks: &[Sums<T>]) -> Self {
        let d = chunks.first().map_or(0, |chunk| chunk.sums.len() / 3);
        let (mut rows, mut mean, mut spread) = (0.0, vec![0.0; d], vec![0.0; d]);
        for chunk in chunks {
            let n = chunk.rows as f64;
            for i in 0..d {
                let at = |k: usize| chunk.sums[k * d + i].double();
                let (m, s) = (at(0) + at(1) / n, at(2) - at(1) * at(1) / n);
                let delta = m - mean[i];
                mean[i] += delta * n / (rows + n);
                spread[i] += s.max(0.0) + delta * delta * rows * n / (rows + n);
                // `max` swallows NaN.
                if s.is_nan() {
                    spread[i] = s;
                }
            }
            rows += n;
        }
        Self {
            rows: rows as usize,
            mean,
            variance: spread.iter().map(|s| s / rows.max(1.0)).collect(),
        }
    }
}

impl Moments {
    /// As an op returns them.
    ///
    /// # Errors
    /// When a tensor can't be made.
    fn to_stats(&self) -> Result<BatchStats> {
        let vector = |values: &[f64]| Tensor::from_slice(values, values.len(), &Device::Cpu);
        Ok(BatchStats {
            rows: self.rows,
            mean: vector(&self.mean)?,
            variance: vector(&self.variance)?,
        })
    }

    /// Those that a forward pass has gathered.
    ///
    /// # Errors
    /// When it hasn't.
    pub fn gathered(side: &SideResult<Vec<Self>>) -> Result<Vec<BatchStats>> {
        match side.get() {
            Some(all) => all.iter().map(Self::to_stats).collect(),
            None => bail!("the forward pass gathered no statistics"),
        }
    }

    /// Of an op's argument.
    ///
    /// # Errors
    /// When a tensor can't be read.
    pub fn of_stats(stats: &BatchStats) -> Result<Self> {
        Ok(Self {
            rows: stats.rows,
            mean: stats.mean.to_dtype(DType::F64)?.to_vec1()?,
            variance: stats.variance.to_dtype(DType::F64)?.to_vec1()?,
        })
    }

    /// What an op normalises by where it isn't the batch.
    ///
    /// # Errors
    /// When a tensor can't be read.
    pub fn given(stats: Stats<'_>) -> Result<Option<Vec<Self>>> {
        match stats {
            Stats::Batch => Ok(None),
            Stats::Running(all) => all
                .iter()
                .map(Self::of_stats)
                .collect::<Result<_>>()
                .map(Some),
        }
    }
}
