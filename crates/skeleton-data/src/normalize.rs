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

/// The mean of each coordinate over the present joints; zeros where none is present.
pub(crate) fn mean<const C: usize>(keypoints: &[f32], presence: &[f32]) -> [f64; C] {
    // Absent joints are 0, so they add nothing to the sums.
    let mut sums = [0.0f64; C];
    for joint in keypoints.chunks_exact(C) {
        for (sum, &x) in sums.iter_mut().zip(joint) {
            *sum += f64::from(x);
        }
    }
    let count: f32 = presence.iter().sum();
    sums.map(|sum| {
        if count > 0.0 {
            sum / f64::from(count)
        } else {
            0.0
        }
    })
}

fn standardise<const C: usize>(keypoints: &mut [f32], presence: &[f32]) {
    let mean = mean::<C>(keypoints, presence);
    let mut squares = [0.0f64; C];
    for (joint, &there) in keypoints.chunks_exact(C).zip(presence) {
        for c in 0..C {
            let centred = (f64::from(joint[c]) - mean[c]) * f64::from(there);
            squares[c] += centred * centred;
        }
    }
    let values = f64::from(presence.iter().sum::<f32>()) * C as f64;
    let deviation = (squares.iter().sum::<f64>() / values.max(1.0)).sqrt();
    let factor = 1.0 / (deviation + EPSILON);
    for (joint, &there) in keypoints.chunks_exact_mut(C).zip(presence) {
        for c in 0..C {
            joint[c] = ((f64::from(joint[c]) - mean[c]) * factor) as f32 * there;
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
