//! The classes, and the joint angles of those that one person does.

use std::f64::consts::{PI, TAU};

use super::body::{Arm, Pose};
use super::course::{between, blend, keys, smooth};
use super::dice::Dice;
use super::subject::Subject;

/// A class. Most come in pairs that differ in one limb, in a direction or in a count only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[rustfmt::skip]
pub enum Action {
    WaveLeft, WaveRight, KickLeft, KickRight, CircleOutwards, CircleInwards, HopOnce, HopThrice,
    ClapTwice, ClapFour, StepLeft, StepRight, SitDown, StandUp, ShakeHands, Push,
}

impl Action {
    /// All classes; a clip's label is its place here.
    #[rustfmt::skip]
    pub const ALL: [Action; 16] = [
        Action::WaveLeft, Action::WaveRight, Action::KickLeft, Action::KickRight,
        Action::CircleOutwards, Action::CircleInwards, Action::HopOnce, Action::HopThrice,
        Action::ClapTwice, Action::ClapFour, Action::StepLeft, Action::StepRight,
        Action::SitDown, Action::StandUp, Action::ShakeHands, Action::Push,
    ];

    /// The class's name.
    pub fn name(self) -> &'static str {
        match self {
            Action::WaveLeft => "wave the left hand",
            Action::WaveRight => "wave the right hand",
            Action::KickLeft => "kick with the left leg",
            Action::KickRight => "kick with the right leg",
            Action::CircleOutwards => "circle the arms outwards",
            Action::CircleInwards => "circle the arms inwards",
            Action::HopOnce => "hop once",
            Action::HopThrice => "hop three times",
            Action::ClapTwice => "clap twice",
            Action::ClapFour => "clap four times",
            Action::StepLeft => "step to the left",
            Action::StepRight => "step to the right",
            Action::SitDown => "sit down",
            Action::StandUp => "stand up",
            Action::ShakeHands => "walk up and shake hands",
            Action::Push => "push the other away",
        }
    }

    /// How many people it takes.
    pub fn persons(self) -> usize {
        if matches!(self, Action::ShakeHands | Action::Push) {
            2
        } else {
            1
        }
    }

    /// Whether it is told by the height of the body, so that nobody may crouch beforehand.
    pub fn changes_height(self) -> bool {
        matches!(self, Action::SitDown | Action::StandUp)
    }

    /// Whether both arms are part of it, so that neither may be held up or on the hip beforehand.
    pub fn takes_both_arms(self) -> bool {
        use Action::*;
        matches!(
            self,
            CircleOutwards | CircleInwards | ClapTwice | ClapFour | ShakeHands | Push
        )
    }
}

/// One performance of an action: what varies from clip to clip.
#[derive(Clone, Debug)]
pub struct Script {
    pub action: Action,
    /// Seconds.
    pub duration: f64,
    /// Repetitions.
    cycles: f64,
    amplitude: f64,
    /// Whether an arm comes up at the start and goes down at the end, or is up all the time.
    ramped: bool,
    /// The acting arm, where one acts.
    arm: Arm,
    /// What else is free, in 0..1.
    free: [f64; 3],
}

impl Script {
    /// Draws how `subject` does `action`.
    pub fn draw(dice: &mut Dice, action: Action, subject: &Subject) -> Script {
        use Action::*;
        let cycles = match action {
            WaveLeft | WaveRight | ShakeHands => (2 + dice.below(3)) as f64,
            CircleOutwards | CircleInwards => dice.between(1.5, 3.0),
            HopThrice => 3.0,
            ClapTwice => 2.0,
            ClapFour => 4.0,
            StepLeft | StepRight => (1 + dice.below(2)) as f64,
            _ => 1.0,
        };
        let seconds = match action {
            WaveLeft | WaveRight => 0.5 + 0.45 * cycles,
            KickLeft | KickRight => 1.2,
            CircleOutwards | CircleInwards => 0.3 + 0.8 * cycles,
            HopOnce | HopThrice => 0.7 * cycles,
            ClapTwice | ClapFour => 0.5 + 0.4 * cycles,
            StepLeft | StepRight => 0.8 * cycles,
            SitDown | StandUp => 1.3,
            ShakeHands => 1.7 + 0.25 * cycles,
            Push => 1.7,
        };
        let arm = Arm {
            azimuth: dice.degrees(10.0, 60.0),
            elevation: dice.degrees(90.0, 145.0),
            twist: dice.degrees(60.0, 90.0),
            elbow: dice.degrees(55.0, 95.0),
        };
        Script {
            action,
            duration: seconds / (subject.speed * dice.between(0.88, 1.14)),
            cycles,
            amplitude: subject.amplitude * dice.between(0.85, 1.15),
            ramped: dice.chance(0.5),
            arm,
            free: [0; 3].map(|_| dice.unit()),
        }
    }

