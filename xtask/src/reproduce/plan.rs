//! Which runs the cells need. Cells that need the same run share it.

mod planner;

use std::collections::BTreeMap;

use skeleton_datasets::paper::{Cell, Experiment};

use super::job::Job;
use super::scale::StandIn;

pub use planner::Planner;

/// All runs, by name, and what the cells take from them.
#[derive(Default)]
pub struct Plan {
    pub jobs: BTreeMap<String, Job>,
    pub experiments: Vec<Planned>,
}

/// An experiment with the runs of its cells.
pub struct Planned {
    pub experiment: &'static Experiment,
    pub cells: Vec<PlannedCell>,
}

/// A cell with its runs, or why there are none.
pub struct PlannedCell {
    pub cell: &'static Cell,
    /// The clips it is measured on here.
    pub clips: Option<StandIn>,
    pub runs: Result<Vec<CellRuns>, String>,
}

/// The runs of one seed.
#[derive(Clone, Debug)]
pub struct CellRuns {
    pub seed: u64,
    pub pretrain: Option<String>,
    /// The one whose accuracy it is.
    pub result: String,
}

#[cfg(test)]
mod tests;
