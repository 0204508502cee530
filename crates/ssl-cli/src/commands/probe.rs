//! `ssl probe`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Tensor};
use serde::Serialize;
use sha2::{Digest, Sha256};
use skeleton_data::reading::Reading;
use skeletonmae::Store;
use strl::Scores;
use strl::probe::{
    DECAYS, Features, Linear, Pretrained, STRETCHES, choose_decay, neighbours, represent,
};

use super::labelled::{Labelled, evaluation};
use crate::args::{MachineArgs, ProbeArgs, ProbeMethod};
use crate::checkpoint::{Kind, write_json};
use crate::config::{Config, RunSection};
use crate::data::Data;
use crate::failure::Outcome;
use crate::feed::Feeds;
use crate::machine::Machine;
use crate::models::{Opened, pretrained};
use crate::outputs::vacant;
use crate::printer::Printer;
use crate::ranks::world;
use crate::report::{Evaluation, count, percent};
use crate::run::Labels;
use crate::signal::Interrupt;
use crate::text::hex;

/// Share of the known labels on which the linear probe's weight decay is chosen.
const HELD_OUT: f64 = 0.2;

/// Measures what a frozen encoder knows.
pub fn run(args: &ProbeArgs, printer: &Printer, interrupt: &Interrupt) -> Outcome {
    let inputs: Vec<&Path> = args
        .encoder
        .iter()
        .chain([&args.data])
        .map(PathBuf::as_path)
        .collect();
    vacant(&args.out, &inputs, args.overwrite)?;
    let encoder = Source::of(args)?;
    let data = encoder.data(args, printer)?;
    let run = RunSection {
        seed: args.seed,
        labels: args.labels,
        holdout: (args.method == ProbeMethod::Linear).then_some(HELD_OUT),
        skip_empty: args.skip_empty,
        ..RunSection::default()
    };
    run.check()?;
    let feeds = encoder.feeds(&data, args.compute.machine, printer, interrupt)?;
    let labelled = Labelled::of(&data, &args.train, (&run, &feeds.reading), printer)?;
    let test = data.shown(&args.test, &feeds.reading, run.skip_empty, printer)?;
    let (store, model) = encoder.model(&data, args.seed, &feeds.machine)?;
    let frozen = digest(&store.tensors())?;
    let features = |clips, what: &str| -> Outcome<Features> {
        let feed = feeds.of(clips, None)?;
        let batches = feed.watched_batches(usize::from(args.compute.batch), printer, what);
        let features = Features::of_ranks(world(), represent(&model, batches));
        features.map_err(|error| world().failure(error))
    };
    world().same(
        "encoder or data (digests)",
        &format!("{frozen} {}", data.fingerprint().digest),
    )?;
    let learnt = features(labelled.train.clone(), "representing training clips")?;
    let held = features(labelled.held.clone(), "representing held-out clips")?;
    let tested = features(test, "representing test clips")?;
    if !world().is_root() {
        return Ok(());
    }
    let classes = data.classes();
    let (scores, method) = probed(args, &learnt, &held, &tested, classes.len())?;
    let weights = digest(&store.tensors())?;
    assert_eq!(frozen, weights, "a frozen encoder's weights stay");

    let evaluation = evaluation(&scores, 1, &args.test, data.fingerprint(), classes)?;
    let report = ProbeReport {
        method,
        representation: format!(
            "numbers each: mean over joints, means of {STRETCHES} stretches and deviation over time, mean over people"
        ),
        width: tested.width,
        encoder: encoder.named(weights),
        train: Trained {
            split: args.train.clone(),
            clips: learnt.len() + held.len(),
            labels: labelled.known,
        },
        seed: args.seed,
        clips: evaluation.n,
        evaluation,
    };
    if let Some(path) = &args.out {
        write_json(path, &report)?;
    }
    printer.report(args.json, &report, ProbeReport::text)
}

