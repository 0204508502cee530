//! Attention, fused. A joint has about three neighbours, so a frame's weights are some two hundred numbers; they are all
//! that the forward pass saves.

use std::sync::Arc;

use candle_core::{Result, Shape, bail};
use rayon::prelude::*;

use crate::cpu::{
    ArgGradients, BackwardArgs, Buffer, Kernel, Real, SavedForBackward, View, chunks,
};
use crate::graph::{Attention, SLOPE};
use crate::wide;

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
        let Attention { others, heads, .. } = &*self.attention;
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
        let (v, per_frame) = (attention.joints(), weights_per_frame(attention));
        let frames = chunks::frames_per_chunk(v);
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

    fn backward<T: Real>(&self, given: BackwardArgs<'_, T, 2>) -> ArgGradients<T, 2> {
        let ([u, a], grad) = (given.args, given.grad);
        let d = self.check(&u, &a)?;
        let attention = &*self.attention;
        let (v, per_frame) = (attention.joints(), weights_per_frame(attention));
        let frames = chunks::frames_per_chunk(v);
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
                        backward_frame(attention, [u, a.data, dy], weights, &mut gradients);
                    }
                });
                da
            })
            .collect();
        let da = chunks::reals(&chunks::total(&parts));
        Ok([Some(du), Some(da)])
    }
}

/// Buffers of one frame.
#[derive(Clone, Debug)]
pub struct Scratch<T> {
    /// (v, heads) each: a_to u and a_from u.
    scores: [Vec<T>; 2],
    weights: Vec<T>,
}

/// Where gradients go.
struct Gradients<'a, T> {
    pub du: &'a mut [T],
    pub da: &'a mut [T],
    /// (2, v, heads).
    pub scores: &'a mut [T],
    pub of_weights: &'a mut [T],
}

/// Numbers a frame's weights are.
fn weights_per_frame(attention: &Attention) -> usize {
    attention.others.iter().map(Vec::len).sum::<usize>() * attention.heads
}

impl<T: Real> Scratch<T> {
    /// For frames of this attention.
    pub fn new(attention: &Attention) -> Self {
        let scores = vec![T::zero(); attention.joints() * attention.heads];
        Self {
            scores: [scores.clone(), scores],
            weights: vec![T::zero(); weights_per_frame(attention)],
        }
    }
}

/// y of one frame u (v, d); the weights stay in `scratch`, negative where the score was.
#[inline(always)]
pub fn attend_frame<T: Real>(
    attention: &Attention,
    [u, a]: [&[T]; 2],
    y: &mut [T],
    scratch: &mut Scratch<T>,
) {
    let heads = attention.heads;
    let d = u.len() / attention.joints();
    let part = d / heads;
    let Scratch { scores, weights } = scratch;
    for (scores, a) in scores.iter_mut().zip(a.chunks_exact(d)) {
        for (scores, u) in scores.chunks_exact_mut(heads).zip(u.chunks_exact(d)) {
            for (h, score) in scores.iter_mut().enumerate() {
                *score = dot(&u[h * part..(h + 1) * part], &a[h * part..(h + 1) * part]);
            }
        }
    }
    let mut at = 0;
    for (i, (y, others)) in y.chunks_exact_mut(d).zip(&attention.others).enumerate() {
        let weights = &mut weights[at..at + others.len() * heads];
        at += weights.len();
        y.fill(T::zero());
        for h in 0..heads {
            let own = scores[0][i * heads + h];
            let of = |j: usize| own + scores[1][j * heads + h];
            softmax(others, of, h, heads, weights);
            let columns = h * part..(h + 1) * part;
            for (k, &j) in others.iter().enumerate() {
                let u = &u[j * d..(j + 1) * d][columns.clone()];
                chunks::add_scaled(&mut y[columns.clone()], weights[k * heads + h].abs(), u);
            }
        }
    }
}

