//! Seeing a reconstruction (Figure 6): coordinates from the decoder's features.
//!
//! Differs from the paper: it doesn't say how its Figure 6 was drawn. The cosine loss leaves the
//! decoder's scale free and there is no coordinate head, so coordinates come back by least squares from
//! y ~ s (W c + b) per joint, W and b the embedding, s > 0.

use candle_core::{DType, Result, Tensor};
use skeleton_graph::Layout;

use crate::batch::TrackBatch;
use crate::layers::{Linear, Mode};
use crate::mask::Mask;
use crate::model::SkeletonMae;

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
        let lift = Lift::new(model.embedding())?;
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
            sum.add(&frames.errors(&lift, &hops, &batch.presence, layout.len()));
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
    fn errors(&self, lift: &Lift, hops: &[Vec<usize>], presence: &[bool], v: usize) -> PartError {
        let (c, d) = (lift.coordinates, self.y.len() / presence.len());
        let mut sum = PartError::default();
        for row in (0..presence.len()).filter(|&row| self.mask.targets[row]) {
            let (frame, joint) = (row / v, row % v);
            let visible = |i: usize| presence[frame * v + i] && !self.mask.hidden[frame * v + i];
            let at = |i: usize| &self.truth[(frame * v + i) * c..(frame * v + i + 1) * c];
            let Some(baseline) = nearest_mean(&hops[joint], visible, at) else {
                continue;
            };
            let found = lift.coordinates(&self.y[row * d..(row + 1) * d]);
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
        let column = |k: usize, i: usize| if k < c { w[i][k] } else { b[i] };
        // Normal equations (M^T M) inverse = M^T, by Gauss-Jordan elimination with pivoting.
        let mut left = vec![vec![0.0; c + 1]; c + 1];
        let mut inverse = vec![vec![0.0; w.len()]; c + 1];
        for k in 0..=c {
            for l in 0..=c {
                left[k][l] = (0..w.len()).map(|i| column(k, i) * column(l, i)).sum();
            }
            inverse[k] = (0..w.len()).map(|i| column(k, i)).collect();
        }
        let scale = (0..=c).map(|k| left[k][k]).fold(0.0, f64::max);
        for k in 0..=c {
            let pivot = (k..=c).max_by(|&a, &b| left[a][k].abs().total_cmp(&left[b][k].abs()));
            let pivot = pivot.unwrap_or(k);
            left.swap(k, pivot);
            inverse.swap(k, pivot);
            if left[k][k].abs() <= 1e-12 * scale {
                candle_core::bail!("the embedding maps different coordinates to the same feature");
            }
            for other in (0..=c).filter(|&other| other != k) {
                let factor = left[other][k] / left[k][k];
                let (row, values) = (left[k].clone(), inverse[k].clone());
                left[other]
                    .iter_mut()
                    .zip(row)
                    .for_each(|(x, r)| *x -= factor * r);
                inverse[other]
                    .iter_mut()
                    .zip(values)
                    .for_each(|(x, r)| *x -= factor * r);
            }
        }
        for (row, left) in inverse
            .iter_mut()
            .enumerate()
            .map(|(k, row)| (row, left[k][k]))
        {
            row.iter_mut().for_each(|x| *x /= left);
        }
        Ok(Self {
            coordinates: c,
            inverse,
        })
    }

    /// Coordinates (c) of a feature y (d); `None` where the best scale isn't positive.
    pub fn coordinates(&self, y: &[f64]) -> Option<Vec<f64>> {
        let product = |row: &Vec<f64>| row.iter().zip(y).map(|(a, b)| a * b).sum::<f64>();
        let z: Vec<f64> = self.inverse.iter().map(product).collect();
        let s = z[self.coordinates];
        (s > 0.0).then(|| z[..self.coordinates].iter().map(|u| u / s).collect())
    }
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
