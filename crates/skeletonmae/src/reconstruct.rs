//! Seeing a reconstruction (Figure 6): coordinates from the decoder's features.
//!
//! Differs from the paper: it doesn't say how its Figure 6 was drawn. The cosine loss leaves the
//! decoder's scale free and there is no coordinate head, so coordinates come back by least squares from
//! y ~ s (W c + b) per joint, W and b the embedding, s > 0. Where coordinates are the decoder's target, they are its
//! output.

use candle_core::Tensor;
use nalgebra::{DMatrix, DVector};
use skeleton_graph::Layout;
use skeleton_kernels::host;

use crate::batch::TrackBatch;
use crate::error::Result;
use crate::layers::{Linear, Mode};
use crate::mask::Mask;
use crate::model::SkeletonMae;
use crate::target::Target;

/// Mean distances of masked joints from where they truly are, in the batch's (normalised) units.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reconstruction {
    /// One entry a part of the layout, in its order: that part masked alone.
    pub parts: Vec<PartError>,
}

/// Summed distances over the masked joints of one part.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PartError {
    /// Joints reconstructed.
    pub joints: usize,
    /// Sum of the model's distances.
    pub model: f64,
    /// Sum of the distances of the baseline: the mean of the nearest visible joints by hops.
    pub neighbours: f64,
    /// Joints whose least-squares scale was not positive; they count as put on the origin.
    pub without_scale: usize,
}

impl PartError {
    /// Adds another's sums.
    pub fn add(&mut self, other: &Self) {
        self.joints += other.joints;
        self.model += other.model;
        self.neighbours += other.neighbours;
        self.without_scale += other.without_scale;
    }

    /// (model, baseline): mean distances; `None` where no joint was masked.
    pub fn means(&self) -> Option<(f64, f64)> {
        let n = self.joints as f64;
        (self.joints > 0).then(|| (self.model / n, self.neighbours / n))
    }
}

impl Reconstruction {
    /// All parts together.
    pub fn total(&self) -> PartError {
        let mut total = PartError::default();
        self.parts.iter().for_each(|part| total.add(part));
        total
    }

    /// Masks each part of the batch in turn and adds the distances up.
    ///
    /// # Errors
    /// When the batch doesn't fit the model.
    pub fn add(&mut self, model: &SkeletonMae, layout: &Layout, batch: &TrackBatch) -> Result<()> {
        let parts = layout.parts();
        self.parts.resize(parts.len(), PartError::default());
        for (part, sum) in parts.iter().zip(&mut self.parts) {
            let hidden = (0..layout.len()).map(|joint| part.joints.contains(&joint));
            let hidden: Vec<bool> = hidden.collect();
            sum.add(&Completed::new(model, batch, &hidden)?.errors(layout));
        }
        Ok(())
    }
}

/// Clips as the model sees and completes them, to be drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// (n, t, v, c), the batch's coordinates, the model's in place of hidden joints that were seen.
    pub coordinates: Vec<f32>,
    /// How far they are off.
    pub error: PartError,
}

impl Picture {
    /// Hides the joints `hidden` (v) in all frames and puts them back.
    ///
    /// # Errors
    /// When the batch doesn't fit the model.
    ///
    /// # Panics
    /// When `hidden` doesn't hold one flag a joint of the batch.
    pub fn new(
        model: &SkeletonMae,
        layout: &Layout,
        batch: &TrackBatch,
        hidden: &[bool],
    ) -> Result<Self> {
        let completed = Completed::new(model, batch, hidden)?;
        let c = completed.coordinates;
        let mut coordinates: Vec<f32> = completed.truth.iter().map(|&x| x as f32).collect();
        for row in completed.mask.target_rows() {
            let row = row as usize;
            // Without a positive scale there is no best place: the origin, as errors count it.
            let found = completed.found(row).unwrap_or_else(|| vec![0.0; c]);
            for (to, from) in coordinates[row * c..].iter_mut().zip(found) {
                *to = from as f32;
            }
        }
        let error = completed.errors(layout);
        Ok(Self { coordinates, error })
    }
}

/// A batch of which some joints are hidden, with what the model makes of them.
struct Completed<'a> {
    presence: &'a [bool],
    mask: Mask,
    /// c.
    coordinates: usize,
    /// (n, t, v, c).
    truth: Vec<f64>,
    /// (n, t, v, d) or, where the decoder gives coordinates, (n, t, v, c).
    y: Vec<f64>,
    /// The way back from features to coordinates, where the decoder gives features.
    lift: Option<Lift>,
}

impl<'a> Completed<'a> {
    fn new(model: &SkeletonMae, batch: &'a TrackBatch, hidden: &[bool]) -> Result<Self> {
        let mask = Mask::of_tracks(batch, &vec![hidden.to_vec(); batch.track_clip.len()]);
        let (_, y) = model.forward(&batch.keypoints, &mask, Mode::Eval)?;
        let lift = match model.target() {
            Target::Embedding | Target::EmbeddingWithGradient => {
                Some(Lift::new(model.embedding())?)
            }
            // The others give coordinates first, or none at all: `Target::places`.
            _ => None,
        };
        Ok(Self {
            presence: &batch.presence,
            mask,
            coordinates: batch.keypoints.dim(3)?,
            truth: to_f64(&batch.keypoints)?,
            y: to_f64(&y)?,
            lift,
        })
    }

