//! Seeded augmentation of one clip.
//!
//! Everything is drawn once a clip (all tracks and frames turn together), except noise, which is drawn for every
//! coordinate. Draws come in one fixed order, crop, flip, turn, scale, random frames (uniform sampling only), noise, whether
//! a step is on or not: switching one step on leaves the others' numbers alone. Only the tilt, between scale and random frames, is drawn
//! where it is on: it is younger than the rest.

use std::sync::OnceLock;

use rand::{Rng as _, RngCore as _};
use serde::{Deserialize, Serialize};
use skeleton_graph::random::Rng;

use crate::geometry::Matrix;
use crate::normalize::Affine;
use crate::{Error, Result};

/// How much a training clip is changed. All zeros and `crop = 1` is no augmentation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Augment {
    /// Standard deviation of the normal noise added to every coordinate, in normalised units.
    pub noise: f32,
    /// Each coordinate axis is scaled by its own factor from `1 - scale/2` to `1 + scale/2`.
    pub scale: f32,
    /// Range of the turn in radians: from `-turn/2` to `turn/2`, in the plane for two coordinates, about the vertical
    /// axis for three: y, or z after view alignment.
    pub turn: f32,
    /// Range of the tilt in radians: from `-tilt/2` to `tilt/2`, about the x axis after the turn, as a camera sees that is
    /// higher or lower. In the plane there is none.
    #[serde(default)]
    pub tilt: f32,
    /// Probability of a mirror image: x changes its sign, left and right joints change places.
    pub flip: f32,
    /// Smallest share of a clip's duration that is kept; 1 keeps all. The share is uniform from here to 1.
    pub crop: f32,
}

impl Default for Augment {
    /// No augmentation.
    fn default() -> Self {
        Augment {
            noise: 0.0,
            scale: 0.0,
            turn: 0.0,
            tilt: 0.0,
            flip: 0.0,
            crop: 1.0,
        }
    }
}

impl Augment {
    /// Checks the ranges.
    ///
    /// # Errors
    /// A setting that is not a number or out of its range, by name.
    pub fn check(&self) -> Result<()> {
        let (most, least_share) = (f32::MAX, f32::MIN_POSITIVE);
        let settings = [
            ("noise", self.noise, 0.0, most, "0 or more"),
            ("scale", self.scale, 0.0, 1.999, "0 or more and below 2"),
            ("turn", self.turn, 0.0, most, "0 or more"),
            ("tilt", self.tilt, 0.0, most, "0 or more"),
            ("flip", self.flip, 0.0, 1.0, "a probability from 0 to 1"),
            (
                "crop",
                self.crop,
                least_share,
                1.0,
                "a share above 0 and at most 1",
            ),
        ];
        for (name, value, low, high, expected) in settings {
            if !(low..=high).contains(&value) {
                let name = format!("augment.{name}");
                return Err(Error::setting(&name, expected, value));
            }
        }
        Ok(())
    }

    /// Draws what happens to one clip.
    pub(crate) fn draw(&self, rng: &mut Rng) -> Draw {
        let mut unit = || rng.random::<f64>();
        let share = 1.0 - (1.0 - f64::from(self.crop)) * unit();
        let place = unit();
        let flip = unit() < f64::from(self.flip);
        let turn = (unit() - 0.5) * f64::from(self.turn);
        let scale = [0; 3].map(|_| 1.0 + (unit() - 0.5) * f64::from(self.scale));
        // Last, and only where it is asked for: the numbers of clips that aren't tilted stay what they were.
        let tilt = match self.tilt {
            0.0 => 0.0,
            range => (unit() - 0.5) * f64::from(range),
        };
        Draw {
            share,
            place,
            flip,
            turn,
            tilt,
            scale,
        }
    }
}

/// What happens to one clip, noise apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draw {
    /// Of the clip's duration, what is kept.
    pub share: f64,
    /// How far into the rest it begins, 0 to 1.
    pub place: f64,
    /// Whether left and right change places.
    pub flip: bool,
    turn: f64,
    tilt: f64,
    scale: [f64; 3],
}

