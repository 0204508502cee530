//! Vectors and matrices of two and three coordinates.

use std::ops::{Mul, Sub};

/// Rows of C numbers.
pub(crate) type Matrix<const C: usize> = [[f64; C]; C];

/// a b.
pub(crate) fn product<const C: usize>(a: &Matrix<C>, b: &Matrix<C>) -> Matrix<C> {
    std::array::from_fn(|i| std::array::from_fn(|j| (0..C).map(|k| a[i][k] * b[k][j]).sum()))
}

/// The matrix times a vector.
pub(crate) fn times(matrix: &Matrix<3>, x: [f64; 3]) -> [f64; 3] {
    matrix.map(|row| dot(row, x))
}

/// a + b.
pub(crate) fn plus(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    std::array::from_fn(|c| a[c] + b[c])
}

/// a - b.
pub(crate) fn minus(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    std::array::from_fn(|c| a[c] - b[c])
}

pub(crate) fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    (0..3).map(|c| a[c] * b[c]).sum()
}

/// The vector at right angles to both.
pub(crate) fn cross<T: Copy + Mul<Output = T> + Sub<Output = T>>(a: [T; 3], b: [T; 3]) -> [T; 3] {
    [(1, 2), (2, 0), (0, 1)].map(|(i, j)| a[i] * b[j] - a[j] * b[i])
}
