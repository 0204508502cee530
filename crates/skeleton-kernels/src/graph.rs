//! How joints are related: constants of an op.

use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{Result, Tensor};
use skeleton_graph::Adjacency;

use crate::plain::constant;

/// A constant tensor, made at the first request for each type and device.
#[derive(Clone, Debug, Default)]
struct Constant(Arc<Mutex<Vec<Tensor>>>);

impl Constant {
    fn get(&self, like: &Tensor, make: impl FnOnce() -> Result<Tensor>) -> Result<Tensor> {
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |t: &&Tensor| t.dtype() == like.dtype() && t.device().same_device(like.device());
        if let Some(constant) = made.iter().find(fits) {
            return Ok(constant.clone());
        }
        let constant = make()?;
        made.push(constant.clone());
        Ok(constant)
    }
}

/// A fixed (v, v) matrix over joints, stored by its non-zeros: a joint has a handful of neighbours.
#[derive(Clone, Debug)]
pub struct JointMatrix {
    /// Of each row j its (i, `m_ji`).
    pub(crate) terms: Vec<Vec<(usize, f64)>>,
    /// The same of the transposed matrix.
    pub(crate) transposed: Vec<Vec<(usize, f64)>>,
    dense: Constant,
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
            dense: Constant::default(),
        }
    }

    /// v, joints.
    pub fn joints(&self) -> usize {
        self.terms.len()
    }

    /// The matrix (t v, t v) over the joints of all `t` frames of a clip: within a frame this one, and 1 between a joint and itself
    /// so many frames before and after as each of `distances` says.
    #[must_use]
    pub fn over_time(&self, t: usize, distances: &[usize]) -> Self {
        let v = self.joints();
        let over = |own: &[Vec<(usize, f64)>]| {
            let row = |at: usize| {
                let (frame, j) = (at / v, at % v);
                let within = own[j].iter().map(|&(i, w)| (frame * v + i, w));
                let around = distances.iter().flat_map(|&distance| {
                    let before = frame.checked_sub(distance);
                    let after = Some(frame + distance).filter(|&after| after < t);
                    before.into_iter().chain(after)
                });
                within
                    .chain(around.map(|frame| (frame * v + j, 1.0)))
                    .collect()
            };
            (0..t * v).map(row).collect()
        };
        Self {
            terms: over(&self.terms),
            transposed: over(&self.transposed),
            dense: Constant::default(),
        }
    }

    /// The matrix as a tensor (v, v), of the type and on the device of `like`.
    pub(crate) fn dense(&self, like: &Tensor) -> Result<Tensor> {
        self.dense.get(like, || {
            let v = self.joints();
            let mut dense = vec![0.0; v * v];
            for (j, terms) in self.terms.iter().enumerate() {
                terms.iter().for_each(|&(i, w)| dense[j * v + i] = w);
            }
            constant(dense, (v, v), like)
        })
    }
}

/// The slope of attention's `LeakyReLU` around a score where it is negative (Velickovic et al., section 3.3).
pub const SLOPE: f64 = 0.2;

/// Whom each joint attends to, itself first, and by how many heads.
#[derive(Clone, Debug)]
pub struct Attention {
    pub(crate) others: Vec<Vec<usize>>,
    pub(crate) heads: usize,
    pairs: Constant,
}

impl Attention {
    /// On the graph `adjacency`.
    pub fn new(adjacency: &Adjacency, heads: usize) -> Self {
        let others = (0..adjacency.len())
            .map(|i| [&[i][..], adjacency.neighbours(i)].concat())
            .collect();
        Self {
            others,
            heads,
            pairs: Constant::default(),
        }
    }

    /// How many heads.
    pub fn heads(&self) -> usize {
        self.heads
    }

    /// v, joints.
    pub fn joints(&self) -> usize {
        self.others.len()
    }

    /// What makes of (to, from, 1), (2 v + 1), the sum `to_i` + `from_j` of all pairs, (v v), far below any score where j is
    /// no neighbour of i: (2 v + 1, v v), of the type and on the device of `like`.
    pub(crate) fn pairs(&self, like: &Tensor) -> Result<Tensor> {
        self.pairs.get(like, || {
            let v = self.joints();
            let mut pairs = vec![0.0; (2 * v + 1) * v * v];
            for (i, others) in self.others.iter().enumerate() {
                for j in 0..v {
                    let at = i * v + j;
                    pairs[i * v * v + at] = 1.0;
                    pairs[(v + j) * v * v + at] = 1.0;
                    pairs[2 * v * v * v + at] = if others.contains(&j) { 0.0 } else { -1e9 };
                }
            }
            constant(pairs, (2 * v + 1, v * v), like)
        })
    }
}