/// The test clips' scores by what was learnt from the others, and how it was learnt.
fn probed(
    args: &ProbeArgs,
    learnt: &Features,
    held: &Features,
    tested: &Features,
    classes: usize,
) -> Outcome<(Scores, Method)> {
    if args.method == ProbeMethod::Knn {
        let k = usize::from(args.neighbours);
        let scores = neighbours(learnt, tested, classes, k)?;
        return Ok((scores, Method::Knn { neighbours: k }));
    }
    let chosen = if held.is_empty() {
        None
    } else {
        Some(choose_decay(learnt, held, classes)?)
    };
    let decay = chosen.map_or(DECAYS[DECAYS.len() / 2], |chosen| chosen.decay);
    let all = learnt.joined(held);
    let scores = Linear::fit(&all, classes, decay)?.score(tested)?;
    let method = Method::Linear {
        weight_decay: decay,
        held_out: held.len(),
        held_out_top1: chosen.map(|chosen| chosen.top1),
    };
    Ok((scores, method))
}

/// Where the encoder comes from.
enum Source {
    /// A checkpoint of `ssl pretrain`.
    Trained(Box<Opened>),
    /// Settings alone.
    Random(Box<Config>),
}

impl Source {
    fn of(args: &ProbeArgs) -> Outcome<Source> {
        Ok(match &args.encoder {
            Some(path) => Source::Trained(Box::new(Opened::read(path, Kind::Pretrain)?)),
            None => {
                let config = Config::resolve(&args.settings(), Kind::Pretrain, |_| {})?;
                Source::Random(Box::new(config))
            }
        })
    }

    fn model(&self, data: &Data, seed: u64, machine: &Machine) -> Outcome<(Store, Pretrained)> {
        match self {
            Source::Trained(opened) => opened.pretrained(data.layout(), machine),
            Source::Random(config) => {
                let store = Store::new(seed, DType::F32, &machine.device);
                let input = (data.layout(), data.coordinates());
                let model = pretrained(config, input, &store, machine)?;
                Ok((store, model))
            }
        }
    }

    fn data(&self, args: &ProbeArgs, printer: &Printer) -> Outcome<Data> {
        match self {
            Source::Random(_) => Data::open(Some(&args.data)),
            Source::Trained(opened) => {
                let data = opened.transfers_to(&args.data)?;
                printer.say(opened.encoder_origin(&data));
                Ok(data)
            }
        }
    }

    /// As in pre-training: several views are for class probabilities.
    fn feeds<'a>(
        &self,
        data: &Data,
        machine: MachineArgs,
        printer: &Printer,
        interrupt: &'a Interrupt,
    ) -> Outcome<Feeds<'a>> {
        match self {
            Source::Trained(opened) => {
                opened.feeds(data.source(), Some(1), machine, printer, interrupt)
            }
            Source::Random(config) => Ok(Feeds {
                source: data.source(),
                reading: Reading {
                    clips: 1,
                    ..config.reading.clone()
                },
                machine: machine.start(printer)?,
                interrupt,
            }),
        }
    }

    fn named(&self, weights: String) -> Probed {
        match self {
            Source::Random(_) => Probed::Random { weights },
            Source::Trained(opened) => Probed::Pretrained {
                path: opened.origin.path.display().to_string(),
                sha256: opened.origin.sha256.clone(),
                dataset: opened.checkpoint.meta.data.dataset.clone(),
                epoch: opened.checkpoint.meta.epoch,
                weights,
            },
        }
    }
}

/// What a frozen encoder is worth.
#[derive(Clone, Debug, Serialize)]
struct ProbeReport {
    /// What was put on it.
    #[serde(flatten)]
    method: Method,
    /// How a clip becomes numbers.
    representation: String,
    /// How many numbers.
    width: usize,
    /// What is probed.
    encoder: Probed,
    /// What was learnt from.
    train: Trained,
    /// Of the random encoder, the known labels and the part held out.
    seed: u64,
    /// Clips measured.
    clips: usize,
    /// The measurement.
    #[serde(flatten)]
    evaluation: Evaluation,
}

