//! `ssl export`

use std::path::PathBuf;

use serde::Serialize;
use skeleton_data::Units;
use skeleton_data::reading::Reading;
use strl::Task;
use strl::onnx::{self as graphs, LOGITS, POSES, PROBABILITIES};

use crate::args::ExportArgs;
use crate::checkpoint::{Fingerprint, Kind, write_json, write_whole};
use crate::failure::{Failure, Outcome};
use crate::machine::{Device, Machine, Precision};
use crate::models::Opened;
use crate::onnx;
use crate::outputs::vacant;
use crate::printer::Printer;
use crate::report::count;

/// The ending of the file that is written.
const ENDING: &str = "onnx";
/// Under which key the file itself holds what stands beside it.
const KEY: &str = "preprocessing";

/// Writes a classifier for other runtimes.
pub fn run(args: &ExportArgs, printer: &Printer) -> Outcome {
    let output = &args.output;
    if output.extension().is_none_or(|ending| ending != ENDING) {
        let message = format!(
            "{}: expected a name that ends in .{ENDING}",
            output.display()
        );
        return Err(Failure::usage(message).hint("ONNX is the one form that is exported"));
    }
    let beside = beside(output);
    let opened = Opened::read(&args.checkpoint, Kind::Finetune)?;
    vacant([output, &beside], &[&args.checkpoint], args.overwrite)?;
    // The program's own reader refuses what doesn't fit together.
    let machine = Machine::start(Device::Cpu, Precision::F32, None)?;
    opened.classifier(&machine)?;
    let (meta, tensors) = (&opened.checkpoint.meta, &opened.checkpoint.tensors);
    let task = Task {
        layout: &opened.layout,
        coordinates: meta.coordinates,
        frames: meta.frames,
        classes: meta.classes.len(),
    };
    let graph = graphs::classifier(
        &opened.config.model.mae,
        opened.config.strl()?,
        task,
        tensors,
    )?;
    let preprocessing = Preprocessing::of(&opened);
    let text = serde_json::to_string(&preprocessing)?;
    let about = format!(
        "An action classifier of skeleton sequences: {} of {}, {} frames.",
        count(meta.classes.len(), "class"),
        opened.layout.name(),
        meta.frames
    );
    let bytes = onnx::to_bytes(&graph, &about, &[(KEY, &text)]);
    write_whole(output, &bytes)?;
    write_json(&beside, &preprocessing)?;
    printer.document(&format!(
        "{}: {} of {} joints to {}, {} bytes; {} says how clips are read for it",
        output.display(),
        count(meta.frames, "frame"),
        opened.layout.len(),
        count(meta.classes.len(), "class"),
        bytes.len(),
        beside.display()
    ))
}

/// `model.onnx.json` of `model.onnx`.
fn beside(output: &std::path::Path) -> PathBuf {
    let mut name = output.as_os_str().to_owned();
    name.push(".json");
    name.into()
}

/// What else a program has to know: how clips become the graph's input, and what its output means.
#[derive(Debug, Serialize)]
struct Preprocessing<'a> {
    /// The version of this document.
    version: u32,
    input: Input<'a>,
    /// The outputs by name, each (batch, classes).
    outputs: [&'static str; 2],
    /// Class names in the order of the outputs.
    classes: &'a [String],
    /// Frames, sampling, views, stream, threshold, persons, normalisation: docs/data.md and the checkpoint's own words.
    reading: &'a Reading,
    layout: Joints<'a>,
    units: Units,
    provenance: Provenance<'a>,
}

/// The one input.
#[derive(Debug, Serialize)]
struct Input<'a> {
    name: &'a str,
    axes: [&'a str; 5],
    frames: usize,
    joints: usize,
    coordinates: usize,
    /// What a person is filled with that isn't there.
    absent: f32,
}

/// The skeleton.
#[derive(Debug, Serialize)]
struct Joints<'a> {
    name: &'a str,
    joints: &'a [String],
    /// The parent of each joint, null of the root: a bone leads from there.
    parents: Vec<Option<usize>>,
}

/// Where the numbers come from.
#[derive(Debug, Serialize)]
struct Provenance<'a> {
    /// SHA-256 of the checkpoint.
    checkpoint: &'a str,
    /// What it was trained on.
    data: &'a Fingerprint,
    epochs: usize,
    /// SHA-256 of the pre-trained checkpoint whose encoder was the start.
    encoder: Option<&'a str>,
    /// SHA-256 of the file whose numbers were imported.
    imported: Option<&'a str>,
    program: &'static str,
}

impl Preprocessing<'_> {
    fn of(opened: &Opened) -> Preprocessing<'_> {
        let (meta, layout) = (&opened.checkpoint.meta, &opened.layout);
        Preprocessing {
            version: 1,
            input: Input {
                name: POSES,
                axes: ["batch", "persons", "frames", "joints", "coordinates"],
                frames: meta.frames,
                joints: layout.len(),
                coordinates: meta.coordinates,
                absent: 0.0,
            },
            outputs: [LOGITS, PROBABILITIES],
            classes: &meta.classes,
            reading: &meta.reading,
            layout: Joints {
                name: layout.name(),
                joints: layout.joints(),
                parents: (0..layout.len())
                    .map(|joint| layout.parent(joint))
                    .collect(),
            },
            units: meta.units,
            provenance: Provenance {
                checkpoint: &opened.origin.sha256,
                data: &meta.data,
                epochs: meta.epoch,
                encoder: meta.encoder.as_deref(),
                imported: meta.imported.as_deref(),
                program: concat!("ssl ", env!("CARGO_PKG_VERSION")),
            },
        }
    }
}
