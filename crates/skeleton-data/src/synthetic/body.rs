//! The articulated body: limb lengths, joint angles, and forward kinematics from one to points in space: x to the body's left, y up,
//! z forwards.

use serde::Deserialize;
use serde::de::value::{Error, StrDeserializer};

use crate::geometry::{Matrix, plus, product, times};

/// A point or a direction.
pub type Vec3 = [f64; 3];

/// An orthonormal matrix.
#[derive(Clone, Copy, Debug)]
pub struct Rotation(Matrix<3>);

impl Rotation {
    /// About x: y turns towards z.
    pub fn x(angle: f64) -> Rotation {
        let (sin, cos) = angle.sin_cos();
        Rotation([[1.0, 0.0, 0.0], [0.0, cos, -sin], [0.0, sin, cos]])
    }

    /// About y: z turns towards x.
    pub fn y(angle: f64) -> Rotation {
        let (sin, cos) = angle.sin_cos();
        Rotation([[cos, 0.0, sin], [0.0, 1.0, 0.0], [-sin, 0.0, cos]])
    }

    /// About z: x turns towards y.
    pub fn z(angle: f64) -> Rotation {
        let (sin, cos) = angle.sin_cos();
        Rotation([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
    }

    /// The rotation that applies `inner` first.
    pub fn of(self, inner: Rotation) -> Rotation {
        Rotation(product(&self.0, &inner.0))
    }

    /// The turned vector.
    pub fn apply(self, v: Vec3) -> Vec3 {
        times(&self.0, v)
    }
}

/// Left and right, as indices.
pub const SIDES: [usize; 2] = [0, 1];

/// A point of the body that some layout has as a joint, by its name there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(usize)]
#[rustfmt::skip]
pub enum Point {
    #[serde(rename = "base_of_spine")]
    Pelvis,
    #[serde(rename = "mid_spine")]
    Spine,
    #[serde(rename = "spine_at_shoulders")]
    Chest,
    Neck, Head, Nose,
    LeftEye, LeftEar, LeftShoulder, LeftElbow, LeftWrist, LeftHand,
    #[serde(rename = "left_hand_tip")]
    LeftTip,
    LeftThumb, LeftHip, LeftKnee, LeftAnkle, LeftFoot,
    RightEye, RightEar, RightShoulder, RightElbow, RightWrist, RightHand,
    #[serde(rename = "right_hand_tip")]
    RightTip,
    RightThumb, RightHip, RightKnee, RightAnkle, RightFoot,
}

/// How many points there are.
pub const POINTS: usize = Point::RightFoot as usize + 1;
/// From a left point to its right one.
const TO_RIGHT: usize = Point::RightEye as usize - Point::LeftEye as usize;

impl Point {
    /// The point that a layout's joint name means.
    pub fn named(joint: &str) -> Option<Point> {
        Point::deserialize(StrDeserializer::<Error>::new(joint)).ok()
    }
}

/// Lengths in metres, the same on both sides.
#[derive(Clone, Debug, PartialEq)]
pub struct Limbs {
    pub lower_trunk: f64,
    pub upper_trunk: f64,
    pub neck: f64,
    pub head: f64,
    /// From the spine to a shoulder.
    pub shoulder: f64,
    pub upper_arm: f64,
    pub forearm: f64,
    pub hand: f64,
    /// From the pelvis to a hip.
    pub hip: f64,
    pub thigh: f64,
    pub shank: f64,
    pub foot: f64,
}

/// An arm's joint angles in radians. At rest (all zero) it hangs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Arm {
    /// Where the arm is raised to: 0 sideways, a quarter turn forwards.
    pub azimuth: f64,
    /// How far it is raised from hanging.
    pub elevation: f64,
    /// Of the upper arm about itself; positive turns a bent forearm outwards.
    pub twist: f64,
    pub elbow: f64,
}

/// A leg's joint angles in radians. At rest it stands.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Leg {
    /// Forwards.
    pub flexion: f64,
    /// Sideways, away from the other leg.
    pub abduction: f64,
    pub knee: f64,
}

/// All joint angles of a body, and where it stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pose {
    /// Where the body is on the ground, (x, z); see `planted`.
    pub place: [f64; 2],
    /// Height of the lowest foot above the ground.
    pub jump: f64,
    /// Which way the body faces: z turned towards x.
    pub facing: f64,
    /// Of the upper trunk: forwards, to the right, to the left about the vertical.
    pub bend: f64,
    pub lean: f64,
    pub turn: f64,
    /// Of the head: down, to the left.
    pub nod: f64,
    pub look: f64,
    pub arms: [Arm; 2],
    pub legs: [Leg; 2],
    /// Whether `place` is where the ankles' middle is, instead of the pelvis.
    pub planted: bool,
}

