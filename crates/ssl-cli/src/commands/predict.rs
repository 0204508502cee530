//! `ssl predict`

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};

use sha2::{Digest, Sha256};
use skeleton_data::draw::{Axis, Camera, Scene, Skeleton};
use skeleton_data::raw::jsonl::{Header, LineReader};
use skeleton_data::raw::{Input, Meaning, RawFiles};
use skeleton_data::split::{ALL, resolve};
use skeleton_data::{ClipSource, Error, MemoryClips, Sequence};

use super::stream;
use crate::args::PredictArgs;
use crate::checkpoint::{self, write_whole};
use crate::data::{Data, is_cache};
use crate::failure::{Failure, Outcome};
use crate::feed::Feeds;
use crate::fit::Facts;
use crate::models::Opened;
use crate::outputs::vacant;
use crate::page::html::{Predicted, PredictedClips, predicted};
use crate::page::{NUMBERS, size};
use crate::printer::Printer;
use crate::ranks::world;
use crate::report::Prediction;
use crate::signal::{Interrupt, Stopped};
use crate::text::hex;

/// Coordinates of all clips of a file that is no cache: two gigabytes. An archive can unpack to a thousand times its size.
const MOST_NUMBERS: usize = 1 << 29;

/// Clips of a page that move, at most.
const MOST_MOVING: usize = 500;

/// What stands for standard input.
const STDIN: &str = "-";
/// Clips that are read ahead of the model.
const AHEAD: usize = 4;

