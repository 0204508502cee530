//! What the runs will cost, from a few seconds of measuring on this machine.

use std::collections::BTreeMap;

use skeletonmae::Backbone;
use strl::cost::{Reads, modules, shapes};
use strl::{Pretraining, Strl, Task as Shape};

use super::clips::{Set, once};
use super::job::{Job, Task};
use super::job_pool::Runner;
use crate::checkpoint::{Kind, write_whole};
use crate::config::{Config, Preset};
use crate::failure::{Failure, Outcome};
use crate::report::spell;
use crate::run::{TIMINGS, Timing};
use crate::text::read_json;

/// Clips at once in the measurement: more take no longer, each.
const BATCH: usize = 32;

/// What is measured: a training of a kind of layers.
type Measured = (Kind, Backbone);

/// Says how long the unfinished ones of `jobs` take: their multiply-adds, by how many of them this machine does in a second. Each
/// training of each backbone is measured at the paper's width, layers and frames on synthetic clips.
pub fn say<'a>(jobs: impl Iterator<Item = &'a Job>, sets: &[Set], runner: Runner<'_>) -> Outcome {
    let missing = |job: &&Job| runner.folder.done(&job.name).is_none();
    let missing: Vec<&Job> = jobs.filter(missing).collect();
    if missing.is_empty() {
        return Ok(());
    }
    runner
        .printer
        .say("measuring this machine's speed, a quarter of a minute for each training");
    let mut speeds: BTreeMap<String, f64> = BTreeMap::new();
    let (mut all, mut longest) = (0.0, 0.0f64);
    for job in &missing {
        // A probe costs next to nothing.
        let Task::Train(kind, config) = &job.task else {
            continue;
        };
        let Some(set) = sets.iter().find(|set| set.name == job.set) else {
            continue;
        };
        let measured = (*kind, config.model.mae.backbone);
        let name = format!("{}, {:?}", kind.name(), measured.1).to_lowercase();
        let speed = match speeds.get(&name) {
            Some(&speed) => speed,
            None => *speeds.entry(name).or_insert(speed(measured, runner)?),
        };
        let seconds = multiply_adds(*kind, config, set)? / speed;
        (all, longest) = (all + seconds, longest.max(seconds));
    }
    let workers = runner.workers;
    let wall = (all / workers as f64).max(longest);
    let speeds: Vec<String> = speeds
        .iter()
        .map(|(name, speed)| format!("{name}: {:.2}", speed / 1e9))
        .collect();
    runner.printer.say(format!(
        "an estimate: {} runs, {} of one core; with {workers} at once {}. Giga multiply-adds of the forward pass a second of training, on one thread, as busy as the machine is now: {}",
        missing.len(),
        spell(all),
        spell(wall),
        speeds.join("; ")
    ));
    Ok(())
}

/// Multiply-adds a second of one thread.
fn speed((kind, backbone): Measured, runner: Runner<'_>) -> Outcome<f64> {
    let folder = runner.folder.data();
    let cache = folder.join("speed.h5");
    let mut command = runner.program.command("prepare");
    once(
        runner.program,
        command.args(["--dataset", "synthetic"]),
        &cache,
    )?;
    let preset = Preset::find("paper")?;
    let mut config = Config::from_toml(preset.text, preset.name)?.only(kind);
    config.model.mae.backbone = backbone;
    if let Some(job) = &mut config.pretrain {
        let own = &mut job.engine;
        (own.epochs, own.batch, own.micro_batch) = (1, BATCH, BATCH);
    }
    if let Some(job) = &mut config.finetune {
        let own = &mut job.engine;
        (own.epochs, own.batch, own.micro_batch) = (1, BATCH, BATCH);
    }
    let run = &mut config.run;
    (run.threads, run.data) = (Some(1), Some(cache.clone()));
    match kind {
        Kind::Pretrain => run.split = Some("val".to_owned()),
        Kind::Finetune => run.train = Some("val".to_owned()),
    }
    // Other shards measure at the same time.
    let own = tempfile::tempdir_in(&folder).map_err(Failure::io(&folder))?;
    let settings = own.path().join("speed.toml");
    write_whole(&settings, config.to_toml()?.as_bytes())?;
    let out = own.path().join("speed");
    let mut command = runner.program.command(kind.name());
    command
        .arg("--config")
        .arg(&settings)
        .arg("--out")
        .arg(&out);
    runner.program.run(&mut command)?;
    let epoch: Timing = read_json(&out.join(TIMINGS))?;
    let set = Set::open(None, cache)?;
    Ok(multiply_adds(kind, &config, &set)? / epoch.train_seconds.max(1e-9))
}

