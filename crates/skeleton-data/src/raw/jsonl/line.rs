//! Lines and their fields.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use skeleton_graph::Layout;

use super::{FORMAT, LONGEST_LINE, VERSION, wrong};
use crate::{Error, Result, Units};

/// Longer names are refused: they can't be meant, and caches can't hold them.
const LONGEST_NAME: usize = 1024;

/// What the first line says.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Header {
    /// The data set's name.
    pub dataset: Option<String>,
    /// A built-in layout's name, or the whole TOML text of another.
    pub layout: Option<String>,
    /// What the coordinates are measured in.
    pub units: Option<Units>,
    /// Class names in the order of the labels; may be empty.
    pub classes: Vec<String>,
    /// What the coordinates are held as.
    pub keypoints_type: NumberType,
    /// What the scores are held as.
    pub scores_type: NumberType,
}

/// What numbers are held as; the text holds them in decimal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NumberType {
    /// Half precision.
    F16,
    /// Single precision.
    #[default]
    F32,
}

impl Header {
    /// What a file of clips in `layout` says: the layout's name where it is a built-in one, else all of it.
    pub fn new(layout: &Layout) -> Header {
        let known = Layout::built_in(layout.name()).is_ok_and(|known| known == *layout);
        let text = match known {
            true => layout.name().to_owned(),
            false => layout.to_toml(),
        };
        Header {
            layout: Some(text),
            ..Header::default()
        }
    }

    /// The layout, where there is one; `path` is the file's.
    ///
    /// # Errors
    /// A name that isn't built in, or a text that is no layout.
    pub fn layout(&self, path: &Path) -> Result<Option<Layout>> {
        let Some(text) = self.layout.as_deref() else {
            return Ok(None);
        };
        let layout = match text.contains('=') {
            true => Layout::from_toml(text, "`layout`"),
            false => Layout::built_in(text),
        };
        let expected = "a built-in layout's name or a layout in TOML";
        layout
            .map(Some)
            .map_err(|e| wrong(path, 1, "`layout`", expected, e.to_string()))
    }

    /// The label of each class's name; of a name that several classes have, none.
    pub(super) fn names(&self) -> HashMap<&str, Option<u32>> {
        let mut names = HashMap::new();
        for (label, name) in self.classes.iter().enumerate() {
            names
                .entry(name.as_str())
                .and_modify(|label| *label = None)
                .or_insert(u32::try_from(label).ok());
        }
        names
    }
}

/// The first line as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FirstLine {
    format: Option<String>,
    version: Option<u64>,
    dataset: Option<String>,
    layout: Option<String>,
    units: Option<Units>,
    #[serde(default)]
    classes: Vec<String>,
    #[serde(default)]
    keypoints_type: NumberType,
    #[serde(default)]
    scores_type: NumberType,
}

/// Reads the first line that isn't empty.
pub(super) fn header(lines: &mut Lines) -> Result<Header> {
    let (path, first) = (lines.path, lines.next()?);
    let wanted = format!("{{\"format\": \"{FORMAT}\", \"version\": {VERSION}, ...}}");
    let Some(text) = first else {
        return Err(wrong(path, 1, "the first line", wanted, "an empty file"));
    };
    let wrong = |place: &str, expected: String, found: String| {
        Err(wrong(path, text.number, place, expected, found))
    };
    let line: FirstLine = match serde_json::from_slice(text.bytes) {
        Ok(line) => line,
        Err(e) => return wrong("the first line", wanted, told(&e)),
    };
    match (line.format.as_deref(), line.version) {
        (Some(FORMAT), Some(1)) => {}
        (Some(FORMAT), Some(version)) => {
            let expected = format!("a version from 1 to {VERSION}");
            return wrong("`version`", expected, version.to_string());
        }
        (Some(FORMAT), None) => return wrong("`version`", "a number".into(), "none".into()),
        (format, _) => return wrong("`format`", format!("{FORMAT:?}"), format!("{format:?}")),
    }
    Ok(Header {
        dataset: line.dataset,
        layout: line.layout,
        units: line.units,
        classes: line.classes,
        keypoints_type: line.keypoints_type,
        scores_type: line.scores_type,
    })
}

