//! The branches in inference: every norm folded into the map before it, one track at a time.

use candle_core::{Result, bail};
use skeletonmae::ops::map::{Map, leak};
use skeletonmae::ops::norm::Norm;
use skeletonmae::ops::pool::Buffer;
use skeletonmae::ops::product::{Matrix, MatrixMut, flip, product};
use skeletonmae::ops::rows;
use skeletonmae::ops::{Moments, Real};
use skeletonmae::wide;

use super::forward::Pass;
use super::window::{Columns, Window, every};
use super::{Branches, params};

/// The branches of one model, folded.
#[derive(Clone, Debug)]
pub struct Folded<T> {
    stride: usize,
    d: usize,
    part: usize,
    reduce: Map<T>,
    convolutions: Vec<(Window, Columns, Vec<T>)>,
    pool: (Window, Columns, Vec<T>),
    point: Vec<T>,
    residual: Option<Vec<T>>,
    /// Of the branches' norm and the residual's together.
    shift: Vec<T>,
}

impl<T: Real> Folded<T> {
    /// From parameters as [`temporal`](super::temporal) takes them, for width `d`, and the statistics it
    /// returns.
    ///
    /// # Errors
    /// When these don't fit each other.
    pub fn new(branches: &Branches, theta: &[T], d: usize, moments: &[Moments]) -> Result<Self> {
        let s = branches.check(&[1, 1, 1, d], theta.len())?;
        let p = params::split(branches, &s, theta);
        let norm = |i: usize, [weight, bias]: [&[T]; 2]| match moments.get(i) {
            Some(m) if m.mean.len() == weight.len() => Ok(Norm::new(m, weight, bias)),
            _ => bail!("temporal: statistics of {} features expected", weight.len()),
        };
        let (norm1, norm2) = (norm(0, p.norm1)?, norm(1, p.norm2)?);
        let scale = |branch: usize| &norm2.scale[branch * s.part..(branch + 1) * s.part];
        let pass = Pass::new(branches, s, &p);
        let count = pass.convolutions.len();
        let convolutions = pass.convolutions.into_iter().enumerate().map(|(i, own)| {
            let weight = scaled(&own.weight, scale(i));
            (own.window, own.from, weight)
        });
        let mut shift = norm2.shift.clone();
        let residual = match p.residual {
            None => None,
            Some(residual) => {
                let own = norm(2, residual.norm)?;
                rows::add(&mut shift, &own.shift);
                Some(scaled(residual.map, &own.scale))
            }
        };
        Ok(Self {
            stride: branches.stride,
            d,
            part: s.part,
            reduce: Map::folded(p.reduce, &norm1),
            convolutions: convolutions.collect(),
            pool: (pass.pool, pass.pool_from, scale(count).to_vec()),
            point: scaled(p.point, scale(count + 1)),
            residual,
            shift,
        })
    }

    /// Output frames of `t` input frames.
    pub fn frames(&self, t: usize) -> usize {
        t.div_ceil(self.stride)
    }

    /// A track x (t, v, d) to (t / stride rounded up, v, d).
    pub fn track(&self, x: &[T], t: usize, v: usize) -> Buffer<T> {
        let (d, part) = (self.d, self.part);
        let n = self.frames(t) * v;
        let mut a = Buffer::new(t * v * self.reduce.width());
        self.reduce.rows(x, T::zero(), &mut a);
        let mut out = Buffer::new(n * d);
        let (window, from, scale) = &self.pool;
        let mut largest = Buffer::new(n * part);
        let to = Columns {
            from: 0,
            width: part,
            row: part,
        };
        let column = self.convolutions.len() * part;
        wide!({
            out.chunks_exact_mut(d)
                .for_each(|row| row.copy_from_slice(&self.shift));
            window.largest(&a, *from, &mut largest, to, t, v);
            for (out, x) in out.chunks_exact_mut(d).zip(largest.chunks_exact(part)) {
                let out = &mut out[column..column + part];
                for i in 0..part {
                    out[i] += x[i] * scale[i];
                }
            }
        });
        let mut add = |column: usize, width: usize, x: &[T], weight: &[T]| {
            let side = weight.len() / width;
            let out = MatrixMut::within(&mut out[column..], n, width, d);
            product(
                out,
                Matrix::new(x, n, side),
                Matrix::new(weight, side, width),
                true,
            );
        };
        for (branch, (window, from, weight)) in self.convolutions.iter().enumerate() {
            let mut taps = Buffer::new(n * window.kernel * part);
            wide!(window.gather(&a, *from, &mut taps, t, v));
            add(branch * part, part, &taps, weight);
        }
        let mut strided = Buffer::new(if self.stride == 1 { 0 } else { n * d });
        let seen = if self.stride == 1 {
            x
        } else {
            every(x, self.stride, &mut strided, v * d);
            &strided
        };
        add(column + part, part, seen, &self.point);
        if let Some(map) = &self.residual {
            add(0, d, seen, map);
        } else {
            wide!(rows::add(&mut out, x));
        }
        wide!(leak(&mut out, T::zero()));
        out
    }
}

/// A weight (rows, c), each row times its scale, transposed.
fn scaled<T: Real>(weight: &[T], scale: &[T]) -> Vec<T> {
    let mut columns = flip(weight, weight.len() / scale.len());
    for column in columns.chunks_exact_mut(scale.len()) {
        for (w, &scale) in column.iter_mut().zip(scale) {
            *w *= scale;
        }
    }
    columns
}
