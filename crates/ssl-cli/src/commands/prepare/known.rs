//! What is known of clips besides their file: joints, units, class names.

use std::path::Path;

use skeleton_data::Units;
use skeleton_data::raw::RawFiles;
use skeleton_datasets::Dataset;
use skeleton_graph::Layout;

use crate::args::AboutArgs;
use crate::failure::{Failure, Outcome};
use crate::text::read_text;

/// Refuses a file whose clips are not those of the layout or the data set.
pub fn fits(file: &RawFiles, layout: &Layout, facts: Option<&Dataset>) -> Outcome {
    let name = file.name();
    if file.is_empty() {
        return Err(
            Failure::error(format!("{name}: expected clips, found none"))
                .hint("is this the whole file? compare its size with the source's"),
        );
    }
    if !(2..=3).contains(&file.coordinates()) {
        let found = file.coordinates();
        let message = format!("{name}: expected 2 or 3 coordinates a joint, found {found} numbers");
        return Err(Failure::error(message)
            .hint("say what they are, such as --columns x,y,z,score, or x,y,-,score"));
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
            true => "give the file's own layout, --layout FILE.toml; `ssl layout coco17 > FILE.toml` makes one to start from".to_owned(),
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

/// As the file says, as known or as typed: a built-in layout, or a file.
pub fn layout(args: &AboutArgs, facts: Option<&Dataset>, file: &RawFiles) -> Outcome<Layout> {
    match (chosen(args, facts)?, file.layout().cloned()) {
        (Some(chosen), Some(said)) if chosen != said => {
            let (name, file) = (chosen.name(), file.name());
            let message = format!("layout {name}: the layout of {file} is {}", said.name());
            Err(Failure::usage(message).hint("leave --dataset and --layout out"))
        }
        (Some(layout), _) | (None, Some(layout)) => Ok(layout),
        (None, None) => {
            let message = format!(
                "expected --dataset NAME or --layout NAME|FILE.toml: {} doesn't name its joints",
                file.name()
            );
            Err(Failure::usage(message)
                .hint(format!("built-in layouts: {}", Layout::BUILT_IN.join(", "))))
        }
    }
}

/// As known or typed.
fn chosen(args: &AboutArgs, facts: Option<&Dataset>) -> Outcome<Option<Layout>> {
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
        (None, None) => return Ok(None),
    };
    if !name.ends_with(".toml") {
        return Layout::built_in(name).map(Some).map_err(|_| {
            let known = Layout::BUILT_IN.join(", ");
            let message =
                format!("--layout {name}: expected a built-in layout, or a file in .toml");
            Failure::error(message).hint(format!(
                "built-in are {known}; `ssl layout coco17 > FILE.toml` makes one to start from"
            ))
        });
    }
    let path = Path::new(name);
    let text = read_text(path)?;
    Ok(Some(Layout::from_toml(&text, name)?))
}

/// As the file says, as known or typed, else what such clips mostly have: pixels in the image, metres
/// in space.
pub fn units(args: &AboutArgs, facts: Option<&Dataset>, file: &RawFiles) -> Outcome<Units> {
    let known = facts.and_then(|facts| Units::from_name(&facts.units));
    let said = file.header().and_then(|header| header.units);
    let differ = |typed: &str, whose: &str, theirs: Units| {
        let message = format!("{typed}: the units of {whose} are {}", theirs.name());
        Err(Failure::usage(message)
            .hint("leave --units out, and --dataset where the file is of another set"))
    };
    let typed = args.units.map(Units::from);
    match (typed, known) {
        (Some(typed), Some(known)) if typed != known => {
            return differ(&format!("--units {}", typed.name()), "this data set", known);
        }
        _ => {}
    }
    match (typed.or(known), said) {
        (Some(chosen), Some(said)) if chosen != said => {
            let file = file.name().to_string();
            differ(&format!("units {}", chosen.name()), &file, said)
        }
        (Some(units), _) | (None, Some(units)) => Ok(units),
        (None, None) if file.coordinates() == 2 => Ok(Units::Pixel),
        (None, None) => Ok(Units::Metre),
    }
}

/// The names that a file or the data set gives to classes, in the order of the labels; none where they are numbers.
pub fn class_names(
    args: &AboutArgs,
    facts: Option<&Dataset>,
    file: &RawFiles,
) -> Outcome<Option<Vec<String>>> {
    if let Some(path) = &args.classes {
        let text = read_text(path)?;
        let names: Vec<String> = text
            .trim_end()
            .lines()
            .map(|line| line.trim().to_owned())
            .collect();
        if let Some(line) = names.iter().position(String::is_empty) {
            let message = format!(
                "{}: line {}: expected a class's name, found none",
                path.display(),
                line + 1
            );
            return Err(
                Failure::error(message).hint("line n is the name of class n, counted from 0 here")
            );
        }
        return Ok(Some(names));
    }
    let known = facts.map(|facts| &facts.classes);
    let own = file.class_names();
    let names = known.filter(|names| !names.is_empty());
    let names = names.map_or(own, |names| &names[..]);
    Ok((!names.is_empty()).then(|| names.to_vec()))
}

/// The names, or the numbers of the labels; every label has one.
pub fn classes(args: &AboutArgs, facts: Option<&Dataset>, file: &RawFiles) -> Outcome<Vec<String>> {
    let numbers = || (0..file.classes()).map(|class| class.to_string()).collect();
    let names = class_names(args, facts, file)?.unwrap_or_else(numbers);
    if file.classes() > names.len() {
        return Err(unnamed(file, names.len()));
    }
    Ok(names)
}

/// The first clip whose label is not one of so many names.
fn unnamed(file: &RawFiles, names: usize) -> Failure {
    let path = file.name();
    let refused = |id: &str, label: usize| {
        Failure::error(format!(
            "{path}: clip {id:?}: expected a label below {names}, the number of classes, found {label}"
        ))
        .hint("is this the file of another data set, or a longer list of classes needed?")
    };
    let found = file.each(|clip| match clip.label {
        Some(label) if label as usize >= names => Err(refused(&clip.id, label as usize)),
        _ => Ok(()),
    });
    found
        .err()
        .unwrap_or_else(|| refused("", file.classes() - 1))
}
