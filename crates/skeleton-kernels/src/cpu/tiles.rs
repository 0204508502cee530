//! Products of `f32` in tiles whose sums stay in vector registers: what [`product`](crate::cpu::product::product) does
//! on machines with AVX-512 where the shapes allow it. Models multiply long matrices by small ones, so nothing need
//! be packed first: a row of the small matrix is a few vectors, the long one is read where it lies.
//!
//! Each number of a result is one sum in the order of its terms, each rounded once (fused), whatever tile it is in.

use pulp::{Simd, WithSimd};

use crate::cpu::matrix::{Matrix, MatrixMut};
use crate::cpu::prefetch::{Lines, Prefetch};
use crate::cpu::simd::{Vectors, vectors};

/// Numbers in a vector of AVX-512.
const LANES: usize = 16;
/// Terms of a sum that are added before the next tile is taken up, where the long matrix lies transposed: as many
/// rows of both arguments stay in the first-level cache.
const TERMS: usize = 64;

/// `out = a b`, or `out += a b` where `accumulate`, where this is the way to do it: says whether it was done.
/// The matrices fit each other and lie inside their slices.
#[inline]
pub fn multiply(
    out: &mut MatrixMut<'_, f32>,
    a: Matrix<'_, f32>,
    b: Matrix<'_, f32>,
    accumulate: bool,
    prefetch: &mut Prefetch,
) -> bool {
    let whole = b.columns.is_multiple_of(LANES) && b.column == 1;
    let rows = a.column == 1 || a.row == 1;
    match vectors() {
        Vectors::Avx512(simd) if whole && rows && a.columns > 0 => {
            let work = Work {
                out,
                a,
                b,
                accumulate,
                prefetch,
            };
            Simd::vectorize(simd, work);
            true
        }
        _ => false,
    }
}

struct Work<'a, 'b> {
    out: &'a mut MatrixMut<'b, f32>,
    a: Matrix<'a, f32>,
    b: Matrix<'a, f32>,
    accumulate: bool,
    prefetch: &'a mut Prefetch,
}

impl WithSimd for Work<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let terms = self.a.columns;
        let block = if self.a.column == 1 { terms } else { TERMS };
        for from in (0..terms).step_by(block) {
            let span = Span {
                from,
                to: terms.min(from + block),
            };
            let mut at = 0;
            while at < self.b.columns {
                // Tiles of up to 24 vectors: as many sums as 32 registers hold beside what is multiplied.
                at += LANES
                    * match (self.b.columns - at) / LANES {
                        1 => self.columns::<S, 8, 1>(simd, at, span),
                        2 => self.columns::<S, 8, 2>(simd, at, span),
                        3 => self.columns::<S, 8, 3>(simd, at, span),
                        _ => self.columns::<S, 6, 4>(simd, at, span),
                    };
            }
            self.accumulate = true;
        }
    }
}

/// Terms of the sums.
#[derive(Clone, Copy)]
struct Span {
    from: usize,
    to: usize,
}

impl Work<'_, '_> {
    /// All rows of `N` vectors of columns from `at` on, `M` at a time; gives `N`.
    #[inline(always)]
    fn columns<S: Simd, const M: usize, const N: usize>(
        &mut self,
        simd: S,
        at: usize,
        span: Span,
    ) -> usize {
        let rows = self.a.rows;
        let mut row = 0;
        while row + M <= rows {
            self.tile::<S, M, N>(simd, [row, at], span);
            row += M;
        }
        while row + 4 <= rows {
            self.tile::<S, 4, N>(simd, [row, at], span);
            row += 4;
        }
        while row < rows {
            self.tile::<S, 1, N>(simd, [row, at], span);
            row += 1;
        }
        N
    }

