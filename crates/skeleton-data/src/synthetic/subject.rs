//! Who acts: a subject's own lengths and pace, and the posture of one clip.

use std::f64::consts::TAU;

use super::Dice;
use super::body::{Arm, Leg, Limbs, Pose};

/// What a subject keeps through all clips.
#[derive(Clone, Debug, PartialEq)]
pub struct Subject {
    pub limbs: Limbs,
    /// Factor on durations' inverse.
    pub speed: f64,
    /// Factor on the extent of movements.
    pub amplitude: f64,
    /// Trunk's usual bend.
    pub stoop: f64,
}

impl Subject {
    /// Draws subject `name`. Lengths are the usual shares of stature, each varied by itself.
    pub fn draw(seed: u64, name: &str) -> Subject {
        let mut dice = Dice::new(seed, name);
        let stature = dice.between(1.5, 1.95);
        let mut length = |share: f64| stature * share * dice.between(0.92, 1.08);
        let limbs = Limbs {
            lower_trunk: length(0.14),
            upper_trunk: length(0.148),
            neck: length(0.04),
            head: length(0.09),
            shoulder: length(0.115),
            upper_arm: length(0.186),
            forearm: length(0.146),
            hand: length(0.1),
            hip: length(0.058),
            thigh: length(0.245),
            shank: length(0.246),
            foot: length(0.11),
        };
        Subject {
            limbs,
            speed: dice.between(0.8, 1.3),
            amplitude: dice.between(0.75, 1.15),
            stoop: dice.degrees(-3.0, 8.0),
        }
    }
}

/// How a subject stands in one clip when it does nothing. Left and right are drawn alike.
#[derive(Clone, Debug)]
pub struct Posture {
    rest: Pose,
    sways: Vec<Sway>,
}

/// A slow swing of one angle.
#[derive(Clone, Debug)]
struct Sway {
    extent: f64,
    /// Swings a second.
    pace: f64,
    phase: f64,
}

impl Posture {
    /// Draws the posture of one clip: with arms that hang, where an action takes both, and `upright`, where one is told by the
    /// body's height.
    pub fn draw(dice: &mut Dice, subject: &Subject, arms_down: bool, upright: bool) -> Posture {
        let mut arms = [0; 2].map(|_| rest_arm(dice, arms_down));
        let alike = alike_arms(dice);
        if dice.chance(0.35) && !arms_down {
            arms = alike;
        }
        let stance = dice.degrees(0.0, 12.0);
        let crouches = dice.chance(0.25) && !upright;
        let knees = dice.degrees(0.0, if crouches { 40.0 } else { 14.0 });
        let mut legs = [0; 2].map(|_| {
            let knee = knees + dice.degrees(0.0, 8.0);
            Leg {
                flexion: 0.5 * knee + dice.degrees(-5.0, 5.0),
                abduction: stance + dice.degrees(-3.0, 5.0),
                knee,
            }
        });
        // The weight may rest on one leg, the other forwards or bent.
        let (forwards, bent) = (dice.degrees(-5.0, 32.0), dice.degrees(0.0, 50.0));
        let side = dice.below(2);
        if dice.chance(0.6) && !crouches {
            legs[side].flexion += forwards;
            legs[side].knee += bent;
        }
        let rest = Pose {
            bend: subject.stoop + dice.degrees(-3.0, 8.0),
            lean: dice.degrees(-5.0, 5.0),
            turn: dice.degrees(-8.0, 8.0),
            nod: dice.degrees(-8.0, 14.0),
            look: dice.degrees(-30.0, 30.0),
            arms,
            legs,
            planted: true,
            ..Pose::default()
        };
        let sways = [4.0, 3.0, 3.0, 5.0, 10.0, 5.0, 5.0, 7.0, 7.0].map(|extent| Sway {
            extent: dice.degrees(0.2 * extent, extent),
            pace: dice.between(0.2, 0.9),
            phase: dice.between(0.0, TAU),
        });
        Posture {
            rest,
            sways: sways.to_vec(),
        }
    }

    /// The pose after `time` seconds.
    pub fn at(&self, time: f64) -> Pose {
        let mut pose = self.rest.clone();
        let [left, right] = &mut pose.arms;
        let angles = [
            &mut pose.facing,
            &mut pose.bend,
            &mut pose.lean,
            &mut pose.turn,
            &mut pose.look,
            &mut left.elevation,
            &mut right.elevation,
            &mut left.azimuth,
            &mut right.azimuth,
        ];
        for (angle, sway) in angles.into_iter().zip(&self.sways) {
            *angle += sway.extent * (TAU * sway.pace * time + sway.phase).sin();
        }
        pose
    }
}

/// Both arms held before the body.
fn alike_arms(dice: &mut Dice) -> [Arm; 2] {
    let arm = Arm {
        azimuth: dice.degrees(50.0, 90.0),
        elevation: dice.degrees(20.0, 90.0),
        twist: dice.degrees(-40.0, 15.0),
        elbow: dice.degrees(5.0, 110.0),
    };
    [0; 2].map(|_| Arm {
        azimuth: arm.azimuth + dice.degrees(-8.0, 8.0),
        elevation: arm.elevation + dice.degrees(-8.0, 8.0),
        twist: arm.twist + dice.degrees(-8.0, 8.0),
        elbow: arm.elbow + dice.degrees(0.0, 12.0),
    })
}

/// An arm that does nothing: hanging, on the hip, bent in front of the body, or held up.
fn rest_arm(dice: &mut Dice, down: bool) -> Arm {
    // Degrees of azimuth, elevation, twist and elbow, from and to.
    let ranges = match dice.unit() {
        kind if down || kind < 0.45 => [[0.0, 90.0], [5.0, 25.0], [-10.0, 10.0], [5.0, 30.0]],
        kind if kind < 0.58 => [[-20.0, 0.0], [35.0, 50.0], [-60.0, -40.0], [85.0, 110.0]],
        kind if kind < 0.72 => [[60.0, 90.0], [20.0, 50.0], [-40.0, 10.0], [60.0, 110.0]],
        _ => [[10.0, 70.0], [90.0, 150.0], [50.0, 90.0], [40.0, 100.0]],
    };
    let [azimuth, elevation, twist, elbow] = ranges.map(|[from, to]| dice.degrees(from, to));
    Arm {
        azimuth,
        elevation,
        twist,
        elbow,
    }
}
