//! Generated recordings in NTU's form: one to four bodies, with what makes choosing among them hard.
#![allow(dead_code, reason = "each test file uses some of it")]

pub mod places;

use std::fmt::Write;

const JOINTS: usize = 25;

/// Numbers that are the same everywhere.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as f64 / (1u64 << 31) as f64
    }

    /// Throws the first numbers away, since those of neighbouring seeds are alike.
    fn warm_up(&mut self) {
        for _ in 0..8 {
            self.next();
        }
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.next()
    }

    fn whole(&mut self, low: usize, high: usize) -> usize {
        low + (self.next() * (high + 1 - low) as f64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.whole(1, n) == 1
    }
}

/// Someone in front of the sensor.
struct Body {
    id: u64,
    place: f64,
    swing: f64,
    width: f64,
    /// The share of frames in which it is too wide.
    spread: f64,
    seen: Vec<bool>,
    /// What its poses are drawn from; two of one seed move alike.
    seed: u64,
}

/// Recording `number` as text.
pub fn text(number: usize) -> String {
    let mut dice = Dice(number as u64 * 7919 + 1);
    dice.warm_up();
    let frames = match dice.one_in(12) {
        true => dice.whole(100, 300),
        false => dice.whole(30, 80),
    };
    let bodies = bodies(&mut dice, frames);
    let zeros = if dice.one_in(4) { dice.whole(1, 3) } else { 0 };
    let empty: Vec<bool> = (0..frames).map(|_| dice.one_in(40)).collect();
    let mut text = format!("{frames}\r\n");
    for (t, &empty) in empty.iter().enumerate() {
        let here: Vec<&Body> = bodies
            .iter()
            .filter(|body| body.seen[t] && !empty)
            .collect();
        write!(text, "{}\r\n", here.len()).unwrap();
        for body in here {
            write!(text, "{} 0 1 1 1 1 0 0.02 -0.3 2\r\n{JOINTS}\r\n", body.id).unwrap();
            let lost = t < zeros || t + zeros >= frames;
            pose(&mut text, body, t, lost);
        }
    }
    text
}

/// A recording of one body in one frame.
pub fn small() -> String {
    let joints: String = (0..JOINTS)
        .map(|v| format!("0.{v} 0.5 2.5 0 0 0 0 0 0 0 0 2\r\n"))
        .collect();
    format!("1\r\n1\r\n72057594037931101 0 1 1 1 1 0 0.02 -0.3 2\r\n{JOINTS}\r\n{joints}")
}

fn bodies(dice: &mut Dice, frames: usize) -> Vec<Body> {
    let mut bodies: Vec<Body> = Vec::new();
    for number in 0..dice.whole(1, 4) {
        let mut body = Body {
            id: 72_057_594_037_931_101 + number as u64,
            place: dice.between(-1.5, 1.5),
            swing: dice.between(0.01, 0.3),
            width: dice.between(0.3, 0.7),
            spread: [0.0, 0.0, 0.2, 0.68, 0.72, 0.95][dice.whole(0, 5)],
            seen: vec![true; frames],
            seed: dice.0,
        };
        let cut = dice.whole(1, frames - 1);
        match dice.whole(0, 5) {
            0 => body.seen[..cut].fill(false),
            1 => body.seen[cut..].fill(false),
            2 => body.seen[dice.whole(1, 13)..].fill(false),
            3 => body
                .seen
                .iter_mut()
                .for_each(|seen| *seen = !dice.one_in(8)),
            _ => {}
        }
        if bodies.len() == 1 && dice.one_in(8) {
            // A body that moves as the one before it: the order of equals counts.
            let before = &bodies[0];
            body.seen.clone_from(&before.seen);
            (body.place, body.swing, body.width) = (before.place, before.swing, before.width);
            (body.spread, body.seed) = (before.spread, before.seed);
        }
        if body.seen[0] && dice.one_in(3) {
            // The sensor loses someone and takes them for someone else.
            let (from, seen) = (dice.whole(1, frames - 1), body.seen.clone());
            body.seen[from..].fill(false);
            let mut other = Body {
                id: body.id + 100,
                seen,
                ..body
            };
            other.seen[..from].fill(false);
            bodies.push(Body {
                seen: body.seen,
                ..body
            });
            bodies.push(other);
            continue;
        }
        bodies.push(body);
    }
    bodies
}

fn pose(text: &mut String, body: &Body, t: usize, lost: bool) {
    let mut dice = Dice(body.seed ^ (t as u64 * 104_729));
    dice.warm_up();
    let width = if dice.next() < body.spread {
        1.6
    } else {
        body.width
    };
    let at = body.place + body.swing * dice.between(-1.0, 1.0);
    for v in 0..JOINTS {
        let (column, row) = ((v % 5) as f64 / 4.0, (v / 5) as f64 / 4.0);
        let mut near = |x: f64| x + dice.between(-0.02, 0.02);
        let [x, y, z] = match lost {
            true => [0.0; 3],
            false => [
                near(at + width * (column - 0.5)),
                near(row - 0.4),
                near(3.0),
            ],
        };
        write!(text, "{x:.7} {y:.7} {z:.6} 0 0 0 0 0 0 0 0 2\r\n").unwrap();
    }
}