/// What the JSON reader says, without its count of lines, which is always 1.
fn told(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!("at line {} column {}", error.line(), error.column());
    text.replace(&place, &format!("at column {}", error.column()))
}

/// The text of a line, and where it is.
pub(super) struct Text<'a> {
    pub(super) path: &'a Path,
    pub(super) number: usize,
    pub(super) start: usize,
    pub(super) bytes: &'a [u8],
}

/// Lines that aren't empty, one after the other.
pub(super) struct Lines<'a> {
    path: &'a Path,
    bytes: &'a [u8],
    at: usize,
    number: usize,
}

impl<'a> Lines<'a> {
    pub(super) fn new(path: &'a Path, bytes: &'a [u8]) -> Self {
        // Some editors begin a text with this mark.
        let at = if bytes.starts_with(b"\xef\xbb\xbf") {
            3
        } else {
            0
        };
        Lines {
            path,
            bytes,
            at,
            number: 0,
        }
    }

    pub(super) fn next(&mut self) -> Result<Option<Text<'a>>> {
        while self.at < self.bytes.len() {
            let (start, rest) = (self.at, &self.bytes[self.at..]);
            let len = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            self.at += len + 1;
            self.number += 1;
            if len > LONGEST_LINE {
                let expected = format!("at most {LONGEST_LINE} bytes");
                let found = len.to_string();
                return Err(wrong(self.path, self.number, "the line", expected, found));
            }
            if rest[..len].iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            return Ok(Some(Text {
                path: self.path,
                number: self.number,
                start,
                bytes: &rest[..len],
            }));
        }
        Ok(None)
    }
}

/// The fields of a clip and of a split.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fields<'a> {
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    label: Option<&'a RawValue>,
    frames: Option<u64>,
    #[serde(borrow)]
    keypoints: Option<&'a RawValue>,
    #[serde(borrow)]
    scores: Option<&'a RawValue>,
    height: Option<u32>,
    width: Option<u32>,
    pub(super) subject: Option<u32>,
    pub(super) camera: Option<u32>,
    pub(super) setup: Option<u32>,
    #[serde(borrow)]
    split: Option<Cow<'a, str>>,
    #[serde(borrow)]
    ids: Option<Vec<Cow<'a, str>>>,
}

/// A clip or a part of a split.
pub(super) struct Line<'a> {
    text: &'a Text<'a>,
    pub(super) fields: Fields<'a>,
}

