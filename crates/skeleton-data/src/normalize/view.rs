//! View alignment, after pyskl's `PreNormalize3D` (which it has from 2s-AGCN).
//!
//! The leading track is the one seen in the most frames (the earlier one where two are equal); it comes first, and frames
//! without it are dropped. By its first frame everything is moved and turned:
//!
//! 1. the origin joint goes to 0;
//! 2. the spine, from its bottom to its top, is turned onto the z axis, about the axis at right angles to both;
//! 3. the line of the shoulders, from the second to the first, is turned onto the x axis likewise. The second turn tilts the
//!    spine again by as much as the shoulders are not level; pyskl's does, too.
//!
//! A spine or a line of shoulders without length, or turned by less than 1e-6, is left as it is.
//!
//! Where it differs from pyskl: joints are named, so that any layout can be aligned (pyskl takes numbers, and the last joint
//! for the origin of everything but NTU); the frame is the first in which the leading track has all five joints (pyskl
//! takes missing ones for points at 0).

use serde::{Deserialize, Serialize};
use skeleton_graph::Layout;

use super::Affine;
use crate::geometry::{Matrix, cross, dot, minus, product, times};
use crate::sample::Survey;
use crate::{ClipView, Error, Result};

/// Below this a vector has no direction, and an angle is none.
const TINY: f64 = 1e-6;

/// The joints that say how a person stands, by their names in the layout. What is left out is NTU's (layout `ntu25`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct View {
    /// The joint that goes to 0.
    pub origin: String,
    /// Bottom and top of the spine: the z axis.
    pub spine: [String; 2],
    /// Right and left shoulder: the x axis points to the first.
    pub shoulders: [String; 2],
}

impl Default for View {
    /// NTU RGB+D's joints, as pyskl takes them.
    fn default() -> Self {
        View {
            origin: "mid_spine".into(),
            spine: ["base_of_spine".into(), "mid_spine".into()],
            shoulders: ["right_shoulder".into(), "left_shoulder".into()],
        }
    }
}

/// The numbers of a [`View`]'s joints: origin, bottom and top of the spine, first and second shoulder.
pub(crate) type ViewJoints = [usize; 5];

impl View {
    /// Looks the joints up.
    ///
    /// # Errors
    /// Names the joint that the layout doesn't have, and those that it has.
    pub(crate) fn resolve(&self, layout: &Layout) -> Result<ViewJoints> {
        let ([bottom, top], [right, left]) = (&self.spine, &self.shoulders);
        let named = [
            ("origin", &self.origin),
            ("spine", bottom),
            ("spine", top),
            ("shoulders", right),
            ("shoulders", left),
        ];
        let mut found = [0; 5];
        for (found, (place, name)) in found.iter_mut().zip(named) {
            let joint = layout.joints().iter().position(|joint| joint == name);
            *found = joint.ok_or_else(|| {
                let known = layout.joints().join(", ");
                let setting = format!("reading.normalization.view.{place}");
                let expected = format!("a joint of the layout {} ({known})", layout.name());
                Error::setting(&setting, expected, format!("{name:?}"))
            })?;
        }
        Ok(found)
    }
}

/// How one clip is moved and turned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Axes {
    origin: [f64; 3],
    rotation: Matrix<3>,
}

impl Axes {
    /// Of the first kept frame in which the first track has all the joints.
    ///
    /// # Errors
    /// A clip without three coordinates, or without such a frame.
    pub fn find(
        view: &ClipView<'_>,
        threshold: f32,
        survey: &Survey,
        joints: &ViewJoints,
    ) -> Result<Axes> {
        if view.coordinates != 3 {
            let found = format!("{} coordinates", view.coordinates);
            let expected = "3 coordinates for view alignment";
            return Err(Error::clip(view.id, expected, found));
        }
        let row = |frame: &usize| survey.tracks[0] * view.frames + frame;
        let whole = |row: &usize| {
            let there = |&joint| view.is_present(row * view.joints + joint, threshold);
            joints.iter().all(there)
        };
        let Some(row) = survey.frames.iter().map(row).find(whole) else {
            let expected = "a frame with all joints that view alignment goes by";
            return Err(Error::clip(view.id, expected, "none"));
        };
        let at = |joint: usize| view.place(row * view.joints + joint).map(f64::from);
        let [origin, bottom, top, right, left] = joints.map(at);
        Ok(Axes::from(origin, minus(top, bottom), minus(right, left)))
    }

