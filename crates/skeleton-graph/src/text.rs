//! A layout as TOML text.

use std::fmt::Write as _;

use serde::Deserialize;

use crate::{Layout, LayoutError};

/// Longer texts are refused unread; the largest layout allowed needs a tenth of it.
const LONGEST_TEXT: usize = 1 << 20;

/// What the text says, not yet checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Facts {
    pub name: String,
    pub joints: Vec<String>,
    /// Pairs. Not `[usize; 2]`: serde would take the first two of a longer list in silence.
    pub edges: Vec<Vec<usize>>,
    /// Pairs.
    pub flips: Vec<Vec<usize>>,
    pub origin: Vec<usize>,
    pub parts: Vec<PartFacts>,
}

/// One `[[parts]]` table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PartFacts {
    pub name: String,
    pub joints: Vec<usize>,
}

pub(crate) fn read(text: &str, file: &str) -> Result<Facts, LayoutError> {
    if text.len() > LONGEST_TEXT {
        return Err(LayoutError::TooLong {
            file: file.to_owned(),
            found: text.len(),
            limit: LONGEST_TEXT,
        });
    }
    toml::from_str(text).map_err(|cause| LayoutError::Syntax {
        file: file.to_owned(),
        cause: Box::new(cause),
    })
}

/// Written by hand and not by a TOML library: the text enters caches, checkpoints and their
/// digests, so its form must not change with a library's version.
pub(crate) fn write(layout: &Layout) -> String {
    let names: Vec<String> = layout.joints.iter().map(|name| quoted(name)).collect();
    let mut text = format!("name = {}\n", quoted(&layout.name));
    line(&mut text, "joints", &names);
    line(&mut text, "edges", &pairs(&layout.edges));
    line(&mut text, "flips", &pairs(&layout.flips));
    line(&mut text, "origin", &numbers(&layout.origin));
    for part in &layout.parts {
        text.push_str("\n[[parts]]\n");
        text.push_str(&format!("name = {}\n", quoted(&part.name)));
        line(&mut text, "joints", &numbers(&part.joints));
    }
    text
}

fn line(text: &mut String, key: &str, values: &[String]) {
    writeln!(text, "{key} = [{}]", values.join(", ")).expect("writing to a string does not fail");
}

fn pairs(pairs: &[(usize, usize)]) -> Vec<String> {
    pairs
        .iter()
        .map(|(one, other)| format!("[{one}, {other}]"))
        .collect()
}

fn numbers(numbers: &[usize]) -> Vec<String> {
    numbers.iter().map(usize::to_string).collect()
}

/// A TOML basic string. Names hold no control characters (checked), so two escapes are enough.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}
