//! Normalisation of a sampled clip.

use serde::{Deserialize, Serialize};

use crate::{ClipView, Error, Result};

/// Added to the standard deviation, so that a motionless point divides by something.
const EPSILON: f64 = 1e-6;

/// Image size (height, width) assumed where the source doesn't know it.
const DEFAULT_IMAGE: (u32, u32) = (1080, 1920);

/// What is subtracted from the coordinates and what divides them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Normalization {
    /// The coordinates as the source has them.
    None,
    /// The mean of each coordinate over the present joints of all tracks and frames is subtracted, then everything
    /// is divided by the one standard deviation of all coordinates (plus 1e-6): people keep their distance and
    /// their proportions.
    #[default]
    Clip,
    /// `(x - w/2) / (w/2)` and `(y - h/2) / (h/2)` with the clip's image size (1920 x 1080 where it is unknown);
    /// two coordinates only.
    Image,
}

impl Normalization {
    /// Normalises the tracks of one clip, (n, t, v, c) with presence (n, t, v); absent joints are 0 and stay it.
    ///
    /// # Errors
    /// `Image` on a clip without exactly two coordinates, or with an image without area.
    pub(crate) fn apply<const C: usize>(
        self,
        view: &ClipView<'_>,
        keypoints: &mut [f32],
        presence: &[f32],
    ) -> Result<()> {
        match self {
            Normalization::None => {}
            Normalization::Clip => standardise::<C>(keypoints, presence),
            Normalization::Image => {
                if C != 2 {
                    let found = format!("{C} coordinates");
                    return Err(Error::clip(
                        view.id,
                        "2 coordinates for normalisation by the image",
                        found,
                    ));
                }
                let (height, width) = view.image.unwrap_or(DEFAULT_IMAGE);
                if height == 0 || width == 0 {
                    return Err(Error::clip(
                        view.id,
                        "an image with an area",
                        format!("{width} x {height} pixels"),
                    ));
                }
                let half = [width as f32 / 2.0, height as f32 / 2.0];
                for (joint, &there) in keypoints.chunks_exact_mut(C).zip(presence) {
                    for (x, half) in joint.iter_mut().zip(half) {
                        *x = (*x - half) / half * there;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Partial sums that are kept side by side: a multiple of 2 and 3 coordinates and of a vector register.
const LANES: usize = 12;

/// The sum of `term(value, lane)` for each coordinate, in a fixed order; a lane holds coordinate `lane % C` only.
fn sums<const C: usize>(keypoints: &[f32], term: impl Fn(f64, usize) -> f64) -> [f64; C] {
    let mut lanes = [0.0f64; LANES];
    let (blocks, rest) = keypoints.as_chunks::<LANES>();
    for block in blocks {
        for lane in 0..LANES {
            lanes[lane] += term(f64::from(block[lane]), lane);
        }
    }
    for (lane, &x) in rest.iter().enumerate() {
        lanes[lane] += term(f64::from(x), lane);
    }
    std::array::from_fn(|c| lanes.iter().skip(c).step_by(C).sum())
}

/// The mean of each coordinate over the present joints; zeros where none is present.
pub(crate) fn mean<const C: usize>(keypoints: &[f32], presence: &[f32]) -> [f64; C] {
    // Absent joints are 0, so they add nothing to the sums.
    let count: f32 = presence.iter().sum();
    sums::<C>(keypoints, |x, _| x).map(|sum| {
        if count > 0.0 {
            sum / f64::from(count)
        } else {
            0.0
        }
    })
}

fn standardise<const C: usize>(keypoints: &mut [f32], presence: &[f32]) {
    let mean = mean::<C>(keypoints, presence);
    let present = presence.iter().filter(|&&there| there != 0.0).count();
    let absent = (presence.len() - present) as f64;
    // Absent joints take part as zeros, and what they add is taken away again.
    let shift: [f64; LANES] = std::array::from_fn(|lane| mean[lane % C]);
    let squares = sums::<C>(keypoints, |x, lane| (x - shift[lane]) * (x - shift[lane]));
    let variance: f64 = (0..C)
        .map(|c| squares[c] - absent * mean[c] * mean[c])
        .sum::<f64>()
        / (present * C).max(1) as f64;
    let factor = 1.0 / (variance.max(0.0).sqrt() + EPSILON);
    let (blocks, rest) = keypoints.as_chunks_mut::<LANES>();
    let scaled = |x: f32, lane: usize| ((f64::from(x) - shift[lane]) * factor) as f32;
    for block in blocks {
        *block = std::array::from_fn(|lane| scaled(block[lane], lane));
    }
    for (lane, x) in rest.iter_mut().enumerate() {
        *x = scaled(*x, lane);
    }
    if absent > 0.0 {
        for (joint, &there) in keypoints.as_chunks_mut::<C>().0.iter_mut().zip(presence) {
            *joint = if there == 0.0 { [0.0; C] } else { *joint };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two joints, two frames, one coordinate pair absent.
    #[test]
    fn absent_joints_take_no_part_and_stay_zero() {
        let mut keypoints = [1.0, 10.0, 3.0, 14.0, 0.0, 0.0, 5.0, 12.0];
        let presence = [1.0, 1.0, 0.0, 1.0];
        standardise::<2>(&mut keypoints, &presence);
        assert_eq!(keypoints[4..6], [0.0, 0.0]);
        let mean = mean::<2>(&keypoints, &presence);
        assert!(mean.iter().all(|m| m.abs() < 1e-6), "{mean:?}");
        let squares: f32 = keypoints.iter().map(|x| x * x).sum();
        assert!((squares / 6.0 - 1.0).abs() < 1e-5, "{squares}");
    }

    #[test]
    fn a_single_point_becomes_the_origin() {
        let mut keypoints = [7.0, 8.0, 9.0];
        standardise::<3>(&mut keypoints, &[1.0]);
        assert_eq!(keypoints, [0.0; 3]);
    }
}
