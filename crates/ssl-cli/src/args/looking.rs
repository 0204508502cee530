//! What the commands take that look at a cache or a model, draw by it, or make one of weights from elsewhere.

use std::path::PathBuf;

use clap::Args;
use skeleton_data::draw::Axis;

use super::{ComputeArgs, MachineArgs, SettingsArgs};

/// `ssl inspect`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ssl inspect jhmdb.h5 --verify
  ssl inspect jhmdb.h5 --clip 17 --svg clip.svg --html clip.html

A drawing shows left limbs in blue and right ones in orange, as the layout names them; joints that are
missing are not drawn. The HTML file plays the clip and needs nothing else.")]
pub struct InspectArgs {
    /// The cache.
    #[arg(value_name = "CACHE.h5")]
    pub cache: PathBuf,

    /// One JSON document on stdout.
    #[arg(long)]
    pub json: bool,

    /// Read every clip and check its checksum.
    #[arg(long, conflicts_with = "clip")]
    pub verify: bool,

    /// One clip by its id, or by its number from 0.
    #[arg(long, value_name = "ID|N", help_heading = "One clip")]
    pub clip: Option<String>,

    /// Draw a strip of its frames.
    #[arg(
        long,
        value_name = "FILE.svg",
        requires = "clip",
        help_heading = "One clip"
    )]
    pub svg: Option<PathBuf>,

    /// Write a page that plays it.
    #[arg(
        long,
        value_name = "FILE.html",
        requires = "clip",
        help_heading = "One clip"
    )]
    pub html: Option<PathBuf>,

    /// Frames of the strip.
    #[arg(long, value_name = "N", default_value_t = 8, requires = "svg", value_parser = clap::value_parser!(u8).range(1..=24), help_heading = "One clip")]
    pub frames: u8,

    /// Which way is up: y, -y, z ... [default: -y for pixels, y for metres, else towards the heads]
    #[arg(
        long,
        value_name = "AXIS",
        requires = "clip",
        allow_hyphen_values = true,
        help_heading = "One clip"
    )]
    pub up: Option<Axis>,

    /// Replace drawings that exist.
    #[arg(long, requires = "clip", help_heading = "One clip")]
    pub overwrite: bool,
}

/// `ssl doctor`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ssl doctor nw_ucla.h5
  ssl doctor nw_ucla.h5 --split-train xview_train --split-test xview_test_clean
  ssl doctor jhmdb.h5 --overfit --preset jhmdb

Without split names, splits are compared that belong together by name, such as train1 and test1.
Clips are copies of each other when the bytes of their coordinates are equal.

Exit codes: 0 nothing found that makes training fail or results lie (there may be warnings and notes),
1 such a finding, or an error; 2, 130, 143 as everywhere.")]
pub struct DoctorArgs {
    /// The cache.
    #[arg(value_name = "CACHE.h5")]
    pub cache: PathBuf,

    /// A split that is trained on.
    #[arg(long, value_name = "NAME", requires = "split_test")]
    pub split_train: Option<String>,

    /// The split that is tested on after it.
    #[arg(long, value_name = "NAME", requires = "split_train")]
    pub split_test: Option<String>,

    /// Clips named with each finding; the others are counted.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub show: u16,

    /// One JSON document on stdout.
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub overfit: OverfitArgs,

    #[command(flatten)]
    pub machine: MachineArgs,
}

/// Whether, and with which settings, a batch is learnt by heart.
#[derive(Debug, Args)]
#[command(next_help_heading = "Learning one batch by heart")]
pub struct OverfitArgs {
    /// Train a classifier on one small batch, for a minute at most: its loss must fall to nearly zero.
    #[arg(long)]
    pub overfit: bool,

    /// The preset whose model and optimizer are tried [default: the data set's own, else quick].
    #[arg(
        long,
        value_name = "NAME",
        requires = "overfit",
        conflicts_with = "config"
    )]
    pub preset: Option<String>,

    /// A TOML file with all settings instead.
    #[arg(long, value_name = "FILE", requires = "overfit")]
    pub config: Option<PathBuf>,

    /// Change one setting, e.g. --set model.width=32 (repeatable).
    #[arg(long = "set", value_name = "KEY=VALUE", requires = "overfit")]
    pub set: Vec<String>,
}

