//! What the two commands that use a classifier take.

use std::path::PathBuf;

use clap::Args;

use super::{MachineArgs, positive};

/// `ssl evaluate`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ssl evaluate runs/finetune --data jhmdb.h5 --split test1
  ssl evaluate runs/finetune --data jhmdb.h5 --split test1 --scores joint.jsonl
  ssl evaluate runs/finetune --data jhmdb.h5 --held-out --scores joint-held.jsonl

With --json: n, top1, top5 and mean_class (fractions), confusion (rows = truth), classes,
unlabelled, views (of each clip, averaged).")]
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

    /// Views of each clip whose class probabilities are averaged [default: the checkpoint's
    /// reading.clips]; more than one needs uniform sampling.
    #[arg(long, value_name = "N", value_parser = positive())]
    pub clips: Option<u16>,

    /// Clips (or views of clips) computed together.
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = positive())]
    pub batch: u16,

    #[command(flatten)]
    pub machine: MachineArgs,
}

/// `ssl predict`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ssl predict runs/finetune --data new_clips.pkl
  ssl predict runs/finetune --data jhmdb.h5 --split test1 --json")]
pub struct PredictArgs {
    /// A fine-tuning run or checkpoint.
    #[arg(value_name = "RUN|FILE")]
    pub checkpoint: PathBuf,

    /// A cache, or a pickle, .npz or .jsonl of clips in the checkpoint's layout.
    #[arg(long, value_name = "CACHE.h5|CLIPS.pkl")]
    pub data: PathBuf,

    /// Only the clips of this split.
    #[arg(long, value_name = "NAME")]
    pub split: Option<String>,

    /// How many classes to name for each clip.
    #[arg(long, value_name = "K", default_value_t = 5, value_parser = positive())]
    pub top: u16,

    /// One JSON document on stdout: a list of {id, top: [{class, name, p}]}.
    #[arg(long)]
    pub json: bool,

    /// Views of each clip whose class probabilities are averaged [default: the checkpoint's
    /// reading.clips]; more than one needs uniform sampling.
    #[arg(long, value_name = "N", value_parser = positive())]
    pub clips: Option<u16>,

    /// Clips (or views of clips) computed together.
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = positive())]
    pub batch: u16,

    #[command(flatten)]
    pub machine: MachineArgs,
}
