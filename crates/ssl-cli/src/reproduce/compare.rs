//! Comparisons: arms that differ in one thing, each measured on the same clips with the same seeds.
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
use super::estimate::multiply_adds;
use super::job::{Done, Encoder, Folder, Job, Probe, Scored, Task, is_scores};
use super::page::{lines, points, provenance, runs_made};
use super::plan::{Planner, run};
use super::settings::{Base, Compared, Scale};
use super::table::{Source, commits, top1};
use crate::args::ProbeMethod;
use crate::checkpoint::{Kind, write_json, write_whole};
use crate::config::{Config, RunSection};
use crate::failure::{Failure, Outcome};
use crate::report::{Curve, Curves, Statistic, curves_svg};
use crate::scores::{ScoreFile, aligned};

/// What is compared, from `reproduce/comparisons.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    pub id: String,
    pub title: String,
    /// The question, and what a reader of the numbers must know.
    pub about: String,
    pub protocols: Vec<Protocol>,
    /// The others are compared with the first.
    pub arms: Vec<Arm>,
    /// The clips, where they aren't those of the scale.
    #[serde(default)]
    pub clips: Vec<Compared>,
    /// Whether clips and settings are those on which settings are chosen.
    #[serde(default)]
    pub held_out: bool,
    /// Whether the settings of a set are its preset's, whatever the scale changes.
    #[serde(default)]
    pub whole_presets: bool,
    /// What is other than in the settings of the set, for all arms.
    #[serde(default)]
    pub settings: toml::Table,
}

impl Comparison {
    /// What it is measured on.
    pub fn clips<'a>(&'a self, scale: &'a Scale) -> &'a [Compared] {
        match scale.own_clips {
            true if self.held_out => &all().held_out.clips,
            true if !self.clips.is_empty() => &self.clips,
            _ => &scale.compared,
        }
    }

    /// What an arm changes in the settings of a set, or in a whole preset.
    fn changes<'a>(
        &'a self,
        protocol: &'a Protocol,
        arm: &'a Arm,
        whole: bool,
    ) -> Vec<&'a toml::Table> {
        let held_out = self.held_out.then(|| &all().held_out.settings);
        let own = [&self.settings, &arm.settings];
        let preset = whole.then_some(&protocol.preset_settings);
        held_out.into_iter().chain(own).chain(preset).collect()
    }

    /// Whether its settings are whole presets at this scale.
    pub fn is_whole(&self, scale: &Scale) -> bool {
        self.whole_presets && scale.own_clips
    }
}

/// How an arm is measured.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Protocol {
    pub name: String,
    /// A linear probe on what was pre-trained, instead of fine-tuning.
    #[serde(default)]
    pub probe: bool,
    /// Share of each class's labels that is known.
    #[serde(default)]
    pub labels: Option<f64>,
    /// What is other than in a whole preset; the settings of a scale are its own.
    #[serde(default)]
    pub preset_settings: toml::Table,
}

/// One way to train.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arm {
    pub name: String,
    /// Whether there is a pre-training.
    #[serde(default = "yes")]
    pub pretrained: bool,
    /// Whether fine-tuning has more epochs, by as many multiply-adds as the first arm's pre-training takes.
    #[serde(default)]
    pub equal_work: bool,
    /// Instead of a training: the mean of the class probabilities of the arms of these names.
    #[serde(default)]
    pub fused: Vec<String>,
    /// What is other than in the settings of the set.
    #[serde(default)]
    pub settings: toml::Table,
}

fn yes() -> bool {
    true
}

/// All comparisons.
pub fn comparisons() -> &'static [Comparison] {
    &all().comparisons
}

/// The file of them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    held_out: HeldOut,
    comparisons: Vec<Comparison>,
}

/// Held-out parts of training splits, on which settings are chosen, and models so small that there can be many.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HeldOut {
    settings: toml::Table,
    clips: Vec<Compared>,
}

fn all() -> &'static Written {
    static ALL: std::sync::LazyLock<Written> = std::sync::LazyLock::new(|| {
        let text = include_str!("../../reproduce/comparisons.toml");
        toml::from_str(text)
            .unwrap_or_else(|error| panic!("the embedded comparisons are valid: {error}"))
    });
    &ALL
}

/// A comparison with its runs.
pub struct PlannedComparison {
    pub comparison: &'static Comparison,
    trials: Vec<Trial>,
    /// Sets of the scale that are not here.
    lacking: Vec<String>,
}

/// One run that is measured.
struct Trial {
    /// `jhmdb14 test1`
    clips: String,
    set: String,
    protocol: usize,
    arm: usize,
    seed: u64,
    /// Its jobs; the last one's accuracy counts, or that of all scores together.
    jobs: Vec<String>,
}

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
        Failure::error("no clip has a label".to_owned()).of(files[0].path.display())
    });
    Ok(100.0 * metrics?.top1)
}

