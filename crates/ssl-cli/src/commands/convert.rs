//! `ssl convert`

use std::path::Path;

use skeleton_data::cache::Cache;
use skeleton_data::raw::Input;
use skeleton_data::raw::jsonl::{Header, JsonlWriter, NumberType};
use skeleton_data::raw::npz;
use skeleton_data::{ClipSource, Sequence};

use super::prepare::{Plan, Target, facts, go_on, open, warn_of};
use crate::args::ConvertArgs;
use crate::data::is_cache;
use crate::failure::{Failure, Outcome};
use crate::outputs::{apart, vacant};
use crate::printer::Printer;
use crate::report::count;
use crate::signal::Interrupt;

/// What can be written.
enum Form {
    Cache,
    Npz,
    Jsonl,
}

impl Form {
    fn of(path: &Path) -> Outcome<Form> {
        let ending = path.extension().map(|ending| ending.to_ascii_lowercase());
        match ending.as_deref().and_then(|ending| ending.to_str()) {
            Some("h5" | "hdf5") => Ok(Form::Cache),
            Some("npz") => Ok(Form::Npz),
            Some("jsonl") => Ok(Form::Jsonl),
            _ => {
                let message = format!(
                    "{}: expected an output that ends in .h5, .npz or .jsonl",
                    path.display()
                );
                Err(Failure::usage(message).hint("the ending says what is written"))
            }
        }
    }
}

/// Turns clips from one form into another.
pub fn run(args: &ConvertArgs, printer: &Printer, interrupt: &Interrupt) -> Outcome {
    let form = Form::of(&args.output)?;
    if args.compress && !matches!(form, Form::Cache) {
        return Err(
            Failure::usage("--compress is of caches").hint("give an OUTPUT that ends in .h5")
        );
    }
    vacant([&args.output], &[&args.input], args.overwrite)?;
    let job = Job {
        args,
        printer,
        interrupt,
    };
    if is_cache(&args.input) {
        let cache = Cache::open(&args.input)?;
        job.refuse_what_is_known()?;
        return match form {
            Form::Cache => job.again(&cache),
            Form::Jsonl => job.lines_of(&cache),
            Form::Npz => job.arrays(&cache),
        };
    }
    if let Form::Npz = form {
        let message = "an .npz is written from a cache, whose splits are known";
        return Err(Failure::usage(message).hint("first: ssl prepare INPUT -o CACHE.h5"));
    }
    let facts = facts(&args.about)?;
    let input = Input {
        path: args.input.clone(),
        split: None,
    };
    let file = open(&args.about, facts, &[input], false, printer)?;
    apart([&args.output], &file.paths())?;
    let plan = Plan::of_files(&args.about, facts, &file)?;
    let each = |visit: &mut dyn FnMut(Sequence) -> Outcome| file.each(visit);
    match form {
        Form::Cache => {
            let target = Target {
                output: &args.output,
                compress: args.compress,
                facts,
            };
            target.write(plan, file.len(), each, printer, interrupt)?;
        }
        _ => {
            let half = file.element_types() == ["float16"];
            // Scores may be of any type: a single holds them all.
            job.lines(plan, [half, false], file.len(), each)?;
        }
    }
    warn_of(&file, printer);
    Ok(())
}

struct Job<'a> {
    args: &'a ConvertArgs,
    printer: &'a Printer,
    interrupt: &'a Interrupt,
}

impl Job<'_> {
    /// A cache says everything itself.
    fn refuse_what_is_known(&self) -> Outcome {
        let about = &self.args.about;
        let dataset = [("--dataset", about.dataset.is_some())];
        for (flag, given) in dataset.into_iter().chain(about.typed()) {
            if given {
                let message = format!("{flag}: {} says it itself", self.args.input.display());
                return Err(Failure::usage(message).hint(format!("leave {flag} out")));
            }
        }
        Ok(())
    }

    /// A cache with the same contents, compressed or not.
    fn again(&self, cache: &Cache) -> Outcome {
        let target = Target {
            output: &self.args.output,
            compress: self.args.compress,
            facts: None,
        };
        let each = clips_of(cache);
        target.write(
            plan_of(cache),
            cache.len(),
            each,
            self.printer,
            self.interrupt,
        )
    }

    fn lines_of(&self, cache: &Cache) -> Outcome {
        let halves = [
            cache.element_type() == "f16",
            cache.score_type() == Some("f16"),
        ];
        self.lines(plan_of(cache), halves, cache.len(), clips_of(cache))
    }

    /// JSON lines; `halves` says whether keypoints and scores are in half precision.
    fn lines(
        &self,
        plan: Plan,
        halves: [bool; 2],
        clips: usize,
        each: impl FnOnce(&mut dyn FnMut(Sequence) -> Outcome) -> Outcome,
    ) -> Outcome {
        let [keypoints_type, scores_type] = halves.map(|half| match half {
            true => NumberType::F16,
            false => NumberType::F32,
        });
        let output = &self.args.output;
        let mut writer = JsonlWriter::create(
            output,
            &Header {
                dataset: Some(plan.header.dataset),
                units: Some(plan.header.units),
                classes: plan.header.classes,
                keypoints_type,
                scores_type,
                ..Header::new(&plan.header.layout)
            },
        )?;
        let mut progress = self.printer.progress("writing", clips as u64);
        each(&mut |sequence| {
            go_on(self.interrupt, output)?;
            writer.push(&sequence)?;
            progress.advance(1);
            Ok(())
        })?;
        drop(progress);
        let bytes = writer.finish(&plan.splits)?;
        let megabytes = bytes as f64 / 1e6;
        self.printer.document(&format!(
            "{}: {}, {} ({megabytes:.1} MB)",
            output.display(),
            count(clips, "clip"),
            count(plan.splits.len(), "split")
        ))
    }

    fn arrays(&self, cache: &Cache) -> Outcome {
        let split = |flag: &str, name: &str| {
            cache.split(name).map_err(|error| {
                Failure::from(error).hint(format!("choose one with --{flag} NAME"))
            })
        };
        let splits = [
            split("train", &self.args.train)?,
            split("test", &self.args.test)?,
        ];
        let output = &self.args.output;
        let written = npz::write(output, cache, splits, cache.classes().len())?;
        if cache.has_scores() {
            self.printer
                .warn("scores have no place in an .npz: they were left out");
        }
        self.printer.document(&format!(
            "{}: {} of {} and {} of {}, {} frames each ({:.1} MB)",
            output.display(),
            count(written.clips[0], "clip"),
            self.args.train,
            count(written.clips[1], "clip"),
            self.args.test,
            written.frames,
            written.bytes as f64 / 1e6
        ))
    }
}

fn plan_of(cache: &Cache) -> Plan {
    Plan {
        header: cache.header(),
        splits: cache.split_ids(),
        typed: Vec::new(),
        derives: false,
    }
}

fn clips_of(cache: &Cache) -> impl FnOnce(&mut dyn FnMut(Sequence) -> Outcome) -> Outcome + '_ {
    |visit| (0..cache.len()).try_for_each(|index| visit(cache.sequence(index)?))
}
