//! Mixing joints along the edges of a graph: a joint has a handful of neighbours, so this is a few
//! row additions a joint and not a matrix product.

use std::sync::Arc;

use candle_core::{Result, Shape, Tensor, bail};

use super::kernel::{Kernel, Real, View, apply1, apply2};
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
}

struct Mix(Arc<JointMatrix>);

struct Aggregate(Arc<JointMatrix>);

/// `y_j = sum_i m_ji x_i` in every frame: x and the result are (n, t, v, d).
///
/// # Errors
/// When x doesn't have the matrix's number of joints.
pub fn mix(x: &Tensor, matrix: &Arc<JointMatrix>) -> Result<Tensor> {
    apply1(Mix(matrix.clone()), x)
}

/// GIN's aggregation, `y_j = (1 + eps) x_j + sum over neighbours i of x_i`: x and the result are
/// (n, t, v, d), `eps` is (1), `adjacency` is binary without self loops.
///
/// # Errors
/// When x doesn't have the adjacency's number of joints.
pub fn aggregate(x: &Tensor, eps: &Tensor, adjacency: &Arc<JointMatrix>) -> Result<Tensor> {
    apply2(Aggregate(adjacency.clone()), x, eps)
}

/// `y_j = own x_j + sum_i m_ji x_i`, over whole frames at a time.
fn combine<T: Real>(x: View<'_, T>, terms: &[Vec<(usize, f64)>], own: T) -> Vec<T> {
    let d = x.width();
    let frame = terms.len() * d;
    let terms: Vec<Vec<(usize, T)>> = terms
        .iter()
        .map(|row| row.iter().map(|&(i, w)| (i, T::real(w))).collect())
        .collect();
    let mut out = vec![T::zero(); x.data.len()];
    let per_chunk = (rows::CHUNK / terms.len()).max(1);
    // Rows here are whole frames, so that a chunk never cuts one.
    rows::fill_by(&mut out, frame, per_chunk, |first, out| {
        let x = &x.data[first * frame..first * frame + out.len()];
        for (out, x) in out.chunks_exact_mut(frame).zip(x.chunks_exact(frame)) {
            for (j, (out, terms)) in out.chunks_exact_mut(d).zip(&terms).enumerate() {
                if own != T::zero() {
                    rows::add_scaled(out, own, &x[j * d..(j + 1) * d]);
                }
                for &(i, weight) in terms {
                    rows::add_scaled(out, weight, &x[i * d..(i + 1) * d]);
                }
            }
        }
    });
    out
}

fn check(name: &str, x: &View<'_, impl Real>, matrix: &JointMatrix) -> Result<()> {
    let (_, _, v, _) = x.dims4()?;
    if v != matrix.len() {
        bail!(
            "{name}: the graph has {} joints, x has {v}: {:?}",
            matrix.len(),
            x.dims
        );
    }
    Ok(())
}

impl Kernel<1> for Mix {
    const NAME: &'static str = "mix";

    fn forward<T: Real>(&self, [x]: [View<'_, T>; 1]) -> Result<(Vec<T>, Shape)> {
        check(<Self as Kernel<1>>::NAME, &x, &self.0)?;
        Ok((combine(x, &self.0.terms, T::zero()), x.dims.into()))
    }

    fn backward<T: Real>(
        &self,
        _: [View<'_, T>; 1],
        _: View<'_, T>,
        grad: View<'_, T>,
        _: [bool; 1],
    ) -> Result<[Option<Vec<T>>; 1]> {
        Ok([Some(combine(grad, &self.0.transposed, T::zero()))])
    }
}

impl Kernel<2> for Aggregate {
    const NAME: &'static str = "aggregate";

    fn forward<T: Real>(&self, [x, eps]: [View<'_, T>; 2]) -> Result<(Vec<T>, Shape)> {
        check(<Self as Kernel<2>>::NAME, &x, &self.0)?;
        if eps.data.len() != 1 {
            bail!("aggregate: expected one eps, found {:?}", eps.dims);
        }
        Ok((
            combine(x, &self.0.terms, T::one() + eps.data[0]),
            x.dims.into(),
        ))
    }

    fn backward<T: Real>(
        &self,
        [x, eps]: [View<'_, T>; 2],
        _: View<'_, T>,
        grad: View<'_, T>,
        wanted: [bool; 2],
    ) -> Result<[Option<Vec<T>>; 2]> {
        let dx = wanted[0].then(|| combine(grad, &self.0.transposed, T::one() + eps.data[0]));
        let deps = wanted[1].then(|| {
            rows::sum(x.rows(), 1, |from, to| {
                vec![rows::dot(x.between(from, to), grad.between(from, to))]
            })
        });
        Ok([dx, deps])
    }
}
