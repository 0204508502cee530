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
    let lines = lines(path, &text, files.ids(), printer)?;
    let numbers = lines.iter().all(|line| line.label.parse::<u32>().is_ok());
    let names = match names {
        Some(names) => names,
        None if numbers => Vec::new(),
        None => {
            let names: BTreeSet<&str> = lines.iter().map(|line| line.label).collect();
            names.into_iter().map(str::to_owned).collect()
        }
    };
    let labels = labels(path, &lines, &names)?;
    let without = files.len() - labels.len();
    if without > 0 {
        let clips = count(without, "clip");
        printer.warn(format!("{}: {clips} without a label", path.display()));
    }
    files.relabel(labels, names);
    Ok(())
}

/// A line that labels a clip.
struct Line<'a> {
    /// Its number, from 1.
    number: usize,
    id: &'a str,
    label: &'a str,
}

/// The lines about clips of these ids; of the others there is a warning.
fn lines<'a>(
    path: &Path,
    text: &'a str,
    ids: &[String],
    printer: &Printer,
) -> Outcome<Vec<Line<'a>>> {
    let known: HashSet<&str> = ids.iter().map(String::as_str).collect();
    let (mut found, mut unknown) = (Vec::new(), Vec::new());
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        let (id, label) = parts(line).ok_or_else(|| {
            let path = path.display();
            Failure::error(format!(
                "{path}: line {number}: expected a clip's id and its label, found {line:?}"
            ))
            .hint("a line such as: clip01 3, or: clip01 drink water")
        })?;
        match meant(id, &known) {
            Some(id) => found.push(Line { number, id, label }),
            None => unknown.push(id),
        }
    }
    if let Some(first) = unknown.first() {
        let (path, lines) = (path.display(), count(unknown.len(), "line"));
        printer.warn(format!("{path}: {lines} of no clip, the first: {first}"));
    }
    Ok(found)
}

/// The class of each clip: its label among `names`, else the number that the label is.
fn labels(path: &Path, lines: &[Line<'_>], names: &[String]) -> Outcome<HashMap<String, u32>> {
    let below = match names.len() {
        0 => MOST_CLASSES,
        n => n as u32,
    };
    let class = |label: &str| match names.iter().position(|name| name == label) {
        Some(class) => Some(class as u32),
        None => label.parse().ok().filter(|&class| class < below),
    };
    let mut labels = HashMap::with_capacity(lines.len());
    for Line { number, id, label } in lines {
        let wrong = |expected: &str, found: String| {
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
            wrong(&expected, format!("{label:?}"))
        })?;
        let before = labels.insert((*id).to_owned(), class);
        if before.is_some_and(|other| other != class) {
            return Err(wrong("one label a clip", format!("another for {id:?}")));
        }
    }
    Ok(labels)
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
