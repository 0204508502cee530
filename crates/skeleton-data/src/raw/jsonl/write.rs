//! Writing clips as JSON lines.

use std::io::{BufWriter, Write};
use std::path::Path;

use serde::{Serialize, Serializer};
use serde_json::json;
use serde_json::ser::Formatter;

use super::header::{Header, NumberType};
use super::{FORMAT, LONGEST_LINE, VERSION};
use crate::partial::Partial;
use crate::{Error, Result, Sequence, Values, ValuesRef};

/// Ids in a line of a split: lines stay short enough to look at.
const IDS_IN_A_LINE: usize = 1000;

/// Writes clips one by one; the file appears under its name, whole, when it is finished.
pub struct JsonlWriter {
    partial: Partial,
    text: BufWriter<std::fs::File>,
    line: Vec<u8>,
    header: Header,
}

impl JsonlWriter {
    /// Begins a file that will be `path`.
    ///
    /// # Errors
    /// When nothing can be written beside `path`.
    pub fn create(path: &Path, header: &Header) -> Result<Self> {
        let mut partial = Partial::create(path)?;
        let file = partial.file().try_clone().map_err(Error::io(path))?;
        let mut writer = JsonlWriter {
            partial,
            text: BufWriter::with_capacity(1 << 20, file),
            line: Vec::new(),
            header: header.clone(),
        };
        let mut first = json!({ "format": FORMAT, "version": VERSION });
        if let (Some(first), Ok(serde_json::Value::Object(fields))) =
            (first.as_object_mut(), serde_json::to_value(header))
        {
            first.extend(fields.into_iter().filter(|(_, value)| !value.is_null()));
        }
        writer.line.extend(first.to_string().bytes());
        writer.end("the first line")?;
        Ok(writer)
    }

    /// Adds a clip.
    ///
    /// # Errors
    /// Numbers that aren't finite, or in single precision where the first line says half, a clip whose line would be too long, a full
    /// disk.
    pub fn push(&mut self, clip: &Sequence) -> Result<()> {
        clip.check(clip.joints)?;
        let (keypoints, scores) = (self.header.keypoints_type, self.header.scores_type);
        let agrees = holds(&clip.keypoints, keypoints)
            && clip
                .scores
                .as_ref()
                .is_none_or(|values| holds(values, scores));
        if !clip.is_finite() || !agrees {
            let expected = "finite numbers, in half precision where the first line says so";
            return Err(Error::clip(&clip.id, expected, "others"));
        }
        let mut fields = json!({ "id": clip.id, "frames": clip.frames });
        for (name, value) in [
            ("label", clip.label),
            ("height", clip.image.map(|(height, _)| height)),
            ("width", clip.image.map(|(_, width)| width)),
            ("subject", clip.subject),
            ("camera", clip.camera),
            ("setup", clip.setup),
        ] {
            if let Some(value) = value {
                fields[name] = value.into();
            }
        }
        let fields = fields.to_string();
        self.line.extend(fields.trim_end_matches('}').bytes());
        let axes = [clip.persons, clip.frames, clip.joints, clip.coordinates];
        let scores = clip.scores.as_ref();
        for (name, axes, values) in [
            ("keypoints", &axes[..], Some(&clip.keypoints)),
            ("scores", &axes[..3], scores),
        ] {
            let Some(values) = values.map(Values::view) else {
                continue;
            };
            self.line.extend(format!(",\"{name}\":").bytes());
            let list = List {
                axes,
                keypoints: axes.len() == 4,
                values,
                at: 0,
            };
            let written = list.write(&mut self.line);
            written.map_err(|e| Error::io(self.partial.path())(e.into()))?;
        }
        self.line.push(b'}');
        self.end(&clip.id)
    }

    /// Adds the splits, and puts the file in its place; returns its size.
    ///
    /// # Errors
    /// A full disk.
    pub fn finish(mut self, splits: &[(String, Vec<String>)]) -> Result<u64> {
        for (split, ids) in splits {
            let none: [&[String]; 1] = [&[]];
            let empty = none.into_iter().filter(|_| ids.is_empty());
            for ids in ids.chunks(IDS_IN_A_LINE).chain(empty) {
                let line = json!({ "split": split, "ids": ids });
                self.line.extend(line.to_string().bytes());
                self.end(split)?;
            }
        }
        let io = Error::io(self.partial.path());
        self.text.into_inner().map_err(|e| io(e.into_error()))?;
        self.partial.finish()
    }

    fn end(&mut self, of: &str) -> Result<()> {
        if self.line.len() > LONGEST_LINE {
            let expected = format!("a line of at most {LONGEST_LINE} bytes");
            return Err(Error::clip(of, expected, self.line.len().to_string()));
        }
        self.line.push(b'\n');
        let written = self.text.write_all(&self.line);
        self.line.clear();
        written.map_err(Error::io(self.partial.path()))
    }
}

/// A single may hold a half, but not the other way round.
fn holds(values: &Values, kind: NumberType) -> bool {
    matches!(values, Values::F16(_)) || kind == NumberType::F32
}

/// A list along the first of `axes`; joints of keypoints all of whose bits are zero are null.
#[derive(Clone, Copy)]
struct List<'a> {
    axes: &'a [usize],
    /// Whether the last axis is that of coordinates.
    keypoints: bool,
    values: ValuesRef<'a>,
    /// The number of this list among those of its axis.
    at: usize,
}

impl List<'_> {
    fn write(&self, out: &mut Vec<u8>) -> serde_json::Result<()> {
        self.serialize(&mut serde_json::Serializer::with_formatter(out, Shortest))
    }
}

impl Serialize for List<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let [len, axes @ ..] = self.axes else {
            return serializer.serialize_f32(self.values.get(self.at));
        };
        let within = self.at * len..(self.at + 1) * len;
        let is_zero = |at: usize| self.values.get(at).to_bits() == 0;
        if self.keypoints && axes.is_empty() && within.clone().all(is_zero) {
            return serializer.serialize_none();
        }
        serializer.collect_seq(within.map(|at| List { axes, at, ..*self }))
    }
}

/// Writes numbers as the shortest decimals that read back as the same, whole ones without a point.
struct Shortest;

impl Formatter for Shortest {
    fn write_f32<W: Write + ?Sized>(&mut self, out: &mut W, x: f32) -> std::io::Result<()> {
        match x == 0.0 || (1e-5..1e9).contains(&x.abs()) {
            true => write!(out, "{x}"),
            false => write!(out, "{x:e}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_back_bit_for_bit() {
        let mut state = 1u32;
        for _ in 0..20_000 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let x = f32::from_bits(state);
            if !x.is_finite() {
                continue;
            }
            let list = List {
                axes: &[],
                keypoints: false,
                values: ValuesRef::F32(&[x]),
                at: 0,
            };
            let mut text = Vec::new();
            list.write(&mut text).unwrap();
            let text = String::from_utf8(text).unwrap();
            assert!(serde_json::from_str::<f64>(&text).is_ok(), "{text} is JSON");
            assert_eq!(
                text.parse::<f32>().unwrap().to_bits(),
                x.to_bits(),
                "{text}"
            );
        }
    }
}