    /// What the rest posture becomes at `u`, the share of the action that is done (0 before it, 1 after it).
    pub fn perform(&self, u: f64, pose: &mut Pose) {
        match self.action {
            Action::WaveLeft => self.wave(u, &mut pose.arms[0]),
            Action::WaveRight => self.wave(u, &mut pose.arms[1]),
            Action::KickLeft => self.kick(u, 0, pose),
            Action::KickRight => self.kick(u, 1, pose),
            Action::CircleOutwards => self.circle(u, -1.0, pose),
            Action::CircleInwards => self.circle(u, 1.0, pose),
            Action::HopOnce | Action::HopThrice => self.hop(u, pose),
            Action::ClapTwice | Action::ClapFour => self.clap(u, pose),
            Action::StepLeft => self.step(u, 0, pose),
            Action::StepRight => self.step(u, 1, pose),
            Action::SitDown => self.sit(smooth(u), pose),
            Action::StandUp => self.sit(1.0 - smooth(u), pose),
            // Two people's joint angles depend on each other: see `pair`.
            Action::ShakeHands | Action::Push => {}
        }
    }

    /// 1 while an arm is at work, rising and falling at the ends.
    fn work(&self, u: f64, ends: f64) -> f64 {
        if self.ramped {
            between(u, 0.0, ends) * (1.0 - between(u, 1.0 - ends, 1.0))
        } else {
            1.0
        }
    }

    fn wave(&self, u: f64, arm: &mut Arm) {
        let swing = (26.0 * self.amplitude).to_radians() * (TAU * self.cycles * u).sin();
        let up = Arm {
            elbow: self.arm.elbow + swing,
            ..self.arm
        };
        *arm = blend(*arm, up, self.work(u, 0.2));
    }

    fn kick(&self, u: f64, side: usize, pose: &mut Pose) {
        let a = self.amplitude;
        // Whatever the leg did before, the kick is the same.
        let rest = 1.0 - between(u, 0.0, 0.3) * (1.0 - between(u, 0.58, 1.0));
        let leg = &mut pose.legs[side];
        leg.flexion =
            rest * leg.flexion + keys(u, &[(0.0, 0.0), (0.3, -14.0), (0.58, 76.0 * a), (1.0, 0.0)]);
        let knee = [
            (0.0, 0.0),
            (0.32, 75.0),
            (0.58, 8.0),
            (0.8, 25.0),
            (1.0, 0.0),
        ];
        leg.knee = rest * leg.knee + keys(u, &knee);
        let outwards = 8.0 + 14.0 * self.free[1];
        leg.abduction += keys(u, &[(0.0, 0.0), (0.3, 4.0), (0.58, outwards), (1.0, 0.0)]);
        pose.bend += keys(u, &[(0.0, 0.0), (0.3, 7.0), (0.58, -9.0), (1.0, 0.0)]);
        pose.arms[1 - side].elevation +=
            keys(u, &[(0.0, 0.0), (0.58, 18.0 * self.free[0]), (1.0, 0.0)]);
        // The standing leg carries the body.
        pose.planted = false;
    }