/// Forward kinematics: the points of a body of these lengths in this pose, y up from the ground.
pub fn points(limbs: &Limbs, pose: &Pose) -> [Vec3; POINTS] {
    let mut points = [[0.0; 3]; POINTS];
    let pelvis = Rotation::y(pose.facing);
    trunk_and_arms(limbs, pose, pelvis, &mut points);
    for side in SIDES {
        leg(limbs, &pose.legs[side], pelvis, side, &mut points);
    }
    let at = |side: usize, point: Point| points[point as usize + side * TO_RIGHT];
    let ankles = SIDES.map(|side| at(side, Point::LeftAnkle));
    let soles = ankles.map(|ankle| ankle[1] - ANKLE_HEIGHT).into_iter();
    let toes = SIDES.map(|side| at(side, Point::LeftFoot)[1]);
    let lowest = soles.chain(toes).fold(f64::INFINITY, f64::min);
    let middle = |axis: usize| ankles.iter().map(|ankle| ankle[axis] / 2.0).sum::<f64>();
    let planted = match pose.planted {
        true => [middle(0), middle(2)],
        false => [0.0; 2],
    };
    let up = pose.jump - lowest;
    let shift = [pose.place[0] - planted[0], up, pose.place[1] - planted[1]];
    points.map(|point| plus(point, shift))
}

/// Of an ankle above the sole, in metres.
const ANKLE_HEIGHT: f64 = 0.07;

fn trunk_and_arms(limbs: &Limbs, pose: &Pose, pelvis: Rotation, points: &mut [Vec3; POINTS]) {
    let spine = pelvis.apply([0.0, limbs.lower_trunk, 0.0]);
    let chest_turn = pelvis
        .of(Rotation::y(pose.turn))
        .of(Rotation::z(pose.lean))
        .of(Rotation::x(pose.bend));
    let chest = plus(spine, chest_turn.apply([0.0, limbs.upper_trunk, 0.0]));
    let neck = plus(chest, chest_turn.apply([0.0, limbs.neck, 0.0]));
    let head_turn = chest_turn
        .of(Rotation::y(pose.look))
        .of(Rotation::x(pose.nod));
    let of_head =
        |x: f64, y: f64, z: f64| plus(neck, head_turn.apply([x, y, z].map(|a| a * limbs.head)));
    points[Point::Spine as usize] = spine;
    points[Point::Chest as usize] = chest;
    points[Point::Neck as usize] = neck;
    points[Point::Head as usize] = of_head(0.0, 1.0, 0.0);
    points[Point::Nose as usize] = of_head(0.0, 0.75, 0.75);
    for side in SIDES {
        let left = sign(side);
        let mut set = |point: Point, place: Vec3| points[point as usize + side * TO_RIGHT] = place;
        set(Point::LeftEye, of_head(0.25 * left, 1.0, 0.65));
        set(Point::LeftEar, of_head(0.5 * left, 0.9, 0.0));
        let arm = pose.arms[side];
        let shoulder = plus(chest, chest_turn.apply([limbs.shoulder * left, 0.0, 0.0]));
        // The upper arm swings from hanging in the plane of the azimuth, then turns about itself.
        let swing = Rotation::y(-left * arm.azimuth)
            .of(Rotation::z(left * arm.elevation))
            .of(Rotation::y(left * arm.azimuth));
        let upper = chest_turn.of(swing).of(Rotation::y(left * arm.twist));
        let elbow = plus(shoulder, upper.apply([0.0, -limbs.upper_arm, 0.0]));
        let fore = upper.of(Rotation::x(-arm.elbow));
        let along = |length: f64, forwards: f64| plus(elbow, fore.apply([0.0, -length, forwards]));
        set(Point::LeftShoulder, shoulder);
        set(Point::LeftElbow, elbow);
        set(Point::LeftWrist, along(limbs.forearm, 0.0));
        let palm = limbs.forearm + 0.5 * limbs.hand;
        set(Point::LeftHand, along(palm, 0.0));
        set(Point::LeftTip, along(limbs.forearm + limbs.hand, 0.0));
        set(Point::LeftThumb, along(palm, 0.35 * limbs.hand));
    }
}

fn leg(limbs: &Limbs, leg: &Leg, pelvis: Rotation, side: usize, points: &mut [Vec3; POINTS]) {
    let left = sign(side);
    let mut set = |point: Point, place: Vec3| points[point as usize + side * TO_RIGHT] = place;
    let hip = pelvis.apply([limbs.hip * left, 0.0, 0.0]);
    let thigh = pelvis
        .of(Rotation::z(left * leg.abduction))
        .of(Rotation::x(-leg.flexion));
    let knee = plus(hip, thigh.apply([0.0, -limbs.thigh, 0.0]));
    let shank = thigh.of(Rotation::x(leg.knee));
    let ankle = plus(knee, shank.apply([0.0, -limbs.shank, 0.0]));
    set(Point::LeftHip, hip);
    set(Point::LeftKnee, knee);
    set(Point::LeftAnkle, ankle);
    // The foot keeps its angle to the shank, a little above a right one.
    let foot = shank.apply([0.0, -0.4 * limbs.foot, 0.9 * limbs.foot]);
    set(Point::LeftFoot, plus(ankle, foot));
}

/// The direction of a side on the body's x.
fn sign(side: usize) -> f64 {
    if side == 0 { 1.0 } else { -1.0 }
}
