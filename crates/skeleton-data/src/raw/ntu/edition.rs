//! NTU RGB+D 60 and 120: their actions, official splits, and samples without skeletons.

use std::collections::HashSet;
use std::sync::LazyLock;

use serde::Serialize;

use super::Name;

/// Subjects of the training half of cross-subject; NTU 60 has the first twenty of them, the subjects up to 40.
const TRAINING_SUBJECTS: [u32; 53] = [
    1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38, 45, 46, 47, 49, 50,
    52, 53, 54, 55, 56, 57, 58, 59, 70, 74, 78, 80, 81, 82, 83, 84, 85, 86, 89, 91, 92, 93, 94, 95,
    97, 98, 100, 103,
];

/// Cameras of the training half of cross-view.
const TRAINING_CAMERAS: [u32; 2] = [2, 3];

/// The samples whose skeletons are missing or unusable, as the authors list them: 535, of which the 302 with an action
/// up to 60 are NTU 60's list.
static MISSING: LazyLock<HashSet<Name>> = LazyLock::new(|| {
    include_str!("missing.txt")
        .lines()
        .map(|line| Name::parse(line).expect("the list holds names, which a test checks"))
        .collect()
});

/// One of the two data sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Edition {
    /// NTU RGB+D: actions 1 to 60; splits by subject and by camera.
    Ntu60,
    /// NTU RGB+D 120: all actions; splits by subject and by setup.
    Ntu120,
}

impl Edition {
    /// How many actions it has.
    pub fn actions(self) -> u32 {
        match self {
            Edition::Ntu60 => 60,
            Edition::Ntu120 => 120,
        }
    }

    /// Whether a sample's action is one of its.
    pub fn has(self, name: &Name) -> bool {
        (1..=self.actions()).contains(&name.action)
    }

    /// Whether the authors list a sample's skeletons as missing.
    pub fn lists_as_missing(self, name: &Name) -> bool {
        self.has(name) && MISSING.contains(name)
    }

    /// The official splits of these samples, each in the order given: `xsub_train`, `xsub_val`, and `xview_train`,
    /// `xview_val` (NTU 60) or `xset_train`, `xset_val` (NTU 120).
    pub fn splits<'a>(
        self,
        names: impl IntoIterator<Item = &'a Name>,
    ) -> Vec<(String, Vec<String>)> {
        let (second, trains): (&str, fn(&Name) -> bool) = match self {
            Edition::Ntu60 => ("xview", |name| TRAINING_CAMERAS.contains(&name.camera)),
            Edition::Ntu120 => ("xset", |name| name.setup % 2 == 0),
        };
        let mut splits = ["xsub", second]
            .map(|split| [format!("{split}_train"), format!("{split}_val")])
            .concat()
            .into_iter()
            .map(|split| (split, Vec::new()))
            .collect::<Vec<_>>();
        for name in names {
            let by_subject = TRAINING_SUBJECTS.contains(&name.person);
            splits[usize::from(!by_subject)].1.push(name.to_string());
            splits[2 + usize::from(!trains(name))]
                .1
                .push(name.to_string());
        }
        splits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every official name: the takes, by three cameras, of the actions that their setup recorded.
    fn all_names() -> Vec<Name> {
        let mut names = Vec::new();
        for take in include_str!("../../../tests/data/ntu_takes.txt").lines() {
            let (setup, rest) = take.split_at(4);
            let actions = match setup[1..].parse::<u32>().unwrap() {
                1..=17 => 1..=60,
                _ => 61..=120,
            };
            for action in actions {
                for camera in 1..=3 {
                    let name = format!("{setup}C{camera:03}{rest}A{action:03}");
                    names.push(Name::parse(&name).unwrap());
                }
            }
        }
        names.sort();
        names
    }

    fn counts(edition: Edition) -> (usize, Vec<(String, usize)>) {
        let names: Vec<Name> = all_names()
            .into_iter()
            .filter(|name| edition.has(name) && !edition.lists_as_missing(name))
            .collect();
        let splits = edition.splits(&names);
        let sizes = splits.into_iter().map(|(name, ids)| (name, ids.len()));
        (names.len(), sizes.collect())
    }

    fn named(sizes: [(&str, usize); 4]) -> Vec<(String, usize)> {
        sizes.map(|(name, size)| (name.to_owned(), size)).to_vec()
    }

    #[test]
    fn splits_have_the_official_sizes() {
        assert_eq!(
            counts(Edition::Ntu60),
            (
                56_578,
                named([
                    ("xsub_train", 40_091),
                    ("xsub_val", 16_487),
                    ("xview_train", 37_646),
                    ("xview_val", 18_932),
                ])
            )
        );
        assert_eq!(
            counts(Edition::Ntu120),
            (
                113_945,
                named([
                    ("xsub_train", 63_026),
                    ("xsub_val", 50_919),
                    ("xset_train", 54_468),
                    ("xset_val", 59_477),
                ])
            )
        );
    }

    #[test]
    fn the_missing_lists_name_official_samples() {
        let names: HashSet<Name> = all_names().into_iter().collect();
        assert_eq!(MISSING.len(), 535);
        assert!(MISSING.iter().all(|name| names.contains(name)));
        let of = |edition: Edition| MISSING.iter().filter(move |name| edition.has(name)).count();
        assert_eq!((of(Edition::Ntu60), of(Edition::Ntu120)), (302, 535));
    }
}
