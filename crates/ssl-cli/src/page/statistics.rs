//! How sure a measured accuracy, or a difference of two, is.

use serde::Serialize;

/// The 97.5th percentile of the normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// A share of some clips, with the interval that holds the true one in 95 of 100 cases, were the clips drawn at random.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Share {
    /// The share.
    pub value: f64,
    /// Where the interval begins.
    pub low: f64,
    /// Where it ends.
    pub high: f64,
}

impl Share {
    /// `part` of `all`, by Wilson's score interval (Journal of the American Statistical Association, 1927), which is right for
    /// few clips and near 0 and 1 too; none of no clips.
    pub fn of(part: u64, all: u64) -> Option<Share> {
        if all == 0 {
            return None;
        }
        let n = all as f64;
        let value = part as f64 / n;
        let z2 = Z * Z / n;
        let middle = (value + z2 / 2.0) / (1.0 + z2);
        let half = Z * (value * (1.0 - value) / n + z2 / (4.0 * n)).sqrt() / (1.0 + z2);
        Some(Share {
            value,
            low: (middle - half).max(0.0),
            high: (middle + half).min(1.0),
        })
    }
}

/// McNemar's test of two classifiers on the same clips (Psychometrika, 1947), exact: were they equally good, each clip that only
/// one of them gets right would be a fair coin's.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct McNemar {
    /// Clips that only the first gets right.
    pub first_only: u64,
    /// Clips that only the second gets right.
    pub second_only: u64,
    /// How likely a difference at least as large is where there is none, in either direction.
    pub p: f64,
}

impl McNemar {
    /// Of the numbers of clips that only the first, or only the second, gets right.
    pub fn new(first_only: u64, second_only: u64) -> McNemar {
        let n = first_only + second_only;
        // By logarithms: of 20,000 clips, a single outcome's share is below the smallest number.
        let mut log = -(n as f64) * std::f64::consts::LN_2;
        let mut tail = log.exp();
        for k in 1..=first_only.min(second_only) {
            log += ((n - k + 1) as f64 / k as f64).ln();
            tail += log.exp();
        }
        McNemar {
            first_only,
            second_only,
            p: (2.0 * tail).min(1.0),
        }
    }
}

/// Half the 95 % interval of a mean of `n` values of this sample standard deviation, by Student's t, of 20 degrees of freedom where
/// there are more, which is a little wide; none of fewer than two.
pub fn t_interval(std: f64, n: usize) -> Option<f64> {
    /// The 97.5th percentile by degrees of freedom, from 1.
    const T: [f64; 20] = [
        12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
        2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
    ];
    let freedom = n.checked_sub(1).filter(|&freedom| freedom > 0)?;
    let t = T[freedom.min(T.len()) - 1];
    Some(t * std / (n as f64).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: f64, b: f64) {
        assert!((a - b).abs() < 5e-5, "{a} is not {b}");
    }

    /// Python, by the formula as Wilson writes it.
    #[test]
    fn wilsons_interval_is_right_at_the_ends_too() {
        for (part, all, low, high) in [
            (136, 176, 0.705_38, 0.828_43),
            (0, 10, 0.0, 0.277_53),
            (10, 10, 0.722_47, 1.0),
            (1, 1, 0.206_55, 1.0),
        ] {
            let share = Share::of(part, all).unwrap();
            near(share.low, low);
            near(share.high, high);
        }
        assert_eq!(Share::of(0, 0), None);
    }

    /// Python, in fractions: 2 * sum(comb(n, i) for i in range(k + 1)) / 2**n.
    #[test]
    fn mcnemars_p_is_the_binomials() {
        near(McNemar::new(1, 9).p, 0.021_484);
        near(McNemar::new(9, 1).p, 0.021_484);
        near(McNemar::new(5, 12).p, 0.143_463);
        assert_eq!(McNemar::new(4, 4).p, 1.0);
        assert_eq!(McNemar::new(0, 0).p, 1.0);
        // 10,000 clips on which they differ: nothing is lost below the smallest number.
        near(McNemar::new(4_900, 5_100).p, 0.046_591);
        assert!(McNemar::new(2_000, 8_000).p < 1e-300);
    }

    /// A table of Student's t: 4.303 at two degrees of freedom, so 3.4 / sqrt(3) * 4.303.
    #[test]
    fn the_interval_of_a_mean_is_students() {
        assert!((t_interval(3.4, 3).unwrap() - 8.446).abs() < 2e-3);
        assert_eq!(t_interval(3.4, 1), None);
        assert_eq!(t_interval(3.4, 0), None);
    }
}
