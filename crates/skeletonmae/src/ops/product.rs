//! Matrix products on slices, by [`tiles`](super::tiles) of our own where they are faster, else by the `gemm` crate;
//! both choose the machine's vectors at run time.
#![allow(unsafe_code, reason = "gemm takes pointers")]

use candle_core::DType;

use super::kernel::Real;
use super::next::Next;

/// A matrix inside a slice: element (i, j) is `data[i * row + j * column]`.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a, T> {
    /// The numbers.
    pub data: &'a [T],
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
    /// Distance of neighbouring rows.
    pub row: usize,
    /// Distance of neighbouring columns.
    pub column: usize,
}

impl<'a, T> Matrix<'a, T> {
    /// A row-major matrix.
    pub fn new(data: &'a [T], rows: usize, columns: usize) -> Self {
        Self {
            data,
            rows,
            columns,
            row: columns,
            column: 1,
        }
    }

    /// The same numbers, transposed.
    #[must_use]
    pub fn transposed(self) -> Self {
        Self {
            data: self.data,
            rows: self.columns,
            columns: self.rows,
            row: self.column,
            column: self.row,
        }
    }

    /// Some columns of a wider row-major matrix of rows of `row` numbers, `data` starting at the first.
    pub fn within(data: &'a [T], rows: usize, columns: usize, row: usize) -> Self {
        Self {
            data,
            rows,
            columns,
            row,
            column: 1,
        }
    }

    fn end(&self) -> usize {
        match (self.rows, self.columns) {
            (0, _) | (_, 0) => 0,
            (rows, columns) => (rows - 1)
                .saturating_mul(self.row)
                .saturating_add((columns - 1).saturating_mul(self.column))
                .saturating_add(1),
        }
    }
}

/// Where a product goes: rows of `columns` numbers, `row` apart.
#[derive(Debug)]
pub struct MatrixMut<'a, T> {
    pub(super) data: &'a mut [T],
    rows: usize,
    columns: usize,
    pub(super) row: usize,
}

impl<'a, T> MatrixMut<'a, T> {
    /// A row-major matrix.
    pub fn new(data: &'a mut [T], rows: usize, columns: usize) -> Self {
        Self::within(data, rows, columns, columns)
    }

    /// Some columns of a wider row-major matrix of rows of `row` numbers, `data` starting at the first.
    pub fn within(data: &'a mut [T], rows: usize, columns: usize, row: usize) -> Self {
        Self {
            data,
            rows,
            columns,
            row,
        }
    }
}

/// `out = a b`, or `out += a b` where `accumulate`. On one thread: the callers share out chunks of
/// rows, which keeps results independent of the number of threads.
///
/// # Panics
/// When the shapes don't fit or reach outside a slice: the kernels check theirs before they call.
pub fn product<T: Real>(
    out: MatrixMut<'_, T>,
    a: Matrix<'_, T>,
    b: Matrix<'_, T>,
    accumulate: bool,
) {
    product_meanwhile(out, a, b, accumulate, &mut Next::nothing());
}

/// [`product`], which asks for the `next` memory meanwhile.
///
/// # Panics
/// As [`product`].
pub fn product_meanwhile<T: Real>(
    mut out: MatrixMut<'_, T>,
    a: Matrix<'_, T>,
    b: Matrix<'_, T>,
    accumulate: bool,
    next: &mut Next,
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
    if T::tiled(&mut out, a, b, accumulate, next) {
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

/// A row-major matrix of `columns` columns, transposed: [`product`] is fastest where its second argument lies so
/// that its rows are contiguous.
pub fn flip<T: Copy>(matrix: &[T], columns: usize) -> Vec<T> {
    let column = |j: usize| matrix.iter().skip(j).step_by(columns).copied();
    (0..columns).flat_map(column).collect()
}
