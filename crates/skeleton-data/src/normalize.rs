//! Normalisation of a sampled clip: an affine map of its coordinates, found from the clip.

mod view;

use serde::{Deserialize, Serialize};

pub use view::View;
pub(crate) use view::{Axes, ViewJoints};

use crate::geometry::{Matrix, product};
use crate::{ClipView, Error, Result};

/// Added to the standard deviation, so that a motionless point divides by something.
const EPSILON: f64 = 1e-6;

/// Image size (height, width) assumed where the source doesn't know it.
const DEFAULT_IMAGE: (u32, u32) = (1080, 1920);

/// What is subtracted from the coordinates and what divides or turns them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Normalization {
    /// The coordinates as the source has them.
    None,
    /// Centred and scaled. The mean of each coordinate over the present joints of all tracks and sampled frames is
    /// subtracted, then everything is divided by the one standard deviation of all coordinates (plus 1e-6): people
    /// keep their distance and their proportions.
    #[default]
    Clip,
    /// pyskl's `PreNormalize2D`: `(x - w/2) / (w/2)` and `(y - h/2) / (h/2)` with the clip's image size (1920 x 1080 where
    /// it is unknown); two coordinates only. Its threshold is [`Reading::score_threshold`](crate::reading::Reading), there
    /// 0.01.
    Image,
    /// pyskl's `PreNormalize3D`: people are moved and turned so that the leading one stands upright and faces
    /// the same way in every clip; three coordinates only.
    View(View),
}

impl Normalization {
    /// The axis that is vertical after it.
    pub(crate) fn up(&self) -> usize {
        match self {
            Normalization::View(_) => 2,
            _ => 1,
        }
    }

    /// Whether it needs the statistics of the sampled clip.
    pub(crate) fn wants_stats(&self) -> bool {
        matches!(self, Normalization::Clip)
    }

    /// The map of one clip; `stats` are those of its sampled joints, `axes` those of its view.
    ///
    /// # Errors
    /// `Image` on a clip without exactly two coordinates, or with an image without area.
    pub(crate) fn affine<const C: usize>(
        &self,
        view: &ClipView<'_>,
        stats: &Stats<C>,
        axes: Option<&Axes>,
    ) -> Result<Option<Affine<C>>> {
        match self {
            Normalization::None => Ok(None),
            Normalization::Clip => {
                let factor = 1.0 / (stats.variance.max(0.0).sqrt() + EPSILON);
                Ok(Some(Affine::scaling([factor; C], stats.mean)))
            }
            Normalization::Image => {
                let half = half_image::<C>(view)?;
                Ok(Some(Affine::scaling(half.map(|half| 1.0 / half), half)))
            }
            Normalization::View(_) => Ok(axes.map(Axes::affine)),
        }
    }
}

/// (w/2, h/2) of the clip's image.
fn half_image<const C: usize>(view: &ClipView<'_>) -> Result<[f64; C]> {
    if C != 2 {
        let found = format!("{C} coordinates");
        let expected = "2 coordinates for normalisation by the image";
        return Err(Error::clip(view.id, expected, found));
    }
    let (height, width) = view.image.unwrap_or(DEFAULT_IMAGE);
    if height == 0 || width == 0 {
        let found = format!("{width} x {height} pixels");
        return Err(Error::clip(view.id, "an image with an area", found));
    }
    Ok(std::array::from_fn(|c| {
        f64::from([width, height][c.min(1)]) / 2.0
    }))
}

/// y = matrix (x - centre) + shift.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Affine<const C: usize> {
    pub matrix: Matrix<C>,
    pub centre: [f64; C],
    pub shift: [f64; C],
}

impl<const C: usize> Affine<C> {
    /// y = factors (x - centre).
    pub fn scaling(factors: [f64; C], centre: [f64; C]) -> Self {
        let row = |d| std::array::from_fn(|c| if c == d { factors[d] } else { 0.0 });
        Affine {
            matrix: std::array::from_fn(row),
            centre,
            shift: [0.0; C],
        }
    }

    /// y = x.
    pub fn identity() -> Self {
        Affine::scaling([1.0; C], [0.0; C])
    }

    /// Where one point goes.
    pub fn at(&self, x: [f64; C]) -> [f64; C] {
        std::array::from_fn(|d| {
            let turned: f64 = (0..C)
                .map(|c| self.matrix[d][c] * (x[c] - self.centre[c]))
                .sum();
            turned + self.shift[d]
        })
    }

