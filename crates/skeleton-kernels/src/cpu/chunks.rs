//! Work over rows, in chunks of a fixed size: each chunk is computed by one thread from start to
//! end and partial sums are combined in chunk order, so that no result depends on the number of
//! threads.

use rayon::prelude::*;

use crate::cpu::real::Real;

/// Rows in a chunk: a few buffers of it stay in the second-level cache. Part of the definition of every
/// reduction: changing it changes the last bits.
pub const CHUNK: usize = 256;

/// Frames of `v` joints in a chunk: whole ones, about [`CHUNK`] rows.
pub fn frames_per_chunk(v: usize) -> usize {
    (CHUNK / v.max(1)).max(1)
}

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

/// [`fill_by`] with buffers made by `scratch`, which a thread uses for many chunks.
pub fn fill_with<T: Real, S>(
    out: &mut [T],
    width: usize,
    rows: usize,
    scratch: impl Fn() -> S + Sync + Send,
    f: impl Fn(&mut S, usize, &mut [T]) + Sync + Send,
) {
    out.par_chunks_mut((rows * width).max(1))
        .enumerate()
        .for_each_init(scratch, |scratch, (chunk, out)| {
            f(scratch, chunk * rows, out)
        });
}

/// Calls `f(first_row, end_row)` on every chunk of `rows` rows and adds the returned vectors up, in chunk order; of no rows
/// it is `width` zeros.
pub fn sum<T: Real>(
    rows: usize,
    width: usize,
    f: impl Fn(usize, usize) -> Vec<T> + Sync,
) -> Vec<T> {
    let mut sum = reals(&total(&each(rows, f)));
    sum.resize(width, T::zero());
    sum
}

/// The sum of `parts`, vectors of the same length, in order.
pub fn total<T: Real>(parts: &[Vec<T>]) -> Vec<f64> {
    let mut total = vec![0.0; parts.first().map_or(0, Vec::len)];
    for part in parts {
        for (total, part) in total.iter_mut().zip(part) {
            *total += part.double();
        }
    }
    total
}

/// In this precision.
pub fn reals<T: Real>(values: &[f64]) -> Vec<T> {
    values.iter().map(|&value| T::real(value)).collect()
}

/// Calls `f(first_row, end_row)` on every chunk of `rows` rows; the results come in chunk order.
pub fn each<A: Send>(rows: usize, f: impl Fn(usize, usize) -> A + Sync) -> Vec<A> {
    each_of(rows.div_ceil(CHUNK), |chunk| {
        f(chunk * CHUNK, rows.min((chunk + 1) * CHUNK))
    })
}

/// Calls `f(i)` on every i below n; the results come in order.
pub fn each_of<A: Send>(n: usize, f: impl Fn(usize) -> A + Sync + Send) -> Vec<A> {
    (0..n).into_par_iter().map(f).collect()
}

/// `total += part`.
#[inline(always)]
pub fn add<T: Real>(total: &mut [T], part: &[T]) {
    for (total, &part) in total.iter_mut().zip(part) {
        *total += part;
    }
}

/// `total += factor * part`.
#[inline(always)]
pub fn add_scaled<T: Real>(total: &mut [T], factor: T, part: &[T]) {
    for (total, &part) in total.iter_mut().zip(part) {
        *total += factor * part;
    }
}

/// Sum of products, in sixteen interleaved sums that are added up at the end: a fixed order that vectors
/// can follow.
#[inline(always)]
pub fn dot<T: Real>(a: &[T], b: &[T]) -> T {
    let mut lanes = [T::zero(); 16];
    let (a, b) = (a.chunks_exact(16), b.chunks_exact(16));
    let rest = a.remainder().iter().zip(b.remainder());
    let rest: T = rest.map(|(&a, &b)| a * b).sum();
    for (a, b) in a.zip(b) {
        for i in 0..16 {
            lanes[i] += a[i] * b[i];
        }
    }
    lanes.iter().copied().sum::<T>() + rest
}
