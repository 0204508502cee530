//! Where each parameter lies in a stack's flat vector.

use super::{Ending, Stack};
use crate::ops::kernel::Real;

/// The parameters of a layer.
#[derive(Clone, Copy, Debug)]
pub struct Params<'a, T> {
    pub eps: T,
    /// (d, c).
    pub first: &'a [T],
    /// Weight and bias, (d) each.
    pub norm1: [&'a [T]; 2],
    /// (d, d).
    pub second: &'a [T],
    pub end: End<'a, T>,
}

#[derive(Clone, Copy, Debug)]
pub enum End<'a, T> {
    Activated { norm2: [&'a [T]; 2], slope: T },
    Mlp { bias: &'a [T] },
}

/// Of each layer; `theta` has the length that belongs to `d`.
pub fn split<'a, T: Real>(stack: &Stack, theta: &'a [T], c: usize, d: usize) -> Vec<Params<'a, T>> {
    let mut rest = theta;
    let mut take = |n: usize| {
        let (taken, left) = rest.split_at(n);
        rest = left;
        taken
    };
    let layer = |i: usize| {
        let width = if i == 0 { c } else { d };
        Params {
            eps: take(1)[0],
            first: take(d * width),
            norm1: [take(d), take(d)],
            second: take(d * d),
            end: match stack.ending {
                Ending::Mlp { .. } => End::Mlp { bias: take(d) },
                _ => End::Activated {
                    norm2: [take(d), take(d)],
                    slope: take(1)[0],
                },
            },
        }
    };
    (0..stack.layers).map(layer).collect()
}
