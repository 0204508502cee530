//! `ssl convert`, and what is said of clips whose file doesn't say it.

use std::path::PathBuf;

use clap::Args;

use super::UnitsArg;

/// What is known of clips besides their file.
#[derive(Clone, Debug, Default, Args)]
pub struct AboutArgs {
    /// A known data set: gives layout, units, class names and expected counts.
    #[arg(long, value_name = "NAME")]
    pub dataset: Option<String>,

    /// The joints of a set that isn't known: a built-in layout, or a TOML file.
    #[arg(long, value_name = "NAME|FILE.toml")]
    pub layout: Option<String>,

    /// What the coordinates are measured in [default: pixel for two, metre for three].
    #[arg(long, value_enum)]
    pub units: Option<UnitsArg>,

    /// A file with one class name a line, in the order of the labels.
    #[arg(long, value_name = "FILE")]
    pub classes: Option<PathBuf>,
}

/// `ssl convert`
#[derive(Debug, Args)]
#[command(after_help = "\
The endings say the forms: .h5 a cache, .npz the arrays of CTR-GCN and MAMP, .jsonl JSON lines;
any other INPUT is read as a pyskl pickle. Pickles are not written: JSON lines and h5py give other
programs the same clips without running anything.

Examples:
  ssl convert jhmdb.h5 jhmdb.jsonl
  ssl convert ntu60.h5 ntu60_xsub.npz --train xsub_train --test xsub_val
  ssl convert mine.pkl mine.jsonl --layout coco17
  ssl convert NTU60_CS.npz ntu60_cs.h5 --dataset ntu60_3d
  ssl convert big.h5 small.h5 --compress")]
pub struct ConvertArgs {
    /// A cache, a pyskl pickle, an .npz or a .jsonl.
    pub input: PathBuf,

    /// What to write: a .h5, .npz or .jsonl.
    pub output: PathBuf,

    #[command(flatten)]
    pub about: AboutArgs,

    /// The split that becomes x_train of an .npz.
    #[arg(long, value_name = "NAME", default_value = "train")]
    pub train: String,

    /// The split that becomes x_test of an .npz.
    #[arg(long, value_name = "NAME", default_value = "test")]
    pub test: String,

    /// Compress the coordinates of a cache: a smaller file, which training unpacks into memory.
    #[arg(long)]
    pub compress: bool,

    /// Replace the output if it exists.
    #[arg(long)]
    pub overwrite: bool,
}
