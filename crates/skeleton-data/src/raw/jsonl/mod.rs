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
use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};

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
    let (mut ids, mut order) = (HashSet::new(), Vec::new());
    let (mut splits, mut classes) = (SplitLines::default(), 0);
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
        order.push(id.to_owned());
        if let Some(label) = line.label(&names)? {
            classes = classes.max(label as usize + 1);
        }
        line.keypoints()?;
        // The first clip with a joint says how many there are.
        if lines.coordinates == 0 {
            (lines.joints, lines.coordinates) = extents(&line)?;
        }
        lines.places.push(Place {
            number: text.number,
            start: text.start,
            len: text.bytes.len(),
        });
    }
    let contents = Contents {
        ids: order,
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
            let line = Line::parse(&text)?;
            visit(sequence(
                &line,
                &self.header,
                &names,
                (self.joints, self.coordinates),
            )?)
        })
    }
}

/// v and c of a clip's line; zeros where it has no joint.
fn extents(line: &Line) -> Result<(usize, usize)> {
    let keypoints = line.keypoints()?;
    let Some(c) = coordinates(keypoints) else {
        return Ok((0, 0));
    };
    if !(2..=4).contains(&c) {
        let expected = "2 to 4 numbers a joint";
        return Err(line.wrong("`keypoints`", expected, c.to_string()));
    }
    let (shape, _) = nested(keypoints, Shape([None, None, None, Some(c)]), true)
        .map_err(line.at("`keypoints`"))?;
    Ok((shape.0[2].unwrap_or(0), c))
}

/// The clip of a line.
fn sequence(
    line: &Line,
    header: &Header,
    names: &HashMap<&str, Option<u32>>,
    (v, c): (usize, usize),
) -> Result<Sequence> {
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
            Some(typed(scores, header.scores_type).map_err(line.at("`scores`"))?)
        }
    };
    Ok(Sequence {
        id: line.id()?.to_owned(),
        label: line.label(names)?,
        persons,
        frames,
        joints: v,
        coordinates: c,
        keypoints: typed(keypoints, header.keypoints_type).map_err(line.at("`keypoints`"))?,
        scores,
        image: line.image()?,
        subject: line.number("`subject`", line.fields.subject)?,
        camera: line.number("`camera`", line.fields.camera)?,
        setup: line.number("`setup`", line.fields.setup)?,
    })
}

/// Clips one after the other as their lines come, from a pipe or anything else that can't be read twice. Splits are passed over,
/// and ids may come again: nothing is kept of a clip.
pub struct LineReader<R> {
    name: PathBuf,
    input: R,
    number: usize,
    line: Vec<u8>,
    header: Header,
    extents: (usize, usize),
}

impl<R: BufRead> LineReader<R> {
    /// Reads the first line; messages call the input `name`.
    ///
    /// # Errors
    /// An input that can't be read, or whose first line isn't that of clips.
    pub fn new(name: &Path, input: R) -> Result<LineReader<R>> {
        let mut reader = LineReader {
            name: name.to_owned(),
            input,
            number: 0,
            line: Vec::new(),
            header: Header::default(),
            extents: (0, 0),
        };
        reader.fill()?;
        let mut lines = TextLines::from_line(name, &reader.line, reader.number);
        reader.header = header(&mut lines)?;
        Ok(reader)
    }

    /// What the first line says.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Reads the next line that isn't empty; an empty one is the end.
    fn fill(&mut self) -> Result<()> {
        loop {
            self.line.clear();
            let mut line = (&mut self.input).take(LONGEST_LINE as u64 + 2);
            let read = line.read_until(b'\n', &mut self.line);
            let read = read.map_err(Error::io(&self.name))?;
            self.number += 1;
            if read == 0 || !self.line.iter().all(u8::is_ascii_whitespace) {
                return Ok(());
            }
        }
    }

    /// The next clip; `None` at the end.
    ///
    /// # Errors
    /// A line that is no clip, or of other joints than the first clip's.
    pub fn clip(&mut self) -> Result<Option<Sequence>> {
        loop {
            self.fill()?;
            let mut lines = TextLines::from_line(&self.name, &self.line, self.number);
            let Some(text) = lines.next()? else {
                return Ok(None);
            };
            let line = Line::parse(&text)?;
            if line.split()?.is_some() {
                continue;
            }
            if self.extents == (0, 0) {
                self.extents = extents(&line)?;
            }
            let names = self.header.names();
            return sequence(&line, &self.header, &names, self.extents).map(Some);
        }
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