impl<'a> Line<'a> {
    pub(super) fn parse(text: &'a Text<'a>) -> Result<Line<'a>> {
        match serde_json::from_slice(text.bytes) {
            Ok(fields) => Ok(Line { text, fields }),
            Err(e) => Err(wrong(
                text.path,
                text.number,
                "the line",
                "a clip or a split in JSON",
                told(&e),
            )),
        }
    }

    /// An error at a place of this line.
    pub(super) fn wrong(
        &self,
        place: &str,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Error {
        let clip = self.fields.id.as_deref().map(short);
        let place = clip.map_or(place.to_owned(), |id| format!("clip {id:?}: {place}"));
        wrong(self.text.path, self.text.number, &place, expected, found)
    }

    /// The split's name, where this is a line of one.
    pub(super) fn split(&self) -> Result<Option<&str>> {
        let fields = &self.fields;
        let Some(split) = fields.split.as_deref() else {
            return Ok(None);
        };
        if fields.id.is_some() || fields.keypoints.is_some() {
            return Err(self.wrong("`split`", "`split` and `ids` alone", "a clip's fields"));
        }
        self.name("`split`", split).map(Some)
    }

    /// The clips of a split.
    pub(super) fn ids(&self) -> Result<impl Iterator<Item = &str>> {
        let ids = self.fields.ids.as_ref();
        let ids = ids.ok_or_else(|| self.wrong("`ids`", "a list of ids", "none"))?;
        for id in ids {
            self.name("`ids`", id)?;
        }
        Ok(ids.iter().map(|id| &**id))
    }

    pub(super) fn id(&self) -> Result<&str> {
        if self.fields.ids.is_some() {
            return Err(self.wrong("`ids`", "a `split` beside them", "none"));
        }
        match self.fields.id.as_deref() {
            Some(id) => self.name("`id`", id),
            None => Err(self.wrong("the line", "an `id` or a `split`", "neither")),
        }
    }

    fn name<'b>(&self, field: &str, name: &'b str) -> Result<&'b str> {
        if (1..=LONGEST_NAME).contains(&name.len()) && !name.contains('\0') {
            return Ok(name);
        }
        let expected = format!("a name of 1 to {LONGEST_NAME} bytes");
        let found = format!("one of {} bytes, or with a zero byte", name.len());
        Err(self.wrong(field, expected, found))
    }

    /// The class, as a number or by its name.
    pub(super) fn label(&self, names: &HashMap<&str, Option<u32>>) -> Result<Option<u32>> {
        let Some(text) = self.fields.label.map(RawValue::get) else {
            return Ok(None);
        };
        let wrong = |expected: &str| Err(self.wrong("`label`", expected, short(text)));
        if text.starts_with('"') {
            let name: String = serde_json::from_str(text).unwrap_or_default();
            return match names.get(name.as_str()) {
                Some(Some(label)) => Ok(Some(*label)),
                Some(None) => wrong("a name that only one class has, or the class's number"),
                None => wrong("one of the first line's `classes`"),
            };
        }
        match text.parse::<i32>() {
            Ok(-1) => Ok(None),
            Ok(label @ 0..) => Ok(Some(label.unsigned_abs())),
            _ => wrong("a class from 0, a class's name, or null"),
        }
    }

    pub(super) fn keypoints(&self) -> Result<&'a str> {
        let text = self.fields.keypoints.map(RawValue::get);
        text.ok_or_else(|| self.wrong("`keypoints`", "a list of people", "none"))
    }

    pub(super) fn scores(&self) -> Option<&'a str> {
        self.fields.scores.map(RawValue::get)
    }

    /// t: as many as the keypoints have; as the line says, where there is nobody.
    pub(super) fn frames(&self, persons: usize, stored: Option<usize>) -> Result<usize> {
        let said = self.fields.frames;
        match (said, stored) {
            (Some(said), Some(frames)) if said != frames as u64 => {
                let expected = format!("{frames}, the frames of `keypoints`");
                Err(self.wrong("`frames`", expected, said.to_string()))
            }
            (_, Some(frames)) => Ok(frames),
            (Some(said), None) if persons == 0 && said <= u32::MAX.into() => Ok(said as usize),
            (Some(said), None) => Err(self.wrong("`frames`", "32 bits", said.to_string())),
            (None, None) => Ok(0),
        }
    }

    pub(super) fn image(&self) -> Result<Option<(u32, u32)>> {
        match (self.fields.height, self.fields.width) {
            (Some(height), Some(width)) => Ok(Some((height, width))),
            (None, None) => Ok(None),
            _ => Err(self.wrong("`height`, `width`", "both or neither", "one")),
        }
    }

    /// A number that caches hold in 31 bits.
    pub(super) fn number(&self, field: &str, number: Option<u32>) -> Result<Option<u32>> {
        match number {
            Some(n) if i32::try_from(n).is_err() => {
                Err(self.wrong(field, "a number below 2147483648", n.to_string()))
            }
            number => Ok(number),
        }
    }
}

/// The beginning of a text.
fn short(text: &str) -> String {
    text.chars().take(60).collect()
}
