//! Where the joints of a row are.

/// How far beyond the image a joint may lie, in sizes of the image: detectors place joints a little outside.
const MARGIN: f32 = 0.1;

/// The box around some joints.
pub(super) struct Extent<const C: usize> {
    low: [f32; C],
    high: [f32; C],
}

impl<const C: usize> Default for Extent<C> {
    fn default() -> Self {
        Extent {
            low: [f32::INFINITY; C],
            high: [f32::NEG_INFINITY; C],
        }
    }
}

impl<const C: usize> Extent<C> {
    /// Grows to hold a place that is there; one that isn't is finite or not, and compared all the same.
    #[inline]
    pub(super) fn take_if(&mut self, present: bool, place: &[f32; C]) {
        for (c, &x) in place.iter().enumerate() {
            let (low, high) = (self.low[c], self.high[c]);
            self.low[c] = if present & (x < low) { x } else { low };
            self.high[c] = if present & (x > high) { x } else { high };
        }
    }

    /// In f64: squares of single precision's largest numbers overflow it.
    pub(super) fn diagonal(&self) -> f32 {
        let side = |c: usize| f64::from(self.high[c]) - f64::from(self.low[c]);
        (0..C).map(|c| side(c) * side(c)).sum::<f64>().sqrt() as f32
    }

    pub(super) fn reach(&self) -> f32 {
        (0..C)
            .map(|c| self.high[c].abs().max(self.low[c].abs()))
            .fold(0.0, f32::max)
    }

    pub(super) fn leaves(&self, size: &[f32; 2]) -> bool {
        (0..C.min(2)).any(|c| beyond(self.low[c], size[c]) || beyond(self.high[c], size[c]))
    }
}

/// Whether a coordinate is clearly outside of an image of that size.
pub(super) fn beyond(x: f32, size: f32) -> bool {
    x < -MARGIN * size || x > (1.0 + MARGIN) * size
}
