//! What a cache will say about itself, from what was typed and what is known.

use std::collections::BTreeMap;

use serde_json::json;
use skeleton_data::Units;
use skeleton_data::cache::CacheHeader;
use skeleton_data::raw::{Input, Meaning, RawFiles, RawFormat, describe};
use skeleton_data::synthetic::{Generator, SyntheticKind, SyntheticSettings};
use skeleton_datasets::{Dataset, Format};
use skeleton_graph::Layout;

use super::known::{class_names, classes, fits, layout, units};
use super::splits::TypedSplit;
use super::{labels, splits};
use crate::args::{AboutArgs, PrepareArgs};
use crate::failure::{Failure, Outcome};
use crate::printer::Printer;

/// Name of a set that isn't known.
const OWN: &str = "own";

/// What a cache will say about itself.
pub struct Plan {
    /// Its attributes.
    pub header: CacheHeader,
    /// The source's splits.
    pub splits: Vec<(String, Vec<String>)>,
    /// Those that were typed.
    pub typed: Vec<TypedSplit>,
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

/// Whether clips are made from a seed; otherwise there are inputs.
pub fn is_synthetic(
    args: &PrepareArgs,
    inputs: &[Input],
    facts: Option<&Dataset>,
) -> Outcome<bool> {
    let synthetic = facts.is_some_and(|facts| facts.format == Format::Synthetic);
    match (inputs.first(), facts) {
        (None, _) if synthetic => Ok(true),
        (Some(_), _) if !synthetic => match args.of_synthetic().iter().find(|(_, typed)| *typed) {
            Some((flag, _)) => Err(Failure::usage(format!(
                "{flag} is of the synthetic sets; a file has the clips that it has"
            ))
            .hint("leave it out, or make clips: --dataset synthetic")),
            None => Ok(false),
        },
        (Some(input), Some(facts)) => Err(Failure::usage(format!(
            "--dataset {} is made from a seed; {} has no place in it",
            facts.name,
            input.path.display()
        ))
        .hint("leave the file out, or --dataset")),
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

/// Opens files of clips, with the meaning and the labels that were typed.
pub fn open(
    args: &AboutArgs,
    facts: Option<&Dataset>,
    inputs: &[Input],
    skip: bool,
    printer: &Printer,
) -> Outcome<RawFiles> {
    let mut files = RawFiles::open(inputs, args.meaning(), skip)?;
    for error in files.skipped() {
        printer.warn(format!("left out: {error}"));
    }
    if let Some(path) = &args.labels {
        labels::apply(path, class_names(args, facts, &files)?, &mut files, printer)?;
    }
    Ok(files)
}

impl Plan {
    /// The cache of some files.
    pub fn of_files(args: &AboutArgs, facts: Option<&Dataset>, files: &RawFiles) -> Outcome<Plan> {
        let layout = layout(args, facts, files)?;
        let units = units(args, facts, files)?;
        fits(files, &layout, facts)?;
        let classes = classes(args, facts, files)?;
        let own = files.header().and_then(|header| header.dataset.as_deref());
        let dataset = facts.map_or(own.unwrap_or(OWN), |facts| &facts.name);
        let splits = files.splits().to_vec();
        if let Some((name, _)) = splits.iter().find(|(name, _)| name.contains('/')) {
            let path = files.name();
            let message = format!("{path}: split {name:?}: expected a name without `/`, found one");
            return Err(Failure::error(message)
                .hint("a split is named in commands and inside the cache: rename it in the file"));
        }
        let derives = splits::derives(&splits, facts);
        let format = match files.formats() {
            [one] => json!(one),
            several => json!(several),
        };
        let mut rules = json!({
            "format": format,
            "element_types": files.element_types(),
            "not_finite": "joints become missing, scores 0",
            "derived_splits": splits::rules(&splits, facts),
        });
        let formats = files.formats();
        if formats.contains(&RawFormat::Npz) || formats.contains(&RawFormat::StGcn) {
            rules["people"] = "one all of whose coordinates are zero is absent".into();
            rules["padding"] = "frames of zeros at the end are left out".into();
        }
        if formats.contains(&RawFormat::StGcn) {
            rules["repeats"] = "of a clip that begins again, the first time is kept".into();
        }
        if files.meaning() != &Meaning::default() {
            rules["numbers"] = json!(files.meaning());
        }
        if let Some(labels) = &args.labels {
            rules["labels"] = describe(&[labels], json!({}))?["files"][0].take();
        }
        let source = describe(&files.paths(), rules)?;
        Ok(Plan {
            header: header(dataset, layout, units, source, classes),
            splits,
            typed: Vec::new(),
            derives,
        })
    }

    /// Adds the splits that were typed, which are made once the clips are known.
    pub fn add_splits(&mut self, typed: Vec<TypedSplit>) -> Outcome {
        for split in &typed {
            if self.splits.iter().any(|(name, _)| *name == split.name) {
                let message = format!("--split {}: the file has a split of this name", split.name);
                return Err(Failure::usage(message).hint("choose another name"));
            }
        }
        if !typed.is_empty() {
            let rules = typed.iter().map(|split| (&split.name, &split.rule_text));
            let rules: BTreeMap<_, _> = rules.collect();
            self.header.source["rules"]["splits"] = json!(rules);
        }
        self.typed = typed;
        Ok(())
    }

    /// The cache of a synthetic set, with what makes its clips.
    pub fn of_synthetic(args: &PrepareArgs) -> Outcome<(Plan, Generator)> {
        let own = [
            ("--split", !args.split.is_empty()),
            ("--skip-bad", args.skip_bad),
        ];
        for (flag, given) in args.about.typed().into_iter().chain(own) {
            if given {
                let message = format!("{flag} can't be chosen for a synthetic set");
                return Err(Failure::usage(message).hint("leave it out"));
            }
        }
        let name = args.about.dataset.as_deref().unwrap_or_default();
        let kind = [SyntheticKind::Coco17, SyntheticKind::Ntu25]
            .into_iter()
            .find(|kind| kind.dataset() == name);
        let kind = kind.ok_or_else(|| {
            Failure::error(format!("{name}: expected a set that the generator makes"))
        })?;
        let (generator, mut rules) = generator(kind, args).map_err(|failure| {
            failure.hint("for example --clips 5000 --subjects 40 --pairs 0.25")
        })?;
        rules["generator"] = json!(name);
        let source = describe(&[], rules)?;
        let layout = generator.layout().clone();
        let header = header(name, layout, generator.units(), source, generator.classes());
        let plan = Plan {
            header,
            splits: generator.splits(),
            typed: Vec::new(),
            derives: false,
        };
        Ok((plan, generator))
    }
}

/// The set that was typed, and the numbers that it follows from.
fn generator(kind: SyntheticKind, args: &PrepareArgs) -> Outcome<(Generator, serde_json::Value)> {
    let usual = SyntheticSettings::default();
    let seed = args.seed.unwrap_or(usual.seed);
    let subjects = args.subjects.unwrap_or(usual.subjects);
    if args.clips.is_none() && args.pairs.is_none() {
        let settings = SyntheticSettings {
            subjects,
            seed,
            ..usual
        };
        let rules = json!({
            "subjects": subjects, "repetitions": settings.repetitions, "seed": seed,
        });
        return Ok((Generator::new(kind, &settings)?, rules));
    }
    let clips = args.clips.unwrap_or(960);
    let pairs = args.pairs.unwrap_or(0.125);
    let made = Generator::of_clips(kind, subjects, clips, pairs, seed)?;
    let rules = json!({ "subjects": subjects, "clips": clips, "pairs": pairs, "seed": seed });
    Ok((made, rules))
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
