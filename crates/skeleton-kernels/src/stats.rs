//! Statistics of batch normalisation: what ops take and give.

use candle_core::{Result, Tensor};

use crate::params::Affine;
use crate::plain::{as_rows, at_least_f32, repeat_row, sum_of_rows};

/// Added to the variance, as in PyTorch's `BatchNorm`.
pub const EPSILON: f64 = 1e-5;

/// Per-feature statistics of a batch of rows, on the rows' device; in `f64` where the CPU gathered them.
///
/// A bias in front of a norm cancels. The ops leave it out, so these are the statistics without it.
#[derive(Clone, Debug)]
pub struct BatchStats {
    /// Rows they were gathered over; 0 where they come from training.
    pub rows: usize,
    /// Means, (d).
    pub mean: Tensor,
    /// Biased variances, (d).
    pub variance: Tensor,
}

impl BatchStats {
    /// Of `width` features from `at` on.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn part(&self, at: usize, width: usize) -> Result<Self> {
        Ok(Self {
            rows: self.rows,
            mean: self.mean.narrow(0, at, width)?,
            variance: self.variance.narrow(0, at, width)?,
        })
    }

    /// Of features side by side.
    ///
    /// # Errors
    /// When there are none.
    pub fn side_by_side(parts: &[Self]) -> Result<Self> {
        let all =
            |of: fn(&Self) -> &Tensor| Tensor::cat(&parts.iter().map(of).collect::<Vec<_>>(), 0);
        Ok(Self {
            rows: parts.first().map_or(0, |part| part.rows),
            mean: all(|part| &part.mean)?,
            variance: all(|part| &part.variance)?,
        })
    }
}

/// By which statistics an op normalises.
#[derive(Clone, Copy, Debug)]
pub enum Stats<'a> {
    /// The batch's own, which the op returns: training.
    Batch,
    /// These, in the order in which the op returns a batch's. They are constants of the backward pass.
    Running(&'a [BatchStats]),
}

/// The norms of a definition, one after the other.
pub(crate) struct Norms<'a> {
    running: Option<std::slice::Iter<'a, BatchStats>>,
    /// Of the batch, in the order of the norms.
    pub gathered: Vec<BatchStats>,
}

impl<'a> Norms<'a> {
    pub fn new(stats: Stats<'a>) -> Self {
        Self {
            running: match stats {
                Stats::Batch => None,
                Stats::Running(given) => Some(given.iter()),
            },
            gathered: Vec::new(),
        }
    }

    /// `(z - mean) / sqrt(variance + EPSILON) * weight + bias` over the rows of z (.., d), computed [in `f32` at
    /// least](at_least_f32).
    pub fn apply(&mut self, z: &Tensor, affine: &Affine<Tensor>) -> Result<Tensor> {
        let x = at_least_f32(&as_rows(z)?)?;
        let n = x.dim(0)?;
        let (centred, variance) = match &mut self.running {
            None => {
                let mean = (sum_of_rows(&x)? / n as f64)?; // (1, d)
                let centred = (x - repeat_row(&mean, n)?)?;
                let variance = (sum_of_rows(&centred.sqr()?)? / n as f64)?;
                self.gathered.push(BatchStats {
                    rows: n,
                    mean: mean.squeeze(0)?.detach(),
                    variance: variance.squeeze(0)?.detach(),
                });
                (centred, variance)
            }
            Some(running) => {
                let Some(given) = running.next() else {
                    candle_core::bail!("statistics for every norm expected");
                };
                let [mean, variance] =
                    [&given.mean, &given.variance].map(|t| t.to_dtype(x.dtype())?.reshape((1, ())));
                ((&x - repeat_row(&mean?, n)?)?, variance?)
            }
        };
        let scale = (affine.weight.reshape((1, ()))? / (variance + EPSILON)?.sqrt()?)?;
        let y = (centred * repeat_row(&scale, n)?)?;
        let y = (y + repeat_row(&affine.bias, n)?)?;
        y.to_dtype(z.dtype())?.reshape(z.dims())
    }
}
