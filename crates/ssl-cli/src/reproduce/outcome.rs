//! What a comparison says.
//!
//! A difference is formed between two runs of the same split and seed, and averaged over all of them. Its interval is by the
//! bootstrap over splits, and over the seeds within each: clips of one split are alike, so seeds alone would promise too much.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rand::Rng as _;
use serde::{Deserialize, Serialize};
use skeleton_graph::random::{Key, Purpose, stream};
use strl::fuse::fuse;

use super::clips::Set;
use super::compare::{PlannedComparison, Trial};
use super::comparison::{Arm, Comparison, Protocol};
use super::job::{Done, Folder, is_scores};
use super::page::{lines, points, provenance, runs_made};
use super::table::{Source, commits, top1};
use crate::checkpoint::{write_json, write_whole};
use crate::failure::{Failure, Outcome};
use crate::report::{Curve, Curves, Statistic, curves_svg, distinct};
use crate::scores::{ScoreFile, aligned};

impl Trial {
    /// Its accuracy, percent.
    fn top1(&self, folder: &Folder) -> Outcome<f64> {
        let scores = self.jobs.iter().filter(|name| is_scores(name));
        let scores: Vec<PathBuf> = scores.map(|name| folder.run(name)).collect();
        match scores.is_empty() {
            true => top1(&folder.run(self.jobs.last().expect("a trial has a run"))),
            false => fused_top1(&scores),
        }
    }
}

/// Of the plain mean of class probabilities, percent.
fn fused_top1(scores: &[PathBuf]) -> Outcome<f64> {
    let files = scores.iter().map(|path| ScoreFile::read(path));
    let files: Vec<ScoreFile> = files.collect::<Outcome<_>>()?;
    let fused = fuse(&aligned(&files)?, &vec![1.0; files.len()]);
    let metrics = fused.metrics(files[0].about.classes.len());
    let metrics = metrics.ok_or_else(|| {
        let path = files[0].path.display();
        Failure::error(format!("{path}: expected clips with labels, found none"))
            .hint("the split that was measured has labels: is it another cache by now?")
    });
    Ok(100.0 * metrics?.top1)
}

/// A comparison as it came out; all of it is written as JSON.
#[derive(Serialize)]
pub struct Compares<'a> {
    comparison: &'a str,
    title: &'a str,
    #[serde(flatten)]
    source: &'a Source<'a>,
    commits: Vec<String>,
    results: Vec<Summary<'a>>,
    trials: Vec<Measured<'a>>,
    #[serde(skip)]
    planned: &'a PlannedComparison,
    #[serde(skip)]
    runs: BTreeMap<String, Done>,
}

/// One run's accuracy, percent.
#[derive(Serialize)]
struct Measured<'a> {
    measured_on: &'a str,
    protocol: &'a str,
    arm: &'a str,
    seed: u64,
    top1: f64,
    runs: &'a [String],
    #[serde(skip)]
    at: &'a Trial,
}

/// An arm by a protocol.
#[derive(Serialize)]
struct Summary<'a> {
    protocol: &'a str,
    arm: &'a str,
    /// Of all runs.
    mean: f64,
    /// Sample standard deviation over seeds, the mean over splits.
    deviation: Option<f64>,
    runs: usize,
    /// By how much the first arm is better.
    gain: Option<Gain>,
}

/// Points, of pairs of runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gain {
    pub mean: f64,
    /// The interval that holds 95 % of the bootstrap's means.
    pub low: f64,
    pub high: f64,
    pub pairs: usize,
}

impl<'a> Compares<'a> {
    /// Reads what the runs left.
    pub fn collect(planned: &'a PlannedComparison, source: &'a Source<'a>) -> Outcome<Self> {
        let comparison = planned.comparison;
        let mut trials = Vec::new();
        let mut runs = BTreeMap::new();
        for trial in &planned.trials {
            for name in &trial.jobs {
                let done = source.folder.done(name);
                runs.extend(done.map(|done| (name.clone(), done)));
            }
            trials.push(Measured {
                measured_on: &trial.clips,
                protocol: &comparison.protocols[trial.protocol].name,
                arm: &comparison.arms[trial.arm].name,
                seed: trial.seed,
                top1: trial.top1(source.folder)?,
                runs: &trial.jobs,
                at: trial,
            });
        }
        Ok(Compares {
            comparison: &comparison.id,
            title: &comparison.title,
            commits: commits(runs.keys(), source.folder),
            source,
            results: summaries(comparison, &trials),
            trials,
            planned,
            runs,
        })
    }

