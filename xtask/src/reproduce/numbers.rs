//! What finished runs say, as numbers of cells.

use std::path::Path;

use serde_json::Value;
use skeleton_datasets::paper::{Metric, Pretraining};

use super::job::Folder;
use super::plan::{CellRuns, PlannedCell};
use crate::process::Failure;

/// One seed's numbers. Accuracies are percent.
#[derive(Clone, Debug, PartialEq)]
pub struct Seeded {
    pub seed: u64,
    /// By the cell's metric, after the last epoch.
    pub accuracy: f64,
    /// By the cell's metric, at the epoch that was best on held-out training clips.
    pub best: Option<f64>,
    pub clips: u64,
    /// The pre-training's.
    pub pretext: Option<Pretext>,
}

/// How a pre-training ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pretext {
    /// Mean of the last epoch.
    pub loss: f64,
    /// Error of reconstructed joints, in errors of their nearest visible neighbours; none without held-out clips.
    pub reconstruction: Option<f64>,
}

/// A cell's numbers over seeds.
#[derive(Clone, Debug, PartialEq)]
pub struct Numbers {
    pub values: Vec<Seeded>,
}

impl Numbers {
    /// Reads what the cell's runs wrote.
    pub fn read(
        cell: &PlannedCell,
        runs: &[CellRuns],
        folder: &Folder,
    ) -> Result<Numbers, Failure> {
        let metric = match cell.cell.metric {
            Metric::MeanClass => "mean_class",
            _ => "top1",
        };
        let contrastive = cell.cell.setup.pretraining == Pretraining::GraphCl;
        let one = |runs: &CellRuns| {
            let path = folder.run(&runs.result);
            let folder_of = |name: &String| folder.run(name);
            let probe = runs.result.starts_with("probe-");
            let file = if probe {
                path.clone()
            } else {
                path.join("test.json")
            };
            let test = json(&file)?;
            let best = path.join("test_best.json");
            let best = (!probe && best.exists()).then(|| json(&best)).transpose()?;
            Ok(Seeded {
                seed: runs.seed,
                accuracy: 100.0 * number(&test, &[metric], &file)?,
                best: best
                    .map(|best| number(&best, &[metric], &file))
                    .transpose()?
                    .map(|share| 100.0 * share),
                clips: number(&test, &["n"], &file).or_else(|_| number(&test, &["clips"], &file))?
                    as u64,
                pretext: runs
                    .pretrain
                    .as_ref()
                    .map(folder_of)
                    .map(|run| pretext(&run, contrastive))
                    .transpose()?,
            })
        };
        let values: Result<Vec<Seeded>, Failure> = runs.iter().map(one).collect();
        Ok(Numbers { values: values? })
    }

    /// Of the accuracies.
    pub fn mean(&self) -> f64 {
        mean(self.values.iter().map(|value| value.accuracy))
    }

    /// Sample standard deviation of the accuracies; none of one seed.
    pub fn std(&self) -> Option<f64> {
        deviation(self.values.iter().map(|value| value.accuracy))
    }

    /// Of the accuracies at the best epochs by held-out clips, where all have one.
    pub fn best(&self) -> Option<f64> {
        let best: Option<Vec<f64>> = self.values.iter().map(|value| value.best).collect();
        best.map(|values| mean(values.into_iter()))
    }
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let n = values.len() as f64;
    values.sum::<f64>() / n
}

fn deviation(values: impl ExactSizeIterator<Item = f64> + Clone) -> Option<f64> {
    let n = values.len();
    let mean = mean(values.clone());
    let square: f64 = values.map(|x| (x - mean) * (x - mean)).sum();
    (n > 1).then(|| (square / (n - 1) as f64).sqrt())
}

fn pretext(run: &Path, contrastive: bool) -> Result<Pretext, Failure> {
    let metrics = run.join("metrics.jsonl");
    let text = std::fs::read_to_string(&metrics)
        .map_err(|e| Failure::Task(format!("cannot read {}: {e}", metrics.display())))?;
    let last = text.lines().last().unwrap_or_default();
    let line: Value = serde_json::from_str(last)
        .map_err(|e| Failure::Task(format!("{}: {e}", metrics.display())))?;
    let report = run.join("reconstruction.json");
    // A contrastive model has no decoder to reconstruct with.
    let reconstruction = match report.exists() && !contrastive {
        true => {
            let report_json = json(&report)?;
            let model = number(&report_json, &["all", "model"], &report)?;
            Some(model / number(&report_json, &["all", "neighbours"], &report)?)
        }
        false => None,
    };
    Ok(Pretext {
        loss: number(&line, &["loss"], &metrics)?,
        reconstruction,
    })
}

/// A JSON file.
pub fn json(path: &Path) -> Result<Value, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| Failure::Task(format!("cannot read {}: {e}", path.display())))?;
    serde_json::from_str(&text).map_err(|e| Failure::Task(format!("{}: {e}", path.display())))
}

fn number(value: &Value, keys: &[&str], file: &Path) -> Result<f64, Failure> {
    let found = keys.iter().try_fold(value, |value, key| value.get(key));
    found.and_then(Value::as_f64).ok_or_else(|| {
        Failure::Task(format!(
            "{}: expected a number as {}",
            file.display(),
            keys.join(".")
        ))
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
            pretext: None,
        };
        let numbers = Numbers {
            values: [70.0, 72.0, 77.0].map(value).to_vec(),
        };
        assert_eq!(numbers.mean(), 73.0);
        assert!((numbers.std().expect("three seeds") - 13f64.sqrt()).abs() < 1e-12);
        let one = Numbers {
            values: vec![value(70.0)],
        };
        assert_eq!((one.std(), one.best()), (None, None));
    }
}
