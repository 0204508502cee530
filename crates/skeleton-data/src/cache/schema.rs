//! What a cache holds besides the coordinates, by name: the one place that knows.

use crate::names::is_name;

/// The schema this version writes, and the newest it reads.
pub const SCHEMA: u32 = 1;
/// The value of the attribute `format`.
pub(super) const FORMAT: &str = "skeleton-cache";
/// Everything a cache holds but the data of /keypoints and /scores.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) schema: u32,
    pub(super) dataset: String,
    pub(super) layout: String,
    pub(super) units: String,
    pub(super) source: String,
    pub(super) keypoints: Block,
    pub(super) scores: Option<Block>,
    pub(super) samples: Samples,
    pub(super) classes: Vec<String>,
    /// By name.
    pub(super) splits: Vec<(String, Vec<u32>)>,
}

/// The type and shape of /keypoints or /scores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) half: bool,
    pub(super) shape: Vec<usize>,
}

impl Block {
    /// Bytes of a number.
    pub(super) fn width(&self) -> usize {
        if self.half { 2 } else { 4 }
    }

    pub(super) fn kind(&self) -> &'static str {
        if self.half { "f16" } else { "f32" }
    }

    /// Numbers in a row: one person in one frame.
    pub(super) fn row(&self) -> usize {
        self.shape[1..].iter().product()
    }
}

/// The columns of /samples.
#[derive(Debug, Default)]
pub(super) struct Samples {
    pub(super) id: Vec<String>,
    pub(super) label: Vec<i32>,
    pub(super) offset: Vec<u64>,
    pub(super) persons: Vec<u32>,
    pub(super) frames: Vec<u32>,
    pub(super) height: Vec<u32>,
    pub(super) width: Vec<u32>,
    pub(super) subject: Vec<i32>,
    pub(super) camera: Vec<i32>,
    pub(super) setup: Vec<i32>,
    pub(super) checksum: Vec<u32>,
}

/// Whether a name can be that of a split.
pub(super) fn is_link(name: &str) -> bool {
    is_name(name) && !name.contains('/') && name != "."
}
