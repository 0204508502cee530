//! What the two training commands take.

use std::path::PathBuf;

use clap::Args;

use super::{MachineArgs, seed};

/// Where the settings come from.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Settings")]
pub struct SettingsArgs {
    /// A preset shipped with the program (`ssl preset` lists them).
    #[arg(long, value_name = "NAME", conflicts_with = "config")]
    pub preset: Option<String>,

    /// A TOML file with all settings, such as the config.toml of an earlier run.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Change one setting, e.g. --set pretrain.epochs=10 (repeatable).
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

/// How and where a training run goes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Run")]
pub struct RunArgs {
    /// The cache to read [default: run.data of the config].
    #[arg(long, value_name = "CACHE.h5", help_heading = "Clips")]
    pub data: Option<PathBuf>,

    /// The run's folder: settings, metrics, checkpoint.
    #[arg(long, value_name = "RUN")]
    pub out: PathBuf,

    /// Replace an earlier run in that folder.
    #[arg(long)]
    pub overwrite: bool,

    /// Go on with the run in that folder, if there is one, as if it had never been interrupted; the
    /// settings are the run's own unless they are given, which must be the same.
    #[arg(long, conflicts_with = "overwrite")]
    pub resume: bool,

    /// Save what --resume needs at least this often, in seconds, beside the end of each epoch; 0 is after
    /// each step.
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    pub save_every: u64,

    /// How many of these states to keep: should the newest be damaged, the one before is taken.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub keep: u16,

    /// Seed of everything random [default: run.seed of the config].
    #[arg(long, value_name = "N", value_parser = seed())]
    pub seed: Option<u64>,

    #[command(flatten)]
    pub machine: MachineArgs,
}

/// `ssl pretrain`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ssl pretrain --preset quick --data synthetic.h5 --split train --val val --out runs/pretrain
  ssl pretrain --preset jhmdb --data jhmdb.h5 --split train1 --out runs/pretrain --seed 1
  ssl pretrain --out runs/pretrain --resume")]
pub struct PretrainArgs {
    #[command(flatten)]
    pub settings: SettingsArgs,

    /// The split to pre-train on [default: run.split of the config].
    #[arg(long, value_name = "NAME", help_heading = "Clips")]
    pub split: Option<String>,

    /// A split whose masked joints are reconstructed for the validation curve.
    #[arg(long, value_name = "NAME", help_heading = "Clips")]
    pub val: Option<String>,

    #[command(flatten)]
    pub run: RunArgs,
}

/// `ssl finetune`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ssl finetune --preset jhmdb --data jhmdb.h5 --train train1 --encoder runs/pretrain --test test1 --out runs/finetune
  ssl finetune --preset jhmdb --data jhmdb.h5 --train train1 --holdout 0.1 --out runs/scratch")]
pub struct FinetuneArgs {
    #[command(flatten)]
    pub settings: SettingsArgs,

    /// The split to train on [default: run.train of the config].
    #[arg(long, value_name = "NAME", help_heading = "Clips")]
    pub train: Option<String>,

    /// Share of the training split kept away, by class, for the validation curve.
    #[arg(long, value_name = "SHARE", help_heading = "Clips")]
    pub holdout: Option<f64>,

    /// Share of each class's training clips whose labels are known, rounded up, at least one, drawn by
    /// the seed (semi-supervised); --holdout is taken of them.
    #[arg(long, value_name = "SHARE", help_heading = "Clips")]
    pub labels: Option<f64>,

    /// A split evaluated once, after the last epoch; nothing is chosen by it.
    #[arg(long, value_name = "NAME", help_heading = "Clips")]
    pub test: Option<String>,

    /// A pre-training run or checkpoint whose encoder is the start; without it training starts from
    /// scratch.
    #[arg(long, value_name = "RUN|FILE", help_heading = "Run")]
    pub encoder: Option<PathBuf>,

    #[command(flatten)]
    pub run: RunArgs,
}
