//! Loops down columns. A kernel that needs a few numbers a feature (scales, sums) takes sixteen features
//! at a time and goes down all rows of a chunk with these numbers in registers.

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
