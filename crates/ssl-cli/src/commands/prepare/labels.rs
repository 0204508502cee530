//! Labels from a text, for clips whose files have none.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;

use skeleton_data::MOST_CLASSES;
use skeleton_data::raw::RawFiles;

use crate::failure::{Failure, Outcome};
use crate::printer::Printer;
use crate::report::count;
use crate::text::read_list;

/// Gives the clips of `files` the labels of the text at `path`; `names` are the classes, where they are known.
///
/// A line is a clip's id, a tab, comma or blanks, and its label: a number, or a class's name. An id may stand as a path to the clip's
/// file. Unknown names of classes become classes in the order of the alphabet.
pub fn apply(
    path: &Path,
    names: Option<Vec<String>>,
    files: &mut RawFiles,
    printer: &Printer,
) -> Outcome {
    let text = read_list(path)?;
    let known: HashSet<&str> = files.ids().iter().map(String::as_str).collect();
    let (mut found, mut unknown) = (Vec::new(), Vec::new());
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        let Some((id, label)) = parts(line) else {
            let message = format!(
                "{}: line {}: expected a clip's id and its label, found {line:?}",
                path.display(),
                number + 1
            );
            return Err(
                Failure::error(message).hint("a line such as: clip01 3, or: clip01 drink water")
            );
        };
        match meant(id, &known) {
            Some(id) => found.push((number + 1, id.to_owned(), label)),
            None => unknown.push(id.to_owned()),
        }
    }
    if let Some(first) = unknown.first() {
        let lines = count(unknown.len(), "line");
        printer.warn(format!(
            "{}: {lines} of no clip, the first: {first}",
            path.display()
        ));
    }
    let numbers = found
        .iter()
        .all(|(_, _, label)| label.parse::<u32>().is_ok());
    let names = match names {
        Some(names) => names,
        None if numbers => Vec::new(),
        None => {
            let names: BTreeSet<&str> = found.iter().map(|(_, _, label)| *label).collect();
            names.into_iter().map(str::to_owned).collect()
        }
    };
    let class = |label: &str| match names.iter().position(|name| name == label) {
        Some(class) => Some(class as u32),
        None if names.is_empty() => label.parse().ok().filter(|&label| label < MOST_CLASSES),
        None => label
            .parse()
            .ok()
            .filter(|&label| (label as usize) < names.len()),
    };
    let mut labels = HashMap::with_capacity(found.len());
    for (number, id, label) in &found {
        let wrong = |expected: String, found: String| {
            let path = path.display();
            Failure::error(format!(
                "{path}: line {number}: expected {expected}, found {found}"
            ))
            .hint("a label is a class's number from 0, or its name as --classes or the data set has it")
        };
        let class = class(label).ok_or_else(|| {
            let expected = match names.len() {
                0 => format!("a class below {MOST_CLASSES}"),
                n => format!("one of the {n} classes' names, or a number below {n}"),
            };
            wrong(expected, format!("{label:?}"))
        })?;
        if labels
            .insert(id.clone(), class)
            .is_some_and(|other| other != class)
        {
            let expected = "one label a clip".to_owned();
            return Err(wrong(expected, format!("another for {id:?}")));
        }
    }
    let without = files.len() - labels.len();
    if without > 0 {
        let clips = count(without, "clip");
        printer.warn(format!("{}: {clips} without a label", path.display()));
    }
    files.relabel(labels, names);
    Ok(())
}

/// The id and the label of a line.
fn parts(line: &str) -> Option<(&str, &str)> {
    let at = |separator| line.split_once(separator);
    let (id, label) = at('\t').or_else(|| at(',')).or_else(|| at(' '))?;
    let (id, label) = (id.trim(), label.trim());
    (!id.is_empty() && !label.is_empty()).then_some((id, label))
}

/// The clip that is meant: by its id, or by the name of its file.
pub fn meant<'a>(text: &'a str, known: &HashSet<&str>) -> Option<&'a str> {
    if known.contains(text) {
        return Some(text);
    }
    let name = text.rsplit(['/', '\\']).next()?;
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    [name, stem].into_iter().find(|name| known.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_an_id_and_a_label() {
        assert_eq!(parts("clip01 3"), Some(("clip01", "3")));
        assert_eq!(parts("a b\tdrink water"), Some(("a b", "drink water")));
        assert_eq!(parts("videos/x.mp4, 5"), Some(("videos/x.mp4", "5")));
        assert_eq!(parts("clip01"), None);
        assert_eq!(parts("clip01,"), None);
    }

    #[test]
    fn a_clip_is_meant_by_its_id_or_its_file() {
        let known = HashSet::from(["clip01", "a.b"]);
        assert_eq!(meant("clip01", &known), Some("clip01"));
        assert_eq!(meant("videos/clip01.pkl", &known), Some("clip01"));
        assert_eq!(meant("C:\\v\\clip01.mp4", &known), Some("clip01"));
        assert_eq!(meant("a.b", &known), Some("a.b"));
        assert_eq!(meant("v/a.b", &known), Some("a.b"));
        assert_eq!(meant("clip02", &known), None);
    }
}