    /// Both hands draw circles in front of the body; `direction` 1 is inwards at the top.
    fn circle(&self, u: f64, direction: f64, pose: &mut Pose) {
        let cone = (20.0 + 18.0 * self.amplitude).to_radians();
        let phase = TAU * (self.free[0] + direction * self.cycles * u);
        let elbow = (5.0 + 25.0 * self.free[1]).to_radians();
        let work = self.work(u, 0.15);
        for arm in &mut pose.arms {
            // About a direction forwards and a little outwards: (outwards, up, forwards).
            let (sin, cos) = cone.sin_cos();
            let out = 0.35 * cos + sin * phase.cos();
            let up = (0.3 * self.free[2] - 0.1) * cos + sin * phase.sin();
            let forwards = 0.9 * cos;
            let length = (out * out + up * up + forwards * forwards).sqrt();
            let circling = Arm {
                azimuth: forwards.atan2(out),
                elevation: (-up / length).clamp(-1.0, 1.0).acos(),
                twist: 0.0,
                elbow,
            };
            *arm = blend(*arm, circling, work);
        }
    }

    fn hop(&self, u: f64, pose: &mut Pose) {
        let phase = (self.cycles * u).fract();
        let phase = if u >= 1.0 { 1.0 } else { phase };
        let crouch = keys(
            phase,
            &[
                (0.0, 0.0),
                (0.22, 1.0),
                (0.36, 0.0),
                (0.66, 0.0),
                (0.8, 0.8),
                (1.0, 0.0),
            ],
        );
        // `keys` takes degrees; the crouch is a share of these angles.
        let crouch = crouch.to_degrees() * self.amplitude;
        for leg in &mut pose.legs {
            leg.knee += (48.0 * crouch).to_radians();
            leg.flexion += (28.0 * crouch).to_radians();
        }
        pose.bend += (14.0 * crouch).to_radians();
        let flight = ((phase - 0.34) / 0.34).clamp(0.0, 1.0);
        pose.jump = (0.1 + 0.12 * self.free[0]) * self.amplitude * 4.0 * flight * (1.0 - flight);
        for arm in &mut pose.arms {
            arm.elevation += (12.0 * self.free[1] * (PI * phase).sin()).to_radians();
        }
    }

    fn clap(&self, u: f64, pose: &mut Pose) {
        let work = self.work(u, 0.15);
        let stroke = ((u - 0.15) / 0.7).clamp(0.0, 1.0);
        // Open at the ends, closed `cycles` times between them.
        let closed = (PI * self.cycles * stroke).sin().powi(2);
        let open = (18.0 * self.amplitude).to_radians();
        for arm in &mut pose.arms {
            let clapping = Arm {
                azimuth: PI / 2.0 - 0.4 * open * (1.0 - closed),
                elevation: (35.0 + 25.0 * self.free[0]).to_radians(),
                twist: open - closed * (open + 0.85),
                elbow: (65.0 + 30.0 * self.free[1]).to_radians(),
            };
            *arm = blend(*arm, clapping, work);
        }
    }

    /// Sideways: the leading leg goes out and the body follows, `cycles` times.
    fn step(&self, u: f64, side: usize, pose: &mut Pose) {
        let steps = self.cycles * u.min(1.0);
        let (done, phase) = (steps.floor(), steps.fract());
        let width = (0.2 + 0.12 * self.free[0]) * self.amplitude;
        let out = (PI * phase).sin();
        pose.legs[side].abduction += (16.0 * self.amplitude * out).to_radians();
        pose.legs[side].knee += keys(phase, &[(0.0, 0.0), (0.25, 35.0), (0.5, 0.0), (1.0, 0.0)]);
        pose.legs[1 - side].knee +=
            keys(phase, &[(0.0, 0.0), (0.5, 0.0), (0.75, 35.0), (1.0, 0.0)]);
        let left = if side == 0 { 1.0 } else { -1.0 };
        pose.place[0] += left * width * (done + smooth(phase));
        pose.planted = false;
    }

    fn sit(&self, down: f64, pose: &mut Pose) {
        let depth = (72.0 + 22.0 * self.free[0]).to_radians();
        let mix = |rest: f64, seated: f64| rest + (seated - rest) * down;
        for leg in &mut pose.legs {
            leg.flexion = mix(leg.flexion, depth);
            leg.knee = mix(leg.knee, depth + 0.07);
            leg.abduction += (8.0 * self.free[1] * down).to_radians();
        }
        pose.bend += (30.0 * (PI * down).sin() + 8.0 * self.free[2] * down).to_radians();
    }
}
