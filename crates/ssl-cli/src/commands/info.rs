//! `ssl info`

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use strl::cost::{Module, Reads, modules};

use crate::args::InfoArgs;
use crate::failure::{Failure, Outcome};
use crate::models::Opened;
use crate::printer::Printer;
use crate::report::{
    BestEvaluation, Evaluation, ReconstructionReport, columns, count, grouped, percent,
};
use crate::run::{INFO, Info, RECONSTRUCTION, TEST, TEST_BEST};
use crate::text::read_json_if_there;
use crate::zoo::Entry;

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
    let modules = modules(tensors, Reads::of(layout, meta.frames));
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
        training: Training::of(&opened, run.info.as_ref()),
        origin: Origins {
            encoder: meta.encoder.clone(),
            encoder_path,
            imported: meta.imported.clone(),
        },
        settings: settings(&opened)?,
        metrics: run.metrics,
        files: run.files,
    })
}

/// The settings as JSON, without what a card says elsewhere.
fn settings(opened: &Opened) -> Outcome<Value> {
    let text = &opened.checkpoint.meta.config;
    let mut table: toml::Table = toml::from_str(text)?;
    table.remove("run");
    Ok(serde_json::to_value(table)?)
}

/// What lies beside a checkpoint in its run's folder; nothing where a file alone was given.
#[derive(Default)]
struct Beside {
    /// run.json.
    info: Option<Info>,
    metrics: Measurements,
    files: BTreeMap<String, u64>,
}

impl Beside {
    fn read(model: &Path) -> Outcome<Beside> {
        let mut beside = Beside::default();
        if let Some(entry) = Entry::at(model)? {
            beside
                .files
                .insert(entry.name.to_owned(), entry.bytes.len() as u64);
            return Ok(beside);
        }
        if !model.is_dir() {
            beside.add(model)?;
            return Ok(beside);
        }
        for entry in std::fs::read_dir(model).map_err(Failure::io(model))? {
            let path = entry.map_err(Failure::io(model))?.path();
            if path.is_file() {
                beside.add(&path)?;
            }
        }
        beside.info = json(model, INFO)?;
        beside.metrics = Measurements {
            reconstruction: json(model, RECONSTRUCTION)?,
            test: json(model, TEST)?,
            test_best: json(model, TEST_BEST)?,
        };
        Ok(beside)
    }

    /// Notes the size of a file.
    fn add(&mut self, path: &Path) -> Outcome {
        let name = path.file_name().unwrap_or_default();
        let size = path.metadata().map_err(Failure::io(path))?.len();
        self.files.insert(name.to_string_lossy().into_owned(), size);
        Ok(())
    }
}

/// A file of the run, where it is there.
fn json<T: DeserializeOwned>(run: &Path, name: &str) -> Outcome<Option<T>> {
    read_json_if_there(&run.join(name)).map_err(|failure| {
        failure.hint("the file is damaged; `ssl info` of the checkpoint alone needs none of it")
    })
}

/// A model's card.
#[derive(Clone, Debug, Serialize)]
struct Card {
    /// The checkpoint.
    path: String,
    /// SHA-256 of the file.
    sha256: String,
    /// `pretrain` or `finetune`.
    kind: &'static str,
    /// The checkpoint's version.
    version: u64,
    /// The skeleton.
    layout: LayoutCard,
    /// T.
    frames: usize,
    /// c.
    coordinates: usize,
    /// What the coordinates are measured in.
    units: &'static str,
    /// What of the skeleton the model sees.
    stream: &'static str,
    /// Class names; none of a pre-trained model.
    classes: Vec<String>,
    /// Numbers that training changes.
    parameters: usize,
    /// Multiply-adds of one forward pass for one person of one clip.
    multiply_adds: usize,
    /// Twice as many.
    flops: usize,
    /// Both and the running statistics by module.
    modules: Vec<Module>,
    /// What it was trained on.
    training: Training,
    /// Where it comes from, if not from training alone.
    origin: Origins,
    /// All settings.
    settings: Value,
    /// What it reached.
    metrics: Measurements,
    /// Sizes in bytes of the run's files, or of the one file.
    files: BTreeMap<String, u64>,
}

/// A skeleton.
#[derive(Clone, Debug, Serialize)]
struct LayoutCard {
    /// Its name.
    name: String,
    /// V.
    joints: usize,
    /// Undirected edges.
    edges: usize,
    /// Its parts' names.
    parts: Vec<String>,
}

/// What a model was trained on.
#[derive(Clone, Debug, Serialize)]
struct Training {
    /// The data set's name.
    dataset: String,
    /// The cache's digest.
    digest: String,
    /// The split.
    split: Option<String>,
    /// Clips trained on, where the run says it.
    clips: Option<usize>,
    /// Share of the labels that was known, where it wasn't all.
    labels: Option<f64>,
    /// Share held out of the split.
    holdout: Option<f64>,
    /// Epochs done.
    epochs: usize,
    /// Of everything random.
    seed: u64,
    /// The commit the program was built at.
    commit: Option<String>,
}

/// Where a model comes from.
#[derive(Clone, Debug, Serialize)]
struct Origins {
    /// SHA-256 of the checkpoint whose encoder was the start.
    encoder: Option<String>,
    /// Where that was.
    encoder_path: Option<String>,
    /// SHA-256 of the file whose numbers were imported.
    imported: Option<String>,
}