impl Planner<'_> {
    /// The runs of a comparison on all clips of the scale that are here; none where there is none.
    pub fn compare(
        &self,
        comparison: &'static Comparison,
        jobs: &mut BTreeMap<String, Job>,
    ) -> Outcome<PlannedComparison> {
        let mut planned = PlannedComparison {
            comparison,
            trials: Vec::new(),
            lacking: Vec::new(),
        };
        let whole = comparison.is_whole(self.scale);
        let bases = if whole { self.presets } else { self.bases };
        let mut places = Vec::new();
        for compared in comparison.clips(self.scale) {
            let Some(set) = self.sets.iter().find(|set| set.name == compared.set) else {
                planned.lacking.push(compared.set.clone());
                continue;
            };
            for split in [&compared.train, &compared.test] {
                set.people(split)?;
            }
            places.push((set, compared));
        }
        for (&seed, &(set, compared)) in self
            .seeds
            .iter()
            .flat_map(|seed| places.iter().map(move |place| (seed, place)))
        {
            let place = Place {
                planner: self,
                set,
                base: &bases[compared.set.as_str()],
                whole,
                compared,
                seed,
            };
            for (protocol, measured) in comparison.protocols.iter().enumerate() {
                for (arm, own) in comparison.arms.iter().enumerate() {
                    let trained = own.equal_work || !own.fused.is_empty();
                    if measured.probe && trained {
                        continue;
                    }
                    let made = match own.fused.is_empty() {
                        true => place.trial(comparison, measured, own)?,
                        false => place.fused(comparison, measured, own)?,
                    };
                    planned.trials.push(Trial {
                        clips: format!("{} {}", compared.set, compared.test),
                        set: compared.set.clone(),
                        protocol,
                        arm,
                        seed,
                        jobs: made.iter().map(|job| job.name.clone()).collect(),
                    });
                    jobs.extend(made.into_iter().map(|job| (job.name.clone(), job)));
                }
            }
        }
        planned.lacking.dedup();
        if planned.trials.is_empty() {
            let words = format!("{} can't be made here: no clips", comparison.title);
            let hint = format!("--data SET=FILE; this scale takes {}", self.scale.given());
            return Err(Failure::usage(words).hint(hint));
        }
        Ok(planned)
    }
}

impl PlannedComparison {
    /// The names of its runs, in the order in which they are wanted.
    pub fn names(&self) -> impl Iterator<Item = &String> {
        self.trials.iter().flat_map(|trial| &trial.jobs)
    }
}

/// Clips and a seed.
struct Place<'a> {
    planner: &'a Planner<'a>,
    set: &'a Set,
    base: &'a Base,
    whole: bool,
    compared: &'a Compared,
    seed: u64,
}

