//! Splits that were typed, and those that follow from others.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use skeleton_data::split::{ALL, stratified_holdout};
use skeleton_data::{Sequence, ValuesRef};
use skeleton_datasets::Dataset;

use super::labels::meant;
use crate::failure::{Failure, Outcome};
use crate::text::read_list;

/// A split as it was typed: `NAME=RULE`.
#[derive(Debug)]
pub struct TypedSplit {
    /// The split's name.
    pub name: String,
    /// Its rule, for the cache's record.
    pub rule_text: String,
    rule: Rule,
}

/// Which clips a split has.
#[derive(Clone, Debug, PartialEq)]
enum Rule {
    /// Those whose ids a file lists.
    Ids(PathBuf),
    /// Those of some subjects.
    Subjects(Numbers),
    /// Those of some cameras.
    Cameras(Numbers),
    /// A share of all, of each class.
    Share(f64),
    /// Those that no other typed split has.
    Rest,
}

/// Some numbers.
#[derive(Clone, Debug, PartialEq)]
enum Numbers {
    Odd,
    Even,
    Ranges(Vec<(u32, u32)>),
}

impl Numbers {
    fn parse(text: &str) -> Option<Numbers> {
        match text {
            "odd" => return Some(Numbers::Odd),
            "even" => return Some(Numbers::Even),
            _ => {}
        }
        let range = |part: &str| {
            let (low, high) = part.split_once('-').unwrap_or((part, part));
            let (low, high) = (low.trim().parse().ok()?, high.trim().parse().ok()?);
            (low <= high).then_some((low, high))
        };
        text.split(',')
            .map(range)
            .collect::<Option<_>>()
            .map(Numbers::Ranges)
    }

    fn contains(&self, number: u32) -> bool {
        match self {
            Numbers::Odd => !number.is_multiple_of(2),
            Numbers::Even => number.is_multiple_of(2),
            Numbers::Ranges(ranges) => ranges
                .iter()
                .any(|&(low, high)| (low..=high).contains(&number)),
        }
    }
}

/// What a typed split asks of a clip.
pub struct Clip {
    id: String,
    label: Option<u32>,
    subject: Option<u32>,
    camera: Option<u32>,
}

impl Clip {
    /// What `sequence` says.
    pub fn of(sequence: &Sequence) -> Clip {
        Clip {
            id: sequence.id.clone(),
            label: sequence.label,
            subject: sequence.subject,
            camera: sequence.camera,
        }
    }
}

impl TypedSplit {
    /// The file of its ids.
    pub fn file(&self) -> Option<&Path> {
        match &self.rule {
            Rule::Ids(path) => Some(path),
            _ => None,
        }
    }

    fn parse(text: &str) -> Outcome<TypedSplit> {
        let wrong = |expected: &str| {
            Failure::usage(format!("--split {text}: expected {expected}")).hint(
                "such as --split train=ids.txt, test=subject:2,4,6-9, val=share:0.2, train=rest",
            )
        };
        let (name, rule_text) = text.split_once('=').ok_or_else(|| wrong("NAME=RULE"))?;
        let is_name =
            !name.is_empty() && !name.contains('/') && !name.chars().any(char::is_control);
        if !is_name || name == ALL {
            return Err(wrong("a name without `/`, other than `all`"));
        }
        let numbers = |text| Numbers::parse(text).ok_or_else(|| wrong("numbers, odd or even"));
        let rule = match rule_text.split_once(':') {
            Some(("subject", list)) => Rule::Subjects(numbers(list)?),
            Some(("camera", list)) => Rule::Cameras(numbers(list)?),
            Some(("share", share)) => {
                let share = share
                    .parse()
                    .ok()
                    .filter(|share| *share > 0.0 && *share < 1.0);
                Rule::Share(share.ok_or_else(|| wrong("a share between 0 and 1"))?)
            }
            _ if rule_text == "rest" => Rule::Rest,
            _ if rule_text.is_empty() => return Err(wrong("a rule behind NAME=")),
            _ => Rule::Ids(rule_text.into()),
        };
        Ok(TypedSplit {
            name: name.to_owned(),
            rule_text: rule_text.to_owned(),
            rule,
        })
    }
}