/// What a run costs beside others: the multiply-adds of its forward passes, and nothing of a probe, which is done in no time.
pub fn weight(job: &Job, sets: &[Set]) -> f64 {
    let Task::Train(kind, config) = &job.task else {
        return 0.0;
    };
    let set = sets.iter().find(|set| set.name == job.set);
    set.and_then(|set| multiply_adds(*kind, config, set).ok())
        .unwrap_or(0.0)
}

/// Of the forward passes of a whole training, by the count of [`strl::cost`].
pub fn multiply_adds(kind: Kind, config: &Config, set: &Set) -> Outcome<f64> {
    let (mae, layout, c) = (&config.model.mae, &set.layout, set.coordinates);
    let (frames, run) = (config.reading.frames, &config.run);
    let (shapes, passes) = match kind {
        Kind::Pretrain => {
            let objective = &config.pretrain()?.engine.objective;
            let strl = config.model.strl.as_ref();
            let input = (layout, c, frames);
            let shapes = shapes(|vb| Pretraining::new(objective, mae, strl, input, vb))?;
            // A contrast is of two views.
            (
                shapes,
                1 + usize::from(objective.reconstruction().is_none()),
            )
        }
        Kind::Finetune => {
            let task = Shape {
                layout,
                coordinates: c,
                frames,
                // The last map is nothing beside the rest.
                classes: 100,
            };
            let strl = config.strl()?;
            (shapes(|vb| Strl::new(mae, strl, task, vb))?, 1)
        }
    };
    let tensors = shapes.iter();
    let tensors = tensors.map(|(name, shape)| (name.as_str(), shape.as_slice()));
    let modules = modules(tensors, Reads::of(layout, frames));
    let track: usize = modules.iter().map(|module| module.multiply_adds).sum();
    let people = set.people(config.split(kind)?)?;
    let tracks: usize = people.iter().map(|&n| n.min(config.reading.persons)).sum();
    let share = run.labels.unwrap_or(1.0) * (1.0 - run.holdout.unwrap_or(0.0));
    let clips = (share * people.len() as f64).ceil() as usize;
    let (training, _, updates) = config.training(kind)?;
    let epochs = training.with_updates(updates, clips).epochs;
    Ok(share * (tracks * epochs * passes) as f64 * track as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reproduce::plan::tests::layout;

    fn cost(kind: Kind, change: impl Fn(&mut Config)) -> f64 {
        let preset = Preset::find("paper").expect("it is shipped");
        let config = Config::from_toml(preset.text, preset.name).expect("valid");
        let mut config = config.only(kind);
        (config.run.split, config.run.train) = (Some("a".to_owned()), Some("a".to_owned()));
        change(&mut config);
        let set = Set {
            name: "toy".to_owned(),
            path: "toy.h5".into(),
            dataset: "toy".to_owned(),
            layout: layout("toy", &["head", "torso", "left arm", "right arm"]),
            coordinates: 2,
            units: skeleton_data::Units::Pixel,
            digest: String::new(),
            splits: [("a".to_owned(), vec![1, 1, 1, 2, 5])].into(),
        };
        multiply_adds(kind, &config, &set).expect("a model of this shape")
    }

    #[test]
    fn tracks_epochs_labels_layers_and_frames_count() {
        let pretrain = cost(Kind::Pretrain, |_| {});
        let twice = cost(Kind::Pretrain, |config| {
            let job = config.pretrain.as_mut().expect("a pre-training");
            job.engine.epochs *= 2;
        });
        assert_eq!(twice, 2.0 * pretrain);
        // 7 tracks: of five people two are read.
        let one = cost(Kind::Pretrain, |config| config.reading.persons = 1);
        assert!((pretrain / one - 7.0 / 5.0).abs() < 1e-9);
        let finetune = cost(Kind::Finetune, |_| {});
        let few = cost(Kind::Finetune, |config| config.run.labels = Some(0.1));
        assert!((few / finetune - 0.1).abs() < 1e-9);
        // Layers after the second see half of the frames each.
        let layers = |layers| {
            cost(Kind::Finetune, |config| {
                config.model.strl.as_mut().expect("a classifier").layers = layers;
            })
        };
        assert!(layers(3) - layers(2) < 0.6 * (layers(2) - layers(1)));
    }

    /// A GIN layer has two maps where a GCN's has one; a GAT's has its attention besides.
    #[test]
    fn backbones_differ() {
        let of = |backbone| {
            cost(Kind::Pretrain, |config| {
                config.model.mae.backbone = backbone;
            })
        };
        let [gin, gcn, gat] = [Backbone::Gin, Backbone::Gcn, Backbone::Gat].map(of);
        assert!(gcn < gat && gat < gin, "{gcn} {gat} {gin}");
    }
}
