//! Results as documents (for `--json`) and as text for people.

mod bars;
mod card;
mod contents;
mod diagnosis;
mod evaluation;
mod fused;
mod plot;
mod prediction;
mod probe;
mod reconstruction;
mod summary;

pub use self::card::{Card, LayoutCard, Origins, Training};
pub use self::contents::Contents;
pub use self::diagnosis::{Diagnosis, Overfit};
pub use self::evaluation::Evaluation;
pub use self::fused::{Chosen, Fused, FusedStream};
pub use self::plot::{Bar, Bars, Group, bars_svg, confusion, scatter};
pub use self::prediction::Prediction;
pub use self::probe::{Method, ProbeReport, Probed, Trained};
pub use self::reconstruction::ReconstructionReport;
pub use self::summary::{Measured, Spread, Statistic, Summary};

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

/// Whether a count needs no mention.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
pub fn none(count: &usize) -> bool {
    *count == 0
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
