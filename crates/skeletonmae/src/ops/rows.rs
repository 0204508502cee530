//! Work over rows, in chunks of a fixed size: each chunk is computed by one thread from start to
//! end and partial sums are combined in chunk order, so that no result depends on the number of
//! threads.

use rayon::prelude::*;

use super::kernel::Real;

/// Rows in a chunk. Part of the definition of every reduction: changing it changes the last bits.
pub const CHUNK: usize = 1024;

/// Calls `f(first_row, rows)` on every chunk of `out`, a matrix of `width` columns.
pub fn fill<T: Real>(out: &mut [T], width: usize, f: impl Fn(usize, &mut [T]) + Sync) {
    fill_by(out, width, CHUNK, f);
}

/// [`fill`] in chunks of `rows` rows, for rows that are whole frames or clips.
pub fn fill_by<T: Real>(
    out: &mut [T],
    width: usize,
    rows: usize,
    f: impl Fn(usize, &mut [T]) + Sync,
) {
    out.par_chunks_mut((rows * width).max(1))
        .enumerate()
        .for_each(|(chunk, out)| f(chunk * rows, out));
}

/// Calls `f(first_row, end_row)` on every chunk of `rows` rows and adds the returned vectors of
/// `width` numbers up, in chunk order.
pub fn sum<T: Real>(
    rows: usize,
    width: usize,
    f: impl Fn(usize, usize) -> Vec<T> + Sync,
) -> Vec<T> {
    let mut total = vec![T::zero(); width];
    for part in each(rows, f) {
        add(&mut total, &part);
    }
    total
}

/// Calls `f(first_row, end_row)` on every chunk of `rows` rows; the results come in chunk order.
pub fn each<A: Send>(rows: usize, f: impl Fn(usize, usize) -> A + Sync) -> Vec<A> {
    (0..rows.div_ceil(CHUNK))
        .into_par_iter()
        .map(|chunk| f(chunk * CHUNK, rows.min((chunk + 1) * CHUNK)))
        .collect()
}

/// Calls `f(i)` on every i below n; the results come in order.
pub fn each_of<A: Send>(n: usize, f: impl Fn(usize) -> A + Sync + Send) -> Vec<A> {
    (0..n).into_par_iter().map(f).collect()
}

/// `total += part`.
#[inline]
pub fn add<T: Real>(total: &mut [T], part: &[T]) {
    for (total, &part) in total.iter_mut().zip(part) {
        *total += part;
    }
}

/// `total += factor * part`.
#[inline]
pub fn add_scaled<T: Real>(total: &mut [T], factor: T, part: &[T]) {
    for (total, &part) in total.iter_mut().zip(part) {
        *total += factor * part;
    }
}

/// Sum of products.
#[inline]
pub fn dot<T: Real>(a: &[T], b: &[T]) -> T {
    a.iter().zip(b).map(|(&a, &b)| a * b).sum()
}
