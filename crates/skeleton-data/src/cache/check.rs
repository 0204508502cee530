//! What a whole cache may still have wrong.

use std::collections::HashSet;
use std::path::Path;

use skeleton_graph::Layout;

use super::h5::wrong;
use super::schema::{Contents, Samples};
use crate::Result;
use crate::names::{self, is_name};

/// What the digest can't say: a file made by another program may be whole and still not make sense.
pub(super) fn check_contents(path: &Path, contents: &Contents, layout: &Layout) -> Result<()> {
    let shape = &contents.keypoints.shape;
    let [rows, joints, coordinates] = [shape[0], shape[1], shape[2]];
    if joints != layout.len() || !(2..=3).contains(&coordinates) {
        let expected = format!(
            "{} joints, as the layout has, of 2 or 3 coordinates",
            layout.len()
        );
        return Err(wrong(
            path,
            "/keypoints",
            &expected,
            &format!("shape {shape:?}"),
        ));
    }
    if let Some(scores) = &contents.scores
        && scores.shape != shape[..2]
    {
        return Err(wrong(
            path,
            "/scores",
            &format!("shape {:?}", &shape[..2]),
            &format!("{:?}", scores.shape),
        ));
    }
    let named = contents.classes.iter().chain([&contents.dataset]);
    if let Some(name) = named
        .chain(contents.splits.iter().map(|(name, _)| name))
        .find(|name| !is_name(name))
    {
        let place = "the names of classes, splits and the data set";
        return Err(wrong(
            path,
            place,
            &names::expected("names"),
            &format!("{name:?}"),
        ));
    }
    check_samples(path, &contents.samples, rows as u64, contents.classes.len())?;
    for (name, indices) in &contents.splits {
        let len = contents.samples.id.len();
        if let Some(index) = indices.iter().find(|&&index| index as usize >= len) {
            let expected = format!("indices below {len}, the number of samples");
            return Err(wrong(
                path,
                &format!("/splits/{name}"),
                &expected,
                &index.to_string(),
            ));
        }
    }
    Ok(())
}

fn check_samples(path: &Path, samples: &Samples, rows: u64, classes: usize) -> Result<()> {
    let mut seen = HashSet::with_capacity(samples.id.len());
    for (index, id) in samples.id.iter().enumerate() {
        let wrong = |expected: &str, found: String| {
            Err(wrong(
                path,
                &format!("sample {index} ({id:?})"),
                expected,
                &found,
            ))
        };
        if !is_name(id) || !seen.insert(id) {
            return wrong(
                "an id of its own, without control characters",
                format!("{id:?}"),
            );
        }
        let label = samples.label[index];
        if label < -1 || i64::from(label) >= classes as i64 {
            return wrong(
                &format!("a label below {classes}, the number of classes, or -1"),
                label.to_string(),
            );
        }
        let (offset, persons, frames) = (
            samples.offset[index],
            samples.persons[index],
            samples.frames[index],
        );
        let own = u64::from(persons) * u64::from(frames);
        if offset.checked_add(own).is_none_or(|end| end > rows) {
            let found = format!("{own} rows from row {offset} on");
            return wrong(&format!("rows of the {rows} there are"), found);
        }
    }
    Ok(())
}
