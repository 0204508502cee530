//! What the commands take that use a classifier, and that put its results together.

use std::path::PathBuf;

use clap::{ArgGroup, Args};
use skeleton_data::live::Span;

use super::preparing::NumbersArgs;
use super::{ViewsArgs, positive};

/// `ssl evaluate`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ssl evaluate runs/finetune --data jhmdb.h5 --split test1
  ssl evaluate runs/finetune --data jhmdb.h5 --split test1 --scores joint.jsonl
  ssl evaluate runs/finetune --data jhmdb.h5 --held-out --scores joint-held.jsonl
  ssl evaluate runs/finetune --data jhmdb.h5 --split test1 --svg confusion.svg

With --json: n, top1, top5 and mean_class (fractions), confusion (rows = truth), classes,
unlabelled, views (of each clip, averaged).")]
#[command(group(ArgGroup::new("written").args(["scores", "svg"]).multiple(true)))]
pub struct EvaluateArgs {
    /// A fine-tuning run or checkpoint.
    #[arg(value_name = "RUN|FILE")]
    pub checkpoint: PathBuf,

    /// The cache to read.
    #[arg(long, value_name = "CACHE.h5")]
    pub data: PathBuf,

    /// The split to measure on.
    #[arg(long, value_name = "NAME", required_unless_present = "held_out")]
    pub split: Option<String>,

    /// Measure on the part of its training split that the run held out (--holdout).
    #[arg(long, conflicts_with = "split")]
    pub held_out: bool,

    /// Also write each clip's class probabilities, for `ssl fuse`.
    #[arg(long, value_name = "FILE.jsonl")]
    pub scores: Option<PathBuf>,

    /// One JSON document on stdout.
    #[arg(long)]
    pub json: bool,

    /// Draw which classes are taken for which.
    #[arg(long, value_name = "FILE.svg")]
    pub svg: Option<PathBuf>,

    /// Replace files that exist.
    #[arg(long, requires = "written")]
    pub overwrite: bool,

    #[command(flatten)]
    pub compute: ViewsArgs,
}

/// `ssl predict`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ssl predict runs/finetune --data new_clips.pkl
  ssl predict runs/finetune --data alphapose-results.json
  ssl predict runs/finetune --data jhmdb.h5 --split test1 --json
  ssl predict runs/finetune --data new_clips.pkl --html predictions.html
  tracker | ssl predict runs/finetune --data -
  camera | ssl predict runs/finetune --stream --window 2s --hop 0.5s

With --data - (or a pipe) clips come as JSON lines, and each is answered by a line as it comes. With --stream
it is frames that come, a line each, and the last few of them are answered every hop: docs/streams.md.")]
pub struct PredictArgs {
    /// A fine-tuning run or checkpoint.
    #[arg(value_name = "RUN|FILE")]
    pub checkpoint: PathBuf,

    /// A cache, or clips in the checkpoint's layout: a pickle, an .npz or .npy, a .jsonl, a pose estimator's JSON,
    /// a folder of such files, or - for JSON lines on standard input.
    #[arg(
        long,
        value_name = "CACHE.h5|CLIPS|-",
        required_unless_present = "stream"
    )]
    pub data: Option<PathBuf>,

    /// Leave out files of a folder, or lines of a --stream, that can't be read, with a warning.
    #[arg(long)]
    pub skip_bad: bool,

    #[command(flatten)]
    pub numbers: NumbersArgs,

    /// Only the clips of this split.
    #[arg(long, value_name = "NAME")]
    pub split: Option<String>,

    /// How many classes to name for each clip.
    #[arg(long, value_name = "K", default_value_t = 5, value_parser = positive())]
    pub top: u16,

    /// One JSON document on stdout: a list of {id, top: [{class, name, p}]}; top is null for a clip without
    /// anybody. Of a pipe or a stream, such an object a line.
    #[arg(long)]
    pub json: bool,

    /// Also write a page: each clip with its classes, and how it moves (the first 500 do).
    #[arg(long, value_name = "FILE.html")]
    pub html: Option<PathBuf>,

    /// Replace a page that exists.
    #[arg(long, requires = "html")]
    pub overwrite: bool,

    #[command(flatten)]
    pub frames: StreamArgs,

    #[command(flatten)]
    pub compute: ViewsArgs,
}