    fn from(origin: [f64; 3], spine: [f64; 3], shoulders: [f64; 3]) -> Axes {
        let upright = turn_onto(spine, [0.0, 0.0, 1.0]);
        let facing = turn_onto(times(&upright, shoulders), [1.0, 0.0, 0.0]);
        Axes {
            origin,
            rotation: product(&facing, &upright),
        }
    }

    /// The map; [`find`](Self::find) saw to the three coordinates.
    pub fn affine<const C: usize>(&self) -> Affine<C> {
        let (origin, rotation) = (self.origin, self.rotation);
        Affine {
            matrix: std::array::from_fn(|i| std::array::from_fn(|j| rotation[i.min(2)][j.min(2)])),
            centre: std::array::from_fn(|i| origin[i.min(2)]),
            shift: [0.0; C],
        }
    }
}

/// The rotation that takes the direction of `from` to the unit vector `to` about the axis at right angles to both.
fn turn_onto(from: [f64; 3], to: [f64; 3]) -> Matrix<3> {
    let axis = cross(from, to);
    let angle = match size(from) < TINY {
        true => 0.0,
        false => (dot(from, to) / dot(from, from).sqrt())
            .clamp(-1.0, 1.0)
            .acos(),
    };
    // A direction opposite to its goal has no axis: pyskl leaves it as it is.
    if size(axis) < TINY || angle < TINY {
        return Affine::identity().matrix;
    }
    // Rodrigues: I + sin K + (1 - cos) K^2, K the cross product with the axis.
    let length = dot(axis, axis).sqrt();
    let [x, y, z] = axis.map(|a| a / length);
    let k = [[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]];
    let (k2, (sin, cos)) = (product(&k, &k), angle.sin_cos());
    std::array::from_fn(|i| {
        std::array::from_fn(|j| {
            let unit = if i == j { 1.0 } else { 0.0 };
            unit + sin * k[i][j] + (1.0 - cos) * k2[i][j]
        })
    })
}

/// The sum of the absolute values.
fn size(a: [f64; 3]) -> f64 {
    a.iter().map(|x| x.abs()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_reaches_its_goal_and_is_a_rotation() {
        for from in [[1.0, 2.0, 3.0], [-0.1, 0.4, -2.0], [0.0, 0.0, 5.0]] {
            let turn = turn_onto(from, [0.0, 0.0, 1.0]);
            let there = times(&turn, from);
            let length = dot(from, from).sqrt();
            assert!(
                size(minus(there, [0.0, 0.0, length])) < 1e-12,
                "{from:?} {there:?}"
            );
            let transposed = std::array::from_fn(|i| std::array::from_fn(|j| turn[j][i]));
            let unit = product(&turn, &transposed);
            let identity = Affine::<3>::identity().matrix;
            for (row, expected) in unit.into_iter().zip(identity) {
                assert!(size(minus(row, expected)) < 1e-12);
            }
        }
    }

    #[test]
    fn what_has_no_direction_is_not_turned() {
        let still = Affine::<3>::identity().matrix;
        assert_eq!(turn_onto([0.0; 3], [0.0, 0.0, 1.0]), still);
        assert_eq!(turn_onto([0.0, 0.0, -2.0], [0.0, 0.0, 1.0]), still);
    }

    #[test]
    fn somebody_upright_who_faces_the_camera_is_only_moved() {
        let axes = Axes::from([1.0, 2.0, 3.0], [0.0, 0.0, 0.3], [0.4, 0.0, 0.0]);
        let map = axes.affine::<3>();
        assert_eq!(map.matrix, Affine::<3>::identity().matrix);
        assert_eq!(map.at([1.5, 2.0, 3.0]), [0.5, 0.0, 0.0]);
    }

    #[test]
    fn joints_are_found_by_name_or_named() {
        let ntu = Layout::built_in("ntu25").unwrap();
        let joints = View::default().resolve(&ntu).unwrap();
        assert_eq!(joints, [1, 0, 1, 8, 4]);
        let kinect = Layout::built_in("ucla20").unwrap();
        let error = View::default().resolve(&kinect).unwrap_err().to_string();
        assert!(
            error.contains("view.origin")
                && error.contains("\"mid_spine\"")
                && error.contains("hip_centre"),
            "{error}"
        );
    }
}
