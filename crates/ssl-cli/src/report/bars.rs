//! Counts as rows of text with bars, legible without colour.

/// The longest bar.
const LONGEST: usize = 40;

/// `  name   12  ####`, names left, counts right. Whatever is not 0 has a bar.
pub fn bars<N: AsRef<str>>(rows: &[(N, u64)]) -> Vec<String> {
    let width = rows
        .iter()
        .map(|(name, _)| name.as_ref().chars().count())
        .max()
        .unwrap_or(0);
    let most = rows.iter().map(|&(_, n)| n).max().unwrap_or(0).max(1);
    let line = |(name, n): &(N, u64)| {
        // In u128: counts of joints times the length may leave u64.
        let bar = (u128::from(*n) * LONGEST as u128).div_ceil(u128::from(most)) as usize;
        format!("  {:width$}  {n:>8}  {}", name.as_ref(), "#".repeat(bar))
            .trim_end()
            .to_owned()
    };
    rows.iter().map(line).collect()
}

/// Whole numbers in at most ten bins of equal width, as (first, last, count).
pub fn bins(values: &[usize]) -> Vec<(usize, usize, u64)> {
    let (Some(&low), Some(&high)) = (values.iter().min(), values.iter().max()) else {
        return Vec::new();
    };
    let width = (high - low) / 10 + 1;
    let bin = |n: usize| {
        let first = low + n * width;
        (first, first.saturating_add(width - 1).min(high), 0)
    };
    let mut bins: Vec<(usize, usize, u64)> = (0..=(high - low) / width).map(bin).collect();
    for value in values {
        bins[(value - low) / width].2 += 1;
    }
    bins
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_in_proportion_and_never_vanish() {
        let rows = bars(&[("a", 40u64), ("long", 1), ("b", 0), ("c", 20)]);
        assert_eq!(rows[0], format!("  a           40  {}", "#".repeat(40)));
        assert_eq!(rows[1], "  long         1  #");
        assert_eq!(rows[2], "  b            0");
        assert_eq!(rows[3], format!("  c           20  {}", "#".repeat(20)));
        assert_eq!(bars::<&str>(&[]), [""; 0]);
    }

    #[test]
    fn bins_hold_every_value_once() {
        assert_eq!(bins(&[]), []);
        assert_eq!(bins(&[5, 5]), [(5, 5, 2)]);
        let values: Vec<usize> = (1..=201).collect();
        let bins = bins(&values);
        assert_eq!((bins[0], bins.len()), ((1, 21, 21), 10));
        assert_eq!(bins.last(), Some(&(190, 201, 12)));
        assert_eq!(bins.iter().map(|bin| bin.2).sum::<u64>(), 201);
        assert!(super::bins(&[0, usize::MAX]).len() <= 11);
    }
}
