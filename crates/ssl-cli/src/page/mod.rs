//! Pages to look at: one file each, which loads nothing and can be mailed.
//!
//! `facts` is what a report says, as typed data; `html` is how it looks. The same facts give the same bytes: there is no clock in
//! them. Names come from strangers: markup escapes them, and so does the JSON that is embedded.

pub mod facts;
pub mod html;
mod order;
mod statistics;

pub use self::facts::Part;
pub use self::statistics::{Share, t_interval};
use crate::failure::{Failure, Outcome};

/// Coordinates of a clip that moves on a page, at most: 500 such clips are eight megabytes.
pub const NUMBERS: usize = 6_000;

/// A part of a page, or why it can't be had: what is missing for one part doesn't stop the page. A signal does.
pub fn part<T>(outcome: Outcome<T>) -> Outcome<Part<T>> {
    match outcome {
        Ok(part) => Ok(Part::There(part)),
        Err(Failure::Error { message, hint } | Failure::Usage { message, hint }) => {
            Ok(Part::Missing { why: message, hint })
        }
        Err(stopped @ (Failure::Interrupted { .. } | Failure::Elsewhere)) => Err(stopped),
    }
}

/// `812 kB`, `3.4 MB`
pub fn size(bytes: usize) -> String {
    match bytes {
        0..1_000_000 => format!("{} kB", bytes.div_ceil(1_000)),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

#[cfg(test)]
pub mod tests {
    use std::collections::BTreeMap;

    use skeleton_data::draw::Skeleton;
    use skeleton_graph::Layout;

    use super::facts::{ClipSet, Guesses, Measured, PlaneFacts, RunFacts};
    use super::*;
    use crate::report::Evaluation;
    use crate::run::Epoch;

    /// A name that would act in a page that did not escape it.
    pub const HOSTILE: &str =
        "</script><script>alert(1)</script><img src=x onerror=alert(2)>&\"'\u{202e}";

    /// Three classes, of which the last has no clips.
    pub fn evaluation() -> Evaluation {
        Evaluation {
            classes: ["wave", "clap", HOSTILE].map(String::from).to_vec(),
            ..crate::report::evaluation()
        }
    }

    /// Clips of these labels, of three classes.
    pub fn set(labels: &[i64]) -> ClipSet {
        ClipSet {
            dataset: "toy".into(),
            split: "test".into(),
            digest: "00".into(),
            classes: ["wave", "clap", HOSTILE].map(String::from).to_vec(),
            ids: (0..labels.len())
                .map(|at| format!("clip{at:03}{HOSTILE}"))
                .collect(),
            labels: labels.to_vec(),
            skeleton: Skeleton::of(&Layout::built_in("coco17").unwrap()),
            motion: BTreeMap::new(),
        }
    }

    /// A run with everything but reconstructions.
    pub fn run(name: &str, labels: &[i64]) -> RunFacts {
        let right = |&label: &i64| {
            let mut row = vec![0.1; 3];
            row[label.rem_euclid(3) as usize] = 0.8;
            row
        };
        let probabilities: Vec<Vec<f64>> = labels.iter().map(right).collect();
        let rows: Vec<Vec<f32>> = (0..labels.len())
            .map(|at| vec![at as f32, (at * at % 7) as f32])
            .collect();
        let epoch = |epoch: usize| Epoch {
            epoch,
            numbers: [("lr", 0.1), ("loss", 2.0)]
                .map(|(name, at_first)| (name.to_owned(), at_first / epoch as f64))
                .into(),
        };
        RunFacts {
            name: name.to_owned(),
            kind: "finetune",
            command: format!("ssl finetune --out {name}"),
            provenance: vec![("data".into(), HOSTILE.into())],
            settings: [("run.seed".to_owned(), name.to_owned())].into(),
            epochs: (1..=9).map(epoch).collect(),
            measured: Measured::new(evaluation(), None).map(Part::There),
            guesses: Some(Part::There(Guesses::new(0, labels, &probabilities))),
            planes: Part::There(PlaneFacts::new(0, "a plane", &rows).into_iter().collect()),
            reconstruction: Part::missing("nothing was pre-trained", "ssl pretrain"),
        }
    }

    #[test]
    fn sizes_are_spelt() {
        assert_eq!(
            [1, 812_000, 3_400_000].map(size),
            ["1 kB", "812 kB", "3.4 MB"]
        );
    }

    #[test]
    fn what_is_missing_does_not_stop_a_page_and_a_signal_does() {
        let missing = part::<()>(Err(Failure::error("no cache").hint("--data")));
        let Ok(Part::Missing { why, hint }) = missing else {
            panic!("it is a part that is missing");
        };
        assert_eq!((&*why, hint.as_deref()), ("no cache", Some("--data")));
        let signal = crate::signal::Signal::Interrupt;
        let stopped = part::<()>(Err(Failure::interrupted(signal, "")));
        assert!(stopped.is_err());
    }
}
