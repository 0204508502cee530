//! What is known of a public data set against what a file holds.

use skeleton_data::ClipSource;
use skeleton_data::cache::Cache;
use skeleton_datasets::Dataset;

/// Where numbers of clips differ from what is known, a sentence each; `splits` are names with numbers.
pub fn counts(facts: &Dataset, clips: usize, splits: &[(String, usize)]) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(expected) = facts.clips.filter(|&expected| expected != clips) {
        found.push(format!(
            "{} has {expected} clips; {clips} were found",
            facts.title
        ));
    }
    for split in &facts.splits {
        let clips = splits
            .iter()
            .find(|(name, _)| *name == split.name)
            .map(|(_, clips)| *clips);
        match (clips, split.clips) {
            (None, _) => found.push(format!(
                "{} has a split {}; this file has none of that name",
                facts.title, split.name
            )),
            (Some(clips), Some(expected)) if clips != expected => {
                found.push(format!(
                    "split {} of {} has {expected} clips; {clips} were found",
                    split.name, facts.title
                ));
            }
            _ => {}
        }
    }
    found
}

/// Where a cache differs from what is known of its data set, a sentence each; `None` where nothing is known of it.
pub fn differences(cache: &Cache) -> Option<(&'static Dataset, Vec<String>)> {
    let facts = skeleton_datasets::find(cache.dataset())?;
    let splits: Vec<(String, usize)> = cache
        .splits()
        .map(|(name, clips)| (name.to_owned(), clips))
        .collect();
    let mut found = counts(facts, cache.len(), &splits);
    let mut compare = |what: &str, expected: &dyn ToString, have: &dyn ToString| {
        let (expected, have) = (expected.to_string(), have.to_string());
        if expected != have {
            found.push(format!(
                "{what} of {}: expected {expected}, found {have}",
                facts.title
            ));
        }
    };
    compare("layout", &facts.layout, &cache.layout().name());
    compare("units", &facts.units, &cache.units().name());
    compare("coordinates", &facts.coordinates, &cache.coordinates());
    if !facts.classes.is_empty() {
        compare(
            "number of classes",
            &facts.classes.len(),
            &cache.classes().len(),
        );
        let renamed = facts
            .classes
            .iter()
            .zip(cache.classes())
            .enumerate()
            .find(|(_, (ours, theirs))| ours != theirs);
        if let Some((class, (known, have))) = renamed {
            found.push(format!(
                "class {class} of {}: expected {known:?}, found {have:?}",
                facts.title
            ));
        }
    }
    for (name, _) in splits
        .iter()
        .filter(|(name, _)| facts.split(name).is_none())
    {
        found.push(format!("split {name:?} is not one of {}'s", facts.title));
    }
    Some((facts, found))
}

/// What is known of a data set, of what [`differences`] compares.
pub fn known(facts: &Dataset) -> Vec<&'static str> {
    let counted = facts.splits.iter().any(|split| split.clips.is_some());
    let known = [
        ("number of clips", facts.clips.is_some()),
        ("splits", !facts.splits.is_empty()),
        ("their numbers of clips", counted),
        ("classes", !facts.classes.is_empty()),
        ("layout", true),
        ("units", true),
    ];
    known
        .into_iter()
        .filter(|(_, known)| *known)
        .map(|(what, _)| what)
        .collect()
}
