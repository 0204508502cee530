//! What the commands that put results together take.

use std::path::PathBuf;

use clap::Args;

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
