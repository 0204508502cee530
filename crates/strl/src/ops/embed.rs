//! The embedding with the temporal position embedding, section 3.3.

use candle_core::{Result, Shape, Tensor, bail};
use rayon::prelude::*;
use skeletonmae::ops::fresh::Fresh;
use skeletonmae::ops::product::{Matrix, MatrixMut, product};
use skeletonmae::ops::{Kernel, Real, View, apply2, rows};
use skeletonmae::wide;

struct Embed;

/// `s W^T + b + P_t` at every joint of frame t: s (n, t, v, c), result (n, t, v, d). `theta` holds W
/// (d, c), b (d) and P (t, d), one after the other. No gradient flows into s.
///
/// # Errors
/// When the shapes don't fit.
pub fn embed(s: &Tensor, theta: &Tensor) -> Result<Tensor> {
    apply2(Embed, &s.detach(), theta)
}

/// d from t, c and the number of parameters.
fn width(t: usize, c: usize, parameters: usize) -> Result<usize> {
    let each = c + 1 + t;
    if parameters == 0 || !parameters.is_multiple_of(each) {
        bail!("embed: {parameters} parameters don't fit {t} frames of {c} coordinates");
    }
    Ok(parameters / each)
}

/// The embedding of whole frames s (frames, v, c), the first of them frame `first` of its track.
fn frames<T: Real>(theta: &[T], s: &[T], out: &mut [T], first: usize, [t, v, c]: [usize; 3]) {
    let d = theta.len() / (c + 1 + t);
    let (w, rest) = theta.split_at(d * c);
    let (b, p) = rest.split_at(d);
    let columns: Vec<T> = (0..c)
        .flat_map(|k| (0..d).map(move |i| w[i * c + k]))
        .collect();
    wide!({
        let out = out.chunks_exact_mut(v * d).zip(s.chunks_exact(v * c));
        for (frame, (out, s)) in out.enumerate() {
            let at = (first + frame) % t * d;
            for (out, s) in out.chunks_exact_mut(d).zip(s.chunks_exact(c)) {
                out.copy_from_slice(b);
                rows::add(out, &p[at..at + d]);
                for (column, &s) in columns.chunks_exact(d).zip(s) {
                    rows::add_scaled(out, s, column);
                }
            }
        }
    });
}

impl Kernel<2> for Embed {
    const NAME: &'static str = "embed";

    fn forward<T: Real>(&self, [s, theta]: [View<'_, T>; 2]) -> Result<(Vec<T>, Shape)> {
        let (n, t, v, c) = s.dims4()?;
        let d = width(t, c, theta.data.len())?;
        let mut out = Fresh::new(n * t * v * d);
        let chunk = rows::frames_per_chunk(v);
        out.chunks(chunk * v * d).enumerate().for_each(|(i, out)| {
            let first = i * chunk;
            let s = s.between(first * v, first * v + out.len() / d);
            frames(theta.data, s, out, first, [t, v, c]);
        });
        Ok((out.finish(), (n, t, v, d).into()))
    }

    fn backward<T: Real>(
        &self,
        [s, theta]: [View<'_, T>; 2],
        _: View<'_, T>,
        grad: View<'_, T>,
        _: [bool; 2],
    ) -> Result<[Option<Vec<T>>; 2]> {
        let (n, t, v, c) = s.dims4()?;
        let d = width(t, c, theta.data.len())?;
        let parts = rows::each_of(n, |track| {
            let rows_of = track * t * v..(track + 1) * t * v;
            let (s, g) = (
                s.between(rows_of.start, rows_of.end),
                grad.between(rows_of.start, rows_of.end),
            );
            let mut part = vec![T::zero(); theta.data.len()];
            let (w, rest) = part.split_at_mut(d * c);
            let (g_rows, s_rows) = (Matrix::new(g, t * v, d), Matrix::new(s, t * v, c));
            product(MatrixMut::new(w, d, c), g_rows.transposed(), s_rows, false);
            let (b, p) = rest.split_at_mut(d);
            wide!({
                for (p, g) in p.chunks_exact_mut(d).zip(g.chunks_exact(v * d)) {
                    g.chunks_exact(d).for_each(|g| rows::add(p, g));
                    rows::add(b, p);
                }
            });
            part
        });
        let total = rows::total(theta.data.len(), parts.iter().map(Vec::as_slice));
        Ok([None, Some(total.into_iter().map(T::real).collect())])
    }
}
