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
mod splits;
mod text;
mod write;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use header::header;
pub use header::{Header, NumberType};
use line::Line;
use numbers::{Shape, coordinates, nested, typed};
use splits::SplitLines;
use text::{Lines, Text};
pub use write::JsonlWriter;

use crate::map::Storage;
use crate::{Error, Result, Sequence};

/// The value of `format` in the first line.
pub const FORMAT: &str = "skeleton-clips";
/// The version this version writes, and the newest it reads.
pub const VERSION: u32 = 1;
/// The longest line in bytes: a clip's numbers are held twice while it is read.
pub const LONGEST_LINE: usize = 64 << 20;

/// A file of clips as JSON lines, mapped: opening it reads every line but the numbers, reading a clip reads those.
pub struct JsonlFile {
    path: PathBuf,
    storage: Storage,
    header: Header,
    clips: Vec<Place>,
    splits: Vec<(String, Vec<String>)>,
    joints: usize,
    coordinates: usize,
    classes: usize,
}

/// A clip's line.
struct Place {
    number: usize,
    start: usize,
    len: usize,
}

impl JsonlFile {
    /// Opens a file and reads all of it but the numbers.
    ///
    /// # Errors
    /// A line that is not as the [module](self) says; the error names it and the field.
    pub fn open(path: &Path) -> Result<Self> {
        JsonlFile::read(path, Storage::open(path)?)
    }

    /// The same from a text in memory; `name` is what messages call it.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_bytes(name: &Path, bytes: Vec<u8>) -> Result<Self> {
        JsonlFile::read(name, Storage::Memory(bytes))
    }

    fn read(path: &Path, storage: Storage) -> Result<Self> {
        let mut lines = Lines::new(path, &storage);
        let header = header(&mut lines)?;
        let mut file = JsonlFile {
            path: path.to_owned(),
            storage: Storage::Memory(Vec::new()),
            header,
            clips: Vec::new(),
            splits: Vec::new(),
            joints: 0,
            coordinates: 0,
            classes: 0,
        };
        file.index(&mut lines)?;
        file.storage = storage;
        Ok(file)
    }

    /// Finds the clips and splits, and the joints and coordinates that the first clip with a joint has.
    fn index(&mut self, lines: &mut Lines) -> Result<()> {
        let names = self.header.names();
        let mut ids = HashSet::new();
        let mut splits = SplitLines::default();
        while let Some(text) = lines.next()? {
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
                self.classes = self.classes.max(label as usize + 1);
            }
            let keypoints = line.keypoints()?;
            if self.coordinates == 0
                && let Some(c) = coordinates(keypoints)
            {
                if !(2..=3).contains(&c) {
                    return Err(line.wrong("`keypoints`", "2 or 3 coordinates", c.to_string()));
                }
                let shape = Shape {
                    lengths: [None, None, None, Some(c)],
                };
                let (shape, _) = nested(keypoints, shape, true)
                    .map_err(|e| line.wrong("`keypoints`", e.expected, e.found))?;
                self.coordinates = c;
                self.joints = shape.lengths[2].unwrap_or(0);
            }
            self.clips.push(Place {
                number: text.number,
                start: text.start,
                len: text.bytes.len(),
            });
        }
        self.splits = splits.splits;
        Ok(())
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the first line says.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The named splits: they may name clips that the file lacks.
    pub fn splits(&self) -> &[(String, Vec<String>)] {
        &self.splits
    }

    /// How many clips there are.
    pub fn len(&self) -> usize {
        self.clips.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.clips.is_empty()
    }

    /// v, the same in all clips; 0 in a file without people.
    pub fn joints(&self) -> usize {
        self.joints
    }

    /// c, the same in all clips; 0 in a file without people.
    pub fn coordinates(&self) -> usize {
        self.coordinates
    }

    /// One more than the largest label: how many classes the labels ask for.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// All clips, in the order of the file.
    pub fn sequences(&self) -> impl Iterator<Item = Result<Sequence>> + '_ {
        let names = self.header.names();
        self.clips
            .iter()
            .map(move |place| self.sequence(place, &names))
    }

    fn sequence(&self, place: &Place, names: &HashMap<&str, Option<u32>>) -> Result<Sequence> {
        self.storage.check()?;
        let text = Text {
            path: &self.path,
            number: place.number,
            start: place.start,
            bytes: &self.storage[place.start..place.start + place.len],
        };
        let line = Line::parse(&text)?;
        let (v, c) = (self.joints, self.coordinates);
        let free = Shape {
            lengths: [None, None, Some(v), Some(c)],
        };
        let (shape, keypoints) = nested(line.keypoints()?, free, true)
            .map_err(|e| line.wrong("`keypoints`", e.expected, e.found))?;
        let persons = shape.lengths[0].unwrap_or(0);
        let frames = line.frames(persons, shape.lengths[1])?;
        let scores = match line.scores() {
            None => None,
            Some(text) => {
                let same = Shape {
                    lengths: [Some(persons), Some(frames), Some(v), None],
                };
                let (_, scores) = nested(text, same, false)
                    .map_err(|e| line.wrong("`scores`", e.expected, e.found))?;
                Some(typed(scores, self.header.scores_type).map_err(|x| {
                    line.wrong("`scores`", "numbers that f16 can hold", x.to_string())
                })?)
            }
        };
        Ok(Sequence {
            id: line.id()?.to_owned(),
            label: line.label(names)?,
            persons,
            frames,
            joints: v,
            coordinates: c,
            keypoints: typed(keypoints, self.header.keypoints_type).map_err(|x| {
                line.wrong("`keypoints`", "numbers that f16 can hold", x.to_string())
            })?,
            scores,
            image: line.image()?,
            subject: line.number("`subject`", line.fields.subject)?,
            camera: line.number("`camera`", line.fields.camera)?,
            setup: line.number("`setup`", line.fields.setup)?,
        })
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
    Error::Line {
        path: path.to_owned(),
        line,
        place: place.to_owned(),
        expected: expected.into(),
        found: found.into(),
    }
}
