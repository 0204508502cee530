//! `ssl fuse`

use std::path::{Path, PathBuf};

use serde::Serialize;
use strl::fuse::{MOST_STREAMS, fuse, tune};

use super::labelled::{evaluation, nothing_labelled};
use crate::args::FuseArgs;
use crate::checkpoint::Fingerprint;
use crate::failure::{Failure, Outcome};
use crate::outputs::vacant;
use crate::printer::Printer;
use crate::report::{Evaluation, count, percent};
use crate::scores::{self, About, ScoreFile, aligned};

/// Measures the weighted mean of several models' scores.
pub fn run(args: &FuseArgs, printer: &Printer) -> Outcome {
    let given = args.scores.iter().chain(args.tune.iter().flatten());
    let inputs: Vec<&Path> = given.map(PathBuf::as_path).collect();
    vacant(&args.out, &inputs, args.overwrite)?;
    let files = read(&args.scores)?;
    let streams = aligned(&files)?;
    let (weights, chosen) = weights(args, &files)?;
    let fused = fuse(&streams, &weights);
    let about = &files[0].about;
    let classes = &about.classes;
    let sum: f64 = weights.iter().sum();
    let mut parts = Vec::new();
    for ((file, scores), weight) in files.iter().zip(&streams).zip(&weights) {
        let metrics = scores.metrics(classes.len());
        let metrics = metrics.ok_or_else(|| nothing_labelled(&about.split))?;
        parts.push(Stream {
            path: file.path.display().to_string(),
            stream: file.about.stream.clone(),
            checkpoint: file.about.checkpoint.clone(),
            weight: weight / sum,
            top1: metrics.top1,
            mean_class: metrics.mean_class,
        });
    }
    let data = Fingerprint {
        dataset: about.dataset.clone(),
        digest: about.digest.clone(),
    };
    let evaluation = evaluation(&fused, about.views, &about.split, data, classes)?;
    if let Some(path) = &args.out {
        scores::write(path, &together(&files), &fused)?;
    }
    let report = Fused {
        streams: parts,
        weights: chosen,
        evaluation,
    };
    printer.report(args.json, &report, Fused::text)
}

fn read(paths: &[PathBuf]) -> Outcome<Vec<ScoreFile>> {
    paths.iter().map(|path| ScoreFile::read(path)).collect()
}

/// A weight a file, and how they came about.
fn weights(args: &FuseArgs, files: &[ScoreFile]) -> Outcome<(Vec<f64>, Chosen)> {
    let n = files.len();
    match (&args.weights, &args.tune) {
        (Some(weights), _) => {
            let fit = weights.len() == n
                && weights.iter().all(|w| w.is_finite() && *w >= 0.0)
                && weights.iter().sum::<f64>() > 0.0;
            if fit {
                return Ok((weights.clone(), Chosen::Given));
            }
            let message =
                format!("--weights: expected {n} numbers from 0, not all 0, found {weights:?}");
            Err(Failure::usage(message).hint("one for each file, for example --weights 3,2"))
        }
        (None, Some(held)) => tuned(&read(held)?, files),
        (None, None) => Ok((vec![1.0; n], Chosen::Equal)),
    }
}

/// Weights chosen on held-out clips, none of which is measured.
fn tuned(held: &[ScoreFile], files: &[ScoreFile]) -> Outcome<(Vec<f64>, Chosen)> {
    let n = files.len();
    if held.len() != n {
        let message = format!("--tune: expected {n} files, found {}", held.len());
        return Err(Failure::usage(message).hint("one for each score file, in their order"));
    }
    if n > MOST_STREAMS {
        let message = format!("--tune: expected at most {MOST_STREAMS} score files, found {n}");
        return Err(Failure::usage(message).hint("fuse some first (--out), or give --weights"));
    }
    for (held, file) in held.iter().zip(files) {
        let (ours, theirs) = (held.path.display(), file.path.display());
        if held.about.checkpoint != file.about.checkpoint {
            let message = format!("--tune: {ours} is not of the model that {theirs} is of");
            return Err(Failure::error(message).hint("held-out scores come in the files' order"));
        }
        let measured: std::collections::HashSet<&String> = file.scores.ids.iter().collect();
        let mut both = held.scores.ids.iter().filter(|id| measured.contains(id));
        if let Some(id) = both.next() {
            let message = format!(
                "--tune: clip {id:?} of {ours} is measured too, in {theirs} (and {} more)",
                both.count()
            );
            return Err(Failure::error(message)
                .hint("weights chosen on what is measured would flatter it: `ssl evaluate --held-out` scores held-out clips"));
        }
    }
    let streams = aligned(held)?;
    let split = &held[0].about.split;
    let best = tune(&streams).ok_or_else(|| nothing_labelled(split))?;
    let chosen = Chosen::Tuned {
        split: split.clone(),
        clips: streams[0].ids.len(),
        tried: best.tried,
        top1: best.top1,
    };
    Ok((best.weights, chosen))
}

/// What the fused scores are of.
fn together(files: &[ScoreFile]) -> About {
    let joined = |of: fn(&About) -> &str| {
        let all: Vec<&str> = files.iter().map(|file| of(&file.about)).collect();
        all.join("+")
    };
    About {
        checkpoint: joined(|about| &about.checkpoint),
        stream: joined(|about| &about.stream),
        ..files[0].about.clone()
    }
}

/// Several models' scores as one.
#[derive(Clone, Debug, Serialize)]
struct Fused {
    /// The models, with what each reaches alone.
    streams: Vec<Stream>,
    /// How the weights came about.
    weights: Chosen,
    /// The measurement of them together.
    #[serde(flatten)]
    evaluation: Evaluation,
}

/// One model's scores.
#[derive(Clone, Debug, Serialize)]
struct Stream {
    /// The score file.
    path: String,
    /// What of the skeleton the model sees.
    stream: String,
    /// SHA-256 of the checkpoint that scored.
    checkpoint: String,
    /// Its share in the mean.
    weight: f64,
    /// Alone: share of clips whose first guess is right.
    top1: f64,
    /// Alone: mean over the classes of that share.
    mean_class: f64,
}

/// How weights came about.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "from", rename_all = "lowercase")]
enum Chosen {
    /// By nobody.
    Equal,
    /// By --weights.
    Given,
    /// By --tune.
    Tuned {
        /// The held-out clips' split.
        split: String,
        /// How many they are.
        clips: usize,
        /// Weights tried.
        tried: usize,
        /// What the best reach on them.
        top1: f64,
    },
}

impl Fused {
    /// A few lines for people.
    fn text(&self) -> String {
        let how = match &self.weights {
            Chosen::Equal => "equal weights".to_owned(),
            Chosen::Given => "given weights".to_owned(),
            Chosen::Tuned {
                split,
                clips,
                tried,
                top1,
            } => format!(
                "weights chosen of {tried} on {} of {split}: {} there",
                count(*clips, "clip"),
                percent(*top1)
            ),
        };
        let mut lines = vec![format!("{}, {how}", count(self.streams.len(), "stream"))];
        for stream in &self.streams {
            lines.push(format!(
                "  {:.3}  {} ({}): alone top-1 {}, mean class {}",
                stream.weight,
                stream.path,
                stream.stream,
                percent(stream.top1),
                percent(stream.mean_class)
            ));
        }
        lines.push(self.evaluation.text());
        lines.join("\n")
    }
}
