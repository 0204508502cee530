//! Matrices inside slices: what products take, and loops down the columns of rows.

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

    /// Behind its last number, or `usize::MAX`.
    pub fn end(&self) -> usize {
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
    pub data: &'a mut [T],
    pub rows: usize,
    pub columns: usize,
    pub row: usize,
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

/// A row-major matrix of `columns` columns, transposed: products are fastest where its second argument lies so
/// that its rows are contiguous.
pub fn transpose<T: Copy>(matrix: &[T], columns: usize) -> Vec<T> {
    let column = |j: usize| matrix.iter().skip(j).step_by(columns).copied();
    (0..columns).flat_map(column).collect()
}

// Loops down columns. A kernel that needs a few numbers a feature (scales, sums) takes sixteen features
// at a time and goes down all rows of a chunk with these numbers in registers.

/// Calls `f::<_, W>(at, d, ...)` for the columns `at..at + W` of `d`: sixteen at a time, the rest one by
/// one.
macro_rules! columns {
    ($d:expr, $f:ident($($arg:expr),* $(,)?)) => {{
        let d = $d;
        let mut at = 0;
        while at + 16 <= d {
            $f::<_, 16>(at, d, $($arg),*);
            at += 16;
        }
        while at < d {
            $f::<_, 1>(at, d, $($arg),*);
            at += 1;
        }
    }};
}

pub(crate) use columns;

/// Columns `at..at + W` of a row.
#[inline(always)]
pub fn lanes<T, const W: usize>(row: &[T], at: usize) -> &[T; W] {
    row[at..].first_chunk().expect("the row reaches that far")
}

/// [`lanes`], to be written.
#[inline(always)]
pub fn lanes_mut<T, const W: usize>(row: &mut [T], at: usize) -> &mut [T; W] {
    row[at..]
        .first_chunk_mut()
        .expect("the row reaches that far")
}