    /// Where the model puts a joint, (c); `None` where the best scale isn't positive.
    fn found(&self, row: usize) -> Option<Vec<f64>> {
        let d = self.y.len() / self.presence.len();
        let y = &self.y[row * d..(row + 1) * d];
        match &self.lift {
            Some(lift) => lift.coordinates(y),
            // Motion may follow the coordinates.
            None => Some(y[..self.coordinates].to_vec()),
        }
    }

    fn errors(&self, layout: &Layout) -> PartError {
        let (v, c, hops) = (layout.len(), self.coordinates, layout.adjacency().hops());
        let mut sum = PartError::default();
        for row in self.mask.target_rows() {
            let row = row as usize;
            let (first, joint) = (row - row % v, row % v);
            let visible = |i: usize| self.presence[first + i] && !self.mask.hidden[first + i];
            let at = |i: usize| &self.truth[(first + i) * c..(first + i + 1) * c];
            let Some(baseline) = nearest_mean(&hops[joint], visible, at) else {
                continue;
            };
            let found = self.found(row);
            sum.joints += 1;
            sum.without_scale += usize::from(found.is_none());
            sum.neighbours += distance(&baseline, at(joint));
            sum.model += distance(&found.unwrap_or(vec![0.0; c]), at(joint));
        }
        sum
    }
}

/// The mean position of the visible joints that are fewest hops away; `None` where none is visible.
fn nearest_mean<'a>(
    hops: &[usize],
    visible: impl Fn(usize) -> bool,
    at: impl Fn(usize) -> &'a [f64],
) -> Option<Vec<f64>> {
    let seen = || (0..hops.len()).filter(|&i| visible(i));
    let nearest = seen().map(|i| hops[i]).min()?;
    let chosen: Vec<&[f64]> = seen().filter(|&i| hops[i] == nearest).map(at).collect();
    let mean = |k: usize| chosen.iter().map(|p| p[k]).sum::<f64>() / chosen.len() as f64;
    Some((0..chosen[0].len()).map(mean).collect())
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter()
        .zip(b)
        .map(|(a, b)| (a - b) * (a - b))
        .sum::<f64>()
        .sqrt()
}

fn to_f64(x: &Tensor) -> Result<Vec<f64>> {
    Ok(host::read(x)?)
}

/// The way back from features to coordinates: with M = \[W b\] (d, c + 1), the least-squares solution z of
/// M z = y is (s c, s).
#[derive(Clone, Debug)]
pub struct Lift {
    /// (c + 1, d), the pseudo-inverse of M.
    inverse: DMatrix<f64>,
}

impl Lift {
    /// From the embedding.
    ///
    /// # Errors
    /// When the columns of \[W b\] depend on each other, so that coordinates can't be told apart.
    pub fn new(embedding: &Linear) -> Result<Self> {
        let m = Tensor::cat(&[embedding.weight(), &embedding.bias().unsqueeze(1)?], 1)?;
        let (d, columns) = m.dims2()?;
        let m = DMatrix::from_row_slice(d, columns, &to_f64(&m)?);
        let gram = m.tr_mul(&m);
        let (scale, lu) = (gram.amax(), gram.lu());
        let pivots = lu.u().diagonal();
        let singular = pivots.iter().any(|x| x.abs() <= 1e-12 * scale);
        match lu.solve(&m.transpose()) {
            Some(inverse) if !singular => Ok(Self { inverse }),
            _ => {
                let message = "the embedding maps different coordinates to one feature";
                Err(candle_core::Error::msg(message).into())
            }
        }
    }

    /// Coordinates (c) of a feature y (d); `None` where the best scale isn't positive.
    pub fn coordinates(&self, y: &[f64]) -> Option<Vec<f64>> {
        let z = &self.inverse * DVector::from_column_slice(y);
        let (s, scaled) = z.as_slice().split_last()?;
        (*s > 0.0).then(|| scaled.iter().map(|u| u / s).collect())
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;
    use crate::Store;

    #[test]
    fn coordinates_come_back_whatever_the_scale() {
        let store = Store::new(4, DType::F64, &Device::Cpu);
        let embedding = Linear::new(3, 16, store.builder()).unwrap();
        let lift = Lift::new(&embedding).unwrap();
        let truth = vec![0.3, -1.7, 0.9];
        let c = Tensor::from_vec(truth.clone(), (1, 3), &Device::Cpu).unwrap();
        let feature = to_f64(&embedding.forward(&c).unwrap()).unwrap();
        for scale in [0.01, 1.0, 40.0] {
            let y: Vec<f64> = feature.iter().map(|f| f * scale).collect();
            assert!(distance(&lift.coordinates(&y).unwrap(), &truth) < 1e-9);
        }
        let opposite: Vec<f64> = feature.iter().map(|f| -f).collect();
        assert_eq!(
            lift.coordinates(&opposite),
            None,
            "no positive scale leads there"
        );
    }

    #[test]
    fn the_baseline_is_the_mean_of_the_nearest() {
        let hops = [0, 1, 1, 2];
        let at = [[9.0, 9.0], [1.0, 0.0], [3.0, 2.0], [7.0, 7.0]];
        let mean = |seen: [bool; 4]| nearest_mean(&hops, |i| seen[i], |i| &at[i]);
        assert_eq!(mean([false, true, true, true]), Some(vec![2.0, 1.0]));
        assert_eq!(mean([false, false, false, true]), Some(vec![7.0, 7.0]));
        assert_eq!(mean([false; 4]), None);
    }
}
