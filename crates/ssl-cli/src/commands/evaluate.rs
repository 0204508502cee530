//! `ssl evaluate`

use super::labelled::{Labelled, evaluation};
use crate::args::EvaluateArgs;
use crate::checkpoint::{Kind, write_whole};
use crate::failure::Outcome;
use crate::models::Opened;
use crate::outputs::vacant;
use crate::printer::Printer;
use crate::ranks::world;
use crate::report::{Evaluation, confusion, count};
use crate::scores::{self, About};
use crate::signal::Interrupt;

/// Measures a classifier on a split.
pub fn run(args: &EvaluateArgs, printer: &Printer, interrupt: &Interrupt) -> Outcome {
    let inputs = [args.checkpoint.as_path(), &args.data];
    vacant(args.scores.iter().chain(&args.svg), &inputs, args.overwrite)?;
    let opened = Opened::read(&args.checkpoint, Kind::Finetune)?;
    let data = opened.data(&args.data)?;
    if let Some(difference) = data.facts().renamed(&opened.checkpoint.meta) {
        printer.warn(difference);
    }
    let (split, clips) = match &args.split {
        Some(split) => (split.clone(), data.split(split)?),
        None => Labelled::held_by(&opened, &data, printer)?,
    };
    let feeds = opened.feeds(
        data.source(),
        args.compute.clips,
        args.compute.machine,
        printer,
        interrupt,
    )?;
    let model = opened.classifier(&feeds.machine)?;
    let (shown, nobody) = feeds.shown(clips, printer)?;
    let feed = feeds.of(shown, None)?;
    let facts = format!("{} {}", opened.origin.sha256, data.fingerprint().digest);
    world().same("checkpoint or data (digests)", &facts)?;
    let batches = feed.watched_batches(usize::from(args.compute.batch), printer, "evaluating");
    let scores = feed.scores(&model, batches)?;
    if !world().is_root() {
        return Ok(());
    }
    let (meta, views, fingerprint) = (&opened.checkpoint.meta, feed.views(), data.fingerprint());
    let classes = &meta.classes;
    if let Some(path) = &args.scores {
        let about = About {
            version: scores::VERSION,
            checkpoint: opened.origin.sha256.clone(),
            dataset: fingerprint.dataset.clone(),
            digest: fingerprint.digest.clone(),
            split: split.clone(),
            stream: meta.stream.name().to_owned(),
            views,
            classes: classes.clone(),
        };
        scores::write(path, &about, &scores)?;
        let clips = count(scores.ids.len(), "clip");
        printer.say(format!("scores of {clips}: {}", path.display()));
    }
    let mut evaluation = evaluation(&scores, views, &split, fingerprint, classes)?;
    evaluation.nobody = nobody.len();
    if let Some(path) = &args.svg {
        write_whole(path, confusion(&evaluation).as_bytes())?;
    }
    printer.report(args.json, &evaluation, Evaluation::text)
}
