//! Splits, whose lines add up.

use std::collections::{HashMap, HashSet};

use super::line::Line;
use crate::Result;

/// The splits so far.
#[derive(Default)]
pub(super) struct SplitLines {
    pub(super) splits: Vec<(String, Vec<String>)>,
    index: HashMap<String, (usize, HashSet<String>)>,
}

impl SplitLines {
    pub(super) fn add(&mut self, line: &Line, split: &str) -> Result<()> {
        let (at, seen) = self.index.entry(split.to_owned()).or_insert_with(|| {
            self.splits.push((split.to_owned(), Vec::new()));
            (self.splits.len() - 1, HashSet::new())
        });
        for id in line.ids()? {
            if !seen.insert(id.to_owned()) {
                let place = format!("split {split:?}");
                return Err(line.wrong(&place, "each clip once", format!("{id:?} again")));
            }
            self.splits[*at].1.push(id.to_owned());
        }
        Ok(())
    }
}
