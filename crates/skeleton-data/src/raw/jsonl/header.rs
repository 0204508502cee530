//! The first line.

use std::collections::HashMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use skeleton_graph::Layout;

use super::line::TextLines;
use super::{FORMAT, VERSION, wrong};
use crate::error::json_message;
use crate::{Result, Units};

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

impl NumberType {
    /// numpy's name for it.
    pub(super) fn name(self) -> &'static str {
        match self {
            NumberType::F16 => "float16",
            NumberType::F32 => "float32",
        }
    }
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

    /// The layout, where there is one; `path` is what messages call the file.
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
pub(super) fn header(lines: &mut TextLines) -> Result<Header> {
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
        Err(e) => return wrong("the first line", wanted, json_message(&e)),
    };
    match (line.format.as_deref(), line.version) {
        (Some(FORMAT), Some(1)) => {}
        (Some(FORMAT), Some(version)) => {
            let expected = format!("a version from 1 to {VERSION}");
            return wrong("`version`", expected, version.to_string());
        }
        (Some(FORMAT), None) => return wrong("`version`", "a number".into(), "none".into()),
        (found, _) => {
            let found = found.map_or("none".into(), |found| format!("{found:?}"));
            return wrong("`format`", format!("{FORMAT:?}"), found);
        }
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
