//! Attention over a joint's neighbours and itself (P. Velickovic et al., Graph Attention Networks, ICLR 2018,
//! arXiv 1710.10903, equations 3, 4 and 5).
//!
//! A joint has about three neighbours, so a frame's weights are some two hundred numbers; they are all that
//! the forward pass keeps.

mod frame;

use std::sync::Arc;

use candle_core::{Result, Shape, Tensor, bail};
use rayon::prelude::*;
use skeleton_graph::Adjacency;

use super::kernel::{Kernel, Real, View, apply2};
use super::pool::{Buffer, Saved};
use super::rows::{frames_per_chunk, total};
use crate::wide;

use frame::Back;
pub use frame::Scratch;

/// Whom each joint attends to, itself first, and by how many heads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attention {
    others: Vec<Vec<usize>>,
    heads: usize,
}

/// `y_i = sum over j of alpha_ij u_j`, head by head, alpha_ij = softmax over j of LeakyReLU(a_to u_i + a_from
/// u_j), j the joint i and its neighbours. u and y are (n, t, v, d), their features the heads' side by side; `a`
/// (2, d) holds a_to and a_from of all heads.
///
/// # Errors
/// When the shapes don't fit.
pub fn attend(u: &Tensor, a: &Tensor, attention: &Arc<Attention>) -> Result<Tensor> {
    let op = Attend {
        attention: attention.clone(),
        saved: Saved::default(),
    };
    apply2(op, u, a)
}

impl Attention {
    /// On the graph `adjacency`.
    pub fn new(adjacency: &Adjacency, heads: usize) -> Self {
        let others = (0..adjacency.len())
            .map(|i| [&[i][..], adjacency.neighbours(i)].concat())
            .collect();
        Self { others, heads }
    }

    /// How many heads.
    pub fn heads(&self) -> usize {
        self.heads
    }

    /// v, joints.
    pub fn joints(&self) -> usize {
        self.others.len()
    }

    /// Numbers a frame's weights are.
    fn weights(&self) -> usize {
        self.others.iter().map(Vec::len).sum::<usize>() * self.heads
    }
}

struct Attend {
    attention: Arc<Attention>,
    saved: Saved,
}

impl Attend {
    /// d, having looked at all shapes.
    fn check<T>(&self, u: &View<'_, T>, a: &View<'_, T>) -> Result<usize> {
        let (_, _, v, d) = u.dims4()?;
        let Attention { others, heads } = &*self.attention;
        let fits = v == others.len() && d.is_multiple_of(*heads) && a.data.len() == 2 * d;
        if !fits || u.data.is_empty() {
            let (joints, a) = (others.len(), a.dims);
            bail!(
                "attend: {heads} heads on {joints} joints, u {:?}, a {a:?}",
                u.dims
            );
        }
        Ok(d)
    }
}

impl Kernel<2> for Attend {
    const NAME: &'static str = "attend";

    fn forward<T: Real>(&self, [u, a]: [View<'_, T>; 2]) -> Result<(Vec<T>, Shape)> {
        let d = self.check(&u, &a)?;
        let attention = &*self.attention;
        let (v, per_frame) = (attention.joints(), attention.weights());
        let frames = frames_per_chunk(v);
        let mut y = vec![T::zero(); u.data.len()];
        let mut weights = Buffer::new(u.rows() / v * per_frame);
        y.par_chunks_mut(frames * v * d)
            .zip(weights.par_chunks_mut(frames * per_frame))
            .zip(u.data.par_chunks(frames * v * d))
            .for_each_init(
                || attention.scratch(),
                |scratch, ((y, weights), u)| {
                    wide!({
                        let frames = y.chunks_exact_mut(v * d).zip(u.chunks_exact(v * d));
                        let frames = frames.zip(weights.chunks_exact_mut(per_frame));
                        for ((y, u), weights) in frames {
                            attention.frame(u, a.data, y, scratch);
                            weights.copy_from_slice(&scratch.weights);
                        }
                    });
                },
            );
        self.saved.put(weights);
        Ok((y, u.dims.into()))
    }

    fn backward<T: Real>(
        &self,
        [u, a]: [View<'_, T>; 2],
        _: View<'_, T>,
        grad: View<'_, T>,
        _: [bool; 2],
    ) -> Result<[Option<Vec<T>>; 2]> {
        let d = self.check(&u, &a)?;
        let attention = &*self.attention;
        let (v, per_frame) = (attention.joints(), attention.weights());
        let frames = frames_per_chunk(v);
        let weights = self.saved.take::<Buffer<T>>()?;
        let mut du = vec![T::zero(); u.data.len()];
        let parts: Vec<Vec<T>> = du
            .par_chunks_mut(frames * v * d)
            .zip(weights.par_chunks(frames * per_frame))
            .enumerate()
            .map(|(i, (du, weights))| {
                let rows = (i * frames * v, i * frames * v + du.len() / d);
                let (u, dy) = (u.between(rows.0, rows.1), grad.between(rows.0, rows.1));
                let mut da = vec![T::zero(); 2 * d];
                let mut scores = vec![T::zero(); 2 * v * attention.heads];
                let mut of_weights = vec![T::zero(); v];
                wide!({
                    let frames = u.chunks_exact(v * d).zip(dy.chunks_exact(v * d));
                    let frames = frames.zip(weights.chunks_exact(per_frame));
                    for (((u, dy), weights), du) in frames.zip(du.chunks_exact_mut(v * d)) {
                        let mut way = Back {
                            du,
                            da: &mut da,
                            scores: &mut scores,
                            of_weights: &mut of_weights,
                        };
                        attention.back([u, a.data, dy], weights, &mut way);
                    }
                });
                da
            })
            .collect();
        let da = total(2 * d, parts.iter().map(Vec::as_slice));
        Ok([Some(du), Some(da.into_iter().map(T::real).collect())])
    }
}
