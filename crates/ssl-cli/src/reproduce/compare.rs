//! The runs of a comparison.

use std::collections::BTreeMap;

use super::clips::Set;
use super::comparison::{Arm, Comparison, Protocol};
use super::estimate::multiply_adds;
use super::job::{Encoder, Job, Probe, Scored, Task};
use super::plan::{Planner, run};
use super::settings::{Base, Compared};
use crate::args::ProbeMethod;
use crate::checkpoint::Kind;
use crate::config::{Config, RunSection};
use crate::failure::{Failure, Outcome};
use crate::report::distinct;

/// A comparison with its runs.
pub struct PlannedComparison {
    pub comparison: &'static Comparison,
    pub trials: Vec<Trial>,
    /// Sets of the scale that are not here.
    pub missing: Vec<String>,
}

/// One run that is measured.
pub struct Trial {
    /// `jhmdb14 test1`
    pub clips: String,
    pub set: String,
    pub protocol: usize,
    pub arm: usize,
    pub seed: u64,
    /// Its jobs; the last one's accuracy counts, or that of all scores together.
    pub jobs: Vec<String>,
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
            missing: Vec::new(),
        };
        let whole = comparison.is_whole(self.scale);
        let bases = if whole { self.presets } else { self.bases };
        let mut places = Vec::new();
        for compared in comparison.clips(self.scale) {
            let Some(set) = self.sets.iter().find(|set| set.name == compared.set) else {
                planned.missing.push(compared.set.clone());
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
        planned.missing = distinct(planned.missing);
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
