//! Mixing joints along the edges of a graph: a joint has a handful of neighbours, so this is a few
//! row additions a joint and not a matrix product.

use super::kernel::Real;
use super::rows;

/// A fixed (v, v) matrix over joints, stored by its non-zeros: `terms[j]` lists (i, weight).
#[derive(Clone, Debug, PartialEq)]
pub struct JointMatrix {
    terms: Vec<Vec<(usize, f64)>>,
    transposed: Vec<Vec<(usize, f64)>>,
}

impl JointMatrix {
    /// From a dense row-major (v, v) matrix.
    ///
    /// # Panics
    /// When `dense` doesn't have v * v elements.
    pub fn new(dense: &[f64], v: usize) -> Self {
        assert_eq!(dense.len(), v * v, "a (v, v) matrix");
        let terms = |at: &dyn Fn(usize, usize) -> f64| {
            let row = |j| {
                (0..v)
                    .map(|i| (i, at(j, i)))
                    .filter(|&(_, w)| w != 0.0)
                    .collect()
            };
            (0..v).map(row).collect()
        };
        Self {
            terms: terms(&|j, i| dense[j * v + i]),
            transposed: terms(&|j, i| dense[i * v + j]),
        }
    }

    /// v, joints.
    pub fn len(&self) -> usize {
        self.terms.len()
    }

    /// Whether there are no joints.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// M + own I, ready to be applied.
    pub fn plus<T: Real>(&self, own: T) -> Mixing<T> {
        Mixing::new(&self.terms, own)
    }

    /// M^T + own I, the way back through [`plus`](Self::plus).
    pub fn transposed_plus<T: Real>(&self, own: T) -> Mixing<T> {
        Mixing::new(&self.transposed, own)
    }
}

/// A joint matrix in the float of a kernel.
#[derive(Clone, Debug)]
pub struct Mixing<T>(Vec<Vec<(usize, T)>>);

impl<T: Real> Mixing<T> {
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
                    rows::add_scaled(out, weight, row(i));
                }
            }
        }
    }
}
