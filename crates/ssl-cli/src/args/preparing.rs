//! What `ssl prepare` and `ssl convert` take, and what is said of clips whose file doesn't say it.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use skeleton_data::Units;
use skeleton_data::raw::ntu::Preset;
use skeleton_data::raw::{Columns, Meaning};

use super::{positive, seed};

/// `ssl prepare`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ssl prepare jhmdb14.pkl -o jhmdb.h5 --dataset jhmdb14
  ssl prepare mine.pkl -o mine.h5 --layout coco17 --units pixel --classes names.txt
  ssl prepare train=a.pkl test=b.pkl -o mine.h5 --layout coco17
  ssl prepare videos/ -o mine.h5 --layout coco17 --labels labels.txt --split test=share:0.2 --split train=rest
  ssl prepare nturgbd_skeletons_s001_to_s017.zip -o ntu60.h5 --dataset ntu60_3d --log bodies.jsonl
  ssl prepare --dataset synthetic3d -o synthetic3d.h5
  ssl prepare --dataset synthetic3d --clips 114000 --subjects 106 --pairs 0.25 -o large.h5")]
pub struct PrepareArgs {
    /// A pyskl annotation pickle, an .npz of CTR-GCN's kind, an .npy of ST-GCN's with its labels beside
    /// it, a .jsonl, the JSON of AlphaPose, MMPose or OpenPose, a folder of such files, or NTU RGB+D's
    /// own recordings: a .zip or a folder of .skeleton files; left out for the synthetic sets. Of
    /// several, each is a split: NAME=INPUT, or called as the file.
    #[arg(value_name = "[NAME=]INPUT")]
    pub inputs: Vec<PathBuf>,

    /// The cache to write.
    #[arg(short, long, value_name = "CACHE.h5")]
    pub output: PathBuf,

    #[command(flatten)]
    pub about: AboutArgs,

    /// Make a split (repeatable): NAME=FILE of one id a line, NAME=subject:1,3,5-9 (or odd, even),
    /// NAME=camera:2,3, NAME=share:0.2 (of each class, at random, out of what no --split before takes),
    /// NAME=rest (all that no other --split takes). A split `all` is always there.
    #[arg(long, value_name = "NAME=RULE")]
    pub split: Vec<String>,

    /// Seed of the synthetic sets.
    #[arg(long, value_name = "N", value_parser = seed())]
    pub seed: Option<u64>,

    /// Clips of a synthetic set [default: 960].
    #[arg(long, value_name = "N")]
    pub clips: Option<u64>,

    /// Subjects of a synthetic set, 4 to 999; three in ten are its split `val` [default: 20].
    #[arg(long, value_name = "N")]
    pub subjects: Option<u32>,

    /// Share of the clips of a synthetic set that show two people [default: 0.125].
    #[arg(long, value_name = "SHARE")]
    pub pairs: Option<f64>,

    /// Compress the coordinates: a smaller file, which training unpacks into memory.
    #[arg(long)]
    pub compress: bool,

    /// Replace the cache, and the log, if it exists.
    #[arg(long)]
    pub overwrite: bool,

    /// Leave out files that can't be read instead of stopping at the first; a warning, and the log of
    /// recordings, name them.
    #[arg(long)]
    pub skip_bad: bool,

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
    /// Millimetres in camera space, which become metres.
    Millimetre,
    /// Normalised by the source already.
    Normalised,
}

impl From<UnitsArg> for Units {
    fn from(units: UnitsArg) -> Units {
        match units {
            UnitsArg::Pixel => Units::Pixel,
            UnitsArg::Metre | UnitsArg::Millimetre => Units::Metre,
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

    /// A file with a clip's id and its label a line, for clips whose files have none: a number, or a
    /// class's name.
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,

    #[command(flatten)]
    pub numbers: NumbersArgs,
}

/// What the numbers of a file mean, where the file doesn't say it.
#[derive(Clone, Debug, Default, Args)]
pub struct NumbersArgs {
    /// What each number of a joint is, e.g. x,y,score or x,y,z,score; - for one that isn't read [default:
    /// all are coordinates].
    #[arg(long, value_name = "x,y,...", allow_hyphen_values = true)]
    pub columns: Option<Columns>,

    /// A joint all of whose coordinates have this value is missing (repeatable) [default: 0].
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    pub missing: Vec<f32>,
}

impl PrepareArgs {
    /// The options of synthetic sets, and whether each was typed.
    pub fn of_synthetic(&self) -> [(&'static str, bool); 4] {
        [
            ("--seed", self.seed.is_some()),
            ("--clips", self.clips.is_some()),
            ("--subjects", self.subjects.is_some()),
            ("--pairs", self.pairs.is_some()),
        ]
    }
}

impl AboutArgs {
    /// The options that say what a file doesn't, --dataset apart, and whether each was typed: where everything is known they are
    /// refused.
    pub fn typed(&self) -> [(&'static str, bool); 6] {
        [
            ("--layout", self.layout.is_some()),
            ("--units", self.units.is_some()),
            ("--classes", self.classes.is_some()),
            ("--labels", self.labels.is_some()),
            ("--columns", self.numbers.columns.is_some()),
            ("--missing", !self.numbers.missing.is_empty()),
        ]
    }

    /// What the numbers mean.
    pub fn meaning(&self) -> Meaning {
        let is_millimetre = matches!(self.units, Some(UnitsArg::Millimetre));
        Meaning {
            divisor: is_millimetre.then_some(1000.0),
            ..self.numbers.meaning()
        }
    }
}

impl NumbersArgs {
    /// What the numbers mean.
    pub fn meaning(&self) -> Meaning {
        Meaning {
            columns: self.columns.clone(),
            missing: self.missing.clone(),
            divisor: None,
        }
    }
}

/// `ssl convert`
#[derive(Debug, Args)]
#[command(after_help = "\
OUTPUT's ending says the form: .h5 a cache, .npz the arrays of CTR-GCN and MAMP, .jsonl JSON lines.
Pickles are not written: JSON lines and h5py give other
programs the same clips without running anything.

Examples:
  ssl convert jhmdb.h5 jhmdb.jsonl
  ssl convert ntu60.h5 ntu60_xsub.npz --train xsub_train --test xsub_val
  ssl convert mine.pkl mine.jsonl --layout coco17
  ssl convert NTU60_CS.npz ntu60_cs.h5 --dataset ntu60_3d
  ssl convert big.h5 small.h5 --compress")]
pub struct ConvertArgs {
    /// A cache, a pyskl pickle, an .npz, an .npy, a .jsonl, a pose estimator's JSON, or a folder of these.
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
