//! What the commands take that look at a model, draw by it, or make one of weights from elsewhere.

use std::path::PathBuf;

use clap::Args;
use skeleton_data::draw::Axis;

use super::{MachineArgs, positive};

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

/// `ssl preset`
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  ssl preset jhmdb > mine.toml    # edit, then --config mine.toml"
)]
pub struct PresetArgs {
    /// The preset to print.
    pub name: Option<String>,
}

/// `ssl layout`
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  ssl layout coco17 > mine.toml    # edit, then --layout mine.toml"
)]
pub struct LayoutArgs {
    /// The layout to print.
    pub name: Option<String>,
}

/// `ssl represent`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ssl represent runs/pretrain --data jhmdb.h5 --split test1 --out features.jsonl
  ssl represent runs/finetune --data jhmdb.h5 --split test1 --svg plane.svg --classes walk,run,jump

A pre-trained model's feature of a clip is that of `ssl probe`, a classifier's what its last layer sees. --out has
a JSON line a clip: id, label, class, feature. The drawing is the plane of the two principal components of the
clips that it shows.")]
pub struct RepresentArgs {
    /// A run or a checkpoint, of either training.
    #[arg(value_name = "RUN|FILE")]
    pub checkpoint: PathBuf,

    /// The cache to read.
    #[arg(long, value_name = "CACHE.h5")]
    pub data: PathBuf,

    /// The split whose clips are represented.
    #[arg(long, value_name = "NAME")]
    pub split: String,

    /// Write the features here.
    #[arg(long, value_name = "FILE.jsonl", required_unless_present = "svg")]
    pub out: Option<PathBuf>,

    /// Draw the clips of some classes in the plane of their principal components.
    #[arg(long, value_name = "FILE.svg")]
    pub svg: Option<PathBuf>,

    /// Classes to draw, by name or number [default: the five with most clips]
    #[arg(
        long,
        value_name = "CLASS",
        value_delimiter = ',',
        requires = "svg",
        num_args = 1..=8
    )]
    pub classes: Vec<String>,

    /// Replace files that exist.
    #[arg(long)]
    pub overwrite: bool,

    /// Clips computed together.
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = positive())]
    pub batch: u16,

    #[command(flatten)]
    pub machine: MachineArgs,
}

/// `ssl reconstruct`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ssl reconstruct runs/pretrain --data jhmdb.h5 --split test1 --svg clip.svg
  ssl reconstruct runs/pretrain --data jhmdb.h5 --clip 17 --parts 'right arm,right leg' --svg clip.svg

The drawing shows, frame by frame and below each other: the clip as the model reads it, what is left of it when
joints are hidden, and what the model puts in their place (red, upon the truth in grey).")]
pub struct ReconstructArgs {
    /// A pre-training run or checkpoint.
    #[arg(value_name = "RUN|FILE")]
    pub checkpoint: PathBuf,

    /// The cache to read.
    #[arg(long, value_name = "CACHE.h5")]
    pub data: PathBuf,

    /// One clip by its id, or by its number from 0.
    #[arg(long, value_name = "ID|N", required_unless_present = "split")]
    pub clip: Option<String>,

    /// The first clip of this split instead.
    #[arg(long, value_name = "NAME", conflicts_with = "clip")]
    pub split: Option<String>,

    /// Parts to hide, by name [default: a draw of what it was trained to reconstruct]
    #[arg(long, value_name = "PART", value_delimiter = ',')]
    pub parts: Vec<String>,

    /// The drawing to write.
    #[arg(long, value_name = "FILE.svg", required_unless_present = "json")]
    pub svg: Option<PathBuf>,

    /// One JSON document on stdout: id, frames, hidden joints, their error and their neighbours', and coordinates
    /// (true and reconstructed, person by person and frame by frame).
    #[arg(long)]
    pub json: bool,

    /// Frames to draw.
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u8).range(1..=24))]
    pub frames: u8,

    /// Which way is up: y, -y, z ... [default: -y for pixels, y for metres, else towards the heads]
    #[arg(long, value_name = "AXIS", allow_hyphen_values = true)]
    pub up: Option<Axis>,

    /// Replace a drawing that exists.
    #[arg(long)]
    pub overwrite: bool,

    #[command(flatten)]
    pub machine: MachineArgs,
}
