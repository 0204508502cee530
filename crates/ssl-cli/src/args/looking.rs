//! What the two commands take that look at a cache.

use std::path::PathBuf;

use clap::Args;
use skeleton_data::draw::Axis;

use super::{MachineArgs, SettingsArgs};

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
        }
    }
}