    /// Writes the page, whose path it gives, with JSON and, of shares of labels, a drawing.
    pub fn write(&self, folder: &Path) -> Outcome<PathBuf> {
        std::fs::create_dir_all(folder).map_err(Failure::io(folder))?;
        let name = format!("{}-{}", self.comparison, self.source.scale.name());
        let path = |ending: &str| folder.join(format!("{name}.{ending}"));
        write_json(&path("json"), self)?;
        let curves = self.curves();
        if let Some(svg) = &curves {
            write_whole(&path("svg"), svg.as_bytes())?;
        }
        let drawing = curves.map(|_| format!("![{}]({name}.svg)", self.title));
        write_whole(&path("md"), self.markdown(drawing).as_bytes())?;
        Ok(path("md"))
    }

    fn markdown(&self, drawing: Option<String>) -> String {
        let (source, comparison) = (self.source, self.planned.comparison);
        let mut parts = vec![format!("# {}, scale {}", self.title, source.scale.name())];
        let words = [comparison.about.trim(), &source.about].into_iter();
        let words = words.filter(|text| !text.is_empty()).map(str::to_owned);
        parts.extend(words.chain(source.remarks.iter().cloned()));
        parts.extend(drawing);
        let first = &comparison.arms[0].name;
        for protocol in &comparison.protocols {
            let of = self
                .results
                .iter()
                .filter(|one| one.protocol == protocol.name);
            let rows = of.map(|one| {
                let spread = one
                    .deviation
                    .map_or(String::new(), |d| format!(" ± {}", points(d)));
                let gain = one.gain.map_or(String::new(), |gain| {
                    let Gain {
                        mean, low, high, ..
                    } = gain;
                    format!("{mean:+.1} ({low:+.1} to {high:+.1})")
                });
                vec![
                    one.arm.to_owned(),
                    format!("{}{spread}", points(one.mean)),
                    gain,
                    one.runs.to_string(),
                ]
            });
            let better = format!("{first} is better by");
            let head = ["", "top-1, %", &better, "runs"];
            parts.push(format!("## {}\n\n{}", protocol.name, lines(&head, rows)));
            parts.push(self.by_clips(&protocol.name));
        }
        parts.push(
            "The number is top-1 after the last epoch, ± the standard deviation over seeds (mean over splits). A gain is the mean of \
             the differences between runs of the same split and seed, in points, with the interval that holds 95 % of 10,000 bootstrap \
             means: splits are drawn, then seeds within each."
                .to_owned(),
        );
        if !self.planned.missing.is_empty() {
            parts.push(format!("Not given: {}.", self.planned.missing.join(", ")));
        }
        parts.push(format!(
            "## How it was made\n\n```sh\n{}\n```",
            source.command
        ));
        let used = |set: &&Set| self.trials.iter().any(|one| one.at.set == set.name);
        let sets: Vec<&Set> = source.sets.iter().filter(used).collect();
        parts.push(provenance(source, &sets, &self.commits, &self.runs));
        parts.extend(runs_made(&self.runs));
        parts.join("\n\n") + "\n"
    }

    /// A line a split, the mean over seeds of each arm.
    fn by_clips(&self, protocol: &str) -> String {
        let arms: Vec<&str> = self
            .planned
            .comparison
            .arms
            .iter()
            .map(|arm| arm.name.as_str())
            .collect();
        let clips = distinct(self.trials.iter().map(|one| one.measured_on));
        let head: Vec<&str> = ["measured on"]
            .into_iter()
            .chain(arms.iter().copied())
            .collect();
        let rows = clips.into_iter().map(|clips| {
            let cell = |arm: &&str| {
                let is = |one: &&Measured<'_>| {
                    (one.measured_on, one.protocol, one.arm) == (clips, protocol, *arm)
                };
                let found: Vec<f64> = self.trials.iter().filter(is).map(|one| one.top1).collect();
                match found.is_empty() {
                    true => String::new(),
                    false => points(Statistic::of(found).mean),
                }
            };
            [clips.to_owned()]
                .into_iter()
                .chain(arms.iter().map(cell))
                .collect()
        });
        lines(&head, rows)
    }

    /// Accuracy over the share of labels, where that is what protocols differ in.
    fn curves(&self) -> Option<String> {
        let protocols = &self.planned.comparison.protocols;
        let shares = protocols
            .iter()
            .map(|one| (!one.probe).then(|| one.labels.unwrap_or(1.0)));
        let shares: Vec<f64> = shares.collect::<Option<_>>()?;
        if shares.len() < 3 {
            return None;
        }
        let curve = |arm: &Arm| {
            let at = |(protocol, share): (&Protocol, &f64)| {
                let mut of = self.results.iter();
                let found = of.find(|one| one.protocol == protocol.name && one.arm == arm.name)?;
                Some((*share, found.mean, found.deviation.unwrap_or(0.0)))
            };
            Curve {
                name: arm.name.clone(),
                points: protocols.iter().zip(&shares).filter_map(at).collect(),
            }
        };
        Some(curves_svg(&Curves {
            title: self.title.to_owned(),
            facts: format!(
                "scale {}, top-1 over the share of labels that is known",
                self.source.scale.name()
            ),
            curves: self.planned.comparison.arms.iter().map(curve).collect(),
        }))
    }
}

