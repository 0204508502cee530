//! The classes, and the joint angles of those who perform them.

use std::f64::consts::{FRAC_PI_2, PI, TAU};

use super::Dice;
use super::body::{Arm, Pose};
use super::subject::Subject;

/// A class. Most come in pairs that differ in one limb, in a direction or in a count only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[rustfmt::skip]
pub enum Action {
    WaveLeft, WaveRight, KickLeft, KickRight, CircleOutwards, CircleInwards, HopOnce, HopThrice,
    ClapTwice, ClapFour, StepLeft, StepRight, SitDown, StandUp, ShakeHands, Push,
}

/// What is known of an action.
pub struct Facts {
    pub action: Action,
    /// The class's name.
    pub name: &'static str,
    /// How many people it takes.
    pub persons: usize,
    /// Whether both arms are part of it, so that neither may be held up or on the hip beforehand.
    pub both_arms: bool,
    /// Whether it is told by the height of the body, so that nobody may crouch beforehand.
    pub height: bool,
    /// Seconds it takes, and more for each repetition.
    seconds: (f64, f64),
}

const fn facts(
    action: Action,
    name: &'static str,
    persons: usize,
    [both_arms, height]: [bool; 2],
    seconds: (f64, f64),
) -> Facts {
    Facts {
        action,
        name,
        persons,
        both_arms,
        height,
        seconds,
    }
}

const NEITHER: [bool; 2] = [false, false];
const ARMS: [bool; 2] = [true, false];
const HEIGHT: [bool; 2] = [false, true];

/// All classes; a clip's label is its place here, and an action's number.
pub const ACTIONS: [Facts; 16] = {
    use Action::*;
    [
        facts(WaveLeft, "wave the left hand", 1, NEITHER, (0.5, 0.45)),
        facts(WaveRight, "wave the right hand", 1, NEITHER, (0.5, 0.45)),
        facts(KickLeft, "kick with the left leg", 1, NEITHER, (1.2, 0.0)),
        facts(KickRight, "kick with the right leg", 1, NEITHER, (1.2, 0.0)),
        facts(
            CircleOutwards,
            "circle the arms outwards",
            1,
            ARMS,
            (0.3, 0.8),
        ),
        facts(
            CircleInwards,
            "circle the arms inwards",
            1,
            ARMS,
            (0.3, 0.8),
        ),
        facts(HopOnce, "hop once", 1, NEITHER, (0.0, 0.7)),
        facts(HopThrice, "hop three times", 1, NEITHER, (0.0, 0.7)),
        facts(ClapTwice, "clap twice", 1, ARMS, (0.5, 0.4)),
        facts(ClapFour, "clap four times", 1, ARMS, (0.5, 0.4)),
        facts(StepLeft, "step to the left", 1, NEITHER, (0.0, 0.8)),
        facts(StepRight, "step to the right", 1, NEITHER, (0.0, 0.8)),
        facts(SitDown, "sit down", 1, HEIGHT, (1.3, 0.0)),
        facts(StandUp, "stand up", 1, HEIGHT, (1.3, 0.0)),
        facts(ShakeHands, "walk up and shake hands", 2, ARMS, (1.7, 0.25)),
        facts(Push, "push the other away", 2, ARMS, (1.7, 0.0)),
    ]
};