impl OverfitArgs {
    /// The settings as a training command takes them; `usual` is the preset where none is typed.
    pub fn settings(&self, usual: &str) -> SettingsArgs {
        let preset = match (&self.preset, &self.config) {
            (None, None) => Some(usual.to_owned()),
            (preset, _) => preset.clone(),
        };
        SettingsArgs {
            preset,
            config: self.config.clone(),
            set: self.set.clone(),
            text: None,
        }
    }
}

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
the Python package skeletonmae reads and writes them with PyTorch.")]
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

/// `ssl export`
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  ssl export runs/finetune -o model.onnx

The graph reads poses (batch, persons, frames, joints, coordinates), batch and persons of any size, an absent
person all zeros, and gives logits and probabilities (batch, classes). How clips become such poses is written
to FILE.onnx.json and into the file's metadata; docs/export.py does it with numpy.")]
pub struct ExportArgs {
    /// A fine-tuning run or checkpoint.
    #[arg(value_name = "RUN|FILE")]
    pub checkpoint: PathBuf,

    /// The file to write (opset 17); FILE.onnx.json is written beside it.
    #[arg(short, long, value_name = "FILE.onnx")]
    pub output: PathBuf,

    /// Replace these files if they exist.
    #[arg(long)]
    pub overwrite: bool,
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

/// `ssl preset`
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  ssl preset jhmdb > mine.toml    # edit, then --config mine.toml"
)]
pub struct PresetArgs {
    /// The preset to print.
    pub name: Option<String>,
}

/// `ssl zoo`
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  ssl finetune --encoder zoo:utd_mhad --data mine.h5 --train train --test test --out runs/mine"
)]
pub struct ZooArgs {
    /// The encoder whose card to print.
    pub name: Option<String>,

    /// Write its checkpoint to this file instead.
    #[arg(short, long, value_name = "FILE", requires = "name")]
    pub output: Option<PathBuf>,

    /// Replace the file if it exists.
    #[arg(long, requires = "output")]
    pub overwrite: bool,
}

/// `ssl completions`
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  ssl completions bash > ~/.local/share/bash-completion/completions/ssl"
)]
pub struct CompletionsArgs {
    /// The shell.
    pub shell: clap_complete::Shell,
}

/// `ssl man`
#[derive(Debug, Args)]
pub struct ManArgs {
    /// The folder to write to, which is there.
    pub folder: PathBuf,
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

    #[command(flatten)]
    pub compute: ComputeArgs,
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

/// `ssl report`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ssl report runs/finetune -o report.html
  ssl report runs/finetune runs/scratch -o compared.html
  ssl report runs/finetune --data moved.h5 --clips 100 -o report.html
  ssl report reproduced -o tables.html

The page is one file that loads nothing: it can be mailed. Its facts are in it as JSON too, in the element with
the id `report`. Runs that are measured on the same clips are compared. The folder of `ssl reproduce` becomes
its tables beside the paper's numbers.")]
pub struct ReportArgs {
    /// Folders of runs, or the one folder of a reproduction.
    #[arg(value_name = "RUN", required = true)]
    pub runs: Vec<PathBuf>,

    /// The page to write.
    #[arg(short, long, value_name = "FILE.html")]
    pub out: PathBuf,

    /// Where the runs' cache is now [default: where it was].
    #[arg(long, value_name = "CACHE.h5")]
    pub data: Option<PathBuf>,

    /// The split to look at [default: the one that the run was measured on].
    #[arg(long, value_name = "NAME")]
    pub split: Option<String>,

    /// Where the encoder is now that a fine-tuning started from [default: where it was].
    #[arg(long, value_name = "RUN|FILE")]
    pub encoder: Option<PathBuf>,

    /// Clips that move, at most: the most confident mistakes and right guesses, the rest a sample.
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u16).range(0..=500))]
    pub clips: u16,

    /// Replace a page that exists.
    #[arg(long)]
    pub overwrite: bool,

    #[command(flatten)]
    pub compute: ComputeArgs,
}
