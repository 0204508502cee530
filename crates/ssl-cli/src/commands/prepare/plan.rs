//! What a cache will say about itself, from what was typed and what is known.

use std::path::Path;

use serde_json::json;
use skeleton_data::cache::CacheHeader;
use skeleton_data::raw::{RawFile, RawFormat, describe};
use skeleton_data::synthetic::{SyntheticKind, SyntheticSettings, synthetic};
use skeleton_data::{Sequence, Units};
use skeleton_datasets::{Dataset, Format};
use skeleton_graph::Layout;

use super::known::{classes, fits, layout, units};
use super::splits;
use crate::args::{AboutArgs, PrepareArgs};
use crate::failure::{Failure, Outcome};

/// Name of a set that isn't known.
const OWN: &str = "own";

/// What a cache will say about itself.
pub struct Plan {
    /// Its attributes.
    pub header: CacheHeader,
    /// The source's splits.
    pub splits: Vec<(String, Vec<String>)>,
    /// Whether splits follow from comparing clips.
    pub derives: bool,
}

/// What is known of the named data set.
pub fn facts(args: &AboutArgs) -> Outcome<Option<&'static Dataset>> {
    let Some(name) = &args.dataset else {
        return Ok(None);
    };
    let found = skeleton_datasets::find(name).ok_or_else(|| {
        let all = skeleton_datasets::all().iter();
        let known: Vec<&str> = all.map(|set| set.name.as_str()).collect();
        let known = known.join(", ");
        Failure::usage(format!(
            "--dataset {name}: no data set of this name; known are {known}"
        ))
        .hint("for a set of your own leave --dataset out and give --layout")
    })?;
    Ok(Some(found))
}

/// The file to read; none for the synthetic sets.
pub fn input<'a>(args: &'a PrepareArgs, facts: Option<&Dataset>) -> Outcome<Option<&'a Path>> {
    let synthetic = facts.is_some_and(|facts| facts.format == Format::Synthetic);
    match (&args.input, facts) {
        (None, _) if synthetic => Ok(None),
        (Some(path), _) if !synthetic => {
            if args.seed.is_some() {
                return Err(Failure::usage(
                    "--seed is of the synthetic sets; a file has nothing random",
                ));
            }
            Ok(Some(path))
        }
        (Some(path), Some(facts)) => Err(Failure::usage(format!(
            "--dataset {} is made from a seed; {} has no place in it",
            facts.name,
            path.display()
        ))),
        (_, Some(facts)) => {
            let url = facts
                .source
                .url
                .as_deref()
                .map_or(String::new(), |url| format!(": {url}"));
            Err(Failure::usage(format!(
                "--dataset {}: expected its file as INPUT",
                facts.name
            ))
            .hint(format!("{}{url}", facts.source.distribution)))
        }
        (_, None) => Err(Failure::usage("expected INPUT, a file of clips")
            .hint("without a file: --dataset synthetic makes clips from a seed")),
    }
}

impl Plan {
    /// The cache of a file.
    pub fn of_file(args: &AboutArgs, facts: Option<&Dataset>, file: &RawFile) -> Outcome<Plan> {
        let layout = layout(args, facts, file)?;
        let units = units(args, facts, file)?;
        fits(file, &layout, facts)?;
        let classes = classes(args, facts, file)?;
        let own = file.header().and_then(|header| header.dataset.as_deref());
        let dataset = facts.map_or(own.unwrap_or(OWN), |facts| &facts.name);
        let splits = file.splits().to_vec();
        if let Some((name, _)) = splits.iter().find(|(name, _)| name.contains('/')) {
            let path = file.path().display();
            let message = format!("{path}: split {name:?}: expected a name without `/`, found one");
            return Err(Failure::error(message)
                .hint("a split is named in commands and inside the cache: rename it in the file"));
        }
        let derives = splits::derives(&splits, facts);
        let mut rules = json!({
            "format": file.format(),
            "element_types": file.element_types(),
            "not_finite": "joints become missing, scores 0",
            "derived_splits": splits::rules(&splits, facts),
        });
        if file.format() == RawFormat::Npz {
            rules["people"] = "one all of whose coordinates are zero is absent".into();
            rules["padding"] = "frames of zeros at the end are left out".into();
        }
        let source = describe(&[file.path()], rules)?;
        Ok(Plan {
            header: header(dataset, layout, units, source, classes),
            splits,
            derives,
        })
    }

    /// The cache of a synthetic set, with its clips.
    pub fn of_synthetic(args: &PrepareArgs) -> Outcome<(Plan, Vec<Sequence>)> {
        for (flag, given) in [
            ("--layout", args.about.layout.is_some()),
            ("--units", args.about.units.is_some()),
            ("--classes", args.about.classes.is_some()),
        ] {
            if given {
                return Err(Failure::usage(format!(
                    "{flag} can't be chosen for a synthetic set"
                )));
            }
        }
        let name = args.about.dataset.as_deref().unwrap_or_default();
        let kind = [SyntheticKind::Coco17, SyntheticKind::Ntu25]
            .into_iter()
            .find(|kind| kind.dataset() == name);
        let kind = kind.ok_or_else(|| {
            Failure::error(format!("{name}: expected a set that the generator makes"))
        })?;
        let mut settings = SyntheticSettings::default();
        settings.seed = args.seed.unwrap_or(settings.seed);
        let made = synthetic(kind, &settings)?;
        let SyntheticSettings {
            subjects,
            repetitions,
            seed,
        } = settings;
        let rules = json!({
            "generator": name,
            "subjects": subjects,
            "repetitions": repetitions,
            "seed": seed,
        });
        let source = describe(&[], rules)?;
        let header = header(name, made.layout, made.units, source, made.classes);
        Ok((
            Plan {
                header,
                splits: made.splits,
                derives: false,
            },
            made.sequences,
        ))
    }
}

/// A cache's attributes, written by this version.
pub fn header(
    dataset: &str,
    layout: Layout,
    units: Units,
    source: serde_json::Value,
    classes: Vec<String>,
) -> CacheHeader {
    let created_by = concat!("ssl ", env!("CARGO_PKG_VERSION")).to_owned();
    CacheHeader {
        dataset: dataset.to_owned(),
        layout,
        units,
        source,
        classes,
        created_by,
    }
}
