//! What the commands that look at a model itself take.

use std::path::PathBuf;

use clap::Args;

/// `ssl info`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ssl info runs/finetune
  ssl info model.safetensors --json

Of a run's folder it also says what run.json, test.json, test_best.json and reconstruction.json hold.")]
pub struct InfoArgs {
    /// A run or a checkpoint.
    #[arg(value_name = "RUN|FILE")]
    pub model: PathBuf,

    /// One JSON document on stdout.
    #[arg(long)]
    pub json: bool,
}

/// `ssl import`
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  ssl import from-torch.safetensors --like runs/finetune -o imported.safetensors

A checkpoint is a safetensors file, so exporting needs no command: docs/weights.md names its tensors, and
docs/weights.py reads and writes them with PyTorch.")]
pub struct ImportArgs {
    /// Safetensors with exactly the names and shapes of the model, 32-bit floats; their metadata are not read.
    #[arg(value_name = "WEIGHTS.safetensors")]
    pub weights: PathBuf,

    /// The run or checkpoint that says everything else: layout, reading, classes, settings.
    #[arg(long, value_name = "RUN|FILE")]
    pub like: PathBuf,

    /// The checkpoint to write.
    #[arg(short, long, value_name = "FILE.safetensors")]
    pub output: PathBuf,

    /// Replace that file if it exists.
    #[arg(long)]
    pub overwrite: bool,
}
