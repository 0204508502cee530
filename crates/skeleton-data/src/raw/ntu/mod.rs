//! NTU RGB+D as its authors distribute it: one text file of Kinect v2 skeletons a sample.
//!
//! [`Files`] finds the recordings in folders and archives, and [`Files::clips`] makes clips of them. [`Recording::parse`]
//! reads one, [`choose`] finds the people in it by [`Rules`], a [`FileLog`] says what was dropped and why. [`Name`] reads a
//! file's name, [`Edition`] knows the official splits and the samples whose skeletons are missing.

mod choose;
mod clips;
mod edition;
mod files;
mod parse;
mod rules;
#[cfg(test)]
mod tests;
mod text;

pub use choose::{People, choose};
pub use clips::{Clips, Preparation, Prepared};
pub use edition::{Edition, Name};
pub use files::Files;
pub(in crate::raw) use files::is_recording;
pub use parse::{Body, JOINTS, Pose, Recording, Sighting};
pub use rules::{Decision, FileLog, Order, Outcome, Preset, Rules, Skip};
