//! From cells to command lines.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use skeleton_datasets::paper::{Cell, Experiment, Pretraining, Protocol, Setup};

use super::{CellRuns, Plan, Planned, PlannedCell};
use crate::reproduce::data::{Set, given_sets};
use crate::reproduce::job::{Folder, Job};
use crate::reproduce::rate::Batches;
use crate::reproduce::scale::{Scale, ScaleSet, StandIn};
use crate::reproduce::settings;
use crate::reproduce::ssl::short_hash;

/// What cells are turned into runs with.
pub struct Planner<'a> {
    pub scale: &'a Scale,
    pub sets: &'a [Set],
    pub seeds: &'a [u64],
    pub holdout: Option<f64>,
    /// Of the presets the scale names.
    pub presets: &'a BTreeMap<String, String>,
    pub batches: &'a Batches,
    /// Settings of every pre-training that a test asks for.
    pub wrong: &'a [String],
    pub program: &'a str,
    pub folder: &'a Folder,
}

impl Planner<'_> {
    /// Adds an experiment.
    pub fn add(&self, experiment: &'static Experiment, plan: &mut Plan) {
        let mut cells = Vec::new();
        for cell in &experiment.cells {
            let clips = self
                .scale
                .stand_in(&cell.clips.set, &cell.clips.train)
                .cloned();
            let runs = self
                .seeds
                .iter()
                .map(|&seed| self.cell(experiment, cell, seed));
            let runs: Result<Vec<(CellRuns, Vec<Job>)>, String> = runs.collect();
            let runs = runs.map(|runs| {
                let keep = |(runs, jobs): (CellRuns, Vec<Job>)| {
                    for job in jobs {
                        plan.jobs.entry(job.name.clone()).or_insert(job);
                    }
                    runs
                };
                runs.into_iter().map(keep).collect()
            });
            cells.push(PlannedCell { cell, clips, runs });
        }
        plan.experiments.push(Planned { experiment, cells });
    }

    fn cell(
        &self,
        experiment: &Experiment,
        cell: &Cell,
        seed: u64,
    ) -> Result<(CellRuns, Vec<Job>), String> {
        let setup = &cell.setup;
        let (clips, set) = self.clips(&cell.clips.set, &cell.clips.train)?;
        let title = format!(
            "{}, {}, {}, seed {seed}",
            experiment.id, cell.row, cell.column
        );
        let mut jobs = Vec::new();
        if setup.pretraining != Pretraining::None {
            let (from, from_set) = match &setup.pretrained_on {
                None => (clips, set),
                Some((name, train)) => self.clips(name, train)?,
            };
            same_skeleton(from_set, set)?;
            jobs.push(self.pretrain(from, from_set, setup, seed, &title)?);
        }
        let encoder = jobs.first();
        let result = match setup.protocol {
            Protocol::Linear | Protocol::Knn => {
                self.probe(clips, set, setup, seed, encoder, &title)
            }
            _ => self.finetune(clips, set, setup, seed, encoder, &title),
        }?;
        let runs = CellRuns {
            seed,
            pretrain: encoder.map(|job| job.name.clone()),
            result: result.name.clone(),
        };
        jobs.push(result);
        Ok((runs, jobs))
    }

    /// What stands for the paper's clips, where it is here.
    fn clips(&self, set: &str, train: &str) -> Result<(&StandIn, &Set), String> {
        let none = || self.scale.lacks(set, train);
        let stand_in = self.scale.stand_in(set, train).ok_or_else(none)?;
        let name = &stand_in.set;
        let found = self.sets.iter().find(|set| set.name == *name);
        let found = found.ok_or_else(|| {
            format!(
                "no clips of {name} were given (--data {name}=FILE; this scale takes {})",
                given_sets(self.scale)
            )
        })?;
        for split in [&stand_in.train, &stand_in.test] {
            if !found.facts.splits.contains_key(split) {
                return Err(format!("{} has no split {split}", found.path.display()));
            }
        }
        Ok((stand_in, found))
    }

    fn of(&self, set: &Set) -> &ScaleSet {
        self.scale
            .set(&set.name)
            .expect("sets were looked up in the scale")
    }

    fn pretrain(
        &self,
        clips: &StandIn,
        set: &Set,
        setup: &Setup,
        seed: u64,
        title: &str,
    ) -> Result<Job, String> {
        let scale = self.of(set);
        let mut sets = [&scale.both[..], &scale.pretrain].concat();
        sets.extend_from_slice(self.batches.pretrain(&scale.preset));
        sets.extend(settings::pretraining(setup, &set.facts.parts)?);
        sets.extend_from_slice(self.wrong);
        let mut args = words(&["--split", &clips.train]);
        if let Some(val) = &scale.val {
            args.extend(words(&["--val", val]));
        }
        Ok(self.job(
            "pretrain",
            set,
            &clips.train,
            args,
            &sets,
            seed,
            None,
            title,
        ))
    }

    fn finetune(
        &self,
        clips: &StandIn,
        set: &Set,
        setup: &Setup,
        seed: u64,
        encoder: Option<&Job>,
        title: &str,
    ) -> Result<Job, String> {
        let scale = self.of(set);
        let mut sets = [&scale.both[..], &scale.finetune].concat();
        sets.extend_from_slice(self.batches.finetune(&scale.preset));
        sets.extend(settings::finetuning(setup));
        let mut args = words(&["--train", &clips.train, "--test", &clips.test]);
        if let Some(share) = self.holdout {
            args.extend(words(&["--holdout", &share.to_string()]));
        }
        if setup.protocol == Protocol::TenPercent {
            args.extend(words(&["--labels", "0.1"]));
        }
        Ok(self.job(
            "finetune",
            set,
            &clips.train,
            args,
            &sets,
            seed,
            encoder,
            title,
        ))
    }

    fn probe(
        &self,
        clips: &StandIn,
        set: &Set,
        setup: &Setup,
        seed: u64,
        encoder: Option<&Job>,
        title: &str,
    ) -> Result<Job, String> {
        let method = if setup.protocol == Protocol::Linear {
            "linear"
        } else {
            "knn"
        };
        let args = words(&[
            "--train",
            &clips.train,
            "--test",
            &clips.test,
            "--method",
            method,
        ]);
        let mut sets = self.of(set).both.clone();
        sets.extend(settings::encoder(setup));
        Ok(self.job(
            "probe",
            set,
            &clips.train,
            args,
            &sets,
            seed,
            encoder,
            title,
        ))
    }

    /// The command line; its name is made of all that its result depends on.
    #[expect(
        clippy::too_many_arguments,
        reason = "it is the one place where a command line is put together"
    )]
    fn job(
        &self,
        kind: &str,
        set: &Set,
        train: &str,
        own: Vec<String>,
        sets: &[String],
        seed: u64,
        encoder: Option<&Job>,
        title: &str,
    ) -> Job {
        let preset = &self.of(set).preset;
        let text = self.presets.get(preset).map_or("", String::as_str);
        let identity: Value = json!({
            "kind": kind, "program": self.program, "preset": short_hash(text.as_bytes()), "args": own, "sets": sets,
            "seed": seed, "data": set.facts.digest, "encoder": encoder.map(|job| &job.name),
        });
        let name = Job::name(kind, &identity);
        let path = |path: &Path| path.to_string_lossy().into_owned();
        let mut args = words(&[kind]);
        let from_encoder = encoder.map(|job| path(&self.folder.run(&job.name)));
        // A probe reads everything from the encoder's checkpoint; a random encoder has only settings.
        let settings = kind != "probe" || encoder.is_none();
        if settings {
            args.extend(words(&["--preset", preset]));
        }
        args.extend(words(&["--data", &path(&set.path)]));
        args.extend(own);
        if let Some(encoder) = from_encoder {
            args.extend(words(&["--encoder", &encoder]));
        }
        args.extend(words(&[
            "--out",
            &path(&self.folder.run(&name)),
            "--seed",
            &seed.to_string(),
        ]));
        if settings {
            sets.iter()
                .for_each(|set| args.extend(words(&["--set", set])));
        }
        Job {
            name,
            title: title.to_owned(),
            args,
            after: encoder.map(|job| job.name.clone()),
            clips: (set.name.clone(), train.to_owned()),
        }
    }
}

/// An encoder knows one skeleton.
fn same_skeleton(from: &Set, to: &Set) -> Result<(), String> {
    let (a, b) = (&from.facts, &to.facts);
    if (&a.layout, a.joints, a.coordinates, &a.units, &a.parts)
        == (&b.layout, b.joints, b.coordinates, &b.units, &b.parts)
    {
        return Ok(());
    }
    Err(format!(
        "transfer wants two sets with the same joints: {} has {} ({} coordinates, {}), {} has {} ({} coordinates, {})",
        from.name, a.layout, a.coordinates, a.units, to.name, b.layout, b.coordinates, b.units
    ))
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}
