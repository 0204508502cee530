//! How sure a detector was.

/// Bins of a unit.
const BINS: usize = 200;

/// Scores in bins: 0 to 1 in steps of 1/200.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoreCounts {
    /// Below or at zero: the detector has nothing to say of the joint.
    pub zero: u64,
    /// Not finite.
    pub not_finite: u64,
    /// Above 1, as some detectors have them.
    pub above: u64,
    bins: Vec<u64>,
}

impl Default for ScoreCounts {
    fn default() -> Self {
        ScoreCounts {
            zero: 0,
            not_finite: 0,
            above: 0,
            bins: vec![0; BINS],
        }
    }
}

impl ScoreCounts {
    /// Counts one score.
    #[inline]
    pub(super) fn count(&mut self, score: f32) {
        if score > 0.0 && score <= 1.0 {
            // At most BINS: the bin of 1 is the last.
            let bin = (score * BINS as f32) as usize;
            self.bins[bin.min(BINS - 1)] += 1;
        } else if score > 1.0 && score.is_finite() {
            self.above += 1;
        } else if score.is_finite() {
            self.zero += 1;
        } else {
            self.not_finite += 1;
        }
    }

    pub(super) fn add(&mut self, more: &ScoreCounts) {
        self.zero += more.zero;
        self.not_finite += more.not_finite;
        self.above += more.above;
        for (sum, more) in self.bins.iter_mut().zip(&more.bins) {
            *sum += more;
        }
    }

    /// All scores.
    pub fn all(&self) -> u64 {
        self.zero + self.not_finite + self.above + self.bins.iter().sum::<u64>()
    }

    /// Scores above 0 in ten equal bins up to 1.
    pub fn tenths(&self) -> [u64; 10] {
        let mut tenths = [0; 10];
        for (bin, count) in self.bins.iter().enumerate() {
            tenths[bin * 10 / BINS] += count;
        }
        tenths
    }

    /// The score that a share of all finite scores doesn't exceed, to 1/200; those above 1 count as 1.
    pub fn quantile(&self, share: f64) -> f64 {
        let all = self.all() - self.not_finite;
        let wanted = (share.clamp(0.0, 1.0) * all as f64).ceil() as u64;
        let mut seen = self.zero;
        if seen >= wanted {
            return 0.0;
        }
        for (bin, count) in self.bins.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return (bin + 1) as f64 / BINS as f64;
            }
        }
        1.0
    }
}
