//! Mean and variance of the sampled joints of a clip.

/// Of the present joints of all tracks and frames.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Stats<const C: usize> {
    /// Of each coordinate; zeros where nothing is present.
    pub mean: [f64; C],
    /// Of all coordinates together about their means.
    pub variance: f64,
}

/// Partial sums that are kept side by side: a multiple of 2 and 3 coordinates and of a vector register.
const LANES: usize = 12;

impl<const C: usize> Stats<C> {
    /// Of nothing.
    pub fn none() -> Self {
        Stats {
            mean: [0.0; C],
            variance: 0.0,
        }
    }

    /// Of (n, t, v, c), whose absent joints are 0, with presence (n, t, v).
    pub fn of(keypoints: &[f32], presence: &[f32]) -> Self {
        Self::take::<true>(keypoints, presence)
    }

    /// The same without the variance, which is left 0.
    pub fn mean_of(keypoints: &[f32], presence: &[f32]) -> Self {
        Self::take::<false>(keypoints, presence)
    }

    fn take<const SQUARES: bool>(keypoints: &[f32], presence: &[f32]) -> Self {
        let count = presence.iter().filter(|&&there| there != 0.0).count();
        if count == 0 {
            return Stats::none();
        }
        let joints = keypoints.as_chunks::<C>().0.iter().zip(presence);
        let near: [f64; C] = joints
            .clone()
            .find(|&(_, &there)| there != 0.0)
            .map_or([0.0; C], |(joint, _)| joint.map(f64::from));
        let (sums, squares) = lanes::<SQUARES>(keypoints, |lane| near[lane % C]);
        // Absent joints took part as zeros: what they added is taken away again.
        let (count, absent) = (count as f64, (presence.len() - count) as f64);
        let (mut mean, mut squared) = ([0.0; C], 0.0);
        for c in 0..C {
            let over = |lanes: &[f64; LANES]| -> f64 { lanes.iter().skip(c).step_by(C).sum() };
            let sum = over(&sums) + absent * near[c];
            let square = over(&squares) - absent * near[c] * near[c];
            mean[c] = near[c] + sum / count;
            squared += square - sum * sum / count;
        }
        let variance = if SQUARES {
            squared.max(0.0) / (count * C as f64)
        } else {
            0.0
        };
        Stats { mean, variance }
    }
}

/// Sums and sums of squares about `shift`, in one pass and a fixed order; in f64 and about a point of the clip, so that squares
/// of one far from the origin lose nothing. A lane holds the coordinate `lane % C` alone.
fn lanes<const SQUARES: bool>(
    keypoints: &[f32],
    shift: impl Fn(usize) -> f64,
) -> ([f64; LANES], [f64; LANES]) {
    let shift: [f64; LANES] = std::array::from_fn(shift);
    let (mut sums, mut squares) = ([0.0; LANES], [0.0; LANES]);
    let mut add = |lane: usize, x: f32| {
        let x = f64::from(x) - shift[lane];
        sums[lane] += x;
        if SQUARES {
            squares[lane] += x * x;
        }
    };
    let (blocks, rest) = keypoints.as_chunks::<LANES>();
    for block in blocks {
        for (lane, &x) in block.iter().enumerate() {
            add(lane, x);
        }
    }
    for (lane, &x) in rest.iter().enumerate() {
        add(lane, x);
    }
    (sums, squares)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `numpy.array([[1, 10], [3, 14], [5, 12]], float).var(0).mean()` is 2.6666666666666665.
    #[test]
    fn absent_joints_take_no_part() {
        let keypoints = [1.0, 10.0, 3.0, 14.0, 0.0, 0.0, 5.0, 12.0];
        let stats = Stats::<2>::of(&keypoints, &[1.0, 1.0, 0.0, 1.0]);
        assert!((stats.mean[0] - 3.0).abs() < 1e-12 && (stats.mean[1] - 12.0).abs() < 1e-12);
        assert!((stats.variance - 8.0 / 3.0).abs() < 1e-12, "{stats:?}");
        let mean = Stats::<2>::mean_of(&keypoints, &[1.0, 1.0, 0.0, 1.0]);
        assert_eq!((mean.mean, mean.variance), (stats.mean, 0.0));
        let first = Stats::<2>::of(
            &[0.0, 0.0, 1.0, 10.0, 3.0, 14.0, 5.0, 12.0],
            &[0.0, 1.0, 1.0, 1.0],
        );
        assert!((first.variance - 8.0 / 3.0).abs() < 1e-12, "{first:?}");
    }

    #[test]
    fn far_from_the_origin_nothing_is_lost() {
        let far = |x: f32| x + 1024.0;
        let near: Vec<f32> = (0..60).map(|i| (i * i % 37) as f32 / 64.0).collect();
        let moved: Vec<f32> = near.iter().map(|&x| far(x)).collect();
        let (a, b) = (
            Stats::<3>::of(&near, &[1.0; 20]),
            Stats::<3>::of(&moved, &[1.0; 20]),
        );
        assert!((a.variance - b.variance).abs() < 1e-12, "{a:?} {b:?}");
        assert!((0..3).all(|c| (a.mean[c] + 1024.0 - b.mean[c]).abs() < 1e-12));
    }

    #[test]
    fn a_single_point_has_no_variance_and_nothing_no_mean() {
        let one = Stats::<3>::of(&[7.0, 8.0, 9.0], &[1.0]);
        assert_eq!((one.mean, one.variance), ([7.0, 8.0, 9.0], 0.0));
        assert_eq!(Stats::<3>::of(&[0.0; 3], &[0.0]), Stats::none());
    }
}
