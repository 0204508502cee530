//! The branches over time in inference, one track at a time.

use candle_core::{Result, Tensor, bail};

use crate::branches::{Branches, Window};
use crate::cpu::temporal::window::{Columns, every};
use crate::cpu::temporal::{Pass, Shapes};
use crate::cpu::{
    Buffer, FoldedLinear, Matrix, MatrixMut, Moments, Norm, Real, add_product, chunks, leak,
    transpose,
};
use crate::params::{Affine, NormedMap, TemporalWeights, numbers, slices};
use crate::stats::BatchStats;
use crate::wide;

/// The branches of one model, folded.
#[derive(Clone, Debug)]
pub struct Temporal<T> {
    stride: usize,
    d: usize,
    part: usize,
    reduce: FoldedLinear<T>,
    convolutions: Vec<(Window, Columns, Vec<T>)>,
    max_pool: (Window, Columns, Vec<T>),
    point: Vec<T>,
    residual: Option<Vec<T>>,
    /// Of the branches' norm and the residual's together.
    shift: Vec<T>,
}

impl<T: Real> Temporal<T> {
    /// Of parameters as [`temporal`](crate::temporal()) takes them, for width `d`, and the statistics it returns.
    ///
    /// # Errors
    /// When these don't fit each other.
    pub fn new(
        branches: &Branches,
        weights: &TemporalWeights<Tensor>,
        d: usize,
        stats: &[BatchStats],
    ) -> Result<Self> {
        branches.check(&[1, 1, 1, d])?;
        let s = Shapes::of(branches, (1, 1, 1, d));
        let own = numbers::<T, _>(weights)?;
        let p = slices(&own);
        let norm = |i: usize, affine: &Affine<&[T]>| match stats.get(i) {
            Some(m) if m.mean.elem_count() == affine.bias.len() => {
                Ok(Norm::new(&Moments::of_stats(m)?, affine))
            }
            _ => bail!(
                "temporal: statistics of {} features expected",
                affine.bias.len()
            ),
        };
        let (norm1, norm2) = (norm(0, &p.reduce.norm)?, norm(1, &p.norm)?);
        let scale = |branch: usize| &norm2.scale[branch * s.part..(branch + 1) * s.part];
        let pass = Pass::new(branches, s, &p);
        let count = pass.convolutions.len();
        let convolutions = pass.convolutions.into_iter().enumerate().map(|(i, own)| {
            let weight = scaled(&own.weight, scale(i));
            (own.window, own.from, weight)
        });
        let mut shift = norm2.shift.clone();
        let residual = match &p.residual {
            None => None,
            Some(NormedMap {
                weight,
                norm: affine,
            }) => {
                let own = norm(2, affine)?;
                chunks::add(&mut shift, &own.shift);
                Some(scaled(weight, &own.scale))
            }
        };
        Ok(Self {
            stride: branches.stride,
            d,
            part: s.part,
            reduce: FoldedLinear::folded(p.reduce.weight, &norm1),
            convolutions: convolutions.collect(),
            max_pool: (pass.max_pool, pass.max_pool_from, scale(count).to_vec()),
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
        let (window, from, scale) = &self.max_pool;
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
        let mut add_map = |column: usize, width: usize, x: &[T], weight: &[T]| {
            let side = weight.len() / width;
            let out = MatrixMut::within(&mut out[column..], n, width, d);
            add_product(
                out,
                Matrix::new(x, n, side),
                Matrix::new(weight, side, width),
            );
        };
        for (branch, (window, from, weight)) in self.convolutions.iter().enumerate() {
            let mut taps = Buffer::new(n * window.kernel * part);
            wide!(window.gather(&a, *from, &mut taps, t, v));
            add_map(branch * part, part, &taps, weight);
        }
        let mut strided = Buffer::new(if self.stride == 1 { 0 } else { n * d });
        let seen = if self.stride == 1 {
            x
        } else {
            every(x, self.stride, &mut strided, v * d);
            &strided
        };
        add_map(column + part, part, seen, &self.point);
        if let Some(map) = &self.residual {
            add_map(0, d, seen, map);
        } else {
            wide!(chunks::add(&mut out, x));
        }
        wide!(leak(&mut out, T::zero()));
        out
    }
}

/// A weight (rows, c), each row times its scale, transposed.
fn scaled<T: Real>(weight: &[T], scale: &[T]) -> Vec<T> {
    let mut columns = transpose(weight, weight.len() / scale.len());
    for column in columns.chunks_exact_mut(scale.len()) {
        for (w, &scale) in column.iter_mut().zip(scale) {
            *w *= scale;
        }
    }
    columns
}
