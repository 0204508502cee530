//! Seeded augmentation of one clip.
//!
//! Everything is drawn once a clip (all tracks and frames turn together), except noise, which is drawn for every
//! coordinate. Draws come in one fixed order, crop, flip, turn, scale, noise, whether a step is on or not: switching one
//! step on leaves the others' numbers alone.

mod noise;

use rand::Rng as _;
use serde::{Deserialize, Serialize};
use skeleton_graph::random::Rng;

use crate::{Error, Result, sample::Window};

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
    /// axis y for three.
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
    share: f64,
    place: f64,
    flip: bool,
    turn: f64,
    scale: [f64; 3],
}

impl Draw {
    /// The window of a clip of `frames` frames.
    pub fn window(&self, frames: usize) -> Window {
        Window::crop(frames, self.share, self.place)
    }

    /// Mirrors, turns and scales about `centre`, in this order; absent joints stay 0. `mirror` is the layout's joint
    /// after a flip; `row` is working memory.
    pub fn transform<const C: usize>(
        &self,
        keypoints: &mut [f32],
        presence: &mut [f32],
        centre: [f64; C],
        mirror: &[usize],
        row: &mut Vec<f32>,
    ) {
        if self.flip {
            swap_joints::<C>(keypoints, mirror, row);
            swap_joints::<1>(presence, mirror, row);
        }
        let unmoved = self.turn == 0.0 && self.scale == [1.0; 3] && !self.flip;
        if unmoved {
            return;
        }
        let (matrix, shift) = self.affine(centre);
        for (joint, &there) in keypoints.chunks_exact_mut(C).zip(presence.iter()) {
            let old: [f32; C] = std::array::from_fn(|c| joint[c]);
            for d in 0..C {
                let moved: f32 = (0..C).map(|c| matrix[d][c] * old[c]).sum();
                joint[d] = (moved + shift[d]) * there;
            }
        }
    }

    /// y = matrix x + shift.
    fn affine<const C: usize>(&self, centre: [f64; C]) -> ([[f32; C]; C], [f32; C]) {
        let (sin, cos) = self.turn.sin_cos();
        // The turn's plane: (x, y) for two coordinates; (x, z) about the vertical y for three. Both as
        // torch_ssl.augment has them.
        let mut matrix = [[0.0f64; C]; C];
        for (c, row) in matrix.iter_mut().enumerate() {
            row[c] = 1.0;
        }
        let (a, b, sin) = if C == 2 {
            (0, 1, sin)
        } else {
            (0, C - 1, -sin)
        };
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
        let shift = std::array::from_fn(|d| {
            let moved: f64 = (0..C).map(|c| matrix[d][c] * centre[c]).sum();
            (centre[d] - moved) as f32
        });
        (matrix.map(|row| row.map(|m| m as f32)), shift)
    }
}

fn swap_joints<const C: usize>(values: &mut [f32], mirror: &[usize], row: &mut Vec<f32>) {
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
