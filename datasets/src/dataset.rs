//! The facts of one data set, and how they are read.

use std::collections::HashSet;
use std::sync::LazyLock;

use serde::Deserialize;

const UNITS: [&str; 3] = ["pixel", "metre", "normalised"];

/// Files of facts, compiled in, each by its name without the ending.
macro_rules! files {
    ($folder:literal, $ending:literal, $($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!("../", $folder, "/", $name, ".", $ending)))),+]
    };
}

const SETS: &[(&str, &str)] = files!(
    "sets",
    "toml",
    "synthetic",
    "synthetic3d",
    "jhmdb14",
    "nw_ucla",
    "ntu60_2d",
    "ntu60_3d",
    "ntu120_2d",
    "ntu120_3d",
    "gym99",
    "diving48",
    "gym288",
    "utd_mhad",
);

const CLASS_LISTS: &[(&str, &str)] = files!(
    "classes", "txt", "diving48", "gym99", "gym288", "jhmdb14", "ntu120", "nw_ucla", "utd_mhad"
);

/// What is known of a data set.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Dataset {
    /// Its name here: lower case, no spaces.
    pub name: String,
    /// Its name in a sentence.
    pub title: String,
    /// Where it comes from.
    pub source: Source,
    /// What its file is.
    pub format: Format,
    /// The name of its layout, one of skeleton-graph's.
    pub layout: String,
    /// What its coordinates measure: `pixel`, `metre` or `normalised`.
    pub units: String,
    /// Coordinates of a joint, 2 or 3.
    pub coordinates: usize,
    /// Class names in the order of the labels. Empty where the data bring them along.
    #[serde(skip)]
    pub classes: Vec<String>,
    #[serde(rename = "classes")]
    class_list: Option<ClassList>,
    /// How many clips the whole file should have, where that is known.
    pub clips: Option<usize>,
    /// Its named splits.
    pub splits: Vec<SplitFacts>,
    /// What a user should know, a sentence or two each.
    #[serde(default)]
    pub notes: Vec<String>,
    /// What its clips' ids say.
    #[serde(default)]
    pub ids: IdFacts,
}

/// What stands in an id in front of a number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct IdFacts {
    /// Of the person: `_s` in `a01_s03_t02`.
    pub subject: Option<String>,
    /// Of the camera.
    pub camera: Option<String>,
}

impl IdFacts {
    /// Subject and camera by a clip's id.
    pub fn read(&self, id: &str) -> [Option<u32>; 2] {
        [&self.subject, &self.camera].map(|mark| {
            let (_, rest) = id.split_once(mark.as_deref()?)?;
            let end = rest
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(rest.len());
            rest[..end].parse().ok()
        })
    }
}

impl Dataset {
    /// Reads the facts of the set `name` from the text of a file as those in `sets/`; class lists are the embedded ones.
    ///
    /// # Errors
    /// A text that isn't TOML, unknown or missing keys, values that can't be.
    pub fn from_toml(name: &str, text: &str) -> Result<Dataset, Error> {
        read(name, text, CLASS_LISTS)
    }

    /// The facts of the split `name`.
    pub fn split(&self, name: &str) -> Option<&SplitFacts> {
        self.splits.iter().find(|split| split.name == name)
    }
}

/// Where a data set comes from. What is not known is left out.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Source {
    /// The publication to cite.
    pub paper: Option<String>,
    /// Who distributes which file.
    pub distribution: String,
    /// Where it is.
    pub url: Option<String>,
    /// Under which terms.
    pub licence: Option<String>,
}

/// What the file of a data set is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Format {
    /// An annotation pickle as pyskl reads them.
    Pyskl,
    /// No file: skeleton-data makes the clips.
    Synthetic,
}

/// What is known of a split.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct SplitFacts {
    /// Its name in the file.
    pub name: String,
    /// How many clips it should have, where that is known.
    pub clips: Option<usize>,
    /// What a user of this split should know.
    pub note: Option<String>,
}

/// The first `count` names of a list: data sets share lists.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClassList {
    list: String,
    count: usize,
}

/// All data sets, in a fixed order: the synthetic ones first.
pub fn all() -> &'static [Dataset] {
    static ALL: LazyLock<Vec<Dataset>> = LazyLock::new(|| {
        embedded()
            .unwrap_or_else(|error| panic!("the embedded facts are valid, as tests show: {error}"))
    });
    &ALL
}

/// The data set of this name, such as `ntu60_2d`.
pub fn find(name: &str) -> Option<&'static Dataset> {
    all().iter().find(|set| set.name == name)
}

fn embedded() -> Result<Vec<Dataset>, Error> {
    let read = |(name, text): &(&str, &str)| Dataset::from_toml(name, text);
    SETS.iter().map(read).collect()
}