impl Draw {
    /// Mirrors, turns, tilts and scales, in this order; none where it would change nothing. `up` is the vertical axis.
    pub fn matrix<const C: usize>(&self, up: usize) -> Option<Matrix<C>> {
        let tilt = if C == 3 { self.tilt } else { 0.0 };
        if self.turn == 0.0 && tilt == 0.0 && self.scale == [1.0; 3] && !self.flip {
            return None;
        }
        let (sin, cos) = self.turn.sin_cos();
        // The turn's plane: (x, y) for two coordinates; for three the one at right angles to the vertical axis. In the
        // plane, and about y, it turns as torch_ssl.augment's does.
        let (a, b, sin) = match (C, up) {
            (2, _) => (0, 1, sin),
            (_, 2) => (0, 1, sin),
            _ => (0, C - 1, -sin),
        };
        let mut matrix = Affine::<C>::identity().matrix;
        matrix[a][a] = cos;
        matrix[a][b] = sin;
        matrix[b][a] = -sin;
        matrix[b][b] = cos;
        if tilt != 0.0 {
            let (sin, cos) = tilt.sin_cos();
            let (y, z) = (matrix[1], matrix[2]);
            for i in 0..C {
                matrix[1][i] = cos * y[i] - sin * z[i];
                matrix[2][i] = sin * y[i] + cos * z[i];
            }
        }
        for (row, scale) in matrix.iter_mut().zip(self.scale) {
            row.iter_mut().for_each(|m| *m *= scale);
            if self.flip {
                row[0] = -row[0];
            }
        }
        Some(matrix)
    }
}

/// Left and right joints of (rows, v, c) change places; `row` is working memory.
pub(crate) fn swap_joints<const C: usize>(
    values: &mut [f32],
    mirror: &[usize],
    row: &mut Vec<f32>,
) {
    for frame in values.chunks_exact_mut(mirror.len() * C) {
        row.clear();
        row.extend_from_slice(frame);
        let old = row.as_chunks::<C>().0;
        for (joint, &other) in frame.as_chunks_mut::<C>().0.iter_mut().zip(mirror) {
            *joint = old[other];
        }
    }
}

/// Adds normal noise of standard deviation `deviation` to every present joint; `bytes` is working memory.
pub(crate) fn add_noise<const C: usize>(
    keypoints: &mut [f32],
    presence: &[f32],
    deviation: f32,
    rng: &mut Rng,
    bytes: &mut Vec<u8>,
) {
    if deviation == 0.0 {
        return;
    }
    bytes.resize(keypoints.len() * 2, 0);
    rng.fill_bytes(bytes);
    let quantiles = normal_quantiles();
    let joints = keypoints
        .chunks_exact_mut(C)
        .zip(bytes.chunks_exact(2 * C))
        .zip(presence);
    for ((joint, bytes), &there) in joints {
        for c in 0..C {
            let index = usize::from(u16::from_le_bytes([bytes[2 * c], bytes[2 * c + 1]]) >> 4);
            joint[c] += quantiles[index] * deviation * there;
        }
    }
}

/// 4,096 equally likely values of the standard normal distribution, with variance 1: one look-up with 12 random bits
/// a value costs a tenth of a logarithm and a cosine.
fn normal_quantiles() -> &'static [f32; 4096] {
    static TABLE: OnceLock<[f32; 4096]> = OnceLock::new();
    TABLE.get_or_init(|| {
        let exact: [f64; 4096] =
            std::array::from_fn(|k| normal_quantile((k as f64 + 0.5) / 4096.0));
        let deviation = (exact.iter().map(|x| x * x).sum::<f64>() / 4096.0).sqrt();
        exact.map(|x| (x / deviation) as f32)
    })
}

/// The standard normal quantile by P. J. Acklam's rational approximation (relative error below 1.2e-9).
#[allow(clippy::excessive_precision, reason = "the coefficients as published")]
fn normal_quantile(p: f64) -> f64 {
    const A: [f64; 6] = [
        -3.969683028665376e+01,
        2.209460984245205e+02,
        -2.759285104469687e+02,
        1.383577518672690e+02,
        -3.066479806614716e+01,
        2.506628277459239e+00,
    ];
    const B: [f64; 6] = [
        -5.447609879822406e+01,
        1.615858368580409e+02,
        -1.556989798598866e+02,
        6.680131188771972e+01,
        -1.328068155288572e+01,
        1.0,
    ];
    const C: [f64; 6] = [
        -7.784894002430293e-03,
        -3.223964580411365e-01,
        -2.400758277161838e+00,
        -2.549732539343734e+00,
        4.374664141464968e+00,
        2.938163982698783e+00,
    ];
    const D: [f64; 5] = [
        7.784695709041462e-03,
        3.224671290700398e-01,
        2.445134137142996e+00,
        3.754408661907416e+00,
        1.0,
    ];
    let polynomial =
        |coefficients: &[f64], x: f64| coefficients.iter().fold(0.0, |sum, a| sum * x + a);
    if p > 0.5 {
        return -normal_quantile(1.0 - p);
    }
    if p < 0.02425 {
        let q = (-2.0 * p.ln()).sqrt();
        return polynomial(&C, q) / polynomial(&D, q);
    }
    let q = p - 0.5;
    polynomial(&A, q * q) * q / polynomial(&B, q * q)
}

#[cfg(test)]
mod tests;
