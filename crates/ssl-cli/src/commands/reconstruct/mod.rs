//! `ssl reconstruct`

mod drawing;

use skeleton_graph::random::{Key, Purpose, stream};
use skeletonmae::TrackBatch;
use skeletonmae::reconstruct::Picture;

use self::drawing::Drawing;
use super::inspect::clip::find;
use crate::args::ReconstructArgs;
use crate::checkpoint::{Kind, write_whole};
use crate::data::Data;
use crate::failure::{Failure, Outcome};
use crate::feed::Feed;
use crate::models::Opened;
use crate::outputs::vacant;
use crate::printer::Printer;
use crate::signal::Interrupt;

/// Hides joints of one clip, puts them back, and shows both.
pub fn run(args: &ReconstructArgs, printer: &Printer, interrupt: &Interrupt) -> Outcome {
    vacant(&args.svg, &[&args.checkpoint, &args.data], args.overwrite)?;
    let opened = Opened::read(&args.checkpoint, Kind::Pretrain)?;
    let data = opened.data(&args.data)?;
    let index = clip(args, &data)?;
    let id = data.cache().sample(index).id.to_owned();
    let hidden = hidden(args, &opened, &id)?;
    let feeds = opened.feeds(
        data.source(),
        Some(1),
        args.machine.start(printer)?,
        interrupt,
    )?;
    let (_, model) = opened.autoencoder(&feeds.machine)?;
    let batch = read(&feeds.of(vec![index as u32], None)?)?;
    let picture = Picture::new(&model, data.layout(), &batch, &hidden)?;
    let truth: Vec<f32> = batch.keypoints.flatten_all()?.to_vec1()?;
    let drawing = Drawing {
        data: &data,
        index,
        id: &id,
        batch: &batch,
        hidden: &hidden,
        truth: &truth,
        picture: &picture,
        class: class(&data, index),
    };
    if let Some(path) = &args.svg {
        let facts = drawing.facts();
        write_whole(path, drawing.svg(args, &feeds.reading, &facts)?.as_bytes())?;
    }
    if args.json {
        return printer.json(&drawing.document()?);
    }
    let mut said = vec![format!("{id}: {}", drawing.facts())];
    said.extend(
        args.svg
            .iter()
            .map(|path| format!("drawn: {}", path.display())),
    );
    printer.document(&said.join("\n"))
}

/// The clip asked for, or the first of a split.
fn clip(args: &ReconstructArgs, data: &Data) -> Outcome<usize> {
    match (&args.clip, &args.split) {
        (Some(wanted), _) => find(data.cache(), wanted),
        (None, split) => {
            let split = split.as_deref().unwrap_or_default();
            // A split without clips was refused when it was looked up.
            Ok(data
                .split(split)?
                .first()
                .map_or(0, |&index| index as usize))
        }
    }
}

fn class(data: &Data, index: usize) -> Option<&str> {
    let label = data.cache().sample(index).label?;
    Some(data.classes().get(label as usize)?.as_str())
}

/// (v): the parts asked for, or a draw of the mask that the model was trained by.
fn hidden(args: &ReconstructArgs, opened: &Opened, id: &str) -> Outcome<Vec<bool>> {
    let layout = &opened.layout;
    let refuse = |message: String| {
        let names: Vec<&str> = layout
            .parts()
            .iter()
            .map(|part| part.name.as_str())
            .collect();
        Failure::usage(message).hint(format!(
            "the parts of {} are {}",
            layout.name(),
            names.join(", ")
        ))
    };
    if args.parts.is_empty() {
        let mask = &opened.reconstruction()?.mask;
        return Ok(mask.draw(layout, &mut stream(0, Purpose::Mask, 0, Key::Clip(id))));
    }
    let mut hidden = vec![false; layout.len()];
    for name in &args.parts {
        let part = layout.parts().iter().find(|part| part.name == *name);
        let part = part.ok_or_else(|| {
            refuse(format!(
                "--parts: expected parts of the layout, found {name:?}"
            ))
        })?;
        part.joints.iter().for_each(|&joint| hidden[joint] = true);
    }
    match hidden.iter().all(|&hidden| hidden) {
        true => Err(refuse(
            "--parts: expected to leave a joint, found all of them".to_owned(),
        )),
        false => Ok(hidden),
    }
}

/// The one clip of a feed, as the model reads it.
fn read(feed: &Feed) -> Outcome<TrackBatch> {
    let batch = feed.batches(1).next();
    let batch = batch.ok_or_else(|| Failure::error("expected a clip, found none"))?;
    let batch = batch.map_err(skeletonmae::Error::Data)?;
    if batch.track_clip.is_empty() {
        let message = format!("{}: expected a person, found none", batch.ids.join(""));
        return Err(Failure::error(message).hint("choose another clip"));
    }
    Ok(batch)
}
