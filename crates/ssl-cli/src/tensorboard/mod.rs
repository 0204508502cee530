//! A run for TensorBoard: a file of events in the run's folder.
//!
//! The file is made of the run's other files and holds nothing of its own, so that it can be made again at any time, and so that it
//! changes no number of the run. When a run starts or goes on, it is brought up to what the run has: what is there is kept, half a
//! record at its end is completed, and what the run has no state for is cut off. Then each epoch is added as it ends.

mod event;
mod hparams;
mod picture;

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Serialize;

use crate::checkpoint::write_whole;
use crate::failure::{Failure, Outcome};
use crate::printer::Printer;
use crate::process::host_name;
use crate::protobuf::Message;
use crate::report::{Evaluation, percent};
use crate::run::{EVENTS, Epoch, Record, Timing, events, unix, unlinked};

/// The file of a run that is under way, if one is asked for.
#[derive(Debug)]
pub struct Events(Option<Open>);

#[derive(Debug)]
struct Open {
    path: PathBuf,
    file: File,
    length: u64,
}

impl Events {
    /// Those of the run in `folder`, where they are asked for, or where the run that goes on had them.
    pub fn of_run(folder: &Path, asked: bool, printer: &Printer) -> Outcome<Events> {
        if !asked && events(folder)?.is_empty() {
            return Ok(Events(None));
        }
        let (open, _) = Open::of(&Record::read(folder)?)?;
        printer.say(format!(
            "for TensorBoard: {} (tensorboard --logdir shows it)",
            open.path.display()
        ));
        Ok(Events(Some(open)))
    }

    /// None, of a process beside the one that owns the run's folder.
    pub fn elsewhere() -> Events {
        Events(None)
    }

    /// Adds an epoch that ended; `line` is what metrics.jsonl has of it.
    pub fn epoch(&mut self, line: &impl Serialize, timing: Timing, printer: &Printer) {
        let Some(open) = &mut self.0 else { return };
        let line = serde_json::to_value(line).and_then(serde_json::from_value);
        let added = line.map_err(Failure::from);
        let added = added.and_then(|line| open.add(&epoch(&line, Some(&timing), timing.ended)));
        self.kept(added, printer);
    }

    /// Adds what was measured after the last epoch.
    pub fn finish(&mut self, folder: &Path, printer: &Printer) {
        if self.0.is_some() {
            let finished = Record::read(folder).and_then(|record| Open::of(&record));
            self.kept(finished.map(|_| ()), printer);
        }
    }

    /// A training doesn't end for a file that can be made again.
    fn kept(&mut self, written: Outcome, printer: &Printer) {
        if let Err(failure) = written {
            let why = failure.message();
            printer.warn(format!(
                "{why}: no more is written for TensorBoard; `ssl tensorboard` of the run makes the file"
            ));
            self.0 = None;
        }
    }
}

/// Makes the file of a run, or brings it up to date; its path, and whether anything was written. The run must not be under way.
pub fn convert(record: &Record) -> Outcome<(PathBuf, bool)> {
    let (open, changed) = Open::of(record)?;
    Ok((open.path, changed))
}

impl Open {
    /// The file with what the record has, and whether it had to be written.
    fn of(record: &Record) -> Outcome<(Open, bool)> {
        let found = events(&record.folder)?;
        // The last one is the newest: names have the time.
        let (path, start) = match found.last().and_then(|path| Some((path, named(path)?))) {
            Some((path, start)) => (path.clone(), start),
            None => {
                let start = began(record).floor();
                let name = format!("{EVENTS}{start:.0}.{}", host_name());
                (record.folder.join(name), start)
            }
        };
        unlinked(&path)?;
        let bytes = everything(record, start)?;
        // One byte more than there should be tells of a longer file.
        let there = beginning(&path, bytes.len() as u64 + 1)?;
        let kept = there.len().min(bytes.len());
        let anew = !path.exists() || there[..kept] != bytes[..kept];
        if anew {
            write_whole(&path, &bytes)?;
        }
        let file = OpenOptions::new().append(true).open(&path);
        let mut open = Open {
            file: file.map_err(Failure::io(&path))?,
            length: kept as u64,
            path,
        };
        // Whoever has the file open, as TensorBoard does, goes on reading where it was.
        if !anew && there.len() > kept {
            let cut = open.file.set_len(open.length);
            cut.map_err(Failure::io(&open.path))?;
        } else if !anew {
            open.add(&bytes[kept..])?;
        }
        open.length = bytes.len() as u64;
        Ok((open, there != bytes))
    }

    /// Adds whole records, or nothing.
    fn add(&mut self, bytes: &[u8]) -> Outcome {
        if let Err(error) = self.file.write_all(bytes) {
            let _ = self.file.set_len(self.length);
            return Err(Failure::io(&self.path)(error));
        }
        self.length += bytes.len() as u64;
        Ok(())
    }
}

/// At most so many bytes of a file; none where there is no file.
fn beginning(path: &Path, most: u64) -> Outcome<Vec<u8>> {
    let mut bytes = Vec::new();
    if path.exists() {
        let file = File::open(path).map_err(Failure::io(path))?;
        let read = file.take(most).read_to_end(&mut bytes);
        read.map_err(Failure::io(path))?;
    }
    Ok(bytes)
}

