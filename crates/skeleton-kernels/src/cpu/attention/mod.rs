//! Attention, fused. A joint has about three neighbours, so a frame's weights are some two hundred numbers; they are all
//! that the forward pass saves.

mod frame;

use std::sync::Arc;

use candle_core::{Result, Shape, bail};
use rayon::prelude::*;

use crate::cpu::buffer::{Buffer, SavedForBackward};
use crate::cpu::chunks::{frames_per_chunk, total};
use crate::cpu::kernel::{Kernel, View};
use crate::cpu::real::Real;
use crate::graph::Attention;
use crate::wide;

use frame::Gradients;
pub use frame::{Scratch, attend_frame};

/// Of u and a.
pub struct Attend {
    attention: Arc<Attention>,
    saved: SavedForBackward,
}

impl Attend {
    /// By heads on a graph.
    pub fn new(attention: &Arc<Attention>) -> Self {
        Self {
            attention: attention.clone(),
            saved: SavedForBackward::default(),
        }
    }

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
        let (v, per_frame) = (attention.joints(), frame::weights(attention));
        let frames = frames_per_chunk(v);
        let mut y = vec![T::zero(); u.data.len()];
        let mut weights = Buffer::new(u.rows() / v * per_frame);
        y.par_chunks_mut(frames * v * d)
            .zip(weights.par_chunks_mut(frames * per_frame))
            .zip(u.data.par_chunks(frames * v * d))
            .for_each_init(
                || Scratch::new(attention),
                |scratch, ((y, weights), u)| {
                    wide!({
                        let frames = y.chunks_exact_mut(v * d).zip(u.chunks_exact(v * d));
                        let frames = frames.zip(weights.chunks_exact_mut(per_frame));
                        for ((y, u), weights) in frames {
                            attend_frame(attention, [u, a.data], y, scratch);
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
        let (v, per_frame) = (attention.joints(), frame::weights(attention));
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
                        let mut gradients = Gradients {
                            du,
                            da: &mut da,
                            scores: &mut scores,
                            of_weights: &mut of_weights,
                        };
                        frame::backward(attention, [u, a.data, dy], weights, &mut gradients);
                    }
                });
                da
            })
            .collect();
        let da = total(2 * d, parts.iter().map(Vec::as_slice));
        Ok([Some(du), Some(da.into_iter().map(T::real).collect())])
    }
}
