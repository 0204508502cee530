//! `ssl predict`

use std::path::Path;
use std::sync::Arc;

use skeleton_data::raw::RawFile;
use skeleton_data::split::resolve;
use skeleton_data::{ClipSource, Error, Kind, MemoryClips, Sequence};

use crate::args::PredictArgs;
use crate::checkpoint;
use crate::data::Data;
use crate::failure::{Failure, Outcome};
use crate::fit::Facts;
use crate::models::Opened;
use crate::printer::Printer;
use crate::report::Prediction;
use crate::signal::Interrupt;

/// Coordinates of all clips of a file that is no cache: two gigabytes. An archive can unpack to a thousand times its size.
const MOST_NUMBERS: usize = 1 << 29;

/// Names the likeliest classes of each clip.
pub fn run(args: &PredictArgs, printer: &Printer, interrupt: &Interrupt) -> Outcome {
    let opened = Opened::read(&args.checkpoint, checkpoint::Kind::Finetune)?;
    let (source, clips) = if is_raw(&args.data) {
        raw(args, &opened)?
    } else {
        cache(args, &opened)?
    };
    let feeds = opened.feeds(
        source,
        args.compute.clips,
        args.compute.machine,
        printer,
        interrupt,
    )?;
    let model = opened.classifier(&feeds.machine)?;
    let (shown, nobody) = feeds.shown(clips, printer)?;
    let feed = feeds.of(shown, None)?;
    let batches = feed.watched_batches(usize::from(args.compute.batch), printer, "predicting");
    let scores = feed.scores(&model, batches)?;
    let (classes, top) = (&opened.checkpoint.meta.classes, usize::from(args.top));
    let mut predictions: Vec<Prediction> = scores
        .ids
        .into_iter()
        .zip(&scores.probabilities)
        .map(|(id, probabilities)| Prediction::new(id, probabilities, classes, top))
        .collect();
    for clip in nobody {
        let id = feeds.source.clip(clip as usize)?.id.to_owned();
        predictions.push(Prediction { id, top: None });
    }
    predictions.sort_by(|a, b| a.id.cmp(&b.id));
    if args.json {
        return printer.json(&predictions);
    }
    let lines: Vec<String> = predictions.iter().map(Prediction::text).collect();
    printer.document(&lines.join("\n"))
}

/// HDF5 files start with a signature of their own; everything else is read as a pickle, or what its
/// ending says, whose reader says what is wrong with it.
fn is_raw(path: &Path) -> bool {
    use std::io::Read;
    let mut start = [0; 8];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut start));
    match read {
        Ok(()) => {
            Kind::of(&start) != Some(Kind::Hdf5)
                && path.extension().is_none_or(|ending| ending != "h5")
        }
        Err(_) => path.extension().is_some_and(|ending| {
            ["pkl", "pickle", "npz", "jsonl"]
                .into_iter()
                .any(|known| ending == known)
        }),
    }
}

fn cache(args: &PredictArgs, opened: &Opened) -> Outcome<(Arc<dyn ClipSource>, Vec<u32>)> {
    let data = Data::open(Some(&args.data))?;
    // Class names are the checkpoint's: what the cache calls its labels is of no concern here.
    opened.fit(&Facts {
        classes: None,
        ..data.facts()
    })?;
    let clips = match &args.split {
        Some(name) => data.split(name)?,
        None => data.all(),
    };
    Ok((data.source(), clips))
}

/// A file that says neither its layout nor its units is taken to have the checkpoint's, and the joints
/// are counted.
fn raw(args: &PredictArgs, opened: &Opened) -> Outcome<(Arc<dyn ClipSource>, Vec<u32>)> {
    let file = RawFile::open(&args.data)?;
    let (meta, layout) = (&opened.checkpoint.meta, &opened.layout);
    let name = args.data.display();
    if file.is_empty() {
        return Err(Failure::error(format!(
            "{name}: expected clips, found none"
        )));
    }
    if (file.joints(), file.coordinates()) != (layout.len(), meta.coordinates) {
        let message = format!(
            "{name} doesn't fit {}: expected {} joints ({}) of {} coordinates, found {} of {}",
            opened.origin.path.display(),
            layout.len(),
            layout.name(),
            meta.coordinates,
            file.joints(),
            file.coordinates()
        );
        return Err(
            Failure::error(message).hint("a model reads clips in the layout it was trained on")
        );
    }
    if let Some(header) = file.header()
        && let Some(said) = file.layout()?
    {
        opened.fit(&Facts {
            name: file.path().to_owned(),
            layout: &said,
            units: header.units,
            coordinates: file.coordinates(),
            classes: None,
        })?;
    }
    let (mut clips, mut numbers) = (Vec::new(), 0);
    file.each(|clip| -> Outcome {
        numbers += clip.keypoints.view().len();
        if numbers > MOST_NUMBERS {
            return Err(Failure::error(format!(
                "{name}: expected at most {MOST_NUMBERS} coordinates, which are held in memory, found more"
            ))
            .hint("make a cache of it, which is read clip by clip: ssl prepare"));
        }
        clips.push(clip);
        Ok(())
    })?;
    let mut order: Vec<u32> = match &args.split {
        None => (0..clips.len() as u32).collect(),
        Some(split) => split_of(&file, &clips, split)?,
    };
    order.sort_by(|&a, &b| clips[a as usize].id.cmp(&clips[b as usize].id));
    let memory = MemoryClips {
        layout: layout.clone(),
        units: meta.units,
        classes: meta.classes.clone(),
        clips,
    };
    Ok((Arc::new(memory), order))
}

/// The clips of a split of a file.
fn split_of(file: &RawFile, clips: &[Sequence], split: &str) -> Outcome<Vec<u32>> {
    let index = clips
        .iter()
        .enumerate()
        .map(|(index, clip)| (clip.id.clone(), index as u32))
        .collect();
    let found = resolve(file.splits(), &index)
        .into_iter()
        .find(|known| known.name == split);
    found.map(|split| split.indices).ok_or_else(|| {
        let known = file.splits().iter().map(|(name, _)| name.clone()).collect();
        let source_name = file.path().display().to_string();
        Failure::from(Error::NoSplit {
            source_name,
            name: split.to_owned(),
            known,
        })
    })
}
