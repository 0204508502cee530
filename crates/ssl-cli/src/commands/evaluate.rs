//! `ssl evaluate`

use strl::score;

use super::labelled::Labelled;
use crate::args::EvaluateArgs;
use crate::checkpoint::Kind;
use crate::data::Data;
use crate::failure::{Failure, Outcome};
use crate::feed::Feed;
use crate::machine::Machine;
use crate::models::Opened;
use crate::printer::Printer;
use crate::report::{Evaluation, count};
use crate::scores::{self, About};
use crate::signal::Interrupt;

/// Measures a classifier on a split.
pub fn run(args: &EvaluateArgs, printer: &Printer, interrupt: &Interrupt) -> Outcome {
    let opened = Opened::read(&args.checkpoint, Kind::Finetune)?;
    let data = Data::open(Some(&args.data))?;
    opened.fit(&data.facts())?;
    if let Some(difference) = data.facts().renamed(&opened.checkpoint.meta) {
        printer.warn(difference);
    }
    let (split, clips) = match &args.split {
        Some(split) => (split.clone(), data.split(split)?),
        None => Labelled::held_by(&opened, &data)?,
    };
    let machine = Machine::of(args.machine)?;
    let model = opened.classifier(&machine)?;
    let feed = Feed::new(
        data.source(),
        clips,
        &opened.reading(args.clips),
        None,
        &machine,
        interrupt,
    )?;
    let scores = score(
        &model,
        feed.watched_batches(usize::from(args.batch), printer, "evaluating"),
    )?
    .averaged(feed.views());
    let (meta, views, fingerprint) = (&opened.checkpoint.meta, feed.views(), data.fingerprint());
    let classes = &meta.classes;
    if let Some(path) = &args.scores {
        let about = About {
            version: About::VERSION,
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
    let metrics = scores
        .metrics(classes.len())
        .ok_or_else(|| nothing_labelled(&split))?;
    let evaluation = Evaluation::new(metrics, views, &split, fingerprint, classes);
    if args.json {
        printer.json(&evaluation)
    } else {
        printer.document(&evaluation.text())
    }
}

/// A split that can't be measured on.
pub fn nothing_labelled(split: &str) -> Failure {
    Failure::error(format!(
        "split {split:?}: expected labelled clips, found none"
    ))
    .hint("`ssl predict` needs no labels")
}
