//! The clips that training with labels may look at, and the measurement of those that have some.

use skeleton_data::reading::Reading;
use skeleton_data::split::{labelled_share, stratified_holdout};
use strl::Scores;

use crate::checkpoint::Fingerprint;
use crate::config::RunSection;
use crate::data::Data;
use crate::failure::{Failure, Outcome};
use crate::models::Opened;
use crate::printer::Printer;
use crate::report::{Evaluation, count};
use crate::run::Labels;

/// The labelled clips of a split.
pub struct Labelled {
    /// Those to train on.
    pub train: Vec<u32>,
    /// The part of the known labels that is held out.
    pub held: Vec<u32>,
    /// The known labels, where it isn't all.
    pub known: Option<Labels>,
}

impl Labelled {
    /// The labelled clips of `split`: of each class the share `run.labels`, of which `run.holdout` is held out.
    pub fn of(
        data: &Data,
        split: &str,
        (run, reading): (&RunSection, &Reading),
        printer: &Printer,
    ) -> Outcome<Labelled> {
        let all = data.shown(split, reading, run.skip_empty, printer)?;
        let labelled = labelled(data, split, &all)?;
        if labelled.len() < all.len() {
            let without = count(all.len() - labelled.len(), "clip");
            printer.warn(format!("{without} of {split} without a label left out"));
        }
        Labelled::among(data, &labelled, run).inspect(|found| {
            if let Some(known) = &found.known {
                printer.say(format!(
                    "labels: {} of {}, a share of {} of each class and at least one",
                    known.clips.len(),
                    count(labelled.len(), "clip"),
                    known.share
                ));
            }
        })
    }

    /// The clips that a fine-tuning held out of its training split, with words for them.
    pub fn held_by(opened: &Opened, data: &Data, printer: &Printer) -> Outcome<(String, Vec<u32>)> {
        let (meta, run) = (&opened.checkpoint.meta, &opened.config.run);
        let name = opened.origin.path.display();
        let found = data.fingerprint();
        if found != meta.data {
            let message = format!(
                "--held-out: {name} was trained on {} {}, found {} {}",
                meta.data.dataset, meta.data.digest, found.dataset, found.digest
            );
            return Err(Failure::error(message)
                .hint("held-out clips are those of the very cache that was trained on"));
        }
        let share = run.holdout.unwrap_or(0.0);
        let split = run.train.as_deref().unwrap_or_default();
        let (reading, skip) = (&opened.config.reading, run.skip_empty);
        let shown = data.shown(split, reading, skip, printer)?;
        let labelled = labelled(data, split, &shown)?;
        let held = Labelled::among(data, &labelled, run)?.held;
        if held.is_empty() {
            let message = format!("--held-out: {name} held no clip out");
            return Err(Failure::error(message)
                .hint("`ssl finetune --holdout 0.1` keeps a tenth of the training split away"));
        }
        Ok((format!("{split}, the {share} held out"), held))
    }

    fn among(data: &Data, labelled: &[u32], run: &RunSection) -> Outcome<Labelled> {
        let labels = data.labels();
        let (known, names) = match run.labels {
            None => (labelled.to_vec(), None),
            Some(share) => {
                let known = labelled_share(&labels, labelled, share, run.seed)?;
                let clips = data.ids(&known);
                (known, Some(Labels { share, clips }))
            }
        };
        let holdout = run.holdout.unwrap_or(0.0);
        let (train, held) = stratified_holdout(&labels, &known, holdout, run.seed)?;
        Ok(Labelled {
            train,
            held,
            known: names,
        })
    }
}

/// Those of `clips` that have a label.
fn labelled(data: &Data, split: &str, clips: &[u32]) -> Outcome<Vec<u32>> {
    let labels = data.labels();
    let has = |&clip: &u32| labels[clip as usize].is_some();
    let labelled: Vec<u32> = clips.iter().copied().filter(has).collect();
    if labelled.is_empty() {
        let message = format!("split {split:?}: expected labelled clips, found none");
        return Err(
            Failure::error(message).hint("`ssl pretrain` needs no labels; this command does")
        );
    }
    Ok(labelled)
}

/// How good the scores of a split are.
pub fn evaluation(
    scores: &Scores,
    views: usize,
    split: &str,
    data: Fingerprint,
    classes: &[String],
) -> Outcome<Evaluation> {
    let metrics = scores.metrics(classes.len());
    let metrics = metrics.ok_or_else(|| nothing_labelled(split))?;
    Ok(Evaluation::new(metrics, views, split, data, classes))
}

/// A split that can't be measured on.
pub fn nothing_labelled(split: &str) -> Failure {
    Failure::error(format!(
        "split {split:?}: expected labelled clips, found none"
    ))
    .hint("`ssl predict` needs no labels")
}
