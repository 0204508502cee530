//! What a pose estimator or a depth camera makes of the points: noise, outliers, missing joints, scores.

use super::body::{POINTS, Point};
use super::camera::Camera;
use super::dice::Dice;
use super::rotation::Vec3;

/// What differs between the two kinds of measurement.
#[derive(Clone, Copy, Debug)]
pub struct Sensor {
    /// Standard deviation of what stays through a clip: an estimator's idea of where a joint is.
    pub bias: f64,
    /// Standard deviation that changes from frame to frame, in the coordinates' units.
    pub jitter: f64,
    /// Standard deviation that drifts.
    pub drift: f64,
    /// Standard deviation of an outlier.
    pub outlier: f64,
}

/// Share of the drift that a frame keeps of the one before.
const MEMORY: f64 = 0.85;
/// How likely a burst of missing frames begins in a frame: of a joint in sight, of a hidden one.
const LOSS: [f64; 2] = [0.003, 0.06];
/// How likely a burst ends in a frame.
const RECOVERY: f64 = 0.2;
/// How likely a measured joint is an outlier.
const OUTLIERS: f64 = 0.008;

/// One joint in one frame.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Measured {
    pub place: Vec3,
    /// 0 where the joint is missing.
    pub score: f64,
}

/// The state of one joint's measurement.
#[derive(Clone, Copy, Debug)]
pub struct Channel {
    bias: Vec3,
    drift: Vec3,
    missing: bool,
}

impl Sensor {
    /// A joint at the start of a clip.
    pub fn channel(&self, dice: &mut Dice) -> Channel {
        let [bias, drift] =
            [self.bias, self.drift].map(|spread| [0; 3].map(|_| spread * dice.normal()));
        Channel {
            bias,
            drift,
            missing: false,
        }
    }

    /// Measures `place`, of `coordinates` coordinates, in the next frame.
    pub fn measure(
        &self,
        dice: &mut Dice,
        channel: &mut Channel,
        place: Vec3,
        coordinates: usize,
        hidden: bool,
    ) -> Measured {
        let change = if channel.missing {
            RECOVERY
        } else {
            LOSS[usize::from(hidden)]
        };
        channel.missing ^= dice.chance(change);
        let outlier = dice.chance(OUTLIERS);
        let mut measured = Measured {
            place,
            score: dice.between(0.75, 1.0),
        };
        for c in 0..coordinates {
            let fresh = self.drift * (1.0 - MEMORY * MEMORY).sqrt();
            channel.drift[c] = MEMORY * channel.drift[c] + fresh * dice.normal();
            let spread = if outlier { self.outlier } else { self.jitter };
            measured.place[c] += channel.bias[c] + channel.drift[c] + spread * dice.normal();
        }
        if hidden || outlier {
            measured.score *= 0.5;
        }
        if channel.missing {
            Measured::default()
        } else {
            measured
        }
    }
}

/// Whether the trunk of any body stands between the camera and a point: nearer than the point, and within half the
/// width of the shoulders of the line from neck to pelvis.
pub fn hidden(camera: &Camera, bodies: &[[Vec3; POINTS]], point: Vec3) -> bool {
    let at = camera.project(point);
    bodies.iter().any(|body| {
        let of = |p: Point| body[p as usize];
        let (top, bottom) = (of(Point::Neck), of(Point::Pelvis));
        let nearer = (top[2] + bottom[2]) / 2.0 - point[2] > 0.06;
        let (a, b) = (camera.project(top), camera.project(bottom));
        let (left, right) = (
            camera.project(of(Point::LeftShoulder)),
            camera.project(of(Point::RightShoulder)),
        );
        let half_width = 0.4 * (left[0] - right[0]).hypot(left[1] - right[1]);
        nearer && distance_to_segment(at, a, b) < half_width
    })
}

fn distance_to_segment(p: [f64; 2], a: [f64; 2], b: [f64; 2]) -> f64 {
    let (along, to) = ([b[0] - a[0], b[1] - a[1]], [p[0] - a[0], p[1] - a[1]]);
    let length = (along[0] * along[0] + along[1] * along[1]).max(1e-9);
    let share = ((to[0] * along[0] + to[1] * along[1]) / length).clamp(0.0, 1.0);
    (to[0] - share * along[0]).hypot(to[1] - share * along[1])
}
