//! One program's numbers, repetition by repetition.

use std::process::Command;

use crate::process::Failure;

/// The numbers of every repetition, by name, in the order in which the program prints them.
#[derive(Default)]
pub struct Run {
    repetitions: Vec<Vec<(String, f64)>>,
}

impl Run {
    pub fn push(&mut self, numbers: Vec<(String, f64)>) {
        self.repetitions.push(numbers);
    }

    /// Bytes a second: the median over the repetitions.
    pub fn speed(&self) -> f64 {
        median(
            self.repetitions
                .iter()
                .map(|numbers| value(numbers, "bytes") / value(numbers, "seconds")),
        )
    }

    /// The median of every number.
    pub fn medians(&self) -> Vec<(&str, f64)> {
        let names = self.repetitions.first().into_iter().flatten();
        let of = |name: &str| median(self.repetitions.iter().map(|numbers| value(numbers, name)));
        names.map(|(name, _)| (name.as_str(), of(name))).collect()
    }
}

/// A number by its name, NaN where it isn't there.
pub fn value(numbers: &[(String, f64)], name: &str) -> f64 {
    let found = numbers.iter().find(|(known, _)| known == name);
    found.map_or(f64::NAN, |(_, value)| *value)
}

/// The middle one, or the mean of the middle two.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    match (values.len() / 2, values.len() % 2) {
        (0, 0) => f64::NAN,
        (half, 0) => (values[half - 1] + values[half]) / 2.0,
        (half, _) => values[half],
    }
}

/// Runs a program on one thread and reads the JSON line that it prints.
pub fn numbers_of(command: &mut Command) -> Result<Vec<(String, f64)>, Failure> {
    for variable in [
        "RAYON_NUM_THREADS",
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
    ] {
        command.env(variable, "1");
    }
    command.stderr(std::process::Stdio::inherit());
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .map_err(|e| Failure::Task(format!("cannot start `{name}`: {e}")))?;
    if !output.status.success() {
        return Err(Failure::Task(format!("`{name}`: {}", output.status)));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let numbers = text.lines().last().and_then(parse);
    let needed = |numbers: &Vec<(String, f64)>| {
        ["seconds", "bytes"]
            .iter()
            .all(|name| value(numbers, name) > 0.0)
    };
    numbers.filter(needed).ok_or_else(|| {
        Failure::Task(format!(
            "`{name}`: expected a JSON line with numbers, seconds and bytes among them, found {text:?}"
        ))
    })
}

/// A flat JSON object of numbers.
pub fn parse(line: &str) -> Option<Vec<(String, f64)>> {
    let inner = line.trim().strip_prefix('{')?.strip_suffix('}')?;
    inner
        .split(',')
        .map(|pair| {
            let (name, value) = pair.split_once(':')?;
            let name = name.trim().strip_prefix('"')?.strip_suffix('"')?;
            Some((name.to_owned(), value.trim().parse().ok()?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_numbers_is_read_and_anything_else_refused() {
        let numbers = parse(r#"{"seconds": 1.5, "bytes":2e9}"#).expect("a flat object");
        assert_eq!(numbers, [("seconds".into(), 1.5), ("bytes".into(), 2e9)]);
        for wrong in ["", "1", r#"{"seconds": "1"}"#, r#"{seconds: 1}"#] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn speeds_are_medians_over_repetitions() {
        let mut run = Run::default();
        for (seconds, bytes) in [(1.0, 10.0), (2.0, 10.0), (1.0, 90.0)] {
            run.push(vec![("seconds".into(), seconds), ("bytes".into(), bytes)]);
        }
        assert_eq!(run.speed(), 10.0);
        assert_eq!(run.medians(), [("seconds", 1.0), ("bytes", 10.0)]);
        assert_eq!(median([4.0, 1.0].into_iter()), 2.5);
        assert!(median(std::iter::empty()).is_nan());
    }
}
