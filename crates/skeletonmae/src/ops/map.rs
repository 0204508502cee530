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
        self.add(x, &mut out);
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

    /// Of rows x, into `out`.
    #[inline(always)]
    pub fn rows(&self, x: &[T], out: &mut [T]) {
        wide!({
            out.chunks_exact_mut(self.width())
                .for_each(|row| row.copy_from_slice(&self.shift));
        });
        self.add(x, out);
    }

    /// Adds `x weight^T` to rows.
    #[inline(always)]
    pub fn add(&self, x: &[T], out: &mut [T]) {
        let d = self.width();
        let (n, c) = (out.len() / d, self.weight.len() / d);
        let weight = Matrix::new(&self.weight, d, c).transposed();
        product(
            MatrixMut::new(out, n, d),
            Matrix::new(x, n, c),
            weight,
            true,
        );
    }
}

/// PReLU in place; with a slope of zero ReLU. NaN stays NaN.
#[inline(always)]
pub fn leak<T: Real>(x: &mut [T], slope: T) {
    for x in x {
        *x *= if *x < T::zero() { slope } else { T::one() };
    }
}
