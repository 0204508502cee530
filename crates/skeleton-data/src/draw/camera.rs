//! Which way is up, and what the viewer sees.

use std::str::FromStr;

use skeleton_graph::Layout;

use crate::geometry::{cross, plus};
use crate::sequence::is_somewhere;
use crate::{ClipView, Error, Result, Units};

/// A coordinate axis with a direction: `y`, `-y`, `z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axis {
    /// 0 for x, 1 for y, 2 for z.
    pub coordinate: usize,
    /// Whether numbers grow along it.
    pub grows: bool,
}

/// The viewer's axes in the clip's coordinates: right, up and away from the viewer. A rotation in space: left stays left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Camera {
    right: [f32; 3],
    up: [f32; 3],
    away: [f32; 3],
    /// What is up.
    pub axis: Axis,
}

impl FromStr for Axis {
    type Err = String;

    fn from_str(text: &str) -> Result<Axis, String> {
        let (name, grows) = match text.strip_prefix('-') {
            Some(name) => (name, false),
            None => (text.strip_prefix('+').unwrap_or(text), true),
        };
        match ["x", "y", "z"].iter().position(|&axis| axis == name) {
            Some(coordinate) => Ok(Axis { coordinate, grows }),
            None => Err("expected x, y or z, with - where numbers grow downwards".to_owned()),
        }
    }
}

impl std::fmt::Display for Axis {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.grows { "" } else { "-" };
        write!(out, "{sign}{}", ["x", "y", "z"][self.coordinate])
    }
}

impl Axis {
    fn unit(self) -> [f32; 3] {
        let mut unit = [0.0; 3];
        unit[self.coordinate] = if self.grows { 1.0 } else { -1.0 };
        unit
    }

    /// What is up in a clip: pixels count downwards; metres are taken to be a Kinect's, y upwards; where the source
    /// normalised them, heads are mostly above legs.
    pub fn usual(units: Units, clip: &ClipView<'_>, layout: &Layout) -> Axis {
        let y = |grows| Axis {
            coordinate: 1,
            grows,
        };
        match units {
            Units::Pixel => y(false),
            Units::Metre => y(true),
            Units::Normalised => {
                from_legs_to_head(clip, layout).unwrap_or(y(clip.coordinates == 3))
            }
        }
    }
}

impl Camera {
    /// A view with `up` upwards. In the plane x points right. In space the viewer looks along z, or along y where z is
    /// up, as the camera did.
    ///
    /// # Errors
    /// An axis that a clip of `coordinates` coordinates doesn't have; x in the plane.
    pub fn new(up: Axis, coordinates: usize) -> Result<Camera> {
        if coordinates == 2 && up.coordinate != 1 {
            return Err(Error::setting("up", "y or -y, for clips in the plane", up));
        }
        let away = Axis {
            coordinate: if up.coordinate == 2 { 1 } else { 2 },
            grows: true,
        }
        .unit();
        let right = match coordinates {
            2 => [1.0, 0.0, 0.0],
            _ => cross(away, up.unit()),
        };
        Ok(Camera {
            right,
            up: up.unit(),
            away,
            axis: up,
        })
    }

    /// A point as (right, up, away).
    pub fn see(&self, point: [f32; 3]) -> [f32; 3] {
        [self.right, self.up, self.away].map(|axis| (0..3).map(|c| axis[c] * point[c]).sum())
    }
}

/// The axis along which the middle of the heads is farthest from the middle of the legs, where the layout names both.
fn from_legs_to_head(clip: &ClipView<'_>, layout: &Layout) -> Option<Axis> {
    let of = |word: &str| -> Vec<usize> {
        let parts = layout.parts().iter();
        let parts = parts.filter(|part| part.name.to_lowercase().contains(word));
        parts.flat_map(|part| part.joints.iter().copied()).collect()
    };
    let (head, legs) = (of("head"), of("leg"));
    let c = clip.coordinates;
    // Of a view that nobody has checked, too.
    let rows = clip.keypoints.len() / (clip.joints * c).max(1);
    let middle = |joints: &[usize]| -> Option<[f64; 3]> {
        let (mut sum, mut n) = ([0.0; 3], 0.0);
        for row in 0..rows {
            for joint in joints.iter().filter(|joint| **joint < clip.joints) {
                let place = clip.place(row * clip.joints + joint);
                if is_somewhere(&place) {
                    sum = plus(sum, place.map(f64::from));
                    n += 1.0;
                }
            }
        }
        (n > 0.0).then(|| sum.map(|x| x / n))
    };
    let (head, legs) = (middle(&head)?, middle(&legs)?);
    let rise = |axis: usize| head[axis] - legs[axis];
    // In the plane, x is never up.
    let axes = if c == 2 { 1..2 } else { 0..3 };
    let coordinate = axes.max_by(|&a, &b| rise(a).abs().total_cmp(&rise(b).abs()))?;
    (rise(coordinate) != 0.0).then(|| Axis {
        coordinate,
        grows: rise(coordinate) > 0.0,
    })
}
