//! `ssl tensorboard`

use std::path::Path;

use crate::args::TensorboardArgs;
use crate::failure::Outcome;
use crate::printer::Printer;
use crate::run::{Lock, Record};
use crate::tensorboard::convert;

/// Makes each run's file for TensorBoard.
pub fn run(args: &TensorboardArgs, printer: &Printer) -> Outcome {
    // A mistyped name is refused before anything is written.
    for folder in &args.runs {
        Record::read(folder)?;
    }
    args.runs.iter().try_for_each(|folder| one(folder, printer))
}

fn one(folder: &Path, printer: &Printer) -> Outcome {
    let _lock = Lock::take(folder).map_err(|failure| {
        failure.hint("a run that is under way writes the file itself where it was started with --tensorboard")
    })?;
    let (path, changed) = convert(&Record::read(folder)?)?;
    if !changed {
        printer.say(format!("{}: up to date", path.display()));
    }
    printer.document(&path.display().to_string())
}