/// Reads the splits that were typed, each name once.
pub fn typed(texts: &[String]) -> Outcome<Vec<TypedSplit>> {
    let mut typed: Vec<TypedSplit> = Vec::new();
    for text in texts {
        let split = TypedSplit::parse(text)?;
        if typed.iter().any(|other| other.name == split.name) {
            let message = format!("--split {text}: expected a name of its own, found it twice");
            return Err(Failure::usage(message).hint("one --split for each name"));
        }
        let is_rest = |split: &TypedSplit| split.rule == Rule::Rest;
        if is_rest(&split) && typed.iter().any(is_rest) {
            let message = format!("--split {text}: expected one rest, found it twice");
            return Err(Failure::usage(message).hint("what is left is one split"));
        }
        typed.push(split);
    }
    Ok(typed)
}

/// The clips of each typed split.
pub fn chosen(typed: &[TypedSplit], clips: &[Clip]) -> Outcome<Vec<(String, Vec<String>)>> {
    let mut splits: Vec<(String, Vec<String>)> = Vec::new();
    for split in typed {
        let ids = match &split.rule {
            Rule::Ids(path) => listed(path, clips)?,
            Rule::Subjects(numbers) => {
                let of = |clip: &Clip| clip.subject;
                numbered(split, clips, numbers, of)?
            }
            Rule::Cameras(numbers) => numbered(split, clips, numbers, |clip| clip.camera)?,
            Rule::Share(share) => shared(split, clips, &taken(&splits), *share)?,
            Rule::Rest => continue,
        };
        splits.push((split.name.clone(), ids));
    }
    if let Some(split) = typed.iter().find(|split| split.rule == Rule::Rest) {
        let taken = taken(&splits);
        let rest = clips.iter().map(|clip| &clip.id);
        let rest = rest.filter(|id| !taken.contains(id.as_str()));
        let rest = rest.cloned().collect();
        splits.push((split.name.clone(), rest));
    }
    if let Some((name, _)) = splits.iter().find(|(_, ids)| ids.is_empty()) {
        let message = format!("--split {name}: expected clips, found none");
        return Err(
            Failure::error(message).hint("`ssl inspect` shows the subjects and cameras of clips")
        );
    }
    Ok(splits)
}

/// The clips that are in a split.
fn taken(splits: &[(String, Vec<String>)]) -> HashSet<&str> {
    let ids = splits.iter().flat_map(|(_, ids)| ids);
    ids.map(String::as_str).collect()
}

/// Ids, one a line.
fn listed(path: &Path, clips: &[Clip]) -> Outcome<Vec<String>> {
    let text = read_list(path)?;
    let known: HashSet<&str> = clips.iter().map(|clip| clip.id.as_str()).collect();
    let mut seen = HashSet::new();
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    // A list of mmaction2's has a label behind the path.
    let first = |line: &str| line.split_whitespace().next().unwrap_or(line).to_owned();
    let id = |line: &str| {
        let found = meant(line, &known).map(str::to_owned);
        found
            .or_else(|| meant(&first(line), &known).map(str::to_owned))
            .unwrap_or_else(|| line.to_owned())
    };
    Ok(lines.map(id).filter(|id| seen.insert(id.clone())).collect())
}

/// The clips whose number is one of those.
fn numbered(
    split: &TypedSplit,
    clips: &[Clip],
    numbers: &Numbers,
    of: impl Fn(&Clip) -> Option<u32>,
) -> Outcome<Vec<String>> {
    if clips.iter().all(|clip| of(clip).is_none()) {
        let (name, rule) = (&split.name, &split.rule_text);
        let message = format!("--split {name}={rule}: no clip says its number");
        return Err(Failure::error(message).hint(
            "JSON lines have `subject` and `camera`, NTU's ids too; else --split NAME=FILE or NAME=share:0.2",
        ));
    }
    let is_one = |clip: &&Clip| of(clip).is_some_and(|number| numbers.contains(number));
    Ok(clips
        .iter()
        .filter(is_one)
        .map(|clip| clip.id.clone())
        .collect())
}

