//! Numbers that programs print, and what several of them come to.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use crate::process::Failure;

/// Numbers by name.
pub type Numbers = BTreeMap<String, f64>;

/// A number by its name, NaN where it isn't there.
pub fn value(numbers: &Numbers, name: &str) -> f64 {
    numbers.get(name).copied().unwrap_or(f64::NAN)
}

/// The middle one, or the mean of the middle two.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    quantile(values, 0.5)
}

/// Between the two values that surround the place `share` of the way through the sorted ones.
pub fn quantile(values: impl Iterator<Item = f64>, share: f64) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    let at = share * last as f64;
    let (low, high) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    low + (high - low) * at.fract()
}

/// Runs a program on one thread and reads the JSON line that it prints.
pub fn numbers_of(command: &mut Command) -> Result<Numbers, Failure> {
    for variable in [
        "RAYON_NUM_THREADS",
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
    ] {
        command.env(variable, "1");
    }
    let name = command.get_program().to_string_lossy().into_owned();
    let failed = |why: String| Failure::Task(format!("`{name}`: {why}"));
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        return Err(failed(output.status.to_string()));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let numbers: Option<Numbers> = text
        .lines()
        .last()
        .and_then(|line| serde_json::from_str(line).ok());
    let needed = |numbers: &Numbers| {
        ["seconds", "bytes"]
            .iter()
            .all(|name| value(numbers, name) > 0.0)
    };
    numbers.filter(needed).ok_or_else(|| {
        failed(format!(
            "expected a JSON line with numbers, seconds and bytes among them, found {text:?}"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_values() {
        let quantile = |values: &[f64], share| quantile(values.iter().copied(), share);
        assert_eq!(quantile(&[4.0, 1.0, 2.0, 3.0, 5.0], 0.25), 2.0);
        assert_eq!(quantile(&[1.0, 2.0], 0.75), 1.75);
        assert_eq!(quantile(&[7.0], 0.25), 7.0);
        assert!(quantile(&[], 0.5).is_nan());
        assert_eq!(median([4.0, 1.0].into_iter()), 2.5);
        assert!(median(std::iter::empty()).is_nan());
    }

    #[cfg(unix)]
    #[test]
    fn a_line_of_numbers_is_read_and_anything_else_refused() {
        let print = |line: &str| numbers_of(Command::new("echo").arg(line)).ok();
        let numbers = print(r#"{"seconds": 1.5, "bytes":2e9}"#).expect("a flat object");
        assert_eq!(
            (value(&numbers, "seconds"), value(&numbers, "bytes")),
            (1.5, 2e9)
        );
        for wrong in [
            "",
            "1",
            r#"{"seconds": "1", "bytes": 1}"#,
            r#"{"seconds": 1}"#,
        ] {
            assert_eq!(print(wrong), None, "{wrong}");
        }
    }
}