/// The second since 1970 that a file's name has.
fn named(path: &Path) -> Option<f64> {
    let name = path.file_name()?.to_str()?.strip_prefix(EVENTS)?;
    let start: u64 = name.split('.').next()?.parse().ok()?;
    Some(start as f64)
}

/// When a run began, in seconds since 1970: before its first epoch, or now where it has none.
fn began(record: &Record) -> f64 {
    let first = record.timings.first();
    let said = first.and_then(|first| Some(first.ended? - first.seconds));
    // Timings without the time of day: the file was last written when the last epoch ended.
    let reckoned = || Some(record.ended()? - record.seconds()).filter(|_| first.is_some());
    said.or_else(reckoned)
        .unwrap_or_else(|| unix(SystemTime::now()))
}

/// The whole file.
fn everything(record: &Record, start: f64) -> Outcome<Vec<u8>> {
    let mut bytes = event::version(start);
    let settings = event::text("settings", &settings(record));
    bytes.extend(event::values(
        start,
        0,
        &[hparams::start(record, start), settings],
    ));
    let mut wall = start;
    for line in &record.epochs {
        let timing = record
            .timings
            .iter()
            .find(|timing| timing.epoch == line.epoch);
        wall = match timing {
            Some(timing) => timing.ended.unwrap_or(wall + timing.seconds),
            None => wall,
        };
        bytes.extend(epoch(line, timing, Some(wall)));
    }
    if record.is_complete() {
        bytes.extend(end(record, wall)?);
    }
    Ok(bytes)
}

/// The curves' numbers of an epoch.
fn epoch(line: &Epoch, timing: Option<&Timing>, wall: Option<f64>) -> Vec<u8> {
    let tag = |name: &str| match name {
        "lr" => "train/learning_rate".to_owned(),
        name => match name.strip_prefix("val_") {
            Some(name) => format!("val/{name}"),
            None => format!("train/{name}"),
        },
    };
    let numbers = line.numbers.iter();
    let mut values: Vec<Message> = numbers
        .map(|(name, &value)| event::scalar(&tag(name), value))
        .collect();
    if let Some(timing) = timing {
        values.push(event::scalar("time/epoch_seconds", timing.seconds));
        values.push(event::scalar(
            "time/clips_per_second",
            timing.clips_per_second,
        ));
    }
    event::values(wall.unwrap_or_default(), line.epoch, &values)
}

/// What was measured after the last epoch, and that the run ended.
fn end(record: &Record, wall: f64) -> Outcome<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut values = Vec::new();
    if let Some(all) = record.reconstruction.as_ref().map(|report| &report.all) {
        let distances = [("model", all.model), ("neighbours", all.neighbours)];
        let distances = distances.into_iter().filter_map(|(name, distance)| {
            Some(event::scalar(&format!("reconstruction/{name}"), distance?))
        });
        values.extend(distances);
    }
    if let Some(test) = &record.test {
        values.extend(measures("test", test));
        if let Some(picture) = picture::confusion(test) {
            let size = (picture.width, picture.height);
            values.push(event::image("test/confusion", size, &picture.png()?));
        }
        values.push(event::text("test/classes", &classes(test)));
    }
    if let Some(best) = &record.test_best {
        let values: Vec<Message> = measures("test_best", &best.evaluation).into();
        bytes.extend(event::values(wall, best.epoch, &values));
    }
    values.push(hparams::end(wall));
    bytes.extend(event::values(wall, record.done(), &values));
    Ok(bytes)
}

fn measures(group: &str, test: &Evaluation) -> [Message; 3] {
    [
        ("top1", test.top1),
        ("top5", test.top5),
        ("mean_class", test.mean_class),
    ]
    .map(|(name, value)| event::scalar(&format!("{group}/{name}"), value))
}

/// The settings as a table in Markdown.
fn settings(record: &Record) -> String {
    let rows = hparams::settings(record)
        .map(|(key, value)| format!("| {key} | {} |", cell(&value.to_string())));
    let rows: Vec<String> = rows.collect();
    format!("| setting | value |\n|---|---|\n{}", rows.join("\n"))
}

/// What the numbers at the picture's sides stand for, with what each class reached.
fn classes(test: &Evaluation) -> String {
    let name = |class: usize| {
        let name = test.classes.get(class);
        cell(name.map_or("?", String::as_str))
    };
    let row = |(class, counts): (usize, &Vec<u64>)| {
        let all: u64 = counts.iter().sum();
        let right = counts.get(class).copied().unwrap_or(0);
        let right = match all {
            0 => String::new(),
            all => percent(right as f64 / all as f64),
        };
        let wrong = test
            .taken_for(class)
            .map_or(String::new(), |(guess, clips)| {
                format!("{guess} {} ({clips})", name(guess))
            });
        format!("| {class} | {} | {all} | {right} | {wrong} |", name(class))
    };
    let rows: Vec<String> = test.confusion.iter().enumerate().map(row).collect();
    format!(
        "| class | name | clips | right | most often taken for |\n|---|---|---|---|---|\n{}",
        rows.join("\n")
    )
}

/// A text as a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests;
