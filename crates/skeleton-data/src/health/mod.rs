//! What would make training on a data set fail, or its results lie.
//!
//! [`Survey`] reads the clips once; [`examine`] draws conclusions from it, from labels and subjects, and from splits. Clips are copies of each
//! other when persons, frames and the stored bytes of their coordinates are equal; near copies are not looked for.

mod clips;
mod finding;
mod splits;

use serde::Serialize;

pub use self::finding::{Finding, Kind, Place, Severity};
pub use self::splits::usual_pairs;
use crate::reading::Reading;
use crate::survey::Survey;
use crate::{ClipSource, Error, Result, Units};

/// What is known of a data set besides its coordinates.
#[derive(Clone, Debug)]
pub struct Catalogue<'a> {
    /// The class of each clip.
    pub labels: Vec<Option<u32>>,
    /// The subject of each clip, where the source knows it.
    pub subjects: Vec<Option<u32>>,
    /// Class names by label.
    pub classes: &'a [String],
    /// What the coordinates are measured in.
    pub units: Units,
    /// Clips by split.
    pub splits: Vec<(&'a str, &'a [u32])>,
    /// How clips will be read.
    pub reading: Reading,
}

/// A split by numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SplitFacts {
    /// Its name.
    pub name: String,
    /// Clips.
    pub clips: usize,
    /// Clips without a label.
    pub unlabelled: usize,
    /// Classes that occur.
    pub classes: usize,
    /// The most frequent class (of equal ones the smallest) and its share of the labelled clips; none without labels.
    pub majority: Option<Majority>,
}

/// The most frequent class.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Majority {
    /// The class.
    pub class: u32,
    /// Its share of the labelled clips, or of those of a test split: what always guessing it gets right.
    pub share: f64,
}

/// A split to train on with one to test on, by numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PairFacts {
    /// The split to train on.
    pub train: String,
    /// The split to test on.
    pub test: String,
    /// The most frequent class of training, with its share of the test split.
    pub baseline: Option<Majority>,
    /// Test clips that are training clips, by name or by their coordinates.
    pub leaked: usize,
}

/// What an examination says.
#[derive(Clone, Debug, PartialEq)]
pub struct Health {
    /// What is wrong or worth knowing, the most serious first.
    pub findings: Vec<Finding>,
    /// The splits.
    pub splits: Vec<SplitFacts>,
    /// The pairs that were examined.
    pub pairs: Vec<PairFacts>,
}

impl Health {
    /// Whether something is found that makes training fail or results lie.
    pub fn is_ill(&self) -> bool {
        let mut findings = self.findings.iter();
        findings.any(|finding| finding.severity == Severity::Error)
    }
}

#[cfg(feature = "hdf5")]
impl<'a> Catalogue<'a> {
    /// What a cache says of its clips.
    pub fn of(cache: &'a crate::cache::Cache) -> Catalogue<'a> {
        let splits = cache.splits();
        let splits = splits.filter_map(|(name, _)| Some((name, cache.split(name).ok()?)));
        let subject = |clip| cache.sample(clip).subject;
        Catalogue {
            labels: cache.labels(),
            subjects: (0..cache.len()).map(subject).collect(),
            classes: cache.classes(),
            units: cache.units(),
            splits: splits.collect(),
            reading: Reading::default(),
        }
    }
}

/// Examines the clips of `source`, which `survey` has measured; `pairs` are names of splits, one to train on and one to test on.
///
/// # Errors
/// A pair that names a split the catalogue doesn't have; a survey or catalogue of other clips; a clip that can't be read again
/// to compare it with its copy.
pub fn examine(
    source: &dyn ClipSource,
    survey: &Survey,
    catalogue: &Catalogue<'_>,
    pairs: &[(String, String)],
) -> Result<Health> {
    check(source, survey, catalogue)?;
    let copies = clips::Copies::find(source, survey)?;
    let mut findings = clips::findings(survey, catalogue);
    findings.extend(clips::sizes(survey, catalogue));
    findings.extend(clips::more_people(source, survey, &catalogue.reading)?);
    findings.extend(copies.findings(catalogue));
    if catalogue.splits.is_empty() && !survey.clips.is_empty() {
        findings.push(Finding::new(Kind::NoSplits, "no split".to_owned()));
    }
    findings.extend(splits::classes_without_clips(catalogue));
    let mut facts = Vec::new();
    for &(name, clips) in &catalogue.splits {
        facts.push(splits::facts(name, clips, catalogue));
        findings.extend(splits::findings(name, clips, catalogue));
    }
    let mut pair_facts = Vec::new();
    for (train, test) in pairs {
        let (pair, found) = splits::examine_pair(catalogue, &copies, train, test)?;
        pair_facts.push(pair);
        findings.extend(found);
    }
    // Stable: within a severity they stay in the order of the examination.
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    Ok(Health {
        findings,
        splits: facts,
        pairs: pair_facts,
    })
}

/// Refuses facts of other clips than the source's.
fn check(source: &dyn ClipSource, survey: &Survey, catalogue: &Catalogue<'_>) -> Result<()> {
    let clips = source.len();
    let same = |name: &str, found: usize| match found == clips {
        true => Ok(()),
        false => {
            let expected = format!("{clips}, the number of clips");
            Err(Error::setting(name, expected, found))
        }
    };
    same("survey.clips", survey.clips.len())?;
    same("catalogue.labels", catalogue.labels.len())?;
    same("catalogue.subjects", catalogue.subjects.len())?;
    for (name, indices) in &catalogue.splits {
        if let Some(index) = indices.iter().find(|&&index| index as usize >= clips) {
            let name = format!("split {name}");
            return Err(Error::setting(&name, format!("clips below {clips}"), index));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
