//! Linear maps in inference, with the norms behind them folded in.

use crate::cpu::matrix::{Matrix, MatrixMut, transpose};
use crate::cpu::norm::Norm;
use crate::cpu::product::{add_product, product};
use crate::cpu::real::Real;
use crate::wide;

/// `x weight^T + shift`.
#[derive(Clone, Debug)]
pub struct FoldedLinear<T> {
    /// (c, d), which rows are multiplied by.
    columns: Vec<T>,
    shift: Vec<T>,
}

impl<T: Real> FoldedLinear<T> {
    /// A map without a norm.
    pub fn new(weight: &[T], shift: &[T]) -> Self {
        Self {
            columns: transpose(weight, weight.len() / shift.len().max(1)),
            shift: shift.to_vec(),
        }
    }

    /// With the norm behind it folded in.
    pub fn folded(weight: &[T], norm: &Norm<T>) -> Self {
        let mut map = Self::new(weight, &norm.shift);
        for row in map.columns.chunks_exact_mut(norm.width()) {
            for (w, &scale) in row.iter_mut().zip(&norm.scale) {
                *w *= scale;
            }
        }
        map
    }

    /// d, features of the result.
    pub fn width(&self) -> usize {
        self.shift.len()
    }

    /// c, numbers it reads.
    pub fn reads(&self) -> usize {
        self.columns.len() / self.width()
    }

    /// The constant part.
    pub fn shift(&self) -> &[T] {
        &self.shift
    }

    /// The constant part, to be changed.
    pub fn shift_mut(&mut self) -> &mut [T] {
        &mut self.shift
    }

    /// `x weight^T`, without the constant part.
    pub fn of_rows(&self, x: &[T]) -> Vec<T> {
        let mut out = vec![T::zero(); x.len() / self.reads() * self.width()];
        self.product(x, &mut out);
        out
    }

    /// This map after the map `e` (its features, c): one of c numbers, with this one's constant part.
    #[must_use]
    pub fn after(&self, e: &[T], c: usize) -> Self {
        Self {
            columns: self.of_rows(&transpose(e, c)),
            shift: self.shift.clone(),
        }
    }

    /// The sum of this map and of `other`, of what they read side by side, with this one's constant part.
    #[must_use]
    pub fn beside(&self, other: &Self) -> Self {
        Self {
            columns: [&self.columns[..], &other.columns].concat(),
            shift: self.shift.clone(),
        }
    }

    /// `PReLU(x weight^T + shift)` of rows x, into `out`; with a slope of zero ReLU, of one nothing.
    #[inline(always)]
    pub fn rows(&self, x: &[T], slope: T, out: &mut [T]) {
        self.product(x, out);
        wide!(self.finish(slope, out));
    }

    /// Adds the constant part to rows and applies PReLU. NaN stays NaN.
    #[inline(always)]
    pub fn finish(&self, slope: T, rows: &mut [T]) {
        let d = self.width();
        let shift = &self.shift[..d];
        for row in rows.chunks_exact_mut(d) {
            for i in 0..d {
                let y = row[i] + shift[i];
                row[i] = y * if y < T::zero() { slope } else { T::one() };
            }
        }
    }

    /// `x weight^T` of rows x, into `out`, without the constant part.
    #[inline(always)]
    pub fn product(&self, x: &[T], out: &mut [T]) {
        let (d, c) = (self.width(), self.reads());
        let n = out.len() / d;
        let weight = Matrix::new(&self.columns, c, d);
        product(MatrixMut::new(out, n, d), Matrix::new(x, n, c), weight);
    }

    /// Adds `x weight^T` of rows x to `out`.
    #[inline(always)]
    pub fn add_product(&self, x: &[T], out: &mut [T]) {
        let (d, c) = (self.width(), self.reads());
        let n = out.len() / d;
        let weight = Matrix::new(&self.columns, c, d);
        add_product(MatrixMut::new(out, n, d), Matrix::new(x, n, c), weight);
    }
}

/// `rows = PReLU(rows + constant)`, number by number; with a slope of zero ReLU. NaN stays NaN.
#[inline(always)]
pub fn add_leak<T: Real>(rows: &mut [T], constant: &[T], slope: T) {
    for (x, &constant) in rows.iter_mut().zip(constant) {
        let y = *x + constant;
        *x = y * if y < T::zero() { slope } else { T::one() };
    }
}

/// PReLU in place; with a slope of zero ReLU. NaN stays NaN.
#[inline(always)]
pub fn leak<T: Real>(x: &mut [T], slope: T) {
    for x in x {
        *x *= if *x < T::zero() { slope } else { T::one() };
    }
}
