//! `ssl inspect`

pub mod clip;

use skeleton_data::cache::Cache;

use super::survey;
use crate::args::InspectArgs;
use crate::failure::Outcome;
use crate::printer::Printer;
use crate::report::Contents;
use crate::signal::Interrupt;

/// Says what a cache holds, and checks it; or draws one of its clips.
pub fn run(args: &InspectArgs, printer: &Printer, interrupt: &Interrupt) -> Outcome {
    let cache = Cache::open(&args.cache)?;
    if let Some(wanted) = &args.clip {
        return clip::run(args, wanted, &cache, printer);
    }
    let verified = if args.verify {
        Some(cache.verify()?)
    } else {
        None
    };
    let survey = survey(&cache, 0.0, printer, interrupt)?;
    let contents = Contents::new(&cache, &survey, verified);
    printer.report(args.json, &contents, Contents::text)
}