/// Reads the facts of the set `name`; `lists` are the class lists by name, a class a line.
fn read(name: &str, text: &str, lists: &[(&str, &str)]) -> Result<Dataset, Error> {
    let file = format!("{name}.toml");
    let mut set: Dataset = toml::from_str(text).map_err(Error::syntax(&file))?;
    let wrong = |key, found: &dyn ToString, expected: &str| {
        Err(Error::value(&file, key, found.to_string(), expected))
    };
    if set.name != name {
        return wrong("name", &set.name, "the name of the file");
    }
    if !UNITS.contains(&set.units.as_str()) {
        return wrong("units", &set.units, &UNITS.join(", "));
    }
    if !(2..=3).contains(&set.coordinates) {
        return wrong("coordinates", &set.coordinates, "2 or 3");
    }
    let mut names = HashSet::new();
    if let Some(split) = set.splits.iter().find(|split| !names.insert(&split.name)) {
        return wrong("splits", &split.name, "each name once");
    }
    if let Some(ClassList { list, count }) = &set.class_list {
        let Some((_, names)) = lists.iter().find(|(name, _)| name == list) else {
            let known: Vec<&str> = lists.iter().map(|(name, _)| *name).collect();
            return wrong("classes.list", list, &known.join(", "));
        };
        set.classes = names.lines().take(*count).map(str::to_owned).collect();
        let found = set.classes.len();
        if found < *count {
            let expected = format!("at most the {found} of the list");
            return wrong("classes.count", count, &expected);
        }
    }
    Ok(set)
}

/// Why a file was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Not TOML, or not these keys.
    #[error("{file}: {cause}")]
    Syntax {
        /// The file.
        file: String,
        /// The place and the reason.
        #[source]
        cause: Box<toml::de::Error>,
    },
    /// A value that can't be.
    #[error("{file}: {key}: found {found:?}, expected {expected}")]
    Value {
        /// The file.
        file: String,
        /// The key.
        key: &'static str,
        /// Its value.
        found: String,
        /// What it may be.
        expected: String,
    },
}

impl Error {
    pub(crate) fn value(
        file: &str,
        key: &'static str,
        found: impl ToString,
        expected: &str,
    ) -> Error {
        Error::Value {
            file: file.to_owned(),
            key,
            found: found.to_string(),
            expected: expected.to_owned(),
        }
    }

    /// Makes what the TOML reader says an error of a file: `map_err(Error::syntax(file))`.
    pub(crate) fn syntax(file: &str) -> impl FnOnce(toml::de::Error) -> Error + '_ {
        move |cause| Error::Syntax {
            file: file.to_owned(),
            cause: Box::new(cause),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTS: [(&str, &str); 1] = [("moves", "jump\nrun\nwalk\n")];

    const FACTS: &str = r#"
name = "toy"
title = "Toy"
format = "pyskl"
layout = "coco17"
coordinates = 2
units = "pixel"
classes = { list = "moves", count = 2 }
[source]
distribution = "nobody"
[[splits]]
name = "train"
clips = 3
[[splits]]
name = "val"
"#;

    fn error(from: &str, to: &str) -> String {
        assert_eq!(FACTS.matches(from).count(), 1, "{from:?} stands once");
        read("toy", &FACTS.replace(from, to), &LISTS)
            .expect_err(to)
            .to_string()
    }

    #[test]
    fn the_embedded_facts_are_valid() {
        embedded().unwrap();
    }

    #[test]
    fn facts_are_read() {
        let set = read("toy", FACTS, &LISTS).unwrap();
        assert_eq!(set.classes, ["jump", "run"]);
        assert_eq!(set.split("train").unwrap().clips, Some(3));
        assert_eq!(set.split("val").unwrap().clips, None);
        assert!(set.split("test").is_none());
    }

    #[test]
    fn wrong_facts_are_refused() {
        assert!(error("title", "tittle").contains("unknown field `tittle`"));
        assert!(error("clips = 3", "clip = 3").contains("unknown field `clip`"));
        assert!(error("distribution", "distributor").contains("unknown field"));
        assert!(error("pyskl", "piskl").contains("unknown variant `piskl`"));
        assert_eq!(
            error("\"toy\"", "\"toys\""),
            "toy.toml: name: found \"toys\", expected the name of the file"
        );
        assert_eq!(
            error("\"pixel\"", "\"inch\""),
            "toy.toml: units: found \"inch\", expected pixel, metre, normalised"
        );
        assert_eq!(
            error("coordinates = 2", "coordinates = 4"),
            "toy.toml: coordinates: found \"4\", expected 2 or 3"
        );
        assert_eq!(
            error("\"val\"", "\"train\""),
            "toy.toml: splits: found \"train\", expected each name once"
        );
        assert_eq!(
            error("\"moves\"", "\"dives\""),
            "toy.toml: classes.list: found \"dives\", expected moves"
        );
        assert_eq!(
            error("count = 2", "count = 4"),
            "toy.toml: classes.count: found \"4\", expected at most the 3 of the list"
        );
    }
}
