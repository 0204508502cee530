//! The embedding with positions, fused.

use std::ops::Range;

use candle_core::{Result, Shape};
use rayon::prelude::*;

use crate::cpu::{
    ArgGradients, BackwardArgs, Kernel, Matrix, MatrixMut, Real, Uninit, View, chunks, product,
};
use crate::params::{Embedding, flatten, unpack};
use crate::wide;

/// Of s and the packed parameters.
pub struct Embed(pub Embedding<Range<usize>>);

/// The embedding of whole frames s (frames, v, c), the first of them frame `first` of its track.
fn frames<T: Real>(p: &Embedding<&[T]>, s: &[T], out: &mut [T], first: usize, v: usize) {
    let d = p.bias.len();
    let (c, t) = (p.weight.len() / d, p.position.len() / d);
    let columns: Vec<T> = (0..c)
        .flat_map(|k| (0..d).map(move |i| p.weight[i * c + k]))
        .collect();
    wide!({
        let out = out.chunks_exact_mut(v * d).zip(s.chunks_exact(v * c));
        for (frame, (out, s)) in out.enumerate() {
            let at = (first + frame) % t * d;
            for (out, s) in out.chunks_exact_mut(d).zip(s.chunks_exact(c)) {
                out.copy_from_slice(p.bias);
                chunks::add(out, &p.position[at..at + d]);
                for (column, &s) in columns.chunks_exact(d).zip(s) {
                    chunks::add_scaled(out, s, column);
                }
            }
        }
    });
}

impl Kernel<2> for Embed {
    const NAME: &'static str = "embed";

    fn forward<T: Real>(&self, [s, theta]: [View<'_, T>; 2]) -> Result<(Vec<T>, Shape)> {
        let (n, t, v, _) = s.dims4()?;
        let p = unpack(&self.0, theta.data);
        let d = p.bias.len();
        let mut out = Uninit::new(n * t * v * d);
        let chunk = chunks::frames_per_chunk(v);
        out.chunks(chunk * v * d).enumerate().for_each(|(i, out)| {
            let first = i * chunk;
            let s = s.between(first * v, first * v + out.len() / d);
            frames(&p, s, out, first, v);
        });
        Ok((out.finish(), (n, t, v, d).into()))
    }

    fn backward<T: Real>(&self, given: BackwardArgs<'_, T, 2>) -> ArgGradients<T, 2> {
        let ([s, _], grad) = (given.args, given.grad);
        let (n, t, v, c) = s.dims4()?;
        let d = self.0.bias.len();
        let parts = chunks::each_of(n, |track| {
            let of_track = (track * t * v, (track + 1) * t * v);
            let s = s.between(of_track.0, of_track.1);
            let g = grad.between(of_track.0, of_track.1);
            let zeros = |n: usize| vec![T::zero(); n];
            let mut part = Embedding {
                weight: zeros(d * c),
                bias: zeros(d),
                position: zeros(t * d),
            };
            let (g_rows, s_rows) = (Matrix::new(g, t * v, d), Matrix::new(s, t * v, c));
            let weight = MatrixMut::new(&mut part.weight, d, c);
            product(weight, g_rows.transposed(), s_rows);
            let (b, p) = (&mut part.bias, &mut part.position);
            wide!({
                for (p, g) in p.chunks_exact_mut(d).zip(g.chunks_exact(v * d)) {
                    g.chunks_exact(d).for_each(|g| chunks::add(p, g));
                    chunks::add(b, p);
                }
            });
            flatten(&part)
        });
        let total = chunks::reals(&chunks::total(&parts));
        Ok([None, Some(total)])
    }
}