    /// This map, then `matrix` about the image of `fixed`.
    pub fn then_about(&self, matrix: &Matrix<C>, fixed: [f64; C]) -> Self {
        Affine {
            matrix: product(matrix, &self.matrix),
            centre: fixed,
            shift: self.at(fixed),
        }
    }

    /// Moves every joint of (rows, v, c); where not all are present, absent ones stay 0.
    pub fn apply(&self, keypoints: &mut [f32], presence: &[f32], complete: bool) {
        let matrix = self.matrix.map(|row| row.map(|m| m as f32));
        let (centre, shift) = (self.centre.map(|x| x as f32), self.shift.map(|x| x as f32));
        let joints = keypoints.as_chunks_mut::<C>().0;
        for joint in &mut *joints {
            let x: [f32; C] = std::array::from_fn(|c| joint[c] - centre[c]);
            *joint = std::array::from_fn(|d| {
                let turned: f32 = (0..C).map(|c| matrix[d][c] * x[c]).sum();
                turned + shift[d]
            });
        }
        if !complete {
            for (joint, &there) in joints.iter_mut().zip(presence) {
                *joint = if there == 0.0 { [0.0; C] } else { *joint };
            }
        }
    }
}

/// Mean and variance of the present joints of all tracks and sampled frames of a clip.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Stats<const C: usize> {
    /// Of each coordinate; zeros where nothing is present.
    pub mean: [f64; C],
    /// Of all coordinates together about their means.
    pub variance: f64,
}

/// Partial sums that are kept side by side: a multiple of 2 and 3 coordinates and of a vector register.
const LANES: usize = 12;

impl<const C: usize> Stats<C> {
    /// Of nothing.
    pub fn none() -> Self {
        Stats {
            mean: [0.0; C],
            variance: 0.0,
        }
    }

    /// Of (n, t, v, c), whose absent joints are 0, with presence (n, t, v).
    pub fn of(keypoints: &[f32], presence: &[f32]) -> Self {
        Self::take::<true>(keypoints, presence)
    }

    /// The same without the variance, which is left 0.
    pub fn mean_of(keypoints: &[f32], presence: &[f32]) -> Self {
        Self::take::<false>(keypoints, presence)
    }

    fn take<const SQUARES: bool>(keypoints: &[f32], presence: &[f32]) -> Self {
        let count = presence.iter().filter(|&&there| there != 0.0).count();
        if count == 0 {
            return Stats::none();
        }
        let joints = keypoints.as_chunks::<C>().0.iter().zip(presence);
        let near: [f64; C] = joints
            .clone()
            .find(|&(_, &there)| there != 0.0)
            .map_or([0.0; C], |(joint, _)| joint.map(f64::from));
        let (sums, squares) = lanes::<SQUARES>(keypoints, |lane| near[lane % C]);
        // Absent joints took part as zeros: what they added is taken away again.
        let (count, absent) = (count as f64, (presence.len() - count) as f64);
        let (mut mean, mut squared) = ([0.0; C], 0.0);
        for c in 0..C {
            let over = |lanes: &[f64; LANES]| -> f64 { lanes.iter().skip(c).step_by(C).sum() };
            let sum = over(&sums) + absent * near[c];
            let square = over(&squares) - absent * near[c] * near[c];
            mean[c] = near[c] + sum / count;
            squared += square - sum * sum / count;
        }
        let variance = if SQUARES {
            squared.max(0.0) / (count * C as f64)
        } else {
            0.0
        };
        Stats { mean, variance }
    }
}