/// Adds the gradients of a frame's u and of `a`, given `dy`.
#[inline(always)]
fn backward_frame<T: Real>(
    attention: &Attention,
    [u, a, dy]: [&[T]; 3],
    weights: &[T],
    gradients: &mut Gradients<'_, T>,
) {
    let heads = attention.heads;
    let d = u.len() / attention.joints();
    let part = d / heads;
    let slope = T::real(SLOPE);
    gradients.scores.fill(T::zero());
    let (to, from) = gradients.scores.split_at_mut(attention.joints() * heads);
    let mut at = 0;
    for (i, (dy, others)) in dy.chunks_exact(d).zip(&attention.others).enumerate() {
        let weights = &weights[at..at + others.len() * heads];
        at += weights.len();
        for h in 0..heads {
            let columns = h * part..(h + 1) * part;
            let dy = &dy[columns.clone()];
            let mut mean = T::zero();
            for (k, &j) in others.iter().enumerate() {
                let weight = weights[k * heads + h].abs();
                let of_weight = dot(dy, &u[j * d..(j + 1) * d][columns.clone()]);
                gradients.of_weights[k] = of_weight;
                mean += weight * of_weight;
                chunks::add_scaled(
                    &mut gradients.du[j * d..(j + 1) * d][columns.clone()],
                    weight,
                    dy,
                );
            }
            for (k, &j) in others.iter().enumerate() {
                let signed = weights[k * heads + h];
                let through = signed.abs() * (gradients.of_weights[k] - mean);
                let through = through
                    * if signed.is_sign_negative() {
                        slope
                    } else {
                        T::one()
                    };
                to[i * heads + h] += through;
                from[j * heads + h] += through;
            }
        }
    }
    for (side, scores) in [&*to, &*from].into_iter().enumerate() {
        let (a, da) = (
            &a[side * d..(side + 1) * d],
            &mut gradients.da[side * d..(side + 1) * d],
        );
        let rows = u.chunks_exact(d).zip(gradients.du.chunks_exact_mut(d));
        for ((u, du), scores) in rows.zip(scores.chunks_exact(heads)) {
            for (h, &score) in scores.iter().enumerate() {
                let columns = h * part..(h + 1) * part;
                chunks::add_scaled(&mut du[columns.clone()], score, &a[columns.clone()]);
                chunks::add_scaled(&mut da[columns.clone()], score, &u[columns]);
            }
        }
    }
}

/// The weights of one joint and head among those of its heads; each carries its score's sign.
#[inline(always)]
fn softmax<T: Real>(
    others: &[usize],
    score: impl Fn(usize) -> T,
    h: usize,
    heads: usize,
    weights: &mut [T],
) {
    let slope = T::real(SLOPE);
    let leaky = |x: T| if x < T::zero() { x * slope } else { x };
    let scores = others.iter().map(|&j| leaky(score(j)));
    let largest = scores.fold(T::neg_infinity(), |a, b| if b > a { b } else { a });
    let mut sum = T::zero();
    for (k, &j) in others.iter().enumerate() {
        let weight = (leaky(score(j)) - largest).exp();
        weights[k * heads + h] = weight;
        sum += weight;
    }
    for (k, &j) in others.iter().enumerate() {
        let weight = &mut weights[k * heads + h];
        *weight = (*weight / sum).copysign(score(j));
    }
}

/// Sum of products, sixteen side by side and then halves onto halves: a fixed order.
#[inline(always)]
fn dot<T: Real>(a: &[T], b: &[T]) -> T {
    let mut lanes = [T::zero(); 16];
    let (a, b) = (a.chunks_exact(16), b.chunks_exact(16));
    let rest = a.remainder().iter().zip(b.remainder());
    for (lane, (&a, &b)) in lanes.iter_mut().zip(rest) {
        *lane = a * b;
    }
    for (a, b) in a.zip(b) {
        for i in 0..16 {
            lanes[i] += a[i] * b[i];
        }
    }
    for half in [8, 4, 2, 1] {
        for i in 0..half {
            let other = lanes[i + half];
            lanes[i] += other;
        }
    }
    lanes[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_products_of_any_length() {
        for n in [1, 2, 15, 16, 17, 40] {
            let a: Vec<f64> = (0..n).map(|i| i as f64 - 3.0).collect();
            let b: Vec<f64> = (0..n).map(|i| 0.5 * i as f64).collect();
            let expected: f64 = a.iter().zip(&b).map(|(a, b)| a * b).sum();
            assert!((dot(&a, &b) - expected).abs() < 1e-9, "{n}");
        }
    }
}