impl Place<'_> {
    /// The settings of both jobs.
    fn changed(&self, of: &Comparison, protocol: &Protocol, arm: &Arm) -> Outcome<Config> {
        self.base.changed(&of.changes(protocol, arm, self.whole))
    }

    fn pretraining(&self, of: &Comparison, protocol: &Protocol, arm: &Arm) -> Outcome<Config> {
        let mut config = self.changed(of, protocol, arm)?.only(Kind::Pretrain);
        config.run = RunSection {
            split: Some(self.compared.train.clone()),
            ..run(self.set, self.seed)
        };
        Ok(config)
    }

    fn trial(&self, of: &Comparison, protocol: &Protocol, arm: &Arm) -> Outcome<Vec<Job>> {
        let (planner, set, seed) = (self.planner, self.set, self.seed);
        let compared = self.compared;
        let title = format!(
            "{}, {}, {}, {} {}, seed {seed}",
            of.id, arm.name, protocol.name, compared.set, compared.test
        );
        let pretraining = self.pretraining(of, protocol, arm)?;
        let mut jobs = Vec::new();
        if arm.pretrained {
            let task = Task::Train(Kind::Pretrain, Box::new(pretraining.clone()));
            jobs.push(planner.job((set, self.base), task, None, &title));
        }
        let encoder = jobs.first().map(|job| job.name.clone());
        let path = encoder.as_ref().map(|name| planner.folder.run(name));
        let task = if protocol.probe {
            let random = || {
                let mut config = pretraining;
                config.run = RunSection::default();
                Encoder::Random(Box::new(config))
            };
            Task::Probe(Probe {
                method: ProbeMethod::Linear,
                data: set.path.clone(),
                train: compared.train.clone(),
                test: compared.test.clone(),
                seed,
                encoder: path.map_or_else(random, Encoder::Trained),
            })
        } else {
            let mut config = self.changed(of, protocol, arm)?.only(Kind::Finetune);
            config.run = RunSection {
                train: Some(compared.train.clone()),
                test: Some(compared.test.clone()),
                labels: protocol.labels,
                encoder: path,
                ..run(set, seed)
            };
            if arm.equal_work {
                let first = self.pretraining(of, protocol, &of.arms[0])?;
                let before = multiply_adds(Kind::Pretrain, &first, set)?;
                let own = multiply_adds(Kind::Finetune, &config, set)?;
                if let Some(job) = &mut config.finetune {
                    let epochs = job.engine.epochs as f64;
                    job.engine.epochs = (epochs * (1.0 + before / own)).round() as usize;
                }
            }
            Task::Train(Kind::Finetune, Box::new(config))
        };
        jobs.push(planner.job((set, self.base), task, encoder.as_deref(), &title));
        Ok(jobs)
    }

    /// The runs of the arms that are fused, and their scores.
    fn fused(&self, of: &Comparison, protocol: &Protocol, arm: &Arm) -> Outcome<Vec<Job>> {
        let mut all = Vec::new();
        for part in of.arms.iter().filter(|one| arm.fused.contains(&one.name)) {
            let jobs = self.trial(of, protocol, part)?;
            let last = jobs.last().expect("a trial has a run");
            let scored = Task::Scores(Scored {
                run: self.planner.folder.run(&last.name),
                data: self.set.path.clone(),
                split: self.compared.test.clone(),
            });
            let title = format!("{}: scores", last.title);
            let place = (self.set, self.base);
            let scores = self
                .planner
                .job(place, scored, Some(last.name.as_str()), &title);
            all.extend(jobs);
            all.push(scores);
        }
        Ok(all)
    }
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
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Gain {
    mean: f64,
    /// The interval that holds 95 % of the bootstrap's means.
    low: f64,
    high: f64,
    pairs: usize,
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
        let mut results = Vec::new();
        for (protocol, measured) in comparison.protocols.iter().enumerate() {
            for (arm, own) in comparison.arms.iter().enumerate() {
                let clusters = |arm: usize| -> BTreeMap<&str, BTreeMap<u64, f64>> {
                    let mut found: BTreeMap<&str, BTreeMap<u64, f64>> = BTreeMap::new();
                    let is = |one: &&Measured<'_>| one.at.protocol == protocol && one.at.arm == arm;
                    for one in trials.iter().filter(is) {
                        found
                            .entry(one.measured_on)
                            .or_default()
                            .insert(one.seed, one.top1);
                    }
                    found
                };
                let of_arm = clusters(arm);
                if of_arm.is_empty() {
                    continue;
                }
                let all: Vec<f64> = of_arm
                    .values()
                    .flat_map(BTreeMap::values)
                    .copied()
                    .collect();
                let spreads = of_arm.values();
                let spreads = spreads
                    .filter_map(|seeds| Statistic::of(seeds.values().copied().collect()).std);
                let spreads: Vec<f64> = spreads.collect();
                let gain = (arm > 0).then(|| {
                    let first = clusters(0);
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
                    mean: Statistic::of(all.clone()).mean,
                    deviation: (!spreads.is_empty()).then(|| Statistic::of(spreads).mean),
                    runs: all.len(),
                    gain: gain.flatten(),
                });
            }
        }
        Ok(Compares {
            comparison: &comparison.id,
            title: &comparison.title,
            commits: commits(runs.keys(), source.folder),
            source,
            results,
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
        if !self.planned.lacking.is_empty() {
            parts.push(format!("Not given: {}.", self.planned.lacking.join(", ")));
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
        let mut clips: Vec<&str> = Vec::new();
        for one in &self.trials {
            if !clips.contains(&one.measured_on) {
                clips.push(one.measured_on);
            }
        }
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
    use crate::args::ScaleName;
    use crate::config::Preset;

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

    #[test]
    fn comparisons_are_named_once_and_their_settings_are_valid_everywhere() {
        let mut names: Vec<&str> = comparisons().iter().map(|one| one.id.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), comparisons().len());
        for comparison in comparisons() {
            let known: Vec<&String> = comparison.arms.iter().map(|arm| &arm.name).collect();
            let mut parts = comparison.arms.iter().flat_map(|arm| &arm.fused);
            assert!(parts.all(|part| known.contains(&part)), "{}", comparison.id);
        }
        for scale in [ScaleName::Ci, ScaleName::Small, ScaleName::Paper] {
            let scale = Scale::read(scale).expect("the scales are valid");
            for compared in &scale.compared {
                let set = scale
                    .set(&compared.set)
                    .expect("compared sets are described");
                let base = Base::new(set, &[], None).expect("valid settings");
                for comparison in comparisons() {
                    for (arm, protocol) in comparison
                        .arms
                        .iter()
                        .flat_map(|arm| comparison.protocols.iter().map(move |p| (arm, p)))
                    {
                        let found = base.changed(&comparison.changes(protocol, arm, true));
                        found.unwrap_or_else(|error| {
                            panic!("{}, {}: {}", comparison.id, arm.name, error.message())
                        });
                    }
                }
            }
        }
        assert!(Preset::find("quick").is_ok());
    }
}
