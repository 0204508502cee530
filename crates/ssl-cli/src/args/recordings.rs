//! What `ssl prepare` takes for NTU RGB+D's own recordings.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use skeleton_data::raw::ntu::Preset;

use super::positive;

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
