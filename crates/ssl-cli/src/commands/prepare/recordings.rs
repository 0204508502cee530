//! A cache from NTU RGB+D's own recordings.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use skeleton_data::raw::ntu::{
    Edition, FileLog, Files, Outcome as Became, Preparation, Preset, Rules, Skip,
};
use skeleton_data::raw::{Input, has_recordings};
use skeleton_datasets::Dataset;
use skeleton_graph::Layout;

use super::plan::header;
use super::{Target, go_on, report};
use crate::args::{PrepareArgs, RecordingsArgs};
use crate::checkpoint::Whole;
use crate::config::set::{Assignment, near};
use crate::failure::{Failure, Outcome};
use crate::printer::Printer;
use crate::process::cores;
use crate::report::count;
use crate::signal::Interrupt;

/// The inputs, if they are recordings; options of recordings have no place elsewhere.
pub fn inputs(args: &PrepareArgs, inputs: &[Input]) -> Outcome<Option<Vec<PathBuf>>> {
    let are = |input: &Input| -> Outcome<bool> {
        let ending = input.path.extension().unwrap_or_default();
        let is_one = ["zip", "skeleton"]
            .iter()
            .any(|known| ending.eq_ignore_ascii_case(known));
        Ok(is_one || (input.path.is_dir() && has_recordings(&input.path)?))
    };
    let (mut recordings, mut others) = (Vec::new(), Vec::new());
    for input in inputs {
        let kind = if are(input)? {
            &mut recordings
        } else {
            &mut others
        };
        kind.push(input.path.clone());
    }
    if let (Some(recordings), Some(other)) = (recordings.first(), others.first()) {
        let (recordings, other) = (recordings.display(), other.display());
        let message =
            format!("{recordings}: expected files of clips, as {other} is one, found recordings");
        return Err(Failure::usage(message).hint("make a cache of each"));
    }
    if !recordings.is_empty() {
        return Ok(Some(recordings));
    }
    if args.recordings != RecordingsArgs::default() {
        let message = "--bodies, --set, --log and --threads are for NTU RGB+D's own recordings";
        return Err(Failure::usage(message)
            .hint("give a .zip archive or a folder of .skeleton files, or leave them out"));
    }
    Ok(None)
}

/// Writes the cache, then the log.
pub fn run(
    args: &PrepareArgs,
    inputs: &[PathBuf],
    target: &Target<'_>,
    printer: &Printer,
    interrupt: &Interrupt,
) -> Outcome {
    let (facts, edition) = edition(args, target.facts)?;
    let preparation = preparation(args, edition)?;
    let mut log = log(args)?;
    let files = open(args, inputs, log.as_mut(), printer)?;
    let mut clips = files.clips(&preparation)?;

    let layout = Layout::built_in(&facts.layout)?;
    let units = skeleton_data::Units::Metre;
    // What the clips were made from is known once they are.
    let source = serde_json::Value::Null;
    let header = header(&facts.name, layout, units, source, facts.classes.clone());
    let mut writer = target.create(header)?;
    let mut tally = Tally::default();
    let mut kept = Vec::new();
    let mut progress = printer.progress("reading", files.len() as u64);
    for (name, prepared) in files.names().zip(&mut clips) {
        go_on(interrupt, target.output)?;
        let prepared = prepared?;
        tally.see(&prepared.log);
        if let Some(log) = &mut log {
            log.line(&prepared.log)?;
        }
        if let Some(clip) = &prepared.clip {
            writer.push(clip)?;
            kept.push(*name);
        }
        progress.advance(1);
    }
    drop(progress);
    if kept.is_empty() {
        return Err(tally.nothing(facts, inputs));
    }
    writer.set_source(clips.source());
    let summary = writer.finish(&edition.splits(&kept))?;
    if let Some(log) = log {
        log.0.finish()?;
    }
    tally.say(printer);
    report(target.output, target.facts, &summary, printer)
}

/// The recordings; files of other names are left out where `--skip-bad` says so, which is logged.
fn open(
    args: &PrepareArgs,
    inputs: &[PathBuf],
    mut log: Option<&mut Log>,
    printer: &Printer,
) -> Outcome<Files> {
    if !args.skip_bad {
        return Ok(Files::open(inputs)?);
    }
    let (files, foreign) = Files::open_named(inputs)?;
    for path in &foreign {
        let shown = path.display();
        printer.warn(format!("{shown}: skipped, its name is no sample's"));
        if let Some(log) = &mut log {
            log.line(&Foreign {
                file: path,
                outcome: "skipped",
                reason: "name",
            })?;
        }
    }
    Ok(files)
}

