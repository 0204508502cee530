//! The actions of two people, who face each other on the scene's x.

use std::f64::consts::{FRAC_PI_2, PI, TAU};

use super::action::Action;
use super::body::{Arm, Pose};
use super::course::{between, blend, keys};
use super::dice::Dice;

/// One performance by two people; the first stands on the left as the camera sees them.
#[derive(Clone, Debug)]
pub struct Pair {
    action: Action,
    /// Metres between them: at the beginning, and when they touch.
    apart: f64,
    close: f64,
    /// Who pushes, and with which hands.
    actor: usize,
    hands: [bool; 2],
    /// How far the other is pushed, in metres.
    pushed: f64,
    /// Steps of the approach.
    steps: f64,
    /// Shakes of the hands.
    shakes: f64,
    /// Of both: where a hand is given, and how wide the movement.
    height: f64,
    extent: f64,
}

impl Pair {
    /// Draws how the two do `action`.
    pub fn draw(dice: &mut Dice, action: Action) -> Pair {
        let shakes_hands = action == Action::ShakeHands;
        Pair {
            action,
            apart: if shakes_hands {
                dice.between(1.2, 2.0)
            } else {
                dice.between(0.9, 1.5)
            },
            close: dice.between(0.75, 0.9),
            actor: dice.below(2),
            hands: [[true, true], [true, false], [false, true]][dice.below(3)],
            pushed: dice.between(0.25, 0.6),
            steps: dice.between(1.0, 2.0),
            shakes: (2 + dice.below(3)) as f64,
            height: dice.degrees(35.0, 55.0),
            extent: dice.degrees(6.0, 12.0),
        }
    }

    /// What the rest postures become at `u`, the share of the action that is done.
    pub fn perform(&self, u: f64, poses: &mut [Pose; 2]) {
        match self.action {
            Action::Push => self.push(u, poses),
            _ => self.shake_hands(u, poses),
        }
        // The first faces the scene's right, the second its left; offsets so far were towards the other.
        for (pose, side) in poses.iter_mut().zip([1.0, -1.0]) {
            let forwards = pose.place[1];
            let aside = pose.place[0];
            pose.place = [side * forwards, -side * aside];
            pose.facing += side * FRAC_PI_2;
        }
    }

    fn shake_hands(&self, u: f64, poses: &mut [Pose; 2]) {
        let arrive = 0.45;
        let near = between(u, 0.0, arrive);
        let give = between(u, 0.3, 0.5) * (1.0 - between(u, 0.88, 1.0));
        let shake = if (0.5..0.88).contains(&u) {
            (TAU * self.shakes * (u - 0.5) / 0.38).sin()
        } else {
            0.0
        };
        for pose in poses.iter_mut() {
            pose.place[1] -= (self.apart + (self.close - self.apart) * near) / 2.0;
            walk(pose, PI * self.steps * (u / arrive).min(1.0));
            let given = Arm {
                azimuth: 1.4,
                elevation: self.height + self.extent * shake,
                twist: -0.2,
                elbow: 0.75 - self.extent * shake,
            };
            pose.arms[1] = blend(pose.arms[1], given, give);
        }
    }

    fn push(&self, u: f64, poses: &mut [Pose; 2]) {
        let (actor, other) = (self.actor, 1 - self.actor);
        let near = between(u, 0.0, 0.35);
        let thrust = between(u, 0.38, 0.5) * (1.0 - between(u, 0.7, 1.0));
        let ready = between(u, 0.1, 0.36) * (1.0 - between(u, 0.7, 1.0));
        let away = between(u, 0.45, 0.75);
        poses[actor].place[1] += (self.apart - self.close) * near - self.apart / 2.0;
        walk(&mut poses[actor], PI * self.steps * (u / 0.35).min(1.0));
        for (arm, pushes) in poses[actor].arms.iter_mut().zip(self.hands) {
            let drawn = Arm {
                azimuth: 1.4,
                elevation: 0.5,
                twist: 0.1,
                elbow: 2.0,
            };
            let reached = Arm {
                azimuth: 1.45,
                elevation: self.height + 0.7,
                twist: 0.0,
                elbow: 0.25,
            };
            if pushes {
                *arm = blend(blend(*arm, drawn, ready), reached, thrust);
            }
        }
        poses[actor].bend += (12.0 * thrust).to_radians();
        poses[other].place[1] -= self.apart / 2.0 + self.pushed * away;
        poses[other].bend += keys(u, &[(0.0, 0.0), (0.44, 0.0), (0.58, -18.0), (0.9, 0.0)]);
        walk(&mut poses[other], PI * away);
        for arm in &mut poses[other].arms {
            arm.elevation += keys(u, &[(0.0, 0.0), (0.44, 0.0), (0.6, 28.0), (0.95, 0.0)]);
        }
    }
}

/// The legs and arms of walking; `phase` is 0 standing and each half turn one step.
fn walk(pose: &mut Pose, phase: f64) {
    let swing = 18f64.to_radians() * phase.sin();
    for (side, sign) in [(0, 1.0), (1, -1.0)] {
        pose.legs[side].flexion += sign * swing;
        pose.legs[side].knee += (sign * phase.sin()).max(0.0) * 0.5;
        pose.arms[side].elevation -= 0.5 * sign * swing;
    }
    pose.planted = false;
}
