//! `ssl predict`

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use sha2::{Digest, Sha256};
use skeleton_data::loader::Loader;
use skeleton_data::raw::jsonl::{Header, LineReader};
use skeleton_data::raw::{Input, Meaning, RawFiles};
use skeleton_data::split::{ALL, resolve};
use skeleton_data::{ClipSource, Error, Kind, MemoryClips, Sequence};
use strl::score;

use crate::args::PredictArgs;
use crate::checkpoint;
use crate::data::Data;
use crate::failure::{Failure, Outcome};
use crate::feed::{Feeds, track_batch};
use crate::fit::Facts;
use crate::models::Opened;
use crate::printer::Printer;
use crate::ranks::world;
use crate::report::Prediction;
use crate::signal::Interrupt;
use crate::text::hex;

/// Coordinates of all clips of a file that is no cache: two gigabytes. An archive can unpack to a thousand times its size.
const MOST_NUMBERS: usize = 1 << 29;

/// What stands for standard input.
const STDIN: &str = "-";
/// Clips that are read ahead of the model.
const AHEAD: usize = 4;
/// How often a waiting command looks whether to stop.
const PATIENCE: Duration = Duration::from_millis(100);

/// Names the likeliest classes of each clip.
pub fn run(args: &PredictArgs, printer: &Printer, interrupt: &Interrupt) -> Outcome {
    let opened = Opened::read(&args.checkpoint, checkpoint::Kind::Finetune)?;
    if args.data.as_os_str() == STDIN {
        let name = Path::new("standard input");
        return stream(args, &opened, name, std::io::stdin(), printer, interrupt);
    }
    if is_pipe(&args.data) {
        let pipe = File::open(&args.data).map_err(Failure::io(&args.data))?;
        return stream(args, &opened, &args.data, pipe, printer, interrupt);
    }
    let (source, clips) = if is_raw(&args.data) {
        raw(args, &opened, printer)?
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
    world().same("checkpoint (SHA-256)", &opened.origin.sha256)?;
    world().same(
        "clips (digest of their names)",
        &named(&feeds, feed.clips())?,
    )?;
    let batches = feed.watched_batches(usize::from(args.compute.batch), printer, "predicting");
    let scores = feed.scores(&model, batches)?;
    if !world().is_root() {
        return Ok(());
    }
    let mut predictions: Vec<Prediction> = scores
        .ids
        .into_iter()
        .zip(&scores.probabilities)
        .map(|(id, probabilities)| prediction(args, &opened, id, probabilities))
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

/// SHA-256 of the names of clips.
fn named(feeds: &Feeds<'_>, clips: &[u32]) -> Outcome<String> {
    let mut sha = Sha256::new();
    for &clip in clips {
        sha.update(feeds.source.clip(clip as usize)?.id);
        sha.update([0]);
    }
    Ok(hex(&sha.finalize()))
}

fn prediction(
    args: &PredictArgs,
    opened: &Opened,
    id: String,
    probabilities: &[f64],
) -> Prediction {
    let (classes, top) = (&opened.checkpoint.meta.classes, usize::from(args.top));
    Prediction::new(id, probabilities, classes, top)
}

/// Answers JSON lines of clips as they come, a line each.
fn stream(
    args: &PredictArgs,
    opened: &Opened,
    name: &Path,
    input: impl Read + Send + 'static,
    printer: &Printer,
    interrupt: &Interrupt,
) -> Outcome {
    if !world().is_root() {
        // Clips that come one by one are rank 0's, which alone has a standard input.
        return Ok(());
    }
    if args.split.is_some() {
        let message = "--split: clips that come one by one have no splits";
        return Err(Failure::usage(message).hint("leave it out"));
    }
    let machine = args.compute.machine.start(printer)?;
    let model = opened.classifier(&machine)?;
    let (meta, layout) = (&opened.checkpoint.meta, &opened.layout);
    let reading = opened.reading(args.compute.clips);
    // A thread of its own waits for lines, so that this one sees signals. It ends with the program.
    let (send, clips) = sync_channel(AHEAD);
    let (name_there, meaning) = (name.to_owned(), args.numbers.meaning());
    std::thread::spawn(move || read_lines(&name_there, input, &meaning, &send));
    loop {
        if let Some(signal) = interrupt.received() {
            let message = "the clips so far were answered".to_owned();
            return Err(Failure::Interrupted { signal, message });
        }
        let line = match clips.recv_timeout(PATIENCE) {
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
            Ok(line) => line?,
        };
        let clip = match line {
            Line::First(header) => {
                said(opened, name, &header)?;
                continue;
            }
            Line::Clip(clip) => *clip,
        };
        let id = clip.id.clone();
        let answer = if reading.shows_somebody(&clip.view()) {
            counted(opened, name, (clip.joints, clip.coordinates))?;
            let source = MemoryClips {
                layout: layout.clone(),
                units: meta.units,
                classes: Vec::new(),
                clips: vec![clip],
            };
            let loader = Loader::new(Arc::new(source), reading.clone(), None, 0)?;
            let batches = loader.epoch(&[0], 1, 0, 0);
            let batches = batches.map(|batch| Ok(track_batch(batch?, &machine.device)?));
            let scores = score(&model, batches)?.averaged(reading.clips);
            prediction(args, opened, id, &scores.probabilities[0])
        } else {
            printer.warn(format!("clip {id:?} shows nobody"));
            Prediction { id, top: None }
        };
        match args.json {
            true => printer.document(
                &serde_json::to_string(&answer).map_err(|error| Failure::from_error(&error))?,
            )?,
            false => printer.document(&answer.text())?,
        }
    }
}

/// What comes of a stream.
enum Line {
    /// The first line.
    First(Box<Header>),
    /// A clip.
    Clip(Box<Sequence>),
}

/// Sends what is read, until the end or the first error.
fn read_lines(
    name: &Path,
    input: impl Read,
    meaning: &Meaning,
    send: &SyncSender<Result<Line, Error>>,
) {
    let read = || -> Result<(), Error> {
        let mut lines = LineReader::new(name, BufReader::new(input))?;
        if send
            .send(Ok(Line::First(Box::new(lines.header().clone()))))
            .is_err()
        {
            return Ok(());
        }
        while let Some(clip) = lines.clip()? {
            let clip = Box::new(meaning.apply(clip)?.0);
            if send.send(Ok(Line::Clip(clip))).is_err() {
                return Ok(());
            }
        }
        Ok(())
    };
    if let Err(error) = read() {
        // Nobody listens any more: the command has ended.
        let _ = send.send(Err(error));
    }
}

/// Refuses clips whose first line says that they are of another kind than the model's.
fn said(opened: &Opened, name: &Path, header: &Header) -> Outcome {
    let Some(layout) = header.layout(name)? else {
        return Ok(());
    };
    opened.fit(&Facts {
        name: name.to_owned(),
        layout: &layout,
        units: header.units,
        coordinates: opened.checkpoint.meta.coordinates,
        classes: None,
    })
}

/// Refuses clips of another number of joints or coordinates than the model's.
fn counted(opened: &Opened, name: &Path, (v, c): (usize, usize)) -> Outcome {
    let (meta, layout) = (&opened.checkpoint.meta, &opened.layout);
    if (v, c) == (layout.len(), meta.coordinates) {
        return Ok(());
    }
    let message = format!(
        "{} doesn't fit {}: expected {} joints ({}) of {} coordinates, found {v} of {c}",
        name.display(),
        opened.origin.path.display(),
        layout.len(),
        layout.name(),
        meta.coordinates
    );
    Err(Failure::error(message).hint(match c {
        3.. if meta.coordinates < c => {
            "a model reads clips in the layout it was trained on; is the last number a score? --columns x,y,score"
        }
        _ => "a model reads clips in the layout it was trained on",
    }))
}

/// Whether a path is a pipe, such as `/dev/stdin` or what a shell makes of `<(...)`.
fn is_pipe(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        std::fs::metadata(path).is_ok_and(|found| found.file_type().is_fifo())
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}

/// HDF5 files start with a signature of their own; everything else is read as what its first bytes or its ending say, whose reader
/// says what is wrong with it.
fn is_raw(path: &Path) -> bool {
    let mut start = [0; 8];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut start));
    let ends_in = |known: &str| path.extension().is_some_and(|ending| ending == known);
    match read {
        _ if path.is_dir() => true,
        Ok(()) => Kind::of(&start) != Some(Kind::Hdf5) && !ends_in("h5"),
        Err(_) => ["pkl", "pickle", "npz", "jsonl", "json"]
            .into_iter()
            .any(ends_in),
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
fn raw(
    args: &PredictArgs,
    opened: &Opened,
    printer: &Printer,
) -> Outcome<(Arc<dyn ClipSource>, Vec<u32>)> {
    let input = Input {
        path: args.data.clone(),
        split: None,
    };
    let file = RawFiles::open(&[input], args.numbers.meaning(), args.skip_bad)?;
    for error in file.skipped() {
        printer.warn(format!("left out: {error}"));
    }
    let (meta, layout) = (&opened.checkpoint.meta, &opened.layout);
    let name = args.data.display();
    if file.is_empty() {
        return Err(Failure::error(format!(
            "{name}: expected clips, found none"
        )));
    }
    counted(opened, &args.data, (file.joints(), file.coordinates()))?;
    if let (Some(header), Some(said)) = (file.header(), file.layout()) {
        opened.fit(&Facts {
            name: args.data.clone(),
            layout: said,
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
        Some(split) => split_of(&file, split)?,
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
fn split_of(file: &RawFiles, split: &str) -> Outcome<Vec<u32>> {
    let index = (0..).zip(file.ids()).map(|(index, id)| (id.clone(), index));
    let found = resolve(file.splits(), &index.collect())
        .into_iter()
        .find(|known| known.name == split);
    match found {
        Some(found) => Ok(found.indices),
        None if split == ALL => Ok((0..file.len() as u32).collect()),
        None => Err(Failure::from(Error::NoSplit {
            source_name: file.name(),
            name: split.to_owned(),
            known: file.splits().iter().map(|(name, _)| name.clone()).collect(),
        })),
    }
}