    /// `M` rows of `N` vectors of columns, from `row` and `at` on.
    #[inline(always)]
    fn tile<S: Simd, const M: usize, const N: usize>(
        &mut self,
        simd: S,
        [row, at]: [usize; 2],
        span: Span,
    ) {
        let mut sums = [[simd.splat_f32s(0.0); N]; M];
        if self.accumulate {
            for (i, sums) in sums.iter_mut().enumerate() {
                let out = &self.out.data[(row + i) * self.out.row + at..][..N * LANES];
                *sums = load::<S, N>(out);
            }
        }
        let Matrix { data: a, .. } = self.a;
        let at_hand = Lines::at_hand(self.b.data);
        let lines = self.prefetch.lines(span.to - span.from).unwrap_or(at_hand);
        let b = |term: usize| load::<S, N>(&self.b.data[term * self.b.row + at..][..N * LANES]);
        if self.a.column == 1 {
            let a: [&[f32]; M] =
                std::array::from_fn(|i| &a[(row + i) * self.a.row..][span.from..span.to]);
            #[expect(
                clippy::needless_range_loop,
                reason = "rows are walked side by side, and as iterators their places leave the registers"
            )]
            for term in 0..span.to - span.from {
                lines.ask(term);
                let factors = std::array::from_fn(|i| a[i][term]);
                add(simd, &mut sums, factors, b(span.from + term));
            }
        } else {
            for term in span.from..span.to {
                lines.ask(term - span.from);
                let factors = a[term * self.a.column + row..].first_chunk();
                let factors = *factors.expect("the matrix lies inside its slice");
                add(simd, &mut sums, factors, b(term));
            }
        }
        for (i, sums) in sums.iter().enumerate() {
            let out = &mut self.out.data[(row + i) * self.out.row + at..][..N * LANES];
            let (out, _) = S::as_mut_simd_f32s(out);
            out.copy_from_slice(sums);
        }
    }
}

#[inline(always)]
fn load<S: Simd, const N: usize>(row: &[f32]) -> [S::f32s; N] {
    let (row, _) = S::as_simd_f32s(row);
    *row.first_chunk()
        .expect("vectors are those the tiles are made for")
}

/// `sums_ij += factors_i b_j`.
#[inline(always)]
fn add<S: Simd, const M: usize, const N: usize>(
    simd: S,
    sums: &mut [[S::f32s; N]; M],
    factors: [f32; M],
    b: [S::f32s; N],
) {
    for i in 0..M {
        let factor = simd.splat_f32s(factors[i]);
        for j in 0..N {
            sums[i][j] = simd.mul_add_e_f32s(factor, b[j], sums[i][j]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A matrix of numbers that look random, `row` apart.
    fn numbers(rows: usize, row: usize, seed: usize) -> Vec<f32> {
        let number = |i: usize| ((i * 7919 + seed * 31) % 1000) as f32 / 1000.0 - 0.5;
        (0..rows * row).map(number).collect()
    }

    #[test]
    fn every_shape_is_the_sum_of_its_terms() {
        if !matches!(vectors(), Vectors::Avx512(_)) {
            eprintln!("skipped: no AVX-512 here");
            return;
        }
        for (rows, terms, columns) in [
            (1, 1, 16),
            (5, 3, 16),
            (23, 80, 16),
            (17, 64, 32),
            (19, 7, 48),
            (64, 255, 64),
            (9, 130, 80),
            (13, 65, 192),
        ] {
            let b = numbers(terms, columns + 2, 1);
            let by_rows = numbers(rows, terms + 3, 2);
            let by_columns = numbers(terms, rows + 1, 3);
            let flat = Matrix::within(&by_rows, rows, terms, terms + 3);
            let tall = Matrix::within(&by_columns, terms, rows, rows + 1).transposed();
            for (a, accumulate) in [(flat, false), (flat, true), (tall, false), (tall, true)] {
                let b = Matrix::within(&b, terms, columns, columns + 2);
                let before = numbers(rows, columns + 5, 4);
                let mut out = before.clone();
                let to = &mut MatrixMut::within(&mut out, rows, columns, columns + 5);
                assert!(multiply(to, a, b, accumulate, &mut Prefetch::none()));
                for (at, (&out, &before)) in out.iter().zip(&before).enumerate() {
                    let (i, j) = (at / (columns + 5), at % (columns + 5));
                    if j >= columns {
                        assert_eq!(out, before, "what lies between rows stays");
                        continue;
                    }
                    let a = |k: usize| f64::from(a.data[i * a.row + k * a.column]);
                    let term = |k: usize| a(k) * f64::from(b.data[k * b.row + j]);
                    let start = if accumulate { f64::from(before) } else { 0.0 };
                    let expected = start + (0..terms).map(term).sum::<f64>();
                    let off = (f64::from(out) - expected).abs();
                    assert!(off < 1e-5, "{rows} {terms} {columns}: {out} {expected}");
                }
            }
        }
    }

    #[test]
    fn other_shapes_are_left_to_others() {
        let (a, b) = (numbers(4, 4, 0), numbers(4, 16, 1));
        let mut out = vec![0.0; 64];
        let mut done = |a, b: Matrix<'_, f32>| {
            let columns = b.columns;
            let out = &mut MatrixMut::new(&mut out, 4, columns);
            multiply(out, a, b, false, &mut Prefetch::none())
        };
        let square = Matrix::new(&a, 4, 4);
        assert!(!done(square, Matrix::within(&b, 4, 15, 16)));
        assert!(!done(square, Matrix::new(&b, 16, 4).transposed()));
    }
}
