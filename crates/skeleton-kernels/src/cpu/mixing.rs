//! Mixing joints along the edges of a graph: a joint has a handful of neighbours, so this is a few row additions a joint
//! and not a matrix product.

use crate::cpu::chunks::add_scaled;
use crate::cpu::real::Real;
use crate::graph::JointMatrix;

/// A joint matrix in the float of a kernel.
#[derive(Clone, Debug)]
pub struct Mixing<T>(Vec<Vec<(usize, T)>>);

impl<T: Real> Mixing<T> {
    /// `M + own I`.
    pub fn plus(matrix: &JointMatrix, own: T) -> Self {
        Self::new(&matrix.terms, own)
    }

    /// `M^T + own I`: the backward pass of [`plus`](Self::plus).
    pub fn transposed_plus(matrix: &JointMatrix, own: T) -> Self {
        Self::new(&matrix.transposed, own)
    }

    fn new(terms: &[Vec<(usize, f64)>], own: T) -> Self {
        let row = |(j, terms): (usize, &Vec<(usize, f64)>)| {
            let others = terms.iter().map(|&(i, w)| (i, T::real(w)));
            let own = (own != T::zero()).then_some((j, own));
            own.into_iter().chain(others).collect()
        };
        Self(terms.iter().enumerate().map(row).collect())
    }

    /// v, joints.
    pub fn joints(&self) -> usize {
        self.0.len()
    }

    /// The sum of each joint's weights.
    pub fn sums(&self) -> Vec<T> {
        let rows = self.0.iter();
        rows.map(|terms| terms.iter().map(|&(_, weight)| weight).sum())
            .collect()
    }

    /// `out_j = sum_i m_ji x_i` in each frame (v, d) of x.
    #[inline(always)]
    pub fn apply(&self, x: &[T], out: &mut [T], d: usize) {
        let frame = self.0.len() * d;
        for (out, x) in out.chunks_exact_mut(frame).zip(x.chunks_exact(frame)) {
            for (out, terms) in out.chunks_exact_mut(d).zip(&self.0) {
                let row = |i: usize| &x[i * d..(i + 1) * d];
                // The first terms together, so that the sum is written once.
                let rest = match terms[..] {
                    [] => {
                        out.fill(T::zero());
                        &[]
                    }
                    [(i, a)] => {
                        let x = row(i);
                        for k in 0..d {
                            out[k] = a * x[k];
                        }
                        &[]
                    }
                    [(i, a), (j, b)] => {
                        let (x, y) = (row(i), row(j));
                        for k in 0..d {
                            out[k] = a * x[k] + b * y[k];
                        }
                        &[]
                    }
                    [(i, a), (j, b), (l, c), ref rest @ ..] => {
                        let (x, y, z) = (row(i), row(j), row(l));
                        for k in 0..d {
                            out[k] = a * x[k] + b * y[k] + c * z[k];
                        }
                        rest
                    }
                };
                for &(i, weight) in rest {
                    add_scaled(out, weight, row(i));
                }
            }
        }
    }
}

/// `out = factor * sum over joints` of whole frames x (v, d), each to (d).
#[inline(always)]
pub fn sum_joints<T: Real>(x: &[T], out: &mut [T], v: usize, d: usize, factor: T) {
    out.fill(T::zero());
    for (out, frame) in out.chunks_exact_mut(d).zip(x.chunks_exact(v * d)) {
        frame
            .chunks_exact(d)
            .for_each(|row| add_scaled(out, factor, row));
    }
}

/// The backward pass of [`sum_joints`]: every joint of a frame gets `factor` times the frame's row of `grad`.
#[inline(always)]
pub fn repeat_joints<T: Real>(grad: &[T], out: &mut [T], v: usize, d: usize, factor: T) {
    for (frame, grad) in out.chunks_exact_mut(v * d).zip(grad.chunks_exact(d)) {
        for row in frame.chunks_exact_mut(d) {
            for i in 0..d {
                row[i] = grad[i] * factor;
            }
        }
    }
}

/// `h + p` at every joint: whole frames h (v, d), each with its p (d).
#[inline(always)]
pub fn add_to_joints<T: Real>(h: &[T], p: &[T], out: &mut [T], v: usize, d: usize) {
    let frames = out.chunks_exact_mut(v * d).zip(h.chunks_exact(v * d));
    for ((out, h), p) in frames.zip(p.chunks_exact(d)) {
        for (out, h) in out.chunks_exact_mut(d).zip(h.chunks_exact(d)) {
            for i in 0..d {
                out[i] = h[i] + p[i];
            }
        }
    }
}