/// A share of all clips, of each class, out of those that are not `taken`; those without a label are a class of their own.
fn shared(
    split: &TypedSplit,
    clips: &[Clip],
    taken: &HashSet<&str>,
    share: f64,
) -> Outcome<Vec<String>> {
    let all = clips.len();
    let is_free = |clip: &&Clip| !taken.contains(clip.id.as_str());
    let clips: Vec<&Clip> = clips.iter().filter(is_free).collect();
    let share = share * all as f64 / clips.len().max(1) as f64;
    if share >= 1.0 {
        let (name, rule) = (&split.name, &split.rule_text);
        let free = clips.len();
        let message = format!(
            "--split {name}={rule}: expected a share of what no split before takes, {free} of {all} clips, found more"
        );
        return Err(Failure::usage(message).hint(format!("--split {name}=rest takes all of them")));
    }
    let labels: Vec<Option<u32>> = clips
        .iter()
        .map(|clip| clip.label.or(Some(u32::MAX)))
        .collect();
    // By the ids' order, so that the order of files changes nothing.
    let mut order: Vec<u32> = (0..clips.len() as u32).collect();
    order.sort_by_key(|&clip| &clips[clip as usize].id);
    let sorted: Vec<Option<u32>> = order.iter().map(|&clip| labels[clip as usize]).collect();
    let places: Vec<u32> = (0..clips.len() as u32).collect();
    let (_, held) = stratified_holdout(&sorted, &places, share, 0)?;
    let clip = |place: u32| &clips[order[place as usize] as usize];
    Ok(held
        .into_iter()
        .map(|place| clip(place).id.clone())
        .collect())
}

/// A split of a data set that its file may lack: the clips of `of` whose poses don't occur in
/// `without`.
struct Derived {
    dataset: &'static str,
    split: &'static str,
    of: &'static str,
    without: &'static str,
}

/// NW-UCLA leaks as it circulates: clips of the training views come again in the test view, byte
/// for byte.
const DERIVED: [Derived; 1] = [Derived {
    dataset: "nw_ucla",
    split: "xview_test_clean",
    of: "xview_test",
    without: "xview_train",
}];

/// The poses seen so far, by which copies of a clip are found.
#[derive(Default)]
pub struct Copies {
    poses: HashMap<String, [u8; 32]>,
}

impl Copies {
    /// Remembers a clip's poses.
    pub fn see(&mut self, clip: &Sequence) {
        let mut hasher = Sha256::new();
        for extent in [clip.persons, clip.frames, clip.joints, clip.coordinates] {
            hasher.update((extent as u64).to_le_bytes());
        }
        match clip.keypoints.view() {
            ValuesRef::F16(values) => values
                .iter()
                .for_each(|value| hasher.update(value.to_bits().to_le_bytes())),
            ValuesRef::F32(values) => values
                .iter()
                .for_each(|value| hasher.update(value.to_bits().to_le_bytes())),
        }
        self.poses.insert(clip.id.clone(), hasher.finalize().into());
    }

    /// The clips of `of` whose poses no clip of `without` has.
    fn without(&self, of: &[String], without: &[String]) -> Vec<String> {
        let seen: HashSet<_> = without.iter().filter_map(|id| self.poses.get(id)).collect();
        of.iter()
            .filter(|id| {
                self.poses
                    .get(*id)
                    .is_none_or(|poses| !seen.contains(poses))
            })
            .cloned()
            .collect()
    }
}

/// Whether the file of this data set lacks a split that can be derived.
pub fn derives(splits: &[(String, Vec<String>)], facts: Option<&Dataset>) -> bool {
    missing(splits, facts).next().is_some()
}

/// The rules by which they are derived, in words, for the cache's record.
pub fn rules(splits: &[(String, Vec<String>)], facts: Option<&Dataset>) -> Vec<String> {
    missing(splits, facts)
        .map(|rule| {
            format!(
                "{}: {} without the poses of {}",
                rule.split, rule.of, rule.without
            )
        })
        .collect()
}

/// The splits that the file lacks and that follow from its others.
pub fn derived(
    splits: &[(String, Vec<String>)],
    facts: Option<&Dataset>,
    copies: &Copies,
) -> Vec<(String, Vec<String>)> {
    let found = |name: &str| {
        splits
            .iter()
            .find(|(split, _)| split == name)
            .map(|(_, ids)| ids)
    };
    missing(splits, facts)
        .filter_map(|rule| {
            Some((
                rule.split.to_owned(),
                copies.without(found(rule.of)?, found(rule.without)?),
            ))
        })
        .collect()
}

