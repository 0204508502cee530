//! The named splits of a file.

use std::collections::HashSet;

use super::super::pickle::{Document, Id, Mismatch};
use super::annotation::name;
use super::fault;
use crate::Result;

/// The splits, each id once.
pub(super) fn read_splits(document: &Document, splits: Id) -> Result<Vec<(String, Vec<String>)>> {
    let wrong = |e| fault(document, "`split`", e);
    // Ids are shared by reference; a split that names a long one a million times must not become a million copies.
    let mut budget = document.bytes().len().saturating_mul(16);
    let mut out: Vec<(String, Vec<String>)> = Vec::new();
    for &(key, list) in document.pairs(splits).map_err(wrong)? {
        let split = name(document, key).map_err(wrong)?;
        let within = |e| fault(document, &format!("split {split:?}"), e);
        let mut seen = HashSet::new();
        let mut ids = Vec::new();
        for &item in document.items(list).map_err(within)? {
            let id = document.text(item).map_err(within)?;
            if !seen.insert(id) {
                continue;
            }
            let left = budget.checked_sub(id.len());
            budget = left.ok_or_else(|| {
                within(Mismatch::new(
                    "ids that the file holds",
                    "more text than it could",
                ))
            })?;
            ids.push(name(document, item).map_err(within)?);
        }
        if out.iter().any(|(known, _)| *known == split) {
            return Err(within(Mismatch::new(
                "a name of its own",
                "the same name twice",
            )));
        }
        out.push((split, ids));
    }
    Ok(out)
}