/// The data set the recordings are for: its facts, and which of NTU's editions it is.
fn edition<'a>(args: &PrepareArgs, facts: Option<&'a Dataset>) -> Outcome<(&'a Dataset, Edition)> {
    let about = &args.about;
    let own = [("--split", !args.split.is_empty())];
    let own = own.into_iter().chain(args.of_synthetic());
    for (flag, given) in about.typed().into_iter().chain(own) {
        if given {
            let message = format!("{flag} can't be chosen for NTU RGB+D's recordings");
            return Err(Failure::usage(message).hint("leave it out"));
        }
    }
    let known = |facts: &Dataset| match &*facts.name {
        "ntu60_3d" => Some(Edition::Ntu60),
        "ntu120_3d" => Some(Edition::Ntu120),
        _ => None,
    };
    let found = facts.and_then(|facts| Some((facts, known(facts)?)));
    found.ok_or_else(|| {
        let typed = facts.map_or(String::new(), |facts| format!(", found {}", facts.name));
        let message = format!("expected --dataset ntu60_3d or ntu120_3d for recordings{typed}");
        Failure::usage(message).hint(
            "ntu60_3d takes actions 1 to 60, ntu120_3d all 120; clips of your own go into a .jsonl",
        )
    })
}

fn preparation(args: &PrepareArgs, edition: Edition) -> Outcome<Preparation> {
    Ok(Preparation {
        edition,
        rules: rules(&args.recordings)?,
        skip_unreadable: args.skip_bad,
        threads: args.recordings.threads.map_or_else(cores, usize::from),
    })
}

/// The preset's rules with those that were typed.
fn rules(args: &RecordingsArgs) -> Outcome<Rules> {
    let rules = Rules::from(Preset::from(args.bodies.unwrap_or_default()));
    let mut table = toml::Table::try_from(&rules)?;
    let known: Vec<String> = table.keys().cloned().collect();
    for typed in &args.set {
        let assignment = Assignment::parse(typed)?;
        let key = assignment.path.join(".");
        if !known.contains(&key) {
            let near = near(&key, &known);
            let hint = match near.is_empty() {
                true => format!("the rules are {}", known.join(", ")),
                false => format!(
                    "did you mean {}? the rules are {}",
                    near.join(" or "),
                    known.join(", ")
                ),
            };
            return Err(Failure::usage(format!("--set {typed}: no rule {key}")).hint(hint));
        }
        assignment.apply(&mut table)?;
        Rules::deserialize(table.clone()).map_err(|error| {
            Failure::usage(format!("--set {typed}: {}", error.message()))
                .hint(format!("as it is: {key} = {}", preset_value(&rules, &key)))
        })?;
    }
    let rules = Rules::deserialize(table)?;
    rules.check()?;
    Ok(rules)
}

fn preset_value(rules: &Rules, key: &str) -> String {
    let table = toml::Table::try_from(rules).unwrap_or_default();
    table.get(key).map_or(String::new(), toml::Value::to_string)
}

/// A line of the log about a file whose name is no sample's.
#[derive(Serialize)]
struct Foreign<'a> {
    file: &'a Path,
    outcome: &'static str,
    reason: &'static str,
}

/// The log as it grows beside its place.
struct Log(Whole);

impl Log {
    fn line(&mut self, log: &impl Serialize) -> Outcome {
        let mut line = serde_json::to_vec(log)?;
        line.push(b'\n');
        self.0.write_all(&line).map_err(Failure::io(self.0.path()))
    }
}

fn log(args: &PrepareArgs) -> Outcome<Option<Log>> {
    let Some(path) = &args.recordings.log else {
        return Ok(None);
    };
    Ok(Some(Log(Whole::create(path)?)))
}

/// How many files became clips, and why the others didn't.
#[derive(Default)]
struct Tally {
    skipped: BTreeMap<&'static str, usize>,
    unreadable: Vec<String>,
}

impl Tally {
    fn see(&mut self, log: &FileLog) {
        if let Became::Skipped(skip) = &log.outcome {
            *self.skipped.entry(skip.words()).or_default() += 1;
            if let Skip::Unreadable { message } = skip {
                self.unreadable.push(message.clone());
            }
        }
    }

    fn words(&self) -> String {
        let skipped = self.skipped.iter();
        let skipped: Vec<String> = skipped.map(|(why, n)| format!("{n} {why}")).collect();
        skipped.join(", ")
    }

    fn say(&self, printer: &Printer) {
        if !self.skipped.is_empty() {
            printer.say(format!("files that are no clip: {}", self.words()));
        }
        if let Some(first) = self.unreadable.first() {
            let files = count(self.unreadable.len(), "file");
            printer.warn(format!("{files} unreadable, the first: {first}"));
        }
    }

    /// No file became a clip.
    fn nothing(&self, facts: &Dataset, inputs: &[PathBuf]) -> Failure {
        let inputs: Vec<String> = inputs
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        let message = format!(
            "{}: expected recordings of {}, found {}",
            inputs.join(", "),
            facts.title,
            self.words()
        );
        Failure::error(message).hint("ntu120_3d has the actions 61 to 120, ntu60_3d those up to 60")
    }
}
