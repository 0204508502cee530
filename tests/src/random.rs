//! Moments that a test chooses.

/// Marsaglia's xorshift: moments differ, the sequence doesn't.
#[derive(Debug)]
pub struct Random(pub u64);

impl Random {
    /// From 0 to below 1.
    pub fn share(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    /// From 0 to below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        (self.share() * n as f64) as usize
    }
}
