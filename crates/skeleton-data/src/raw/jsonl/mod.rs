//! Clips as JSON lines: the form for people with a tracker of their own.
//!
//! A text of UTF-8, one JSON object a line, three kinds of them.
//!
//! The first line says what the file is. `format` and `version` must be there, the rest may:
//!
//! ```json
//! {"format": "skeleton-clips", "version": 1, "dataset": "mine", "layout": "coco17", "units": "pixel", "classes": ["wave", "clap"], "keypoints_type": "f16", "scores_type": "f16"}
//! ```
//!
//! `layout` is a built-in layout's name, or the whole TOML text of another; `units` one of `pixel`, `metre`, `normalised`;
//! the types are `f32` (where nothing is said) or `f16`.
//!
//! A line with an `id` is a clip:
//!
//! ```json
//! {"id": "a", "label": "wave", "height": 1080, "width": 1920, "subject": 3, "camera": 1, "setup": 2, "frames": 1, "keypoints": [[[[10.5, 20], null]]], "scores": [[[0.9, 0]]]}
//! ```
//!
//! `keypoints` is (persons, frames, joints, coordinates), what `array.tolist()` gives in Python; a joint that was not seen
//! is `null`, or zeros. `scores` is (persons, frames, joints): in every clip or in none. `label` is a number from 0 or one of
//! `classes`; a clip without a label has none, or null, or -1. All clips have the joints of the layout and the same number of
//! coordinates, 2 or 3; `frames` need only be said where there is no person.
//!
//! A line with a `split` lists clips by id, wherever it stands; lines of one split add up:
//!
//! ```json
//! {"split": "train", "ids": ["a"]}
//! ```
//!
//! Fields that aren't named here are errors, so that a misspelt one is not lost; so are numbers that are not finite (JSON
//! has none), and lines of more than 64 MiB. Empty lines are skipped.

mod header;
mod line;
mod numbers;
mod write;

use std::collections::{HashMap, HashSet};
use std::path::Path;

use header::header;
pub use header::{Header, NumberType};
use line::{Line, Text, TextLines};
use numbers::{Shape, coordinates, nested, typed};
pub use write::JsonlWriter;

use super::Contents;
use crate::error::Mismatch;
use crate::{Error, Form, Result, Sequence};

/// The value of `format` in the first line.
pub const FORMAT: &str = "skeleton-clips";
/// The version this version writes, and the newest it reads.
pub const VERSION: u32 = 1;
/// The longest line in bytes: a clip's numbers are held twice while it is read.
pub const LONGEST_LINE: usize = 64 << 20;

/// The lines of clips of an opened file.
pub(super) struct Lines {
    header: Header,
    places: Vec<Place>,
    joints: usize,
    coordinates: usize,
}

/// A clip's line.
struct Place {
    number: usize,
    start: usize,
    len: usize,
}

/// Reads every line but the numbers.
pub(super) fn open(path: &Path, bytes: &[u8]) -> Result<(Contents, Lines)> {
    let mut texts = TextLines::new(path, bytes);
    let mut lines = Lines {
        header: header(&mut texts)?,
        places: Vec::new(),
        joints: 0,
        coordinates: 0,
    };
    let names = lines.header.names();
    let (mut ids, mut splits, mut classes) = (HashSet::new(), SplitLines::default(), 0);
    while let Some(text) = texts.next()? {
        let line = Line::parse(&text)?;
        if let Some(split) = line.split()? {
            splits.add(&line, split)?;
            continue;
        }
        let id = line.id()?;
        if !ids.insert(id.to_owned()) {
            return Err(line.wrong("`id`", "an id of its own", format!("{id:?} again")));
        }
        if let Some(label) = line.label(&names)? {
            classes = classes.max(label as usize + 1);
        }
        let keypoints = line.keypoints()?;
        // The first clip with a joint says how many there are.
        if lines.coordinates == 0
            && let Some(c) = coordinates(keypoints)
        {
            if !(2..=3).contains(&c) {
                return Err(line.wrong("`keypoints`", "2 or 3 coordinates", c.to_string()));
            }
            let (shape, _) = nested(keypoints, Shape([None, None, None, Some(c)]), true)
                .map_err(line.at("`keypoints`"))?;
            lines.coordinates = c;
            lines.joints = shape.0[2].unwrap_or(0);
        }
        lines.places.push(Place {
            number: text.number,
            start: text.start,
            len: text.bytes.len(),
        });
    }
    let contents = Contents {
        clips: lines.places.len(),
        joints: lines.joints,
        coordinates: lines.coordinates,
        classes,
        element_types: vec![lines.header.keypoints_type.name()],
        splits: splits.splits,
    };
    Ok((contents, lines))
}

impl Lines {
    /// What the first line says.
    pub(super) fn header(&self) -> &Header {
        &self.header
    }

    /// Shows all clips to `visit`, in the order of the file.
    pub(super) fn each<E: From<Error>>(
        &self,
        path: &Path,
        bytes: &[u8],
        mut visit: impl FnMut(Sequence) -> Result<(), E>,
    ) -> Result<(), E> {
        let names = self.header.names();
        self.places.iter().try_for_each(|place| {
            let text = Text {
                path,
                number: place.number,
                start: place.start,
                bytes: &bytes[place.start..place.start + place.len],
            };
            visit(self.sequence(&text, &names)?)
        })
    }

    fn sequence(&self, text: &Text, names: &HashMap<&str, Option<u32>>) -> Result<Sequence> {
        let line = Line::parse(text)?;
        let (v, c) = (self.joints, self.coordinates);
        let (shape, keypoints) = nested(
            line.keypoints()?,
            Shape([None, None, Some(v), Some(c)]),
            true,
        )
        .map_err(line.at("`keypoints`"))?;
        let persons = shape.0[0].unwrap_or(0);
        let frames = line.frames(persons, shape.0[1])?;
        let scores = match line.scores() {
            None => None,
            Some(text) => {
                let same = Shape([Some(persons), Some(frames), Some(v), None]);
                let (_, scores) = nested(text, same, false).map_err(line.at("`scores`"))?;
                Some(typed(scores, self.header.scores_type).map_err(line.at("`scores`"))?)
            }
        };
        Ok(Sequence {
            id: line.id()?.to_owned(),
            label: line.label(names)?,
            persons,
            frames,
            joints: v,
            coordinates: c,
            keypoints: typed(keypoints, self.header.keypoints_type)
                .map_err(line.at("`keypoints`"))?,
            scores,
            image: line.image()?,
            subject: line.number("`subject`", line.fields.subject)?,
            camera: line.number("`camera`", line.fields.camera)?,
            setup: line.number("`setup`", line.fields.setup)?,
        })
    }
}

/// The splits so far, whose lines add up.
#[derive(Default)]
struct SplitLines {
    splits: Vec<(String, Vec<String>)>,
    index: HashMap<String, (usize, HashSet<String>)>,
}

impl SplitLines {
    fn add(&mut self, line: &Line, split: &str) -> Result<()> {
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

/// An error of a line.
fn wrong(
    path: &Path,
    line: usize,
    place: &str,
    expected: impl Into<String>,
    found: impl Into<String>,
) -> Error {
    Mismatch::new(expected, found).at(Form::Lines, path, format!("line {line}: {place}"))
}