impl Action {
    /// What is known of it.
    pub fn facts(self) -> &'static Facts {
        &ACTIONS[self as usize]
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
        let (once, each) = action.facts().seconds;
        let seconds = once + each * cycles;
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
            // Two people's joint angles depend on each other: see `Pair`.
            Action::ShakeHands | Action::Push => {}
        }
    }

    /// 1 while an arm is at work, rising and falling at the ends.
    fn work(&self, u: f64, ends: f64) -> f64 {
        match self.ramped {
            true => between(u, 0.0, ends) * (1.0 - between(u, 1.0 - ends, 1.0)),
            false => 1.0,
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
        let times = [0.0, 0.3, 0.58, 1.0];
        leg.flexion = rest * leg.flexion + keys(u, times, [0.0, -14.0, 76.0 * a, 0.0]);
        let knee = keys(u, [0.0, 0.32, 0.58, 0.8, 1.0], [0.0, 75.0, 8.0, 25.0, 0.0]);
        leg.knee = rest * leg.knee + knee;
        leg.abduction += keys(u, times, [0.0, 4.0, 8.0 + 14.0 * self.free[1], 0.0]);
        pose.bend += keys(u, times, [0.0, 7.0, -9.0, 0.0]);
        let lift = keys(u, [0.0, 0.58, 1.0], [0.0, 18.0 * self.free[0], 0.0]);
        pose.arms[1 - side].elevation += lift;
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
        let phase = match u >= 1.0 {
            true => 1.0,
            false => (self.cycles * u).fract(),
        };
        let times = [0.0, 0.22, 0.36, 0.66, 0.8, 1.0];
        let crouch = keys(phase, times, [0.0, 1.0, 0.0, 0.0, 0.8, 0.0]);
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
        pose.legs[side].knee += keys(phase, [0.0, 0.25, 0.5, 1.0], [0.0, 35.0, 0.0, 0.0]);
        pose.legs[1 - side].knee += keys(phase, [0.0, 0.5, 0.75, 1.0], [0.0, 0.0, 35.0, 0.0]);
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

// The actions of two people, who face each other on the scene's x.

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
        let (near, far) = match action {
            Action::ShakeHands => (1.2, 2.0),
            _ => (0.9, 1.5),
        };
        Pair {
            action,
            apart: dice.between(near, far),
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
            let [aside, forwards] = pose.place;
            pose.place = [side * forwards, -side * aside];
            pose.facing += side * FRAC_PI_2;
        }
    }

    fn shake_hands(&self, u: f64, poses: &mut [Pose; 2]) {
        let arrive = 0.45;
        let near = between(u, 0.0, arrive);
        let give = between(u, 0.3, 0.5) * (1.0 - between(u, 0.88, 1.0));
        let shake = match (0.5..0.88).contains(&u) {
            true => (TAU * self.shakes * (u - 0.5) / 0.38).sin(),
            false => 0.0,
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
        poses[other].bend += keys(u, [0.0, 0.44, 0.58, 0.9], [0.0, 0.0, -18.0, 0.0]);
        walk(&mut poses[other], PI * away);
        for arm in &mut poses[other].arms {
            arm.elevation += keys(u, [0.0, 0.44, 0.6, 0.95], [0.0, 0.0, 28.0, 0.0]);
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

// How an angle gets from one value to the next.

/// 0 to 1 with flat ends.
fn smooth(u: f64) -> f64 {
    let u = u.clamp(0.0, 1.0);
    u * u * (3.0 - 2.0 * u)
}

/// 0 before `start`, 1 after `end`.
fn between(u: f64, start: f64, end: f64) -> f64 {
    smooth((u - start) / (end - start))
}

/// The angle at `u` of a course that has these degrees at these shares of it, smooth from one to the next; in radians.
fn keys<const N: usize>(u: f64, at: [f64; N], degrees: [f64; N]) -> f64 {
    let angle = match at.iter().position(|&at| u < at) {
        Some(0) => degrees[0],
        Some(next) => {
            let (from, to) = (degrees[next - 1], degrees[next]);
            from + (to - from) * between(u, at[next - 1], at[next])
        }
        None => degrees[N - 1],
    };
    angle.to_radians()
}

/// `share` of the way from one arm to the other.
fn blend(from: Arm, to: Arm, share: f64) -> Arm {
    let mix = |a: f64, b: f64| a + (b - a) * share;
    Arm {
        azimuth: mix(from.azimuth, to.azimuth),
        elevation: mix(from.elevation, to.elevation),
        twist: mix(from.twist, to.twist),
        elbow: mix(from.elbow, to.elbow),
    }
}