/// The files of a run that say what its model reached.
#[derive(Clone, Debug, Default, Serialize)]
struct Measurements {
    #[serde(
        rename = "reconstruction.json",
        skip_serializing_if = "Option::is_none"
    )]
    reconstruction: Option<ReconstructionReport>,
    #[serde(rename = "test.json", skip_serializing_if = "Option::is_none")]
    test: Option<Evaluation>,
    #[serde(rename = "test_best.json", skip_serializing_if = "Option::is_none")]
    test_best: Option<BestEvaluation>,
}

impl Card {
    /// A page for people.
    fn text(&self) -> String {
        let what = match self.kind {
            "pretrain" => "SkeletonMAE",
            _ => "STRL classifier",
        };
        let mut lines = vec![
            format!(
                "{}: {what}, checkpoint version {}, SHA-256 {:.12}",
                self.path, self.version, self.sha256
            ),
            format!(
                "reads       {}: {}, {}; {} of {} coordinates ({}), stream {}",
                self.layout.name,
                count(self.layout.joints, "joint"),
                count(self.layout.edges, "edge"),
                count(self.frames, "frame"),
                self.coordinates,
                self.units,
                self.stream
            ),
        ];
        if !self.classes.is_empty() {
            let (n, names) = (self.classes.len(), self.classes.join(", "));
            lines.push(format!("classes     {n}: {names}"));
        }
        lines.push(format!("trained on  {}", self.training.text()));
        if let Some(sha256) = &self.origin.encoder {
            let path = self.origin.encoder_path.as_deref();
            let path = path.map_or(String::new(), |path| format!(" ({path})"));
            lines.push(format!("encoder     from SHA-256 {sha256:.12}{path}"));
        }
        if let Some(sha256) = &self.origin.imported {
            lines.push(format!(
                "numbers     imported from SHA-256 {sha256:.12}, not trained here"
            ));
        }
        lines.extend(self.metrics.lines());
        lines.extend(self.table());
        lines.extend(self.settings_lines());
        let files = self.files.iter();
        let files: Vec<String> = files.map(|(name, size)| format!("{name} {size}")).collect();
        lines.push(format!("bytes       {}", files.join(", ")));
        lines.join("\n")
    }

    fn table(&self) -> Vec<String> {
        let row = |name: &str, parameters: usize, multiply_adds: usize| {
            let name = format!("  {name}");
            [name, grouped(parameters), grouped(multiply_adds)]
        };
        let head = ["modules", "  parameters", " multiply-adds"].map(str::to_owned);
        let modules = self.modules.iter();
        let mut rows = vec![head];
        rows.extend(modules.map(|m| row(&m.name, m.parameters, m.multiply_adds)));
        rows.push(row("all", self.parameters, self.multiply_adds));
        let mut lines = columns(&[false, true, true], &rows);
        let flops = self.flops as f64 / 1e6;
        if let Some(all) = lines.last_mut() {
            *all += &format!(" (a forward pass of one person of one clip, {flops:.1} MFLOP)");
        }
        lines
    }

    /// The settings, a line a section.
    fn settings_lines(&self) -> Vec<String> {
        let Value::Object(sections) = &self.settings else {
            return Vec::new();
        };
        let section = |(name, value): (&String, &Value)| format!("  {name} {value}");
        std::iter::once("settings".to_owned())
            .chain(sections.iter().map(section))
            .collect()
    }
}

impl Training {
    fn of(opened: &Opened, info: Option<&Info>) -> Training {
        let (meta, run) = (&opened.checkpoint.meta, &opened.config.run);
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

    fn text(&self) -> String {
        let mut words = vec![format!(
            "{} {}",
            self.dataset,
            self.split.as_deref().unwrap_or("(split not recorded)")
        )];
        words.extend(self.clips.map(|clips| count(clips, "clip")));
        words.extend(
            self.labels
                .map(|share| format!("labels of a share of {share}")),
        );
        words.extend(
            self.holdout
                .map(|share| format!("a share of {share} held out")),
        );
        words.push(count(self.epochs, "epoch"));
        words.push(format!("seed {}", self.seed));
        words.push(format!("data {:.12}", self.digest));
        words.extend(
            self.commit
                .as_ref()
                .map(|commit| format!("commit {commit:.12}")),
        );
        words.join(", ")
    }
}

impl Measurements {
    /// A line a file.
    fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(ReconstructionReport { split, all, .. }) = &self.reconstruction {
            let [model, neighbours] = [all.model, all.neighbours].map(|distance| {
                distance.map_or("?".to_owned(), |distance| format!("{distance:.3}"))
            });
            lines.push(format!(
                "reached     masked joints of {split} to {model} of a clip's units, their nearest visible joints to {neighbours}"
            ));
        }
        let best = self.test_best.as_ref().map(|best| &best.evaluation);
        for (measured, when) in [
            (self.test.as_ref(), "after the last epoch"),
            (best, "at the best epoch by held-out clips"),
        ] {
            lines.extend(measured.map(|measured| {
                format!(
                    "reached     {}: top-1 {}, mean class {}, {} clips, {when}",
                    measured.split,
                    percent(measured.top1),
                    percent(measured.mean_class),
                    measured.n
                )
            }));
        }
        lines
    }
}
