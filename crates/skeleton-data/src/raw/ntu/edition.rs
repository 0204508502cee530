//! NTU RGB+D 60 and 120: what a sample's name says, their actions, official splits, and samples without skeletons.

use std::collections::HashSet;
use std::fmt;
use std::sync::LazyLock;

use serde::Serialize;

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

/// The five numbers of a sample's name, `SsssCcccPpppRrrrAaaa`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name {
    /// S: the setup of the cameras (their height and distance).
    pub setup: u32,
    /// C: the camera, 1 to 3.
    pub camera: u32,
    /// P: the person who performs.
    pub person: u32,
    /// R: the first or second performance.
    pub replication: u32,
    /// A: the action, from 1.
    pub action: u32,
}

impl Name {
    /// Reads a name without folder and ending.
    pub fn parse(text: &str) -> Option<Name> {
        let text = text.as_bytes();
        if text.len() != 20 {
            return None;
        }
        let mut numbers = [0; 5];
        for ((chunk, letter), number) in text.chunks_exact(4).zip(b"SCPRA").zip(&mut numbers) {
            if chunk[0] != *letter || !chunk[1..].iter().all(u8::is_ascii_digit) {
                return None;
            }
            *number = chunk[1..]
                .iter()
                .fold(0, |n, digit| n * 10 + u32::from(digit - b'0'));
        }
        let [setup, camera, person, replication, action] = numbers;
        Some(Name {
            setup,
            camera,
            person,
            replication,
            action,
        })
    }

    /// The class: actions count from 1, labels from 0. None for action 0, which there isn't.
    pub fn label(&self) -> Option<u32> {
        self.action.checked_sub(1)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "S{:03}C{:03}P{:03}R{:03}A{:03}",
            self.setup, self.camera, self.person, self.replication, self.action
        )
    }
}

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

    #[test]
    fn a_name_gives_its_numbers_and_comes_back() {
        let name = Name::parse("S017C003P008R002A060").unwrap();
        assert_eq!((name.setup, name.camera, name.person), (17, 3, 8));
        assert_eq!((name.replication, name.action), (2, 60));
        assert_eq!(name.label(), Some(59));
        assert_eq!(name.to_string(), "S017C003P008R002A060");
    }

    #[test]
    fn other_names_are_none() {
        for text in [
            "",
            "S017C003P008R002A06",
            "S017C003P008R002A0600",
            "s017C003P008R002A060",
            "S017C003P008R002A+60",
            "S017P003C008R002A060",
            "S01éC003P008R002A060",
        ] {
            assert_eq!(Name::parse(text), None, "{text}");
        }
    }
}
