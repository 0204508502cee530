//! What a cache will say about itself, from what was typed and what is known.

use std::path::Path;

use serde_json::json;
use skeleton_data::cache::CacheHeader;
use skeleton_data::raw::pyskl::PysklFile;
use skeleton_data::raw::source::describe;
use skeleton_data::synthetic::{SyntheticKind, SyntheticSettings, synthetic};
use skeleton_data::{Sequence, Units};
use skeleton_datasets::{Dataset, Format};
use skeleton_graph::Layout;

use super::splits;
use crate::args::PrepareArgs;
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
pub fn facts(args: &PrepareArgs) -> Outcome<Option<&'static Dataset>> {
    let Some(name) = &args.dataset else {
        return Ok(None);
    };
    let found = skeleton_datasets::find(name).ok_or_else(|| {
        let names: Vec<&str> = skeleton_datasets::all().iter().map(|set| set.name.as_str()).collect();
        Failure::usage(format!("--dataset {name}: no data set of this name; known are {}", names.join(", ")))
            .hint("for a set of your own leave --dataset out and give --layout, and --units and --classes if they are known")
    })?;
    Ok(Some(found))
}

/// The pickle to read; none for the synthetic sets.
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
        (_, None) => Err(Failure::usage("expected INPUT, a pyskl pickle")
            .hint("without a file: --dataset synthetic makes clips from a seed")),
    }
}

impl Plan {
    /// The cache of a pickle.
    pub fn of_pickle(
        args: &PrepareArgs,
        facts: Option<&Dataset>,
        file: &PysklFile,
    ) -> Outcome<Plan> {
        let layout = layout(args, facts)?;
        let units = units(args, facts, file.coordinates());
        let name = file.path().display();
        if file.is_empty() {
            return Err(
                Failure::error(format!("{name}: expected clips, found none"))
                    .hint("is this the whole file? compare its size with the source's"),
            );
        }
        if file.joints() != layout.len() {
            let message = format!(
                "{name}: expected the {} joints of layout {}, found {}",
                layout.len(),
                layout.name(),
                file.joints()
            );
            let fitting: Vec<String> = Layout::BUILT_IN
                .iter()
                .filter_map(|name| Layout::built_in(name).ok())
                .filter(|layout| layout.len() == file.joints())
                .map(|layout| layout.name().to_owned())
                .collect();
            return Err(Failure::error(message).hint(match fitting.is_empty() {
                true => "give the file's own layout: --layout FILE.toml".to_owned(),
                false => format!(
                    "layouts of {} joints: {}",
                    file.joints(),
                    fitting.join(", ")
                ),
            }));
        }
        if let Some(facts) = facts.filter(|facts| facts.coordinates != file.coordinates()) {
            let message = format!(
                "{name}: expected the {} coordinates of {}, found {}",
                facts.coordinates,
                facts.name,
                file.coordinates()
            );
            return Err(Failure::error(message).hint("is this the file of another data set?"));
        }
        let classes = classes(args, facts, file)?;
        let dataset = facts.map_or(OWN, |facts| &facts.name);
        let splits = file.splits().to_vec();
        let derives = splits::derives(&splits, facts);
        let rules = json!({
            "format": "pyskl",
            "element_types": file.element_types(),
            "not_finite": "joints become missing, scores 0",
            "derived_splits": derives,
        });
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
            ("--layout", args.layout.is_some()),
            ("--units", args.units.is_some()),
            ("--classes", args.classes.is_some()),
        ] {
            if given {
                return Err(Failure::usage(format!(
                    "{flag} can't be chosen for a synthetic set"
                )));
            }
        }
        let name = args.dataset.as_deref().unwrap_or_default();
        let kind = [SyntheticKind::Coco17, SyntheticKind::Ntu25]
            .into_iter()
            .find(|kind| kind.dataset() == name);
        let kind = kind.ok_or_else(|| {
            Failure::error(format!("{name}: expected a set that the generator makes"))
        })?;
        let mut settings = SyntheticSettings::default();
        settings.seed = args.seed.unwrap_or(settings.seed);
        let made = synthetic(kind, &settings)?;
        let rules = json!({ "generator": name, "subjects": settings.subjects, "repetitions": settings.repetitions, "seed": settings.seed });
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

fn header(
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

fn layout(args: &PrepareArgs, facts: Option<&Dataset>) -> Outcome<Layout> {
    let name = match (&args.layout, facts) {
        (None, Some(facts)) => &facts.layout,
        (Some(name), None) => name,
        (Some(name), Some(facts)) if *name == facts.layout => name,
        (Some(name), Some(facts)) => {
            return Err(Failure::usage(format!(
                "--layout {name}: {} has the layout {}",
                facts.name, facts.layout
            ))
            .hint("leave one of --dataset and --layout out"));
        }
        (None, None) => {
            return Err(Failure::usage("expected --dataset NAME or --layout NAME|FILE.toml: a pickle doesn't say what its joints are")
                .hint(format!("built-in layouts: {}", Layout::BUILT_IN.join(", "))));
        }
    };
    if !name.ends_with(".toml") {
        return Layout::built_in(name).map_err(|error| {
            Failure::from(error).hint("a layout of your own is a file: --layout FILE.toml")
        });
    }
    let path = Path::new(name);
    let text = std::fs::read_to_string(path).map_err(Failure::io(path))?;
    Ok(Layout::from_toml(&text, name)?)
}

/// As typed, else as known, else what such clips mostly have: pixels in the image, metres in space.
fn units(args: &PrepareArgs, facts: Option<&Dataset>, coordinates: usize) -> Units {
    let usual = if coordinates == 2 {
        Units::Pixel
    } else {
        Units::Metre
    };
    let known = facts.and_then(|facts| Units::from_name(&facts.units));
    args.units.map(Units::from).or(known).unwrap_or(usual)
}

/// As a file names them, else as known, else their numbers.
fn classes(args: &PrepareArgs, facts: Option<&Dataset>, file: &PysklFile) -> Outcome<Vec<String>> {
    let names: Vec<String> = match (&args.classes, facts) {
        (Some(path), _) => {
            let text = std::fs::read_to_string(path).map_err(Failure::io(path))?;
            text.lines()
                .map(|line| line.trim().to_owned())
                .filter(|line| !line.is_empty())
                .collect()
        }
        (None, Some(facts)) if !facts.classes.is_empty() => facts.classes.clone(),
        _ => (0..file.classes()).map(|class| class.to_string()).collect(),
    };
    if file.classes() > names.len() {
        return Err(beyond(file, names.len()));
    }
    Ok(names)
}

/// The first clip whose label has no name.
fn beyond(file: &PysklFile, names: usize) -> Failure {
    let path = file.path().display();
    let unnamed = |clip: &Sequence| clip.label.is_some_and(|label| label as usize >= names);
    let clip = file.sequences().filter_map(Result::ok).find(unnamed);
    let (id, label) = clip.map_or((String::new(), file.classes() - 1), |clip| {
        (clip.id, clip.label.map_or(0, |label| label as usize))
    });
    Failure::error(format!(
        "{path}: clip {id:?}: expected a label below {names}, the number of class names, found {label}"
    ))
    .hint("is this the file of another data set, or a longer list of classes needed?")
}
