//! Seeded augmentation of one clip.
//!
//! Everything is drawn once a clip (all tracks and frames turn together), except noise, which is drawn for every
//! coordinate. Draws come in one fixed order, crop, flip, turn, scale, random frames (uniform sampling only), noise, whether
//! a step is on or not: switching one step on leaves the others' numbers alone.

mod noise;

use rand::Rng as _;
use serde::{Deserialize, Serialize};
use skeleton_graph::random::Rng;

use crate::normalize::{Affine, Matrix};
use crate::{Error, Result};

pub(crate) use noise::add_noise;

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
        let settings = [
            ("augment.noise", self.noise, 0.0, f32::MAX, "0 or more"),
            (
                "augment.scale",
                self.scale,
                0.0,
                1.999,
                "0 or more and below 2",
            ),
            ("augment.turn", self.turn, 0.0, f32::MAX, "0 or more"),
            (
                "augment.flip",
                self.flip,
                0.0,
                1.0,
                "a probability from 0 to 1",
            ),
            (
                "augment.crop",
                self.crop,
                f32::MIN_POSITIVE,
                1.0,
                "a share above 0 and at most 1",
            ),
        ];
        for (name, value, low, high, expected) in settings {
            if !(low..=high).contains(&value) {
                return Err(Error::setting(name, expected, value));
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
        Draw {
            share,
            place,
            flip,
            turn,
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
    scale: [f64; 3],
}

impl Draw {
    /// Mirrors, turns and scales, in this order; none where it would change nothing. `up` is the vertical axis.
    pub fn matrix<const C: usize>(&self, up: usize) -> Option<Matrix<C>> {
        if self.turn == 0.0 && self.scale == [1.0; 3] && !self.flip {
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

#[cfg(test)]
mod tests;
