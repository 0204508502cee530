//! What the commands take that train a model, and a probe on a frozen one.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{ComputeArgs, MachineArgs, positive, seed};

/// Where the settings come from.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Settings")]
pub struct SettingsArgs {
    /// A preset shipped with the program (`ssl preset` lists them) [default: default; of finetune --encoder the settings of the
    /// encoder's run].
    #[arg(long, value_name = "NAME", conflicts_with = "config")]
    pub preset: Option<String>,

    /// A TOML file with all settings, such as the config.toml of an earlier run.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Change one setting, e.g. --set pretrain.epochs=10 (repeatable).
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,

    /// The preset's text, where some of it comes from a run.
    #[arg(skip)]
    pub text: Option<String>,
}

/// How and where a training run goes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Run")]
pub struct RunArgs {
    /// The cache to read [default: run.data of the config].
    #[arg(long, value_name = "CACHE.h5", help_heading = "Clips")]
    pub data: Option<PathBuf>,

    /// Leave out clips that show nobody, instead of refusing them.
    #[arg(long, help_heading = "Clips")]
    pub skip_empty: bool,

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

    /// Write what TensorBoard shows into that folder, epoch by epoch; a run that goes on does so unasked.
    #[arg(long)]
    pub tensorboard: bool,

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
  ssl pretrain --data mine.h5 --split train --out runs/pretrain                # the preset default
  ssl pretrain --preset jhmdb --data jhmdb.h5 --split train1 --out runs/pretrain --seed 1
  ssl pretrain --out runs/pretrain --resume")]
pub struct PretrainArgs {
    #[command(flatten)]
    pub settings: SettingsArgs,

    /// The split to pre-train on [default: run.split of the config].
    #[arg(long, value_name = "NAME", help_heading = "Clips")]
    pub split: Option<String>,

    /// More clips to learn from, of any skeleton, with as many coordinates in the same units: a cache, all of it, or one of its
    /// splits (repeatable). An update is by clips of one set.
    #[arg(long, value_name = "CACHE.h5[:SPLIT]", help_heading = "Clips")]
    pub also: Vec<String>,

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

    /// A pre-training run or checkpoint whose encoder is the start, or zoo:NAME, one that comes with the program (`ssl zoo`
    /// lists them); without it training starts from scratch.
    #[arg(long, value_name = "RUN|FILE", help_heading = "Run")]
    pub encoder: Option<PathBuf>,

    #[command(flatten)]
    pub run: RunArgs,
}

/// `ssl probe`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ssl probe --encoder runs/pretrain --data jhmdb.h5 --train train1 --test test1
  ssl probe --encoder runs/pretrain --data jhmdb.h5 --train train1 --test test1 --method knn --labels 0.1
  ssl probe --preset jhmdb --seed 1 --data jhmdb.h5 --train train1 --test test1    # a random encoder

A clip's representation: the unmasked skeleton's codes, averaged over joints; then the means of four
stretches of time and the standard deviation over time; then the mean of the clip's people.
linear: logistic regression on standardised features, its weight decay chosen on a fifth of the
training clips. knn: neighbours vote, weighted by the cosine of standardised features.
The JSON of --out and --json: method, top1, top5, mean_class, confusion, clips, classes,
representation, width, encoder, train, seed.")]
pub struct ProbeArgs {
    /// A pre-training run or checkpoint; without it --preset or --config say which random encoder to probe.
    #[arg(
        long,
        value_name = "RUN|FILE",
        required_unless_present_any = ["preset", "config"],
        conflicts_with_all = ["preset", "config", "set"],
        help_heading = "Encoder"
    )]
    pub encoder: Option<PathBuf>,

    /// A random encoder of a preset's shape (`ssl preset` lists them).
    #[arg(
        long,
        value_name = "NAME",
        conflicts_with = "config",
        help_heading = "Encoder"
    )]
    pub preset: Option<String>,

    /// A random encoder of the shape that a TOML file with all settings says.
    #[arg(long, value_name = "FILE", help_heading = "Encoder")]
    pub config: Option<PathBuf>,

    /// Change one setting of the random encoder, e.g. --set model.width=32 (repeatable).
    #[arg(long = "set", value_name = "KEY=VALUE", help_heading = "Encoder")]
    pub set: Vec<String>,

    /// The cache to read.
    #[arg(long, value_name = "CACHE.h5", help_heading = "Clips")]
    pub data: PathBuf,

    /// The split whose labels the probe learns from.
    #[arg(long, value_name = "NAME", help_heading = "Clips")]
    pub train: String,

    /// The split to measure on; nothing is chosen by it.
    #[arg(long, value_name = "NAME", help_heading = "Clips")]
    pub test: String,

    /// Share of each class's training clips whose labels are known, rounded up, at least one, drawn by
    /// the seed.
    #[arg(long, value_name = "SHARE", help_heading = "Clips")]
    pub labels: Option<f64>,

    /// What is put on the frozen encoder.
    #[arg(long, value_enum, default_value_t)]
    pub method: ProbeMethod,

    /// Neighbours that vote, with --method knn.
    #[arg(long, value_name = "K", default_value_t = 5, value_parser = positive())]
    pub neighbours: u16,

    /// Seed of the random encoder, of the known labels and of the part held out.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = seed())]
    pub seed: u64,

    /// Also write the JSON document to a file.
    #[arg(long, value_name = "FILE.json")]
    pub out: Option<PathBuf>,

    /// Replace a file that exists.
    #[arg(long, requires = "out")]
    pub overwrite: bool,

    /// One JSON document on stdout.
    #[arg(long)]
    pub json: bool,

    /// Leave out clips that show nobody, instead of refusing them.
    #[arg(long, help_heading = "Clips")]
    pub skip_empty: bool,

    #[command(flatten)]
    pub compute: ComputeArgs,
}

/// What is put on the frozen encoder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ProbeMethod {
    /// Multinomial logistic regression.
    #[default]
    Linear,
    /// The nearest neighbours among the training clips.
    Knn,
}

impl ProbeArgs {
    /// Where the settings of a random encoder come from.
    pub fn settings(&self) -> SettingsArgs {
        SettingsArgs {
            preset: self.preset.clone(),
            config: self.config.clone(),
            set: self.set.clone(),
            text: None,
        }
    }
}
