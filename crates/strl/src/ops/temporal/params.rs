//! Where each parameter lies in the flat vector.

use super::{Branches, Shapes};

/// The parameters of the op.
pub struct Params<'a, T> {
    /// (reduced, d).
    pub reduce: &'a [T],
    /// Weight and bias, (reduced) each.
    pub norm1: [&'a [T]; 2],
    /// (kernel, part, part) each.
    pub convolutions: Vec<&'a [T]>,
    /// (part, d).
    pub point: &'a [T],
    /// Weight and bias, (d) each.
    pub norm2: [&'a [T]; 2],
    pub residual: Option<Residual<'a, T>>,
}

#[derive(Clone, Copy)]
pub struct Residual<'a, T> {
    /// (d, d).
    pub map: &'a [T],
    /// Weight and bias, (d) each.
    pub norm: [&'a [T]; 2],
}

/// How many parameters there are.
pub fn count(branches: &Branches, s: &Shapes) -> usize {
    let convolutions = branches.dilations.len() * branches.kernel * s.part * s.part;
    let residual = if branches.stride > 1 {
        s.d * s.d + 2 * s.d
    } else {
        0
    };
    s.reduced * s.d + 2 * s.reduced + convolutions + s.part * s.d + 2 * s.d + residual
}

pub fn split<'a, T>(branches: &Branches, s: &Shapes, theta: &'a [T]) -> Params<'a, T> {
    let mut rest = theta;
    let mut take = |n: usize| {
        let (taken, left) = rest.split_at(n);
        rest = left;
        taken
    };
    Params {
        reduce: take(s.reduced * s.d),
        norm1: [take(s.reduced), take(s.reduced)],
        convolutions: (0..branches.dilations.len())
            .map(|_| take(branches.kernel * s.part * s.part))
            .collect(),
        point: take(s.part * s.d),
        norm2: [take(s.d), take(s.d)],
        residual: (branches.stride > 1).then(|| Residual {
            map: take(s.d * s.d),
            norm: [take(s.d), take(s.d)],
        }),
    }
}

/// A convolution's weight (kernel, out, in) as a map (out, kernel * in) of taps side by side.
pub fn side_by_side<T: Copy>(weight: &[T], kernel: usize, part: usize) -> Vec<T> {
    let at = |o: usize, k: usize, i: usize| weight[(k * part + o) * part + i];
    (0..part)
        .flat_map(|o| (0..kernel).flat_map(move |k| (0..part).map(move |i| (o, k, i))))
        .map(|(o, k, i)| at(o, k, i))
        .collect()
}

/// The way back from [`side_by_side`].
pub fn tap_by_tap<T: Copy>(weight: &[T], kernel: usize, part: usize) -> Vec<T> {
    let at = |k: usize, o: usize, i: usize| weight[(o * kernel + k) * part + i];
    (0..kernel)
        .flat_map(|k| (0..part).flat_map(move |o| (0..part).map(move |i| (k, o, i))))
        .map(|(k, o, i)| at(k, o, i))
        .collect()
}
