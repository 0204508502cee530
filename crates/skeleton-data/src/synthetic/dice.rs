//! Draws from one clip's stream.

use rand::RngCore as _;
use skeleton_graph::random::{Key, Purpose, Rng, stream};

/// The stream of one clip or subject.
pub struct Dice(Rng);

impl Dice {
    /// The stream that the set's seed gives `name`.
    pub fn new(seed: u64, name: &str) -> Dice {
        Dice(stream(seed, Purpose::Synthetic, 0, Key::Clip(name)))
    }

    /// Uniform in 0..1, from the upper 53 bits: the rule is ours, so that no version of a crate changes the set.
    pub fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Uniform between two numbers.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Uniform between two angles given in degrees, in radians.
    pub fn degrees(&mut self, low: f64, high: f64) -> f64 {
        self.between(low, high).to_radians()
    }

    /// True with this probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Uniform below `count`.
    pub fn below(&mut self, count: usize) -> usize {
        ((self.unit() * count as f64) as usize).min(count - 1)
    }

    /// Standard normal (Box and Muller).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }
}
