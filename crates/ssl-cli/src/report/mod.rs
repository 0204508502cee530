//! Results as documents (for `--json`) and as text for people.

mod contents;
mod diagnosis;
mod evaluation;
mod plot;
mod reconstruction;
mod sparkline;

pub use self::contents::Contents;
pub use self::diagnosis::{Asked, Diagnosis, Overfit};
#[cfg(test)]
pub use self::evaluation::tests::evaluation;
pub use self::evaluation::{BestEvaluation, Evaluation, Guess, Prediction, Statistic};
pub use self::plot::{
    Bar, Bars, Curve, Curves, Group, bars_svg, confusion, curves_svg, scatter, shade,
};
pub use self::reconstruction::{PartReport, ReconstructionReport};
pub use self::sparkline::{Series, with_title};

/// `73.9 %`
pub fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// `1 clip`, `2 clips`, `2 classes`
pub fn count(n: usize, thing: &str) -> String {
    match thing.strip_suffix("ss") {
        _ if n == 1 => format!("1 {thing}"),
        Some(_) => format!("{n} {thing}es"),
        None => format!("{n} {thing}s"),
    }
}

/// `1,234,567`
pub fn grouped(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 h 03 min`, `12 min 05 s`, `7.3 s`
pub fn spell(seconds: f64) -> String {
    if seconds < 60.0 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round() as u64;
    match whole / 3600 {
        0 => format!("{} min {:02} s", whole / 60, whole % 60),
        hours => format!("{hours} h {:02} min", whole / 60 % 60),
    }
}

/// Rows as lines of columns two spaces apart; `right` says which of them end on the right, as numbers do.
pub fn columns(right: &[bool], rows: &[impl AsRef<[String]>]) -> Vec<String> {
    let width = |column: usize| {
        let lengths = rows.iter().map(|row| row.as_ref()[column].chars().count());
        lengths.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..right.len()).map(width).collect();
    let cell = |((text, &width), right): ((&String, &usize), &bool)| match right {
        true => format!("{text:>width$}"),
        false => format!("{text:width$}"),
    };
    let line = |row: &[String]| {
        let cells = row.iter().zip(&widths).zip(right).map(cell);
        let cells: Vec<String> = cells.collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(|row| line(row.as_ref())).collect()
}

/// Each once, in the order of their first places.
pub fn distinct<T: PartialEq>(all: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut found = Vec::new();
    for one in all {
        if !found.contains(&one) {
            found.push(one);
        }
    }
    found
}

/// Whether a count needs no mention.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
pub fn none(count: &usize) -> bool {
    *count == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        let of = [0, 999, 1_000, 140_622, 12_345_678].map(grouped);
        assert_eq!(of, ["0", "999", "1,000", "140,622", "12,345,678"]);
    }

    #[test]
    fn one_is_not_many() {
        assert_eq!(
            (count(1, "clip"), count(2, "clip")),
            ("1 clip".into(), "2 clips".into())
        );
        assert_eq!(
            (count(1, "class"), count(0, "class")),
            ("1 class".into(), "0 classes".into())
        );
        assert_eq!(percent(0.7386), "73.9 %");
    }

    #[test]
    fn times_are_spelt() {
        assert_eq!(
            [7.31, 125.0, 3780.0].map(spell),
            ["7.3 s", "2 min 05 s", "1 h 03 min"]
        );
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["a", "1", ""], ["bcd", "10", "x"]].map(|row| row.map(str::to_owned));
        let lines = columns(&[false, true, false], &rows);
        assert_eq!(lines, ["a     1", "bcd  10  x"]);
    }
}
