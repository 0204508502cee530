//! `ssl info`

use std::collections::BTreeMap;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::Value;
use strl::cost::{Reads, modules};

use crate::args::InfoArgs;
use crate::failure::{Failure, Outcome};
use crate::models::Opened;
use crate::printer::Printer;
use crate::report::{Card, LayoutCard, Origins, Training};
use crate::run::Info;
use crate::text::read_json;

/// Measurements of a run that a card shows.
const METRICS: [&str; 3] = ["test.json", "test_best.json", "reconstruction.json"];

/// Prints a model's card.
pub fn run(args: &InfoArgs, printer: &Printer) -> Outcome {
    let card = card(&args.model)?;
    printer.report(args.json, &card, Card::text)
}

fn card(model: &Path) -> Outcome<Card> {
    let opened = Opened::any(model)?;
    let run = Beside::read(model)?;
    let (meta, layout) = (&opened.checkpoint.meta, &opened.layout);
    let tensors = opened.checkpoint.tensors.iter();
    let tensors = tensors.map(|(name, tensor)| (name.as_str(), tensor.dims()));
    let reads = Reads {
        frames: meta.frames,
        joints: layout.len(),
        edges: layout.edges().len(),
    };
    let modules = modules(tensors, reads);
    let encoder = run.info.as_ref().and_then(|info| info.encoder.as_ref());
    let encoder_path = encoder.map(|encoder| encoder.path.clone());
    let multiply_adds = modules.iter().map(|module| module.multiply_adds).sum();
    Ok(Card {
        path: opened.origin.path.display().to_string(),
        sha256: opened.origin.sha256.clone(),
        kind: meta.kind.name(),
        version: meta.version,
        layout: LayoutCard {
            name: layout.name().to_owned(),
            joints: layout.len(),
            edges: layout.edges().len(),
            parts: layout
                .parts()
                .iter()
                .map(|part| part.name.clone())
                .collect(),
        },
        frames: meta.frames,
        coordinates: meta.coordinates,
        units: meta.units.name(),
        stream: meta.stream.name(),
        classes: meta.classes.clone(),
        parameters: modules.iter().map(|module| module.parameters).sum(),
        multiply_adds,
        flops: 2 * multiply_adds,
        modules,
        training: training(&opened, &run),
        origin: Origins::new(meta, encoder_path),
        settings: settings(&opened)?,
        metrics: run.metrics,
        files: run.files,
    })
}

fn training(opened: &Opened, beside: &Beside) -> Training {
    let (meta, run) = (&opened.checkpoint.meta, &opened.config.run);
    let info = beside.info.as_ref();
    Training {
        dataset: meta.data.dataset.clone(),
        digest: meta.data.digest.clone(),
        split: opened.config.split(meta.kind).ok().map(str::to_owned),
        clips: info.and_then(|info| info.clips),
        labels: run.labels,
        holdout: run.holdout,
        epochs: meta.epoch,
        seed: run.seed,
        commit: info.map(|info| info.commit.clone()),
    }
}

/// The settings as JSON, without what a card says elsewhere.
fn settings(opened: &Opened) -> Outcome<Value> {
    let text = &opened.checkpoint.meta.config;
    let mut table: toml::Table =
        toml::from_str(text).map_err(|error| Failure::from_error(&error))?;
    table.remove("run");
    serde_json::to_value(table).map_err(|error| Failure::from_error(&error))
}

/// What lies beside a checkpoint in its run's folder; nothing where a file alone was given.
#[derive(Default)]
struct Beside {
    /// run.json.
    info: Option<Info>,
    metrics: BTreeMap<String, Value>,
    files: BTreeMap<String, u64>,
}

impl Beside {
    fn read(model: &Path) -> Outcome<Beside> {
        let mut beside = Beside::default();
        let size = |path: &Path| {
            std::fs::metadata(path)
                .map(|m| m.len())
                .map_err(Failure::io(path))
        };
        if !model.is_dir() {
            let name = model.file_name().unwrap_or_default();
            let name = name.to_string_lossy().into_owned();
            beside.files.insert(name, size(model)?);
            return Ok(beside);
        }
        let folder = std::fs::read_dir(model).map_err(Failure::io(model))?;
        for entry in folder {
            let entry = entry.map_err(Failure::io(model))?;
            let path = entry.path();
            if path.is_file() {
                let name = entry.file_name().to_string_lossy().into_owned();
                beside.files.insert(name, size(&path)?);
            }
        }
        if beside.files.contains_key("run.json") {
            beside.info = Some(json(&model.join("run.json"))?);
        }
        for name in METRICS {
            if beside.files.contains_key(name) {
                let value = json(&model.join(name))?;
                beside.metrics.insert(name.to_owned(), value);
            }
        }
        Ok(beside)
    }
}

fn json<T: DeserializeOwned>(path: &Path) -> Outcome<T> {
    read_json(path).map_err(|failure| {
        failure.hint("the file is damaged; `ssl info` of the checkpoint alone needs none of it")
    })
}
