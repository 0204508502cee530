//! What the commands take that look at runs.

use std::path::PathBuf;

use clap::Args;

/// `ssl runs`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ssl runs runs
  ssl runs runs --sort top1 --reverse --where kind=finetune --where stage=finished
  ssl runs runs --where 'finetune.optimizer.lr>0.01' --show finetune.optimizer.lr --show finetune.epochs
  ssl runs runs --json

Keys are those of the columns, of --json, or of settings: run, kind, preset, data, split, seed, done, planned, stage, loss,
val_loss, val_top1, top1, mean_class, parameters, seconds; finetune.optimizer.lr and all that is in a config.toml.
A run is running where a process holds its folder, finished when nothing is left to do, failed where its numbers
weren't finite, else stopped.")]
pub struct RunsArgs {
    /// The folder below which runs lie, or one of theirs.
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,

    /// Sort by this key, the smallest first [default: run]; runs without it come last.
    #[arg(long, value_name = "KEY")]
    pub sort: Option<String>,

    /// The other way round.
    #[arg(long)]
    pub reverse: bool,

    /// Only runs of which this is true: KEY=VALUE or KEY!=VALUE, of numbers also with < or > (repeatable).
    #[arg(long = "where", value_name = "KEY=VALUE")]
    pub conditions: Vec<String>,

    /// A column for this key too (repeatable).
    #[arg(long, value_name = "KEY")]
    pub show: Vec<String>,

    /// One JSON document on stdout.
    #[arg(long)]
    pub json: bool,
}

/// `ssl watch`
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  ssl watch runs/pretrain

On a terminal it draws over its own lines; elsewhere it prints a line an epoch. It ends when the run does, with 0 where the
run is finished and 1 where it stopped before. Ctrl-C ends the watching, never the run.")]
pub struct WatchArgs {
    /// A run, under way or not.
    #[arg(value_name = "RUN")]
    pub run: PathBuf,

    /// How often to look, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0, value_parser = interval)]
    pub interval: f64,
}

fn interval(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok();
    seconds
        .filter(|seconds| (0.05..=3600.0).contains(seconds))
        .ok_or_else(|| "expected seconds from 0.05 to 3600".to_owned())
}

/// `ssl tensorboard`
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  ssl tensorboard runs/pretrain runs/finetune
  tensorboard --logdir runs

Each run's folder gets the file that --tensorboard would have written while it was trained. A file that is there is brought
up to date. Runs that are under way are refused: start them with --tensorboard.")]
pub struct TensorboardArgs {
    /// Folders of runs.
    #[arg(value_name = "RUN", required = true)]
    pub runs: Vec<PathBuf>,
}