/// Each arm by each protocol, where it has runs.
fn summaries<'a>(comparison: &'a Comparison, trials: &[Measured<'_>]) -> Vec<Summary<'a>> {
    let mut results = Vec::new();
    for (protocol, measured) in comparison.protocols.iter().enumerate() {
        let first = accuracies(trials, (protocol, 0));
        for (arm, own) in comparison.arms.iter().enumerate() {
            let of_arm = accuracies(trials, (protocol, arm));
            if of_arm.is_empty() {
                continue;
            }
            let all = of_arm.values().flat_map(BTreeMap::values).copied();
            let all: Vec<f64> = all.collect();
            let spreads = of_arm.values();
            let spreads =
                spreads.filter_map(|seeds| Statistic::of(seeds.values().copied().collect()).std);
            let spreads: Vec<f64> = spreads.collect();
            let gain = (arm > 0).then(|| {
                let pairs = of_arm.iter().filter_map(|(clips, seeds)| {
                    let first = first.get(clips)?;
                    let pairs = seeds
                        .iter()
                        .filter_map(|(seed, x)| Some(first.get(seed)? - x));
                    Some(pairs.collect())
                });
                Gain::of(&pairs.collect::<Vec<_>>())
            });
            results.push(Summary {
                protocol: &measured.name,
                arm: &own.name,
                runs: all.len(),
                mean: Statistic::of(all).mean,
                deviation: (!spreads.is_empty()).then(|| Statistic::of(spreads).mean),
                gain: gain.flatten(),
            });
        }
    }
    results
}

/// The accuracies of an arm by a protocol: by their clips, then by their seeds.
fn accuracies<'t>(
    trials: &'t [Measured<'_>],
    (protocol, arm): (usize, usize),
) -> BTreeMap<&'t str, BTreeMap<u64, f64>> {
    let mut found: BTreeMap<&str, BTreeMap<u64, f64>> = BTreeMap::new();
    let is = |one: &&Measured<'_>| one.at.protocol == protocol && one.at.arm == arm;
    for one in trials.iter().filter(is) {
        let seeds = found.entry(one.measured_on).or_default();
        seeds.insert(one.seed, one.top1);
    }
    found
}

/// Draws of the bootstrap.
const DRAWS: usize = 10_000;

impl Gain {
    /// Of the differences of each cluster; `None` where there is none.
    fn of(clusters: &[Vec<f64>]) -> Option<Gain> {
        let clusters: Vec<&Vec<f64>> = clusters.iter().filter(|one| !one.is_empty()).collect();
        let all: Vec<f64> = clusters
            .iter()
            .flat_map(|one| one.iter().copied())
            .collect();
        if all.is_empty() {
            return None;
        }
        let mut rng = stream(0, Purpose::Bootstrap, 0, Key::None);
        let mut below = |n: usize| rng.random_range(0..n as u64) as usize;
        let mut means: Vec<f64> = (0..DRAWS)
            .map(|_| {
                let (mut sum, mut n) = (0.0, 0);
                for _ in 0..clusters.len() {
                    let cluster = clusters[below(clusters.len())];
                    n += cluster.len();
                    sum += (0..cluster.len())
                        .map(|_| cluster[below(cluster.len())])
                        .sum::<f64>();
                }
                sum / f64::from(n as u32)
            })
            .collect();
        means.sort_by(f64::total_cmp);
        Some(Gain {
            mean: Statistic::of(all.clone()).mean,
            low: means[DRAWS / 40],
            high: means[DRAWS - 1 - DRAWS / 40],
            pairs: all.len(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_as_wide_as_its_clusters_differ() {
        // Seeds that agree within a split and splits that don't: the splits decide.
        let apart = Gain::of(&[vec![1.0; 3], vec![5.0; 3], vec![9.0; 3]]).expect("pairs");
        assert_eq!(
            (apart.mean, apart.low, apart.high, apart.pairs),
            (5.0, 1.0, 9.0, 9)
        );
        let alike = Gain::of(&[vec![4.0, 5.0, 6.0], vec![5.0; 3]]).expect("pairs");
        assert!(alike.low > 4.0 && alike.high < 6.0, "{alike:?}");
        assert_eq!(Gain::of(&[Vec::new()]), None);
    }
}
