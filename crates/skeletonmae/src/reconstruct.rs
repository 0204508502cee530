//! Seeing a reconstruction (Figure 6): coordinates from the decoder's features.
//!
//! Differs from the paper: it doesn't say how its Figure 6 was drawn. The cosine loss leaves the
//! decoder's scale free and there is no coordinate head, so coordinates come back by least squares from
//! y ~ s (W c + b) per joint, W and b the embedding, s > 0. Where coordinates are the decoder's target, they are its
//! output.

use candle_core::{DType, Result, Tensor};
use skeleton_graph::Layout;

use crate::batch::TrackBatch;
use crate::layers::{Linear, Mode};
use crate::mask::Mask;
use crate::model::SkeletonMae;
use crate::objective::Target;

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
        let lift = match model.target() {
            Target::Embedding | Target::EmbeddingWithGradient => {
                Some(Lift::new(model.embedding())?)
            }
            Target::Coordinates => None,
        };
        let hops = layout.adjacency().hops();
        self.parts
            .resize(layout.parts().len(), PartError::default());
        let truth: Vec<f64> = to_f64(&batch.keypoints)?;
        for (part, sum) in layout.parts().iter().zip(&mut self.parts) {
            let hidden: Vec<bool> = (0..layout.len())
                .map(|j| part.joints.contains(&j))
                .collect();
            let mask = Mask::of_tracks(batch, &vec![hidden.clone(); batch.track_clip.len()]);
            let (_, y) = model.forward(&batch.keypoints, &mask, Mode::Eval)?;
            let frames = Frames {
                truth: &truth,
                y: &to_f64(&y)?,
                mask: &mask,
            };
            sum.add(&frames.errors(lift.as_ref(), &hops, &batch.presence, layout.len()));
        }
        Ok(())
    }
}

struct Frames<'a> {
    truth: &'a [f64],
    y: &'a [f64],
    mask: &'a Mask,
}

impl Frames<'_> {
    /// `lift` brings features back to coordinates, where the decoder gives these.
    fn errors(
        &self,
        lift: Option<&Lift>,
        hops: &[Vec<usize>],
        presence: &[bool],
        v: usize,
    ) -> PartError {
        let c = self.truth.len() / presence.len();
        let d = self.y.len() / presence.len();
        let mut sum = PartError::default();
        for row in (0..presence.len()).filter(|&row| self.mask.targets[row]) {
            let (frame, joint) = (row / v, row % v);
            let visible = |i: usize| presence[frame * v + i] && !self.mask.hidden[frame * v + i];
            let at = |i: usize| &self.truth[(frame * v + i) * c..(frame * v + i + 1) * c];
            let Some(baseline) = nearest_mean(&hops[joint], visible, at) else {
                continue;
            };
            let y = &self.y[row * d..(row + 1) * d];
            let found = match lift {
                Some(lift) => lift.coordinates(y),
                None => Some(y.to_vec()),
            };
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
    x.to_dtype(DType::F64)?.flatten_all()?.to_vec1()
}

/// The way back from features to coordinates: with M = \[W b\] (d, c + 1), the least-squares solution z of
/// M z = y is (s c, s).
#[derive(Clone, Debug)]
pub struct Lift {
    coordinates: usize,
    /// (c + 1, d), the pseudo-inverse of M.
    inverse: Vec<Vec<f64>>,
}

impl Lift {
    /// From the embedding.
    ///
    /// # Errors
    /// When the columns of \[W b\] depend on each other, so that coordinates can't be told apart.
    pub fn new(embedding: &Linear) -> Result<Self> {
        let w: Vec<Vec<f64>> = embedding.weight().to_dtype(DType::F64)?.to_vec2()?;
        let b: Vec<f64> = embedding.bias().to_dtype(DType::F64)?.to_vec1()?;
        let c = w.first().map_or(0, Vec::len);
        let mut columns: Vec<Vec<f64>> = (0..c)
            .map(|k| w.iter().map(|row| row[k]).collect())
            .collect();
        columns.push(b);
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let gram = columns
            .iter()
            .map(|a| columns.iter().map(|b| dot(a, b)).collect());
        match solve(gram.collect(), columns) {
            Some(inverse) => Ok(Self {
                coordinates: c,
                inverse,
            }),
            None => candle_core::bail!("the embedding maps different coordinates to one feature"),
        }
    }

    /// Coordinates (c) of a feature y (d); `None` where the best scale isn't positive.
    pub fn coordinates(&self, y: &[f64]) -> Option<Vec<f64>> {
        let product = |row: &Vec<f64>| row.iter().zip(y).map(|(a, b)| a * b).sum::<f64>();
        let z: Vec<f64> = self.inverse.iter().map(product).collect();
        let s = z[self.coordinates];
        (s > 0.0).then(|| z[..self.coordinates].iter().map(|u| u / s).collect())
    }
}

/// X of `left X = right` (the normal equations, row by row), by Gauss-Jordan elimination with
/// pivoting; `None` where `left` is singular.
fn solve(mut left: Vec<Vec<f64>>, mut right: Vec<Vec<f64>>) -> Option<Vec<Vec<f64>>> {
    let n = left.len();
    let scale = left.iter().flatten().fold(0.0, |m: f64, x| m.max(x.abs()));
    for k in 0..n {
        let pivot = (k..n).max_by(|&a, &b| left[a][k].abs().total_cmp(&left[b][k].abs()))?;
        left.swap(k, pivot);
        right.swap(k, pivot);
        let value = left[k][k];
        if value.abs() <= 1e-12 * scale {
            return None;
        }
        left[k]
            .iter_mut()
            .chain(&mut right[k])
            .for_each(|x| *x /= value);
        let (row, values) = (left[k].clone(), right[k].clone());
        for other in (0..n).filter(|&other| other != k) {
            let factor = left[other][k];
            let minus = |to: &mut [f64], from: &[f64]| {
                to.iter_mut()
                    .zip(from)
                    .for_each(|(to, from)| *to -= factor * from);
            };
            minus(&mut left[other], &row);
            minus(&mut right[other], &values);
        }
    }
    Some(right)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

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