fn missing(
    splits: &[(String, Vec<String>)],
    facts: Option<&Dataset>,
) -> impl Iterator<Item = &'static Derived> {
    let there = move |name: &str| splits.iter().any(|(split, _)| split == name);
    let dataset = facts.map(|facts| facts.name.clone());
    DERIVED.iter().filter(move |rule| {
        dataset.as_deref() == Some(rule.dataset)
            && !there(rule.split)
            && there(rule.of)
            && there(rule.without)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clip(id: &str, values: &[f32]) -> Sequence {
        crate::feed::tests::clip(id, [1, 1, 1, values.len()], values.to_vec())
    }

    fn known(id: &str, label: u32, subject: u32) -> Clip {
        Clip {
            id: id.into(),
            label: Some(label),
            subject: Some(subject),
            camera: None,
        }
    }

    fn of(texts: &[&str], clips: &[Clip]) -> Vec<(String, Vec<String>)> {
        let texts: Vec<String> = texts.iter().map(|&text| text.to_owned()).collect();
        chosen(&typed(&texts).unwrap(), clips).unwrap()
    }

    #[test]
    fn splits_are_of_subjects_shares_and_the_rest() {
        let clips: Vec<Clip> = (0..40)
            .map(|i| known(&format!("c{i:02}"), i % 4, i % 10))
            .collect();
        let splits = of(&["test=subject:odd", "train=rest"], &clips);
        assert!(
            splits[0]
                .1
                .iter()
                .all(|id| id[1..].parse::<u32>().unwrap() % 2 == 1)
        );
        assert_eq!((splits[0].1.len(), splits[1].1.len()), (20, 20));
        let splits = of(&["test=subject:1,3-4"], &clips);
        assert_eq!(splits[0].1.len(), 12);
        let splits = of(&["train=rest", "test=share:0.25"], &clips);
        let (name, test) = &splits[0];
        assert_eq!((name.as_str(), test.len()), ("test", 10));
        let (name, train) = &splits[1];
        assert_eq!((name.as_str(), train.len()), ("train", 30));
        assert!(test.iter().all(|id| !train.contains(id)));
        // The order of the clips changes nothing.
        let turned: Vec<Clip> = (0..40)
            .rev()
            .map(|i| known(&format!("c{i:02}"), i % 4, i % 10))
            .collect();
        assert_eq!(of(&["test=share:0.25"], &turned)[0].1, *test);
    }

    #[test]
    fn splits_that_say_nothing_are_refused() {
        for wrong in [
            "test",
            "=rest",
            "all=rest",
            "a/b=rest",
            "a=share:1.5",
            "a=subject:x",
            "a=",
        ] {
            assert!(typed(&[wrong.to_owned()]).is_err(), "{wrong}");
        }
        assert!(typed(&["a=rest".to_owned(), "a=share:0.5".to_owned()]).is_err());
        let clips = [known("a", 0, 1)];
        let cameras = typed(&["a=camera:1".to_owned()]).unwrap();
        assert!(chosen(&cameras, &clips).is_err());
    }

    #[test]
    fn the_clean_split_leaves_out_copies_of_training_clips_only() {
        let mut copies = Copies::default();
        for (id, values) in [
            ("a", [1.0, 2.0]),
            ("b", [1.0, 2.0]),
            ("c", [3.0, 4.0]),
            ("d", [3.0, 4.0]),
        ] {
            copies.see(&clip(id, &values));
        }
        let split = |name: &str, ids: &[&str]| {
            (
                name.to_owned(),
                ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>(),
            )
        };
        let splits = [
            split("xview_train", &["a"]),
            split("xview_test", &["b", "c", "d"]),
        ];
        let facts = skeleton_datasets::find("nw_ucla");
        assert!(derives(&splits, facts));
        assert_eq!(
            derived(&splits, facts, &copies),
            [split("xview_test_clean", &["c", "d"])]
        );
        assert!(!derives(&splits, skeleton_datasets::find("jhmdb14")));
        assert!(!derives(
            &[splits.to_vec(), vec![split("xview_test_clean", &[])]].concat(),
            facts
        ));
    }
}
