//! Linear maps in inference, with the norms behind them folded in.

use super::kernel::Real;
use super::norm::Norm;
use super::product::{Matrix, MatrixMut, product};
use crate::wide;

/// `x weight^T + shift`.
#[derive(Clone, Debug)]
pub struct Map<T> {
    weight: Vec<T>,
    shift: Vec<T>,
}

impl<T: Real> Map<T> {
    /// A map without a norm.
    pub fn new(weight: &[T], shift: &[T]) -> Self {
        let (weight, shift) = (weight.to_vec(), shift.to_vec());
        Self { weight, shift }
    }

    /// With the norm behind it folded in.
    pub fn folded(weight: &[T], norm: &Norm<T>) -> Self {
        let c = weight.len() / norm.width();
        let scaled = weight.chunks_exact(c).zip(&norm.scale);
        Self {
            weight: scaled
                .flat_map(|(row, &scale)| row.iter().map(move |&w| w * scale))
                .collect(),
            shift: norm.shift.clone(),
        }
    }

    /// d, features of the result.
    pub fn width(&self) -> usize {
        self.shift.len()
    }

    /// (d, c).
    pub fn weight(&self) -> &[T] {
        &self.weight
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
        let c = self.weight.len() / self.width();
        let mut out = vec![T::zero(); x.len() / c * self.width()];
        self.product(x, &mut out, false);
        out
    }

    /// This map after the map `e` (its features, c): one of c numbers, with this one's constant part.
    #[must_use]
    pub fn after(&self, e: &[T], c: usize) -> Self {
        let d = self.width();
        let between = e.len() / c;
        let mut weight = vec![T::zero(); d * c];
        let own = Matrix::new(&self.weight, d, between);
        product(
            MatrixMut::new(&mut weight, d, c),
            own,
            Matrix::new(e, between, c),
            false,
        );
        let shift = self.shift.clone();
        Self { weight, shift }
    }

    /// `PReLU(x weight^T + shift)` of rows x, into `out`; with a slope of zero ReLU, of one nothing.
    #[inline(always)]
    pub fn rows(&self, x: &[T], slope: T, out: &mut [T]) {
        self.product(x, out, false);
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

    /// `x weight^T` of rows x, into `out` or added to it, without the constant part.
    #[inline(always)]
    pub fn product(&self, x: &[T], out: &mut [T], accumulate: bool) {
        let d = self.width();
        let (n, c) = (out.len() / d, self.weight.len() / d);
        let weight = Matrix::new(&self.weight, d, c).transposed();
        product(
            MatrixMut::new(out, n, d),
            Matrix::new(x, n, c),
            weight,
            accumulate,
        );
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