/// How a stream of frames is cut and answered.
#[derive(Debug, Args)]
#[command(next_help_heading = "Stream")]
pub struct StreamArgs {
    /// Read frames as JSON lines (of --data, or of standard input) and answer for the last few of them again and again.
    #[arg(long)]
    pub stream: bool,

    /// How much is looked at: frames (64) or seconds (2.5s) [default: as many frames as the model reads].
    #[arg(long, value_name = "FRAMES|SECONDSs", requires = "stream")]
    pub window: Option<Span>,

    /// From one answer to the next, in frames or seconds [default: a quarter of the window].
    #[arg(long, value_name = "FRAMES|SECONDSs", requires = "stream")]
    pub hop: Option<Span>,

    /// Seconds without a frame after which the window begins anew.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 1.0,
        requires = "stream"
    )]
    pub gap: f64,

    /// Frames a second, where frames don't say their time.
    #[arg(long, value_name = "RATE", default_value_t = 30.0, requires = "stream")]
    pub fps: f64,

    /// The share of the answer before in each answer, from 0, below 1: a steadier answer, and a slower one.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share, requires = "stream")]
    pub smooth: f64,

    /// An answer whose likeliest class is below this probability is unsure.
    #[arg(long, value_name = "P", default_value_t = 0.0, value_parser = share, requires = "stream")]
    pub threshold: f64,

    /// An answer for each person alone, in place of one for all of them.
    #[arg(long, requires = "stream")]
    pub apart: bool,
}

/// A number from 0, below 1.
fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..1.0).contains(&share) => Ok(share),
        _ => Err("expected a number from 0, below 1".to_owned()),
    }
}

/// `ssl fuse`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ssl fuse joint.jsonl bone.jsonl
  ssl fuse joint.jsonl bone.jsonl --weights 3,2
  ssl fuse joint.jsonl bone.jsonl --tune joint-held.jsonl bone-held.jsonl

Scores are made by `ssl evaluate RUN --split NAME --scores FILE.jsonl`, those to tune with by
`ssl evaluate RUN --held-out --scores FILE.jsonl`. Clips are matched by id and must be the same in
every file. Weights are never chosen on what is measured: --tune refuses clips that are measured too.")]
pub struct FuseArgs {
    /// Score files of one split, one a model.
    #[arg(value_name = "SCORES", required = true)]
    pub scores: Vec<PathBuf>,

    /// A weight for each file, in their order [default: equal ones].
    #[arg(
        long,
        value_name = "W,W",
        value_delimiter = ',',
        conflicts_with = "tune"
    )]
    pub weights: Option<Vec<f64>>,

    /// Score files of held-out clips, one for each file in their order, by which weights are chosen: the
    /// best of all tenths.
    #[arg(long, value_name = "HELD_SCORES", num_args = 1..)]
    pub tune: Option<Vec<PathBuf>>,

    /// Also write the fused scores.
    #[arg(long, value_name = "FILE.jsonl")]
    pub out: Option<PathBuf>,

    /// Replace scores that exist.
    #[arg(long, requires = "out")]
    pub overwrite: bool,

    /// One JSON document on stdout.
    #[arg(long)]
    pub json: bool,
}

/// `ssl summary`
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  ssl summary runs/seed0 runs/seed1 runs/seed2

Mean and sample standard deviation of the measurements in test.json, and of those in test_best.json
where all runs have one. Runs whose settings differ in more than the seed are refused by the
setting's name.")]
pub struct SummaryArgs {
    /// Fine-tuning runs with --test.
    #[arg(value_name = "RUN", required = true)]
    pub runs: Vec<PathBuf>,

    /// One JSON document on stdout.
    #[arg(long)]
    pub json: bool,
}
