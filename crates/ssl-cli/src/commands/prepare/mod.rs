//! `ssl prepare`

mod known;
mod labels;
mod plan;
mod recordings;
mod splits;

use std::path::{Path, PathBuf};

use skeleton_data::Sequence;
use skeleton_data::cache::{CacheHeader, CacheSummary, CacheWriter};
use skeleton_data::raw::{Input, RawFiles};
use skeleton_datasets::Dataset;

pub use self::plan::{Plan, facts, open};
use self::splits::TypedSplit;
use super::next;
use crate::args::PrepareArgs;
use crate::expected;
use crate::failure::{Failure, Outcome};
use crate::outputs::{apart, vacant};
use crate::printer::Printer;
use crate::report::{columns, count};
use crate::signal::Interrupt;

/// Writes a cache from a file of clips, NTU RGB+D's recordings or the synthetic generator.
pub fn run(args: &PrepareArgs, printer: &Printer, interrupt: &Interrupt) -> Outcome {
    let inputs: Vec<Input> = args.inputs.iter().map(|path| input(path)).collect();
    let given = inputs.iter().map(|input| &input.path);
    let given = given.chain(&args.about.classes).chain(&args.about.labels);
    let mut given: Vec<&Path> = given.map(PathBuf::as_path).collect();
    let typed = splits::typed(&args.split)?;
    given.extend(typed.iter().filter_map(TypedSplit::file));
    let outputs = std::iter::once(&args.output).chain(&args.recordings.log);
    vacant(outputs, &given, args.overwrite)?;
    a_cache(&args.output)?;
    let facts = plan::facts(&args.about)?;
    let target = Target {
        output: &args.output,
        compress: args.compress,
        facts,
    };
    if let Some(inputs) = recordings::inputs(args, &inputs)? {
        return recordings::run(args, &inputs, &target, printer, interrupt);
    }
    if plan::is_synthetic(args, &inputs, facts)? {
        let (plan, generator) = Plan::of_synthetic(args)?;
        let each = |visit: &mut dyn FnMut(Sequence) -> Outcome| generator.each(visit);
        return target.write(plan, generator.len(), each, printer, interrupt);
    }
    let files = plan::open(&args.about, facts, &inputs, args.skip_bad, printer)?;
    let outputs = std::iter::once(&args.output).chain(&args.recordings.log);
    apart(outputs, &files.paths())?;
    let mut plan = Plan::of_files(&args.about, facts, &files)?;
    plan.add_splits(typed)?;
    let each = |visit: &mut dyn FnMut(Sequence) -> Outcome| files.each(visit);
    target.write(plan, files.len(), each, printer, interrupt)?;
    warn_of(&files, printer);
    Ok(())
}

/// An input as it was typed: a path, or NAME=PATH where no file is called so.
fn input(typed: &Path) -> Input {
    let named = typed.to_str().and_then(|text| text.split_once('='));
    match named {
        Some((split, path)) if !split.is_empty() && !typed.exists() => Input {
            path: path.into(),
            split: Some(split.to_owned()),
        },
        _ => Input {
            path: typed.to_owned(),
            split: None,
        },
    }
}

/// Refuses a name whose ending says another form than what is written.
fn a_cache(output: &Path) -> Outcome {
    let ending = output.extension().and_then(|ending| ending.to_str());
    match ending.map(str::to_ascii_lowercase).as_deref() {
        Some(
            "jsonl" | "json" | "npz" | "npy" | "pkl" | "pickle" | "zip" | "skeleton"
            | "safetensors",
        ) => {
            let output = output.display();
            let message = format!("{output}: expected a name for a cache, such as one in .h5");
            Err(Failure::usage(message)
                .hint("`ssl prepare` writes caches; `ssl convert` writes .npz and .jsonl, as the ending says"))
        }
        _ => Ok(()),
    }
}

