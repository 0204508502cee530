//! Matrix products on slices, by `tiles` of our own where they are faster, else by the `gemm` crate;
//! both choose the machine's vectors at run time.
#![allow(unsafe_code, reason = "gemm takes pointers")]

use candle_core::DType;

use crate::cpu::matrix::{Matrix, MatrixMut};
use crate::cpu::prefetch::Prefetch;
use crate::cpu::real::Real;

/// `out = a b`. On one thread: the callers share out chunks of rows, which keeps results independent of the number of
/// threads.
///
/// # Panics
/// When the shapes don't fit or reach outside a slice: the kernels check theirs before they call.
pub fn product<T: Real>(out: MatrixMut<'_, T>, a: Matrix<'_, T>, b: Matrix<'_, T>) {
    multiply(out, a, b, false, &mut Prefetch::none());
}

/// `out += a b`.
///
/// # Panics
/// As [`product`].
pub fn add_product<T: Real>(out: MatrixMut<'_, T>, a: Matrix<'_, T>, b: Matrix<'_, T>) {
    multiply(out, a, b, true, &mut Prefetch::none());
}

/// `dz^T x`, the gradient of W in `z = x W^T`.
///
/// # Panics
/// As [`product`].
pub fn weight_gradient<T: Real>(dz: Matrix<'_, T>, x: Matrix<'_, T>) -> Vec<T> {
    Prefetch::none().weight_gradient(dz, x)
}

impl Prefetch {
    /// [`weight_gradient`], which asks for this memory meanwhile.
    ///
    /// # Panics
    /// As [`product`].
    pub fn weight_gradient<T: Real>(&mut self, dz: Matrix<'_, T>, x: Matrix<'_, T>) -> Vec<T> {
        let mut dw = vec![T::zero(); dz.columns * x.columns];
        let out = MatrixMut::new(&mut dw, dz.columns, x.columns);
        self.product(out, dz.transposed(), x);
        dw
    }

    /// [`product`], which asks for this memory meanwhile.
    ///
    /// # Panics
    /// As [`product`].
    pub fn product<T: Real>(&mut self, out: MatrixMut<'_, T>, a: Matrix<'_, T>, b: Matrix<'_, T>) {
        multiply(out, a, b, false, self);
    }

    /// [`add_product`], which asks for this memory meanwhile.
    ///
    /// # Panics
    /// As [`product`].
    pub fn add_product<T: Real>(
        &mut self,
        out: MatrixMut<'_, T>,
        a: Matrix<'_, T>,
        b: Matrix<'_, T>,
    ) {
        multiply(out, a, b, true, self);
    }
}

fn multiply<T: Real>(
    mut out: MatrixMut<'_, T>,
    a: Matrix<'_, T>,
    b: Matrix<'_, T>,
    accumulate: bool,
    prefetch: &mut Prefetch,
) {
    assert_eq!(a.columns, b.rows, "inner extents agree");
    assert_eq!(
        (out.rows, out.columns),
        (a.rows, b.columns),
        "the result has its shape"
    );
    assert!(out.columns <= out.row, "rows of the result lie apart");
    let end = match (out.rows, out.columns) {
        (0, _) | (_, 0) => 0,
        (rows, columns) => (rows - 1).saturating_mul(out.row).saturating_add(columns),
    };
    assert!(
        a.end() <= a.data.len() && b.end() <= b.data.len() && end <= out.data.len(),
        "matrices lie inside their slices"
    );
    if T::tiled(&mut out, a, b, accumulate, prefetch) {
        return;
    }
    debug_assert!(matches!(T::DTYPE, DType::F32 | DType::F64));
    let stride = |n: usize| n as isize;
    // SAFETY: the assertions above keep every access of both arguments and the result inside their
    // slices (an extent that overflows is saturated, and so lies in none), the result is borrowed mutably and so overlaps neither, and T is f32 or f64 (`Real` is
    // implemented for no other type), which gemm handles.
    unsafe {
        gemm::gemm(
            a.rows,
            b.columns,
            a.columns,
            out.data.as_mut_ptr(),
            1,
            stride(out.row),
            accumulate,
            a.data.as_ptr(),
            stride(a.column),
            stride(a.row),
            b.data.as_ptr(),
            stride(b.column),
            stride(b.row),
            T::one(),
            T::one(),
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}
