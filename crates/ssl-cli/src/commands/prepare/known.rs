//! What is known of a pickle's clips besides the pickle: joints, units, class names.

use std::path::Path;

use skeleton_data::raw::pyskl::PysklFile;
use skeleton_data::{Sequence, Units};
use skeleton_datasets::Dataset;
use skeleton_graph::Layout;

use crate::args::PrepareArgs;
use crate::failure::{Failure, Outcome};

/// Refuses a file whose clips are not those of the layout or the data set.
pub fn fits(file: &PysklFile, layout: &Layout, facts: Option<&Dataset>) -> Outcome {
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
    Ok(())
}

/// As known or typed: a built-in layout, or a file.
pub fn layout(args: &PrepareArgs, facts: Option<&Dataset>) -> Outcome<Layout> {
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
            let message = "expected --dataset NAME or --layout NAME|FILE.toml: \
                           a pickle doesn't name its joints";
            return Err(Failure::usage(message)
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

/// As known or typed, else what such clips mostly have: pixels in the image, metres in space.
pub fn units(args: &PrepareArgs, facts: Option<&Dataset>, coordinates: usize) -> Outcome<Units> {
    let known = facts.and_then(|facts| Units::from_name(&facts.units));
    match (args.units.map(Units::from), known) {
        (Some(typed), Some(known)) if typed != known => {
            let message = format!(
                "--units {}: the units of this data set are {}",
                typed.name(),
                known.name()
            );
            Err(Failure::usage(message).hint("leave one of --dataset and --units out"))
        }
        (typed, known) => {
            let usual = if coordinates == 2 {
                Units::Pixel
            } else {
                Units::Metre
            };
            Ok(known.or(typed).unwrap_or(usual))
        }
    }
}

/// As a file names them, else as known, else their numbers.
pub fn classes(
    args: &PrepareArgs,
    facts: Option<&Dataset>,
    file: &PysklFile,
) -> Outcome<Vec<String>> {
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
        "{path}: clip {id:?}: expected a label below {names}, the number of classes, found {label}"
    ))
    .hint("is this the file of another data set, or a longer list of classes needed?")
}
