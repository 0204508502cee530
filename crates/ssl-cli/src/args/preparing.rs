//! What `ssl prepare` and `ssl convert` take, and what is said of clips whose file doesn't say it.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use skeleton_data::Units;
use skeleton_data::raw::ntu::Preset;

use super::{positive, seed};

/// `ssl prepare`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ssl prepare jhmdb14.pkl -o jhmdb.h5 --dataset jhmdb14
  ssl prepare mine.pkl -o mine.h5 --layout coco17 --units pixel --classes names.txt
  ssl prepare nturgbd_skeletons_s001_to_s017.zip -o ntu60.h5 --dataset ntu60_3d --log bodies.jsonl
  ssl prepare --dataset synthetic3d -o synthetic3d.h5")]
pub struct PrepareArgs {
    /// A pyskl annotation pickle, an .npz of CTR-GCN's kind, a .jsonl, or NTU RGB+D's own recordings:
    /// a .zip or a folder of .skeleton files; left out for the synthetic sets.
    pub input: Option<PathBuf>,

    /// More archives and folders of recordings.
    #[arg(value_name = "MORE")]
    pub more: Vec<PathBuf>,

    /// The cache to write.
    #[arg(short, long, value_name = "CACHE.h5")]
    pub output: PathBuf,

    #[command(flatten)]
    pub about: AboutArgs,

    /// Seed of the synthetic sets.
    #[arg(long, value_name = "N", value_parser = seed())]
    pub seed: Option<u64>,

    /// Compress the coordinates: a smaller file, which training unpacks into memory.
    #[arg(long)]
    pub compress: bool,

    /// Replace the cache, and the log, if it exists.
    #[arg(long)]
    pub overwrite: bool,

    #[command(flatten)]
    pub recordings: RecordingsArgs,
}

/// The units as typed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum UnitsArg {
    /// Image pixels, y downwards.
    Pixel,
    /// Metres in camera space.
    Metre,
    /// Normalised by the source already.
    Normalised,
}

impl From<UnitsArg> for Units {
    fn from(units: UnitsArg) -> Units {
        match units {
            UnitsArg::Pixel => Units::Pixel,
            UnitsArg::Metre => Units::Metre,
            UnitsArg::Normalised => Units::Normalised,
        }
    }
}

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

/// How recordings become clips.
#[derive(Clone, Debug, Default, PartialEq, Args)]
#[command(next_help_heading = "NTU RGB+D's recordings")]
pub struct RecordingsArgs {
    /// How people are chosen among what the sensor took for bodies [default: pyskl].
    #[arg(long, value_enum)]
    pub bodies: Option<BodiesArg>,

    /// Change one rule of --bodies, e.g. --set min_frames=1 (repeatable; a wrong name lists them).
    #[arg(long = "set", value_name = "RULE=VALUE")]
    pub set: Vec<String>,

    /// Write what became of each file and why, a JSON line each.
    #[arg(long, value_name = "FILE.jsonl")]
    pub log: Option<PathBuf>,

    /// Skip files that are damaged instead of stopping at the first; the log names them.
    #[arg(long)]
    pub skip_bad: bool,

    /// Threads to read with [default: one a core]; the cache doesn't depend on it.
    #[arg(long, value_name = "N", value_parser = positive())]
    pub threads: Option<u16>,
}

/// The preset of rules as typed.
#[derive(Clone, Copy, Debug, Default, PartialEq, ValueEnum)]
pub enum BodiesArg {
    /// As pyskl's annotations, which results are published on: the two people that move most.
    #[default]
    Pyskl,
    /// All that the sensor followed, on the recording's own time.
    Sensor,
}

impl From<BodiesArg> for Preset {
    fn from(bodies: BodiesArg) -> Preset {
        match bodies {
            BodiesArg::Pyskl => Preset::Pyskl,
            BodiesArg::Sensor => Preset::Sensor,
        }
    }
}
