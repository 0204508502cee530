//! NTU RGB+D as its authors distribute it: one text file of Kinect v2 skeletons a sample.
//!
//! [`Recording::parse`] reads a file, [`Name`] its name, [`Edition`] knows the official splits and the samples whose
//! skeletons are missing.

mod edition;
mod name;
mod parse;
#[cfg(test)]
mod tests;
mod text;

pub use edition::Edition;
pub use name::Name;
pub use parse::{Body, JOINTS, Pose, Recording, Sighting};
