//! Lines as they lie in the file, and their fields.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{LONGEST_LINE, wrong};
use crate::error::{Mismatch, json_message};
use crate::{Error, Result, names};

/// The text of a line, and where it is.
pub(super) struct Text<'a> {
    pub(super) path: &'a Path,
    pub(super) number: usize,
    pub(super) start: usize,
    pub(super) bytes: &'a [u8],
}

/// Lines that aren't empty, one after the other.
pub(super) struct TextLines<'a> {
    pub(super) path: &'a Path,
    bytes: &'a [u8],
    at: usize,
    number: usize,
}

impl<'a> TextLines<'a> {
    pub(super) fn new(path: &'a Path, bytes: &'a [u8]) -> Self {
        // Some editors begin a text with this mark.
        let at = match bytes.starts_with(b"\xef\xbb\xbf") {
            true => 3,
            false => 0,
        };
        let number = 0;
        TextLines {
            path,
            bytes,
            at,
            number,
        }
    }

    /// One line of a text, by its number.
    pub(super) fn from_line(path: &'a Path, line: &'a [u8], number: usize) -> Self {
        TextLines {
            number: number - 1,
            ..TextLines::new(path, line)
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
            Err(e) => {
                // Python writes what JSON doesn't have.
                let is_nan = ["NaN", "Infinity"]
                    .iter()
                    .any(|word| memchr::memmem::find(text.bytes, word.as_bytes()).is_some());
                let expected = match is_nan {
                    true => {
                        "JSON, which has no NaN or Infinity: `null` for a joint that was not seen"
                    }
                    false => "a clip or a split in JSON",
                };
                Err(wrong(
                    text.path,
                    text.number,
                    "the line",
                    expected,
                    json_message(&e),
                ))
            }
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

    /// Makes a mismatch an error at a place of this line.
    pub(super) fn at(&self, place: &str) -> impl Fn(Mismatch) -> Error {
        move |mismatch| self.wrong(place, mismatch.expected, mismatch.found)
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
        if names::is_name(name) {
            return Ok(name);
        }
        Err(self.wrong(field, names::expected("a name"), names::found(name)))
    }

    /// The class, as a number or by its name.
    pub(super) fn label(&self, of_names: &HashMap<&str, Option<u32>>) -> Result<Option<u32>> {
        let named = of_names.len();
        let Some(text) = self.fields.label.map(RawValue::get) else {
            return Ok(None);
        };
        let wrong = |expected: &str| Err(self.wrong("`label`", expected, short(text)));
        if text.starts_with('"') {
            let name: String = serde_json::from_str(text).unwrap_or_default();
            return match of_names.get(name.as_str()) {
                Some(Some(label)) => Ok(Some(*label)),
                Some(None) => wrong("a name that only one class has, or the class's number"),
                None => wrong("one of the first line's `classes`"),
            };
        }
        match text.parse::<i32>() {
            Ok(-1) => Ok(None),
            Ok(label @ 0..) if label.unsigned_abs() < names::MOST_CLASSES.max(named as u32) => {
                Ok(Some(label.unsigned_abs()))
            }
            _ => wrong(&format!(
                "{}, a class's name, or null",
                names::expected_label()
            )),
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
            (Some(said), None) if persons == 0 && said <= names::MOST_WITHOUT_NUMBERS as u64 => {
                Ok(said as usize)
            }
            (Some(said), None) => {
                let expected = format!("at most {} where nobody is", names::MOST_WITHOUT_NUMBERS);
                Err(self.wrong("`frames`", expected, said.to_string()))
            }
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
