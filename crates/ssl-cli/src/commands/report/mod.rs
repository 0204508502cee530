//! `ssl report`: runs, or the tables of a reproduction, as one page to look at.

mod clips;
mod folder;
mod reconstructed;
mod reproduced;

use std::path::{Path, PathBuf};

use self::clips::{Measuring, RunClips};
use self::folder::RunFolder;
use crate::args::ReportArgs;
use crate::checkpoint::{Kind, write_whole};
use crate::failure::{Failure, Outcome};
use crate::outputs::vacant;
use crate::page::facts::{Measured, Part, Report, RunFacts};
use crate::page::{html, size};
use crate::printer::Printer;
use crate::report::count;
use crate::signal::Interrupt;

/// Writes the page.
pub fn run(args: &ReportArgs, printer: &Printer, interrupt: &Interrupt) -> Outcome {
    let inputs = inputs(args)?;
    let inputs: Vec<&Path> = inputs.iter().map(PathBuf::as_path).collect();
    vacant([&args.out], &inputs, args.overwrite)?;
    if let [folder] = &*args.runs
        && reproduced::is_reproduction(folder)
    {
        let tables = reproduced::read(folder, &args.out)?;
        let said = format!(
            "{} of {}",
            count(tables.tables.len(), "table"),
            folder.display()
        );
        return written(&args.out, &html::reproduced(&tables), &said, printer);
    }
    let folders = args.runs.iter().map(|run| RunFolder::read(run));
    let folders: Vec<RunFolder> = folders.collect::<Outcome<_>>()?;
    let mut measuring = Measuring::new(args, printer, interrupt)?;
    let mut runs = Vec::new();
    for folder in &folders {
        let clips = measuring.run(folder)?;
        runs.push(facts(folder, clips, args));
    }
    let sets = measuring.sets(&runs)?;
    let report = Report::new(sets, runs);
    let clips = report.sets.iter().map(|set| set.motion.len()).sum();
    let said = format!(
        "{}, {} that move",
        count(report.runs.len(), "run"),
        count(clips, "clip")
    );
    for (run, part, why) in report.missing() {
        printer.say(format!("{run}: no {part}: {why}"));
    }
    written(&args.out, &html::report(&report), &said, printer)
}

/// Everything that is read and must not be replaced: what the runs hold, and the cache.
fn inputs(args: &ReportArgs) -> Outcome<Vec<PathBuf>> {
    let mut inputs: Vec<PathBuf> = args.data.iter().chain(&args.encoder).cloned().collect();
    for run in &args.runs {
        inputs.push(run.clone());
        let entries = std::fs::read_dir(run).map_err(|error| {
            Failure::io(run)(error).hint("a run is the folder that `ssl finetune --out` wrote")
        })?;
        for entry in entries {
            inputs.push(entry.map_err(Failure::io(run))?.path());
        }
    }
    Ok(inputs)
}

fn written(path: &Path, page: &str, said: &str, printer: &Printer) -> Outcome {
    write_whole(path, page.as_bytes())?;
    printer.document(&format!(
        "{}: {said}; {}, one file that needs nothing else",
        path.display(),
        size(page.len())
    ))
}

/// What the page says of a run.
fn facts(folder: &RunFolder, clips: RunClips, args: &ReportArgs) -> RunFacts {
    let finetuned = folder.kind == Kind::Finetune;
    let best = folder.record.test_best.as_ref();
    let measured = match clips.measured {
        Some(evaluation) => {
            let best = best.filter(|best| best.evaluation.split == evaluation.split);
            let best = best.map(|best| (best.epoch, &best.evaluation));
            Measured::new(evaluation, best).map(Part::There)
        }
        None => None,
    };
    let nothing = || {
        let why = match folder.config.run.test {
            Some(_) => "the run holds no measurement: it is not finished, or was stopped",
            None => "the run measured no test split",
        };
        let hint = match (&folder.config.run.test, &args.split) {
            (Some(_), _) => "ssl finetune ... --resume goes on with it".to_owned(),
            (None, _) => format!("ssl report {} --split NAME -o FILE.html", folder.name()),
        };
        Part::missing(why, hint)
    };
    RunFacts {
        name: folder.name(),
        kind: folder.kind.name(),
        command: folder.command(),
        provenance: folder.provenance(),
        settings: folder.settings(),
        epochs: folder.record.epochs.clone(),
        measured: finetuned.then(|| measured.unwrap_or_else(nothing)),
        guesses: finetuned.then_some(clips.guesses),
        planes: clips.planes,
        reconstruction: clips.reconstruction,
    }
}
