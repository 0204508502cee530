//! What a cache holds besides the coordinates, by name: the one place that knows; its fingerprint, and what of it may still be
//! wrong when that agrees.

use std::collections::HashSet;
use std::path::Path;

use sha2::{Digest, Sha256};
use skeleton_graph::Layout;

use super::wrong;
use crate::Result;
use crate::names::{self, is_name};
use crate::raw::hex;

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

    /// Bytes of all numbers, where 64 bits hold that.
    pub(super) fn size(&self) -> Option<u64> {
        let mut axes = self.shape.iter().map(|&axis| axis as u64);
        axes.try_fold(self.width() as u64, u64::checked_mul)
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

/// The fingerprint of a cache, in hexadecimal: SHA-256 over its contents in one canonical form (see the [module](super)).
pub(super) fn digest(contents: &Contents) -> String {
    let mut out = Records(Sha256::new());
    out.attribute("format", FORMAT);
    out.head("schema", "u32", &[]);
    out.0.update(contents.schema.to_le_bytes());
    out.attribute("dataset", &contents.dataset);
    out.attribute("layout", &contents.layout);
    out.attribute("units", &contents.units);
    out.attribute("source", &contents.source);
    out.block("/keypoints", &contents.keypoints);
    if let Some(scores) = &contents.scores {
        out.block("/scores", scores);
    }
    let samples = &contents.samples;
    out.strings("/samples/id", &samples.id);
    out.numbers("/samples/label", "i32", &samples.label);
    out.numbers("/samples/offset", "u64", &samples.offset);
    out.numbers("/samples/persons", "u32", &samples.persons);
    out.numbers("/samples/frames", "u32", &samples.frames);
    out.numbers("/samples/height", "u32", &samples.height);
    out.numbers("/samples/width", "u32", &samples.width);
    out.numbers("/samples/subject", "i32", &samples.subject);
    out.numbers("/samples/camera", "i32", &samples.camera);
    out.numbers("/samples/setup", "i32", &samples.setup);
    out.numbers("/samples/checksum", "u32", &samples.checksum);
    out.strings("/classes", &contents.classes);
    let mut splits: Vec<_> = contents.splits.iter().collect();
    splits.sort_by(|a, b| a.0.cmp(&b.0));
    for (name, indices) in splits {
        out.numbers(&format!("/splits/{name}"), "u32", indices);
    }
    hex(&out.0.finalize())
}

struct Records(Sha256);

impl Records {
    fn text(&mut self, text: &str) {
        self.0.update((text.len() as u64).to_le_bytes());
        self.0.update(text);
    }

    fn head(&mut self, name: &str, kind: &str, shape: &[usize]) {
        self.text(name);
        self.text(kind);
        self.0.update((shape.len() as u64).to_le_bytes());
        for &axis in shape {
            self.0.update((axis as u64).to_le_bytes());
        }
    }

    fn attribute(&mut self, name: &str, value: &str) {
        self.head(name, "str", &[]);
        self.text(value);
    }

    fn block(&mut self, name: &str, block: &Block) {
        self.head(name, block.kind(), &block.shape);
    }

    fn strings(&mut self, name: &str, values: &[String]) {
        self.head(name, "str", &[values.len()]);
        for value in values {
            self.text(value);
        }
    }

    fn numbers<T: bytemuck::NoUninit>(&mut self, name: &str, kind: &str, values: &[T]) {
        self.head(name, kind, &[values.len()]);
        self.0.update(bytemuck::cast_slice::<T, u8>(values));
    }
}

/// What the digest can't say: a file made by another program may be whole and still not make sense.
pub(super) fn check_contents(path: &Path, contents: &Contents, layout: &Layout) -> Result<()> {
    let shape = &contents.keypoints.shape;
    let [rows, joints, coordinates] = [shape[0], shape[1], shape[2]];
    if joints != layout.len() || !(2..=3).contains(&coordinates) {
        let own = layout.len();
        let expected = format!("{own} joints, as the layout has, of 2 or 3 coordinates");
        let found = format!("shape {shape:?}");
        return Err(wrong(path, "/keypoints", expected, found));
    }
    if let Some(scores) = &contents.scores
        && scores.shape != shape[..2]
    {
        let expected = format!("shape {:?}", &shape[..2]);
        let found = format!("{:?}", scores.shape);
        return Err(wrong(path, "/scores", expected, found));
    }
    let splits = contents.splits.iter().map(|(name, _)| name);
    let named = contents.classes.iter().chain([&contents.dataset]);
    if let Some(name) = named.chain(splits).find(|name| !is_name(name)) {
        let place = "the names of classes, splits and the data set";
        let expected = names::expected("names");
        return Err(wrong(path, place, expected, format!("{name:?}")));
    }
    check_samples(path, &contents.samples, rows as u64, contents.classes.len())?;
    for (name, indices) in &contents.splits {
        let len = contents.samples.id.len();
        if let Some(index) = indices.iter().find(|&&index| index as usize >= len) {
            let place = format!("/splits/{name}");
            let expected = format!("indices below {len}, the number of samples");
            return Err(wrong(path, place, expected, index.to_string()));
        }
    }
    Ok(())
}

fn check_samples(path: &Path, samples: &Samples, rows: u64, classes: usize) -> Result<()> {
    let mut seen = HashSet::with_capacity(samples.id.len());
    for (index, id) in samples.id.iter().enumerate() {
        let wrong = |expected: &str, found: String| {
            let place = format!("sample {index} ({id:?})");
            Err(wrong(path, place, expected, found))
        };
        if !is_name(id) || !seen.insert(id) {
            let expected = "an id of its own, without control characters";
            return wrong(expected, format!("{id:?}"));
        }
        let label = samples.label[index];
        if label < -1 || i64::from(label) >= classes as i64 {
            let expected = format!("a label below {classes}, the number of classes, or -1");
            return wrong(&expected, label.to_string());
        }
        let (persons, frames) = (samples.persons[index], samples.frames[index]);
        let most = names::MOST_WITHOUT_NUMBERS;
        if persons.min(frames) == 0 && persons.max(frames) as usize > most {
            let expected = format!("at most {most} people and frames without numbers");
            return wrong(&expected, persons.max(frames).to_string());
        }
        let offset = samples.offset[index];
        let own = u64::from(samples.persons[index]) * u64::from(samples.frames[index]);
        if offset.checked_add(own).is_none_or(|end| end > rows) {
            let found = format!("{own} rows from row {offset} on");
            return wrong(&format!("rows of the {rows} there are"), found);
        }
    }
    Ok(())
}
