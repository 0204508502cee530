//! y = matrix (x - centre) + shift on joints.

pub(crate) type Matrix<const C: usize> = [[f64; C]; C];

/// y = matrix (x - centre) + shift.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Affine<const C: usize> {
    pub matrix: Matrix<C>,
    pub centre: [f64; C],
    pub shift: [f64; C],
}

impl<const C: usize> Affine<C> {
    /// y = factors (x - centre).
    pub fn scaling(factors: [f64; C], centre: [f64; C]) -> Self {
        let row = |d| std::array::from_fn(|c| if c == d { factors[d] } else { 0.0 });
        Affine {
            matrix: std::array::from_fn(row),
            centre,
            shift: [0.0; C],
        }
    }

    /// y = x.
    pub fn identity() -> Self {
        Affine::scaling([1.0; C], [0.0; C])
    }

    /// Where one point goes.
    pub fn at(&self, x: [f64; C]) -> [f64; C] {
        std::array::from_fn(|d| {
            let turned: f64 = (0..C)
                .map(|c| self.matrix[d][c] * (x[c] - self.centre[c]))
                .sum();
            turned + self.shift[d]
        })
    }

    /// This map, then `matrix` about the image of `fixed`.
    pub fn then_about(&self, matrix: &Matrix<C>, fixed: [f64; C]) -> Self {
        Affine {
            matrix: product(matrix, &self.matrix),
            centre: fixed,
            shift: self.at(fixed),
        }
    }

    /// Moves every joint of (rows, v, c); where not all are present, absent ones stay 0.
    pub fn apply(&self, keypoints: &mut [f32], presence: &[f32], complete: bool) {
        let matrix = self.matrix.map(|row| row.map(|m| m as f32));
        let (centre, shift) = (self.centre.map(|x| x as f32), self.shift.map(|x| x as f32));
        let joints = keypoints.as_chunks_mut::<C>().0;
        for joint in &mut *joints {
            let x: [f32; C] = std::array::from_fn(|c| joint[c] - centre[c]);
            *joint = std::array::from_fn(|d| {
                let turned: f32 = (0..C).map(|c| matrix[d][c] * x[c]).sum();
                turned + shift[d]
            });
        }
        if !complete {
            for (joint, &there) in joints.iter_mut().zip(presence) {
                *joint = if there == 0.0 { [0.0; C] } else { *joint };
            }
        }
    }
}

/// a b.
pub(crate) fn product<const C: usize>(a: &Matrix<C>, b: &Matrix<C>) -> Matrix<C> {
    std::array::from_fn(|i| std::array::from_fn(|j| (0..C).map(|k| a[i][k] * b[k][j]).sum()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_joints_stay_zero_and_others_move() {
        let map = Affine {
            matrix: [[0.0, 2.0], [1.0, 0.0]],
            centre: [1.0, 1.0],
            shift: [10.0, 20.0],
        };
        let mut keypoints = [3.0, 4.0, 0.0, 0.0];
        map.apply(&mut keypoints, &[1.0, 0.0], false);
        assert_eq!(keypoints, [16.0, 22.0, 0.0, 0.0]);
        assert_eq!(map.at([3.0, 4.0]), [16.0, 22.0]);
        Affine::<2>::identity().apply(&mut keypoints, &[1.0, 1.0], true);
        assert_eq!(keypoints, [16.0, 22.0, 0.0, 0.0]);
    }

    #[test]
    fn one_after_the_other_about_a_point_is_one() {
        let first = Affine {
            matrix: [[1.0, 2.0], [3.0, 5.0]],
            centre: [7.0, 1.0],
            shift: [0.5, 0.25],
        };
        let (fixed, matrix) = ([2.0, 3.0], [[0.0, -1.0], [4.0, 0.0]]);
        let both = first.then_about(&matrix, fixed);
        assert_eq!(both.at(fixed), first.at(fixed), "the point stays");
        let (x, still) = (first.at([4.0, 9.0]), first.at(fixed));
        let d = [x[0] - still[0], x[1] - still[1]];
        let expected = [still[0] - d[1], still[1] + 4.0 * d[0]];
        let found = both.at([4.0, 9.0]);
        assert!((0..2).all(|c| (found[c] - expected[c]).abs() < 1e-12));
    }
}
