//! `ssl doctor`

mod overfit;

use skeleton_data::health::{Catalogue, Health, examine, usual_pairs};
use skeleton_data::reading::Reading;

use crate::args::DoctorArgs;
use crate::data::Data;
use crate::failure::{Failure, Outcome};
use crate::printer::Printer;
use crate::report::{Diagnosis, count};
use crate::signal::Interrupt;

/// Looks for what would make training fail, or its results lie.
pub fn run(args: &DoctorArgs, printer: &Printer, interrupt: &Interrupt) -> Outcome {
    let data = Data::open(Some(&args.cache))?;
    let cache = data.cache();
    let pairs = match (&args.split_train, &args.split_test) {
        (Some(train), Some(test)) => {
            // An unknown name is refused before anything slow starts.
            cache.split(train)?;
            cache.split(test)?;
            vec![(train.clone(), test.clone())]
        }
        _ => usual_pairs(cache.splits().map(|(name, _)| name)),
    };
    let trial = match args.overfit.overfit {
        true => Some(overfit::Trial::new(
            args,
            &data,
            pairs.first().map(|(train, _)| train.as_str()),
            printer,
        )?),
        false => None,
    };
    let reading = trial
        .as_ref()
        .map_or_else(Reading::default, overfit::Trial::reading);
    let survey = super::survey(cache, reading.score_threshold, printer, interrupt)?;
    let catalogue = Catalogue {
        reading,
        ..Catalogue::of(cache)
    };
    let health: Health = examine(cache, &survey, &catalogue, &pairs)?;
    let learnt = trial
        .map(|trial| trial.run(&data, &survey, printer, interrupt))
        .transpose()?;
    let diagnosis = Diagnosis::new(cache, &health, learnt, usize::from(args.show));
    printer.report(args.json, &diagnosis, Diagnosis::text)?;
    match diagnosis.errors() {
        0 => Ok(()),
        n => Err(Failure::error(format!(
            "{}: {} that {} training fail or results lie",
            args.cache.display(),
            count(n, "finding"),
            if n == 1 { "makes" } else { "make" }
        ))
        .hint("each finding above says what to do about it")),
    }
}