/// Names the likeliest classes of each clip.
pub fn run(args: &PredictArgs, printer: &Printer, interrupt: &Interrupt) -> Outcome {
    let data = args.data.as_deref().unwrap_or(Path::new(STDIN));
    vacant(&args.html, &[&args.checkpoint, data], args.overwrite)?;
    let opened = Opened::read(&args.checkpoint, checkpoint::Kind::Finetune)?;
    let pipe: Option<(&Path, Box<dyn Read + Send>)> = match data {
        data if data.as_os_str() == STDIN => {
            Some((Path::new("standard input"), Box::new(std::io::stdin())))
        }
        data if is_pipe(data) || args.frames.stream => {
            let pipe = File::open(data).map_err(Failure::io(data))?;
            Some((data, Box::new(pipe)))
        }
        _ => None,
    };
    if let Some((name, input)) = pipe {
        check_one_by_one(args)?;
        if !world().is_root() {
            // What comes one by one is rank 0's, which alone has a standard input.
            return Ok(());
        }
        return match args.frames.stream {
            true => stream::run(args, &opened, name, input, printer, interrupt),
            false => clip_by_clip(args, &opened, name, input, printer, interrupt),
        };
    }
    let (source, clips) = match is_cache(data) {
        true => cache(args, data, &opened)?,
        false => raw(args, data, &opened, printer)?,
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
    let guessed = scores.ids.into_iter().zip(&scores.probabilities);
    let guessed = guessed.map(|(id, probabilities)| prediction(args, &opened, id, probabilities));
    let mut predictions: Vec<(Prediction, u32)> = guessed.zip(feed.clips().to_vec()).collect();
    for clip in nobody {
        let id = feeds.source.clip(clip as usize)?.id.to_owned();
        predictions.push((Prediction { id, top: None }, clip));
    }
    predictions.sort_by(|a, b| a.0.id.cmp(&b.0.id));
    if let Some(path) = &args.html {
        let page = page(data, &opened, &*feeds.source, &predictions)?;
        write_whole(path, page.as_bytes())?;
        printer.say(format!("{}: {}", path.display(), size(page.len())));
    }
    let predictions: Vec<Prediction> = predictions.into_iter().map(|both| both.0).collect();
    if args.json {
        return printer.json(&predictions);
    }
    let lines: Vec<String> = predictions.iter().map(Prediction::text).collect();
    printer.document(&lines.join("\n"))
}

/// Refuses what can't be had of clips or frames that come one by one.
fn check_one_by_one(args: &PredictArgs) -> Outcome {
    let (message, hint) = if args.split.is_some() {
        (
            "--split: what comes one by one has no splits",
            "leave it out",
        )
    } else if args.skip_bad && !args.frames.stream {
        (
            "--skip-bad: clips that come one by one end at the first that can't be read",
            "leave it out, or write them to a file and name it with --data",
        )
    } else if args.html.is_some() {
        (
            "--html: what comes one by one makes no page",
            "write it to a file and name it with --data",
        )
    } else {
        return Ok(());
    };
    Err(Failure::usage(message).hint(hint))
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

/// The clips as a page; the first of them move.
fn page(
    data: &Path,
    opened: &Opened,
    source: &dyn ClipSource,
    predictions: &[(Prediction, u32)],
) -> Outcome<String> {
    let (layout, units) = (&opened.layout, opened.checkpoint.meta.units);
    let mut motion = BTreeMap::new();
    let seen = predictions.iter().enumerate();
    let seen = seen.filter(|(_, (guess, _))| guess.top.is_some());
    for (at, (_, clip)) in seen.take(MOST_MOVING) {
        let view = source.clip(*clip as usize)?;
        let camera = Camera::new(Axis::usual(units, &view, layout), view.coordinates)?;
        motion.insert(at, Scene::new(&view, layout, &camera)?.motion(NUMBERS));
    }
    Ok(predicted(&Predicted::new(
        &opened.origin.path.display().to_string(),
        &data.display().to_string(),
        PredictedClips {
            skeleton: Skeleton::of(layout),
            motion,
            clips: predictions.iter().map(|both| both.0.clone()).collect(),
        },
    )))
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
fn clip_by_clip(
    args: &PredictArgs,
    opened: &Opened,
    name: &Path,
    input: impl Read + Send + 'static,
    printer: &Printer,
    interrupt: &Interrupt,
) -> Outcome {
    let machine = args.compute.machine.start(printer)?;
    let predictor = opened.predictor(args.compute.clips, &machine)?;
    // A thread of its own waits for lines, so that this one sees signals. It ends with the program.
    let (send, clips) = sync_channel(AHEAD);
    let (name_there, meaning) = (name.to_owned(), args.numbers.meaning());
    std::thread::spawn(move || read_lines(&name_there, input, &meaning, &send));
    let stopped = |Stopped(signal)| Failure::interrupted(signal, "the clips so far were answered");
    while let Some(line) = interrupt.wait(&clips).map_err(stopped)? {
        let clip = match line? {
            Line::First(header) => {
                said(opened, name, &header)?;
                continue;
            }
            Line::Clip(clip) => *clip,
        };
        let id = clip.id.clone();
        let answer = if predictor.reading().shows_somebody(&clip.view()) {
            counted(opened, name, (clip.joints, clip.coordinates))?;
            let probabilities = predictor.predict(&clip.view())?.unwrap_or_default();
            prediction(args, opened, id, &probabilities)
        } else {
            printer.warn(format!("clip {id:?} shows nobody"));
            Prediction { id, top: None }
        };
        let text = match args.json {
            true => serde_json::to_string(&answer)?,
            false => answer.text(),
        };
        if printer.answer(&text)?.is_break() {
            break;
        }
    }
    Ok(())
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

fn cache(
    args: &PredictArgs,
    path: &Path,
    opened: &Opened,
) -> Outcome<(Arc<dyn ClipSource>, Vec<u32>)> {
    let data = Data::open(Some(path))?;
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
    path: &Path,
    opened: &Opened,
    printer: &Printer,
) -> Outcome<(Arc<dyn ClipSource>, Vec<u32>)> {
    let input = Input {
        path: path.to_owned(),
        split: None,
    };
    let file = RawFiles::open(&[input], args.numbers.meaning(), args.skip_bad)?;
    for error in file.skipped() {
        printer.warn(format!("left out: {error}"));
    }
    let (meta, layout) = (&opened.checkpoint.meta, &opened.layout);
    let name = path.display();
    if file.is_empty() {
        return Err(
            Failure::error(format!("{name}: expected clips, found none"))
                .hint("`ssl prepare --help` says which files hold clips"),
        );
    }
    counted(opened, path, (file.joints(), file.coordinates()))?;
    if let (Some(header), Some(said)) = (file.header(), file.layout()) {
        opened.fit(&Facts {
            name: path.to_owned(),
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