/// Says what was not finite, and what was marked as missing.
pub fn warn_of(files: &RawFiles, printer: &Printer) {
    let repaired = files.repaired();
    if repaired.joints + repaired.scores > 0 {
        printer.warn(format!(
            "not finite: {} became missing, {} became 0",
            count(repaired.joints, "joint"),
            count(repaired.scores, "score")
        ));
    }
    match (files.meaning().missing.is_empty(), repaired.marked) {
        (true, _) => {}
        (false, 0) => printer.warn("--missing: no joint has this value"),
        (false, n) => printer.say(format!(
            "--missing: {} marked as missing",
            count(n, "joint")
        )),
    }
}

/// The cache to write.
pub struct Target<'a> {
    /// Its place.
    pub output: &'a Path,
    /// Whether coordinates are compressed.
    pub compress: bool,
    /// What is known of the data set.
    pub facts: Option<&'a Dataset>,
}

impl Target<'_> {
    /// The cache without clips, beside its place.
    fn create(&self, header: CacheHeader) -> Outcome<CacheWriter> {
        let mut writer = CacheWriter::create(self.output, header)?;
        if self.compress {
            writer.compress();
        }
        Ok(writer)
    }

    /// Writes the clips that `each` shows.
    pub fn write(
        &self,
        plan: Plan,
        clips: usize,
        each: impl FnOnce(&mut dyn FnMut(Sequence) -> Outcome) -> Outcome,
        printer: &Printer,
        interrupt: &Interrupt,
    ) -> Outcome {
        let mut splits = plan.splits;
        let mut writer = self.create(plan.header)?;
        let mut progress = printer.progress("writing", clips as u64);
        let mut copies = splits::Copies::default();
        let mut clips = Vec::new();
        each(&mut |mut sequence| {
            go_on(interrupt, self.output)?;
            if let Some(facts) = self.facts {
                let [subject, camera] = facts.ids.read(&sequence.id);
                sequence.subject = sequence.subject.or(subject);
                sequence.camera = sequence.camera.or(camera);
            }
            if plan.derives {
                copies.see(&sequence);
            }
            writer.push(&sequence)?;
            if !plan.typed.is_empty() {
                clips.push(splits::Clip::of(&sequence));
            }
            progress.advance(1);
            Ok(())
        })?;
        drop(progress);
        splits.extend(splits::derived(&splits, self.facts, &copies));
        splits.extend(splits::chosen(&plan.typed, &clips)?);
        let summary = writer.finish(&splits)?;
        report(self.output, self.facts, &summary, printer)
    }
}

/// Stops where the user asked for it.
pub fn go_on(interrupt: &Interrupt, output: &Path) -> Outcome {
    interrupt.check(|| format!("{} was not written", output.display()))
}

/// Says what was written, and where it differs from what is known of the data set.
fn report(
    output: &Path,
    facts: Option<&Dataset>,
    summary: &CacheSummary,
    printer: &Printer,
) -> Outcome {
    for (split, unknown) in &summary.unknown_ids {
        printer.warn(format!(
            "split {split} names {} that the file lacks",
            count(*unknown, "clip")
        ));
    }
    if let Some(facts) = facts {
        for difference in expected::counts(facts, summary.samples, &summary.splits) {
            printer.warn(difference);
        }
    }
    let megabytes = summary.bytes as f64 / 1e6;
    let mut lines = vec![format!(
        "{}: {} ({megabytes:.1} MB)",
        output.display(),
        count(summary.samples, "clip")
    )];
    let split = |(name, clips): &(String, usize)| {
        let published = facts.and_then(|facts| facts.split(name)?.clips);
        let note = match published == Some(*clips) {
            true => ", as published",
            false => "",
        };
        [
            format!("  {name}"),
            format!("{}{note}", count(*clips, "clip")),
        ]
    };
    let splits: Vec<[String; 2]> = summary.splits.iter().map(split).collect();
    lines.extend(columns(&[false, false], &splits));
    lines.push(format!("digest: {}", summary.digest));
    lines.push(format!("next: {}", next::after_prepare(output)));
    printer.document(&lines.join("\n"))
}
