//! Seeded augmentation of one clip.
//!
//! Everything is drawn once a clip (all tracks and frames turn together), except noise, which is drawn for every
//! coordinate. Draws come in one fixed order, crop, flip, turn, scale, noise, whether a step is on or not: switching one
//! step on leaves the others' numbers alone.

use std::sync::OnceLock;

use rand::{Rng as _, RngCore as _};
use serde::{Deserialize, Serialize};
use skeleton_graph::random::Rng;

use crate::{Error, Result, sample::Window};

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
            swap_joints(keypoints, C, mirror, row);
            swap_joints(presence, 1, mirror, row);
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

fn swap_joints(values: &mut [f32], c: usize, mirror: &[usize], row: &mut Vec<f32>) {
    for frame in values.chunks_exact_mut(mirror.len() * c) {
        row.clear();
        row.extend_from_slice(frame);
        for (joint, &other) in frame.chunks_exact_mut(c).zip(mirror) {
            joint.copy_from_slice(&row[other * c..(other + 1) * c]);
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
mod tests {
    use super::*;
    use skeleton_graph::random::{Key, Purpose, stream};

    fn draw(flip: bool, turn: f64, scale: [f64; 3]) -> Draw {
        Draw {
            share: 1.0,
            place: 0.0,
            flip,
            turn,
            scale,
        }
    }

    fn points(count: usize, seed: u64) -> Vec<f32> {
        let mut rng = stream(seed, Purpose::Sample, 0, Key::None);
        (0..count)
            .map(|_| rng.random::<f32>() * 4.0 - 2.0)
            .collect()
    }

    fn distance<const C: usize>(values: &[f32], a: usize, b: usize) -> f32 {
        (0..C)
            .map(|c| (values[a * C + c] - values[b * C + c]).powi(2))
            .sum::<f32>()
            .sqrt()
    }

    fn turn_preserves_distances<const C: usize>() {
        let before = points(20 * C, 1);
        for turn in [-2.0, -0.3, 0.7] {
            let mut after = before.clone();
            let centre = [0.5; C];
            draw(false, turn, [1.0; 3]).transform(
                &mut after,
                &mut [1.0; 20],
                centre,
                &[0],
                &mut Vec::new(),
            );
            assert!((before[0] - after[0]).abs() > 1e-3);
            for joint in 1..20 {
                assert!(
                    (distance::<C>(&before, 0, joint) - distance::<C>(&after, 0, joint)).abs()
                        < 1e-5
                );
            }
        }
    }

    #[test]
    fn a_turn_preserves_distances() {
        turn_preserves_distances::<2>();
        turn_preserves_distances::<3>();
    }

    /// The values of torch_ssl.augment's matrices:
    ///
    /// ```python
    /// import torch; th = torch.tensor(0.3); x = torch.tensor([1., 2., 3.])
    /// print(x[:2] @ torch.tensor([[th.cos(), -th.sin()], [th.sin(), th.cos()]]))
    /// print(x @ torch.tensor([[th.cos(), 0, th.sin()], [0, 1, 0], [-th.sin(), 0, th.cos()]]))
    /// ```
    #[test]
    fn turns_are_torch_ssls() {
        let close = |a: &[f32], b: &[f32]| {
            assert!(
                a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5),
                "{a:?} {b:?}"
            )
        };
        let mut plane = [1.0, 2.0];
        draw(false, 0.3, [1.0; 3]).transform(
            &mut plane,
            &mut [1.0],
            [0.0; 2],
            &[0],
            &mut Vec::new(),
        );
        close(&plane, &[1.546376, 1.615153]);
        let mut space = [1.0, 2.0, 3.0];
        draw(false, 0.3, [1.0; 3]).transform(
            &mut space,
            &mut [1.0],
            [0.0; 3],
            &[0],
            &mut Vec::new(),
        );
        close(&space, &[0.068776, 2.0, 3.161530]);
    }

    #[test]
    fn a_flip_mirrors_x_and_swaps_sides_and_twice_is_identity() {
        let (mirror, mut row) = ([0, 2, 1], Vec::new());
        let before = [1.0, 2.0, 3.0, 4.0, 0.0, 0.0];
        let (mut keypoints, mut presence) = (before, [1.0, 1.0, 0.0]);
        let flip = draw(true, 0.0, [1.0; 3]);
        flip.transform(&mut keypoints, &mut presence, [0.0, 9.0], &mirror, &mut row);
        assert_eq!(
            (keypoints, presence),
            ([-1.0, 2.0, 0.0, 0.0, -3.0, 4.0], [1.0, 0.0, 1.0])
        );
        flip.transform(&mut keypoints, &mut presence, [0.0, 9.0], &mirror, &mut row);
        assert_eq!((keypoints, presence), (before, [1.0, 1.0, 0.0]));
        // About another centre the mirror stands there.
        let mut keypoints = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        flip.transform(&mut keypoints, &mut [1.0; 3], [3.0, 0.0], &mirror, &mut row);
        assert_eq!(keypoints, [5.0, 2.0, 1.0, 6.0, 3.0, 4.0]);
    }

    #[test]
    fn scales_are_per_axis_about_the_centre() {
        let mut keypoints = [3.0, 4.0, 5.0];
        let scale = draw(false, 0.0, [2.0, 0.5, 1.0]);
        scale.transform(
            &mut keypoints,
            &mut [1.0],
            [1.0, 2.0, 9.0],
            &[0],
            &mut Vec::new(),
        );
        assert_eq!(keypoints, [5.0, 3.0, 5.0]);
    }

    #[test]
    fn draws_are_symmetric_within_their_ranges_and_independent_of_each_other() {
        let augment = Augment {
            noise: 0.0,
            scale: 0.4,
            turn: 0.6,
            flip: 0.25,
            crop: 0.6,
        };
        let draws: Vec<Draw> = (0..4000)
            .map(|clip| augment.draw(&mut stream(3, Purpose::Augment, 0, Key::Index(clip))))
            .collect();
        let mean = |f: &dyn Fn(&Draw) -> f64| draws.iter().map(f).sum::<f64>() / 4000.0;
        assert!(
            draws
                .iter()
                .all(|d| d.turn.abs() <= 0.3 && (0.6..=1.0).contains(&d.share))
        );
        assert!(
            draws
                .iter()
                .all(|d| d.scale.iter().all(|s| (0.8..=1.2).contains(s)))
        );
        assert!(mean(&|d| d.turn).abs() < 0.01);
        assert!((mean(&|d| f64::from(u8::from(d.flip))) - 0.25).abs() < 0.03);
        assert!((mean(&|d| d.share) - 0.8).abs() < 0.01);
        let turn_only = Augment {
            turn: 0.6,
            ..Augment::default()
        };
        let again = turn_only.draw(&mut stream(3, Purpose::Augment, 0, Key::Index(7)));
        assert_eq!(again.turn, draws[7].turn);
        assert_eq!(
            (again.share, again.flip, again.scale),
            (1.0, false, [1.0; 3])
        );
    }

    #[test]
    fn noise_is_standard_normal_and_spares_absent_joints() {
        // torch.special.ndtri(torch.tensor([0.001, 0.0242, 0.3, 0.975], dtype=torch.float64))
        for (p, x) in [
            (0.001, -3.090_232_3),
            (0.0242, -1.973_839_5),
            (0.3, -0.524_400_5),
            (0.975, 1.959_964),
        ] {
            assert!((normal_quantile(p) - x).abs() < 1e-5, "{p}");
        }
        let (mut keypoints, mut presence) = (vec![0.0f32; 60_000], vec![1.0; 20_000]);
        presence[5] = 0.0;
        let mut rng = stream(0, Purpose::Augment, 0, Key::None);
        add_noise::<3>(&mut keypoints, &presence, 0.5, &mut rng, &mut Vec::new());
        assert_eq!(keypoints[15..18], [0.0; 3]);
        let moment =
            |n: i32| keypoints.iter().map(|x| f64::from(*x).powi(n)).sum::<f64>() / 60_000.0;
        assert!(
            moment(1).abs() < 0.01 && (moment(2) - 0.25).abs() < 0.005,
            "{} {}",
            moment(1),
            moment(2)
        );
        assert!(
            (moment(4) / moment(2).powi(2) - 3.0).abs() < 0.1,
            "{}",
            moment(4)
        );
    }

    #[test]
    fn ranges_are_checked_by_name() {
        assert!(Augment::default().check().is_ok());
        for (augment, name) in [
            (
                Augment {
                    noise: -1.0,
                    ..Augment::default()
                },
                "noise",
            ),
            (
                Augment {
                    scale: 2.0,
                    ..Augment::default()
                },
                "scale",
            ),
            (
                Augment {
                    turn: f32::NAN,
                    ..Augment::default()
                },
                "turn",
            ),
            (
                Augment {
                    flip: 1.5,
                    ..Augment::default()
                },
                "flip",
            ),
            (
                Augment {
                    crop: 0.0,
                    ..Augment::default()
                },
                "crop",
            ),
        ] {
            assert!(augment.check().unwrap_err().to_string().contains(name));
        }
    }
}