/// What was put on the encoder.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(tag = "method", rename_all = "lowercase")]
enum Method {
    /// Logistic regression.
    Linear {
        /// Chosen on the held-out clips, or the weakest where none could be held out.
        weight_decay: f64,
        /// Training clips held out for that choice; the probe is then fitted to all.
        held_out: usize,
        /// Share of them that was right.
        #[serde(skip_serializing_if = "Option::is_none")]
        held_out_top1: Option<f64>,
    },
    /// Nearest neighbours.
    Knn {
        /// How many vote.
        neighbours: usize,
    },
}

/// The frozen encoder.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Probed {
    /// Parameters as they were drawn, statistics of mean 0 and variance 1.
    Random {
        /// SHA-256 of all tensors, the same before and after.
        weights: String,
    },
    /// A checkpoint.
    Pretrained {
        /// Where it was.
        path: String,
        /// SHA-256 of the file.
        sha256: String,
        /// The data it was trained on.
        dataset: String,
        /// Epochs done.
        epoch: usize,
        /// SHA-256 of all tensors, the same before and after.
        weights: String,
    },
}

/// The clips learnt from.
#[derive(Clone, Debug, Serialize)]
struct Trained {
    /// The split.
    split: String,
    /// Clips whose labels were known.
    clips: usize,
    /// Which, where it wasn't all.
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<Labels>,
}

impl ProbeReport {
    /// A few lines for people.
    fn text(&self) -> String {
        let (encoder, weights) = match &self.encoder {
            Probed::Random { weights } => (format!("random, seed {}", self.seed), weights),
            Probed::Pretrained {
                path,
                dataset,
                epoch,
                weights,
                ..
            } => {
                let epochs = count(*epoch, "epoch");
                (format!("{path}, {epochs} on {dataset}"), weights)
            }
        };
        let method = match self.method {
            Method::Linear {
                weight_decay,
                held_out,
                held_out_top1,
            } => {
                let chosen = held_out_top1.map_or(", none held out to choose it".into(), |top1| {
                    let clips = count(held_out, "held-out clip");
                    format!(", chosen on {clips} ({} right)", percent(top1))
                });
                format!("linear probe, weight decay {weight_decay}{chosen}")
            }
            Method::Knn { neighbours } => count(neighbours, "nearest neighbour"),
        };
        let known = self.train.labels.as_ref();
        let known = known.map_or(String::new(), |known| {
            format!(", a share of {} of each class", known.share)
        });
        [
            method,
            format!("  encoder     {encoder}; frozen, weights {:.12}", weights),
            format!("  clips       {} {}", self.width, self.representation),
            format!(
                "  learnt from {} of {}{known}",
                count(self.train.clips, "clip"),
                self.train.split
            ),
            self.evaluation.text(),
        ]
        .join("\n")
    }
}

/// SHA-256, in hexadecimal digits, over the names, shapes and 32-bit values of all tensors.
fn digest(tensors: &BTreeMap<String, Tensor>) -> Outcome<String> {
    let mut sha = Sha256::new();
    for (name, tensor) in tensors {
        sha.update((name.len() as u64).to_le_bytes());
        sha.update(name);
        sha.update((tensor.rank() as u64).to_le_bytes());
        for &size in tensor.dims() {
            sha.update((size as u64).to_le_bytes());
        }
        let values = tensor
            .to_dtype(DType::F32)?
            .flatten_all()?
            .to_vec1::<f32>()?;
        for value in values {
            sha.update(value.to_le_bytes());
        }
    }
    Ok(hex(&sha.finalize()))
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn a_name_a_shape_and_a_value_change_it() {
        let of = |name: &str, values: &[f32], shape: &[usize]| {
            let tensor = Tensor::from_slice(values, shape, &Device::Cpu).unwrap();
            digest(&BTreeMap::from([(name.to_owned(), tensor)])).unwrap()
        };
        let first = of("a", &[1.0, 2.0], &[2]);
        assert_eq!(first, of("a", &[1.0, 2.0], &[2]));
        assert_ne!(first, of("b", &[1.0, 2.0], &[2]));
        assert_ne!(first, of("a", &[1.0, 2.0], &[1, 2]));
        assert_ne!(first, of("a", &[1.0, 2.0000002], &[2]));
    }
}
