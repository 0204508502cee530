//! `ssl represent`

use std::path::Path;

use serde::Serialize;
use strl::pca::plane;
use strl::probe::{Features, represent};

use crate::args::RepresentArgs;
use crate::checkpoint::{Kind, write_whole};
use crate::data::Data;
use crate::failure::{Failure, Outcome};
use crate::models::Opened;
use crate::outputs::vacant;
use crate::printer::Printer;
use crate::ranks::world;
use crate::report::{Group, count, percent, scatter};
use crate::signal::Interrupt;

/// Classes that are drawn unless others are asked for.
const DRAWN: usize = 5;

/// A line of the features' file.
#[derive(Serialize)]
struct Line<'a> {
    id: &'a str,
    label: Option<i64>,
    class: Option<&'a str>,
    /// None of a clip without anybody.
    feature: Option<&'a [f32]>,
}

/// Computes the features of a split's clips and writes or draws them.
pub fn run(args: &RepresentArgs, printer: &Printer, interrupt: &Interrupt) -> Outcome {
    let inputs = [args.checkpoint.as_path(), &args.data];
    vacant(args.out.iter().chain(&args.svg), &inputs, args.overwrite)?;
    let opened = Opened::any(&args.checkpoint)?;
    let kind = opened.checkpoint.meta.kind;
    let data = opened.data(&args.data)?;
    let clips = data.split(&args.split)?;
    asked_for(data.classes(), &args.classes)?;
    // A clip is represented once, not view by view.
    let feeds = opened.feeds(
        data.source(),
        Some(1),
        args.compute.machine,
        printer,
        interrupt,
    )?;
    let (shown, nobody) = feeds.shown(clips, printer)?;
    let feed = feeds.of(shown, None)?;
    let batches = feed.watched_batches(usize::from(args.compute.batch), printer, "representing");
    let facts = format!("{} {}", opened.origin.sha256, data.fingerprint().digest);
    world().same("checkpoint or data (digests)", &facts)?;
    let own = match kind {
        Kind::Pretrain => represent(
            &opened.pretrained(&opened.layout, &feeds.machine)?.1,
            batches,
        ),
        Kind::Finetune => strl::probe::of_classifier(&opened.classifier(&feeds.machine)?, batches),
    };
    let features = Features::of_ranks(world(), own).map_err(|error| world().failure(error))?;
    if !world().is_root() {
        return Ok(());
    }
    let mut said = vec![format!(
        "{} of {} {}: {} numbers each",
        count(features.len(), "clip"),
        data.dataset(),
        args.split,
        features.width
    )];
    if let Some(path) = &args.out {
        write_whole(path, lines(&features, &data, &nobody)?.as_bytes())?;
        said.push(format!("features: {}", path.display()));
    }
    if let Some(path) = &args.svg {
        let words = draw(&features, &data, args, kind, path)?;
        said.push(words);
        said.push(format!("drawn: {}", path.display()));
    }
    printer.document(&said.join("\n"))
}

fn lines(features: &Features, data: &Data, nobody: &[u32]) -> Outcome<String> {
    let classes = data.classes();
    let line = |id, label: Option<i64>, feature| Line {
        id,
        label,
        class: label.and_then(|label| Some(classes.get(label as usize)?.as_str())),
        feature,
    };
    let represented = features.ids.iter().enumerate().map(|(at, id)| {
        let label = Some(features.labels[at]).filter(|&label| label >= 0);
        line(id.as_str(), label, Some(features.row(at)))
    });
    let without = nobody.iter().map(|&clip| {
        let sample = data.sample(clip as usize);
        line(sample.id, sample.label.map(i64::from), None)
    });
    let mut all: Vec<Line> = represented.chain(without).collect();
    all.sort_by_key(|line| line.id);
    let mut text = String::new();
    for line in all {
        text += &serde_json::to_string(&line)?;
        text.push('\n');
    }
    Ok(text)
}

