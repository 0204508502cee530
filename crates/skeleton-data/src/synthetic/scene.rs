//! One clip, from bodies that move through a scene over the camera that sees them to what a pose estimator or a depth camera makes
//! of their points: noise, outliers, missing joints, scores.

use super::Dice;
use super::action::{Action, Pair, Script};
use super::body::{POINTS, Point, Pose, Rotation, Vec3, points};
use super::subject::{Posture, Subject};
use crate::geometry::plus;

/// Frames a second.
const RATE: f64 = 30.0;
/// Fewest and most frames of a clip.
pub const FRAMES: (usize, usize) = (24, 120);

/// The poses of one clip.
pub struct Scene {
    /// (t), each the poses of all persons.
    pub frames: Vec<Vec<Pose>>,
}

impl Scene {
    /// Draws the clip in which `subjects` (as many as the action takes) do `action`.
    pub fn draw(dice: &mut Dice, action: Action, subjects: &[&Subject]) -> Scene {
        let facts = action.facts();
        let mut posture = |s: &&Subject| Posture::draw(dice, s, facts.both_arms, facts.height);
        let postures: Vec<Posture> = subjects.iter().map(&mut posture).collect();
        let script = Script::draw(dice, action, subjects[0]);
        let pair = Pair::draw(dice, action);
        let facing = dice.degrees(-10.0, 10.0);
        let (before, after) = (dice.between(0.05, 0.8), dice.between(0.05, 0.8));
        let total = before + script.duration + after;
        let count = ((total * RATE).round() as usize).clamp(FRAMES.0, FRAMES.1);
        let frames = (0..count).map(|frame| {
            let time = total * frame as f64 / (count - 1) as f64;
            let u = ((time - before) / script.duration).clamp(0.0, 1.0);
            let mut poses: Vec<Pose> = postures.iter().map(|posture| posture.at(time)).collect();
            if let [first, second] = poses.as_mut_slice() {
                let mut both = [first.clone(), second.clone()];
                pair.perform(u, &mut both);
                [*first, *second] = both;
            } else {
                poses.iter_mut().for_each(|pose| script.perform(u, pose));
            }
            poses.iter_mut().for_each(|pose| pose.facing += facing);
            poses
        });
        Scene {
            frames: frames.collect(),
        }
    }

    /// The points of all persons in frame `frame`.
    pub fn points(&self, frame: usize, subjects: &[&Subject]) -> Vec<[Vec3; POINTS]> {
        let poses = self.frames[frame].iter().zip(subjects);
        poses
            .map(|(pose, subject)| points(&subject.limbs, pose))
            .collect()
    }
}

/// Image size in pixels: height, width.
pub const IMAGE: (u32, u32) = (1080, 1920);

/// One viewpoint. The scene's front looks at a camera without yaw.
#[derive(Clone, Debug)]
pub struct Camera {
    turn: Rotation,
    /// Of the scene's ground origin before the camera.
    offset: Vec3,
    focal: f64,
}

impl Camera {
    /// Draws a viewpoint: within 40 degrees of the front, since farther round left and right arms hide each other and
    /// a step aside becomes a step away.
    pub fn draw(dice: &mut Dice) -> Camera {
        let turn = Rotation::z(dice.degrees(-4.0, 4.0))
            .of(Rotation::x(dice.degrees(0.0, 16.0)))
            .of(Rotation::y(dice.degrees(-40.0, 40.0)));
        let mut between = |low, high| dice.between(low, high);
        Camera {
            turn,
            offset: [between(-0.6, 0.6), -between(0.8, 1.2), -between(3.2, 5.0)],
            focal: between(950.0, 1150.0),
        }
    }

    /// The point before the camera: x to the camera's right, y up, z towards the camera (negative before it).
    pub fn see(&self, point: Vec3) -> Vec3 {
        plus(self.turn.apply(point), self.offset)
    }

    /// Pixels of a seen point, y down.
    pub fn project(&self, seen: Vec3) -> [f64; 2] {
        let (height, width) = (f64::from(IMAGE.0), f64::from(IMAGE.1));
        let scale = self.focal / -seen[2];
        let (x, y) = (scale * seen[0], scale * seen[1]);
        [width / 2.0 + x, height / 2.0 - y]
    }
}

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
        let change = match channel.missing {
            true => RECOVERY,
            false => LOSS[usize::from(hidden)],
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
        match channel.missing {
            true => Measured::default(),
            false => measured,
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
        let [left, right] =
            [Point::LeftShoulder, Point::RightShoulder].map(|p| camera.project(of(p)));
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
