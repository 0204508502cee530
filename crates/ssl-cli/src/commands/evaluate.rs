//! `ssl evaluate`

use strl::score;

use super::vacant;
use crate::args::EvaluateArgs;
use crate::checkpoint::{Kind, write_whole};
use crate::data::Data;
use crate::failure::{Failure, Outcome};
use crate::feed::Feed;
use crate::machine::Machine;
use crate::models::Opened;
use crate::printer::Printer;
use crate::report::{Evaluation, confusion};
use crate::signal::Interrupt;

/// Measures a classifier on a split.
pub fn run(args: &EvaluateArgs, printer: &Printer, interrupt: &Interrupt) -> Outcome {
    vacant(&args.svg, args.overwrite)?;
    let opened = Opened::read(&args.checkpoint, Kind::Finetune)?;
    let data = Data::open(Some(&args.data))?;
    opened.fit(&data.facts())?;
    if let Some(difference) = data.facts().renamed(&opened.checkpoint.meta) {
        printer.warn(difference);
    }
    let clips = data.split(&args.split)?;
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
    let classes = &opened.checkpoint.meta.classes;
    let metrics = scores
        .metrics(classes.len())
        .ok_or_else(|| nothing_labelled(&args.split))?;
    let (views, fingerprint) = (feed.views(), data.fingerprint());
    let evaluation = Evaluation::new(metrics, views, &args.split, fingerprint, classes);
    if let Some(path) = &args.svg {
        write_whole(path, confusion(&evaluation).as_bytes())?;
    }
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