/// Draws some classes and says what share of their variance the plane holds.
fn draw(
    features: &Features,
    data: &Data,
    args: &RepresentArgs,
    kind: Kind,
    path: &Path,
) -> Outcome<String> {
    let classes = chosen(&features.labels, data.classes(), &args.classes)?;
    let shown: Vec<usize> = (0..features.len())
        .filter(|&at| classes.contains(&features.labels[at]))
        .collect();
    let rows: Vec<Vec<f32>> = shown.iter().map(|&at| features.row(at).to_vec()).collect();
    let plane = plane(&rows).ok_or_else(|| {
        let classes = count(classes.len(), "class");
        Failure::error(format!(
            "{classes}: expected clips that differ, found {}",
            count(shown.len(), "clip")
        ))
        .hint("choose classes of the split with --classes")
    })?;
    let group = |class: &i64| Group {
        name: data
            .classes()
            .get(*class as usize)
            .cloned()
            .unwrap_or_default(),
        places: shown
            .iter()
            .zip(&plane.places)
            .filter(|(at, _)| features.labels[**at] == *class)
            .map(|(_, place)| *place)
            .collect(),
    };
    let groups: Vec<Group> = classes.iter().map(group).collect();
    let trained = match kind {
        Kind::Pretrain => "frozen pre-trained encoder",
        Kind::Finetune => "fine-tuned classifier, before its last layer",
    };
    let title = format!("{} {}: representations", data.dataset(), args.split);
    let axes = [0, 1].map(|k| {
        format!(
            "principal component {} ({})",
            k + 1,
            percent(plane.shares[k])
        )
    });
    let facts = format!(
        "{trained}; {} of {}",
        count(shown.len(), "clip"),
        count(groups.len(), "class")
    );
    let svg = scatter(&title, &facts, [&axes[0], &axes[1]], &groups);
    write_whole(path, svg.as_bytes())?;
    Ok(format!(
        "the plane holds {} of the variance of {}",
        percent(plane.shares[0] + plane.shares[1]),
        count(shown.len(), "clip")
    ))
}

/// The classes to draw: those asked for, else those with most clips; of equally many the first.
fn chosen(labels: &[i64], names: &[String], wanted: &[String]) -> Outcome<Vec<i64>> {
    if !wanted.is_empty() {
        return asked_for(names, wanted);
    }
    let mut counts = vec![0usize; names.len()];
    for &label in labels.iter().filter(|&&label| label >= 0) {
        if let Some(count) = counts.get_mut(label as usize) {
            *count += 1;
        }
    }
    let mut order: Vec<usize> = (0..names.len())
        .filter(|&class| counts[class] > 0)
        .collect();
    order.sort_by_key(|&class| (std::cmp::Reverse(counts[class]), class));
    order.truncate(DRAWN);
    Ok(order.into_iter().map(|class| class as i64).collect())
}

/// Classes by their names, or by their numbers.
fn asked_for(names: &[String], wanted: &[String]) -> Outcome<Vec<i64>> {
    let find = |name: &String| {
        let number = name
            .parse()
            .ok()
            .filter(|&class: &usize| class < names.len());
        let class = names.iter().position(|known| known == name).or(number);
        class.map(|class| class as i64).ok_or_else(|| {
            let message = format!("--classes: expected the data's classes, found {name:?}");
            Failure::usage(message).hint(format!("the classes are {}", names.join(", ")))
        })
    };
    wanted.iter().map(find).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_classes_with_most_clips_are_drawn_or_those_asked_for() {
        let names: Vec<String> = ["a", "b", "c", "d", "e", "f", "2"]
            .map(str::to_owned)
            .to_vec();
        let labels = [0, 1, 1, 2, 3, 4, 5, 5, -1];
        assert_eq!(chosen(&labels, &names, &[]).unwrap(), [1, 5, 0, 2, 3]);
        let asked = |wanted: &[&str]| {
            let wanted: Vec<String> = wanted.iter().map(|&name| name.to_owned()).collect();
            chosen(&labels, &names, &wanted)
        };
        assert_eq!(asked(&["f", "0"]).unwrap(), [5, 0]);
        assert_eq!(asked(&["2"]).unwrap(), [6], "a name goes before a number");
        asked(&["x"]).unwrap_err().assert_says("\"x\"");
    }
}
