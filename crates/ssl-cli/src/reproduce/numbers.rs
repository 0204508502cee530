//! What finished runs say, as numbers of cells.

use std::path::Path;

use serde::Serialize;
use serde::de::IgnoredAny;
use skeleton_datasets::paper::Metric;

use super::job::Folder;
use super::plan::{CellRuns, PlannedCell};
use crate::failure::{Failure, Outcome};
use crate::report::{Measured, ReconstructionReport, Statistic};
use crate::text::{read_at_most, read_json};
use crate::train::Line;

/// The longest metrics.jsonl that is read, in bytes.
const LONGEST: u64 = 64 << 20;

/// One seed's numbers. Accuracies are percent.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Seeded {
    pub seed: u64,
    /// By the cell's metric, after the last epoch.
    pub accuracy: f64,
    /// By the cell's metric, at the epoch that was best on held-out training clips.
    #[serde(rename = "best_by_held_out")]
    pub best: Option<f64>,
    pub clips: usize,
    #[serde(flatten)]
    pub pretext: Pretext,
}

/// How the pre-training ended, if there was one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Pretext {
    /// Mean of the last epoch.
    #[serde(rename = "pretraining_loss")]
    pub loss: Option<f64>,
    /// Error of reconstructed joints, in errors of their nearest visible neighbours; none without held-out clips.
    pub reconstruction: Option<f64>,
}

/// A cell's numbers over seeds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Numbers {
    /// Of the accuracies.
    pub mean: f64,
    /// Sample standard deviation of the accuracies; none of one seed.
    pub std: Option<f64>,
    pub values: Vec<Seeded>,
    /// The mean of the accuracies at the best epochs by held-out clips, where all have one.
    #[serde(skip)]
    pub best: Option<f64>,
}

impl Numbers {
    /// Of at least one seed.
    pub fn new(values: Vec<Seeded>) -> Numbers {
        let accuracy = Statistic::of(values.iter().map(|value| value.accuracy).collect());
        let best: Option<Vec<f64>> = values.iter().map(|value| value.best).collect();
        Numbers {
            mean: accuracy.mean,
            std: accuracy.std,
            best: best.map(|best| Statistic::of(best).mean),
            values,
        }
    }

    /// Reads what the cell's runs wrote.
    pub fn read(cell: &PlannedCell, runs: &[CellRuns], folder: &Folder) -> Outcome<Numbers> {
        let percent = |measured: &Measured| match cell.cell.metric {
            Metric::MeanClass => 100.0 * measured.mean_class,
            _ => 100.0 * measured.top1,
        };
        let one = |runs: &CellRuns| {
            let path = folder.run(&runs.result);
            let best = path.join("test_best.json");
            // What a probe writes is the measurement itself.
            let last: Measured = match path.is_dir() {
                true => read_json(&path.join("test.json"))?,
                false => read_json(&path)?,
            };
            let best: Option<Measured> = best.exists().then(|| read_json(&best)).transpose()?;
            let pretrain = runs.pretrain.as_ref().map(|name| folder.run(name));
            let pretext = pretrain.map(|run| pretext(&run)).transpose()?;
            Ok(Seeded {
                seed: runs.seed,
                accuracy: percent(&last),
                best: best.as_ref().map(percent),
                clips: last.n,
                pretext: pretext.unwrap_or_default(),
            })
        };
        let values: Outcome<Vec<Seeded>> = runs.iter().map(one).collect();
        Ok(Numbers::new(values?))
    }
}

fn pretext(run: &Path) -> Outcome<Pretext> {
    let metrics = run.join("metrics.jsonl");
    let text = read_at_most(&metrics, LONGEST)?;
    let last = text.lines().last().unwrap_or_default();
    let line: Line<IgnoredAny> = serde_json::from_str(last)
        .map_err(|error| Failure::error(format!("{}: {error}", metrics.display())))?;
    // Neither without held-out clips nor of a contrastive model, which has no decoder.
    let report = run.join("reconstruction.json");
    let report: Option<ReconstructionReport> =
        report.exists().then(|| read_json(&report)).transpose()?;
    let all = report.map(|report| report.all);
    Ok(Pretext {
        loss: Some(line.loss),
        reconstruction: all.and_then(|all| Some(all.model? / all.neighbours?)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_and_spread_are_over_seeds() {
        let value = |accuracy| Seeded {
            seed: 0,
            accuracy,
            best: None,
            clips: 10,
            pretext: Pretext::default(),
        };
        let numbers = Numbers::new([70.0, 72.0, 77.0].map(value).to_vec());
        assert_eq!(numbers.mean, 73.0);
        let std = numbers.std.expect("three seeds");
        assert!((std - 13f64.sqrt()).abs() < 1e-12);
        let one = Numbers::new(vec![value(70.0)]);
        assert_eq!((one.std, one.best), (None, None));
    }
}