/// Sums and sums of squares about `shift`, in one pass and a fixed order; in f64 and about a point of the clip, so that squares
/// of one far from the origin lose nothing. A lane holds the coordinate `lane % C` alone.
fn lanes<const SQUARES: bool>(
    keypoints: &[f32],
    shift: impl Fn(usize) -> f64,
) -> ([f64; LANES], [f64; LANES]) {
    let shift: [f64; LANES] = std::array::from_fn(shift);
    let (mut sums, mut squares) = ([0.0; LANES], [0.0; LANES]);
    let mut add = |lane: usize, x: f32| {
        let x = f64::from(x) - shift[lane];
        sums[lane] += x;
        if SQUARES {
            squares[lane] += x * x;
        }
    };
    let (blocks, rest) = keypoints.as_chunks::<LANES>();
    for block in blocks {
        for (lane, &x) in block.iter().enumerate() {
            add(lane, x);
        }
    }
    for (lane, &x) in rest.iter().enumerate() {
        add(lane, x);
    }
    (sums, squares)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_joints_stay_zero_and_others_move() {
        let map = Affine {
            matrix: [[0.0, 2.0], [1.0, 0.0]],
            centre: [1.0, 1.0],
            shift: [10.0, 20.0],
        };
        let mut keypoints = [3.0, 4.0, 0.0, 0.0];
        map.apply(&mut keypoints, &[1.0, 0.0], false);
        assert_eq!(keypoints, [16.0, 22.0, 0.0, 0.0]);
        assert_eq!(map.at([3.0, 4.0]), [16.0, 22.0]);
        Affine::<2>::identity().apply(&mut keypoints, &[1.0, 1.0], true);
        assert_eq!(keypoints, [16.0, 22.0, 0.0, 0.0]);
    }

    #[test]
    fn one_after_the_other_about_a_point_is_one() {
        let first = Affine {
            matrix: [[1.0, 2.0], [3.0, 5.0]],
            centre: [7.0, 1.0],
            shift: [0.5, 0.25],
        };
        let (fixed, matrix) = ([2.0, 3.0], [[0.0, -1.0], [4.0, 0.0]]);
        let both = first.then_about(&matrix, fixed);
        assert_eq!(both.at(fixed), first.at(fixed), "the point stays");
        let (x, still) = (first.at([4.0, 9.0]), first.at(fixed));
        let d = [x[0] - still[0], x[1] - still[1]];
        let expected = [still[0] - d[1], still[1] + 4.0 * d[0]];
        let found = both.at([4.0, 9.0]);
        assert!((0..2).all(|c| (found[c] - expected[c]).abs() < 1e-12));
    }

    /// `numpy.array([[1, 10], [3, 14], [5, 12]], float).var(0).mean()` is 2.6666666666666665.
    #[test]
    fn absent_joints_take_no_part() {
        let keypoints = [1.0, 10.0, 3.0, 14.0, 0.0, 0.0, 5.0, 12.0];
        let stats = Stats::<2>::of(&keypoints, &[1.0, 1.0, 0.0, 1.0]);
        assert!((stats.mean[0] - 3.0).abs() < 1e-12 && (stats.mean[1] - 12.0).abs() < 1e-12);
        assert!((stats.variance - 8.0 / 3.0).abs() < 1e-12, "{stats:?}");
        let mean = Stats::<2>::mean_of(&keypoints, &[1.0, 1.0, 0.0, 1.0]);
        assert_eq!((mean.mean, mean.variance), (stats.mean, 0.0));
        let first = Stats::<2>::of(
            &[0.0, 0.0, 1.0, 10.0, 3.0, 14.0, 5.0, 12.0],
            &[0.0, 1.0, 1.0, 1.0],
        );
        assert!((first.variance - 8.0 / 3.0).abs() < 1e-12, "{first:?}");
    }

    #[test]
    fn far_from_the_origin_nothing_is_lost() {
        let far = |x: f32| x + 1024.0;
        let near: Vec<f32> = (0..60).map(|i| (i * i % 37) as f32 / 64.0).collect();
        let moved: Vec<f32> = near.iter().map(|&x| far(x)).collect();
        let (a, b) = (
            Stats::<3>::of(&near, &[1.0; 20]),
            Stats::<3>::of(&moved, &[1.0; 20]),
        );
        assert!((a.variance - b.variance).abs() < 1e-12, "{a:?} {b:?}");
        assert!((0..3).all(|c| (a.mean[c] + 1024.0 - b.mean[c]).abs() < 1e-12));
    }

    #[test]
    fn a_single_point_has_no_variance_and_nothing_no_mean() {
        let one = Stats::<3>::of(&[7.0, 8.0, 9.0], &[1.0]);
        assert_eq!((one.mean, one.variance), ([7.0, 8.0, 9.0], 0.0));
        assert_eq!(Stats::<3>::of(&[0.0; 3], &[0.0]), Stats::none());
    }
}
