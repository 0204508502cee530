//! `ssl import`

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::Tensor;

use crate::args::ImportArgs;
use crate::checkpoint::Checkpoint;
use crate::failure::{Failure, Outcome};
use crate::models::Opened;
use crate::outputs::vacant;
use crate::printer::Printer;
use crate::weights::{Weights, shape};

/// Differences named in a message.
const SHOWN: usize = 3;

/// Makes a checkpoint of numbers from elsewhere.
pub fn run(args: &ImportArgs, printer: &Printer) -> Outcome {
    let like = Opened::any(&args.like)?;
    vacant([&args.output], &[&args.weights, &args.like], args.overwrite)?;
    let weights = Weights::read(&args.weights)?;
    fit(&weights.tensors, &like, &args.weights)?;
    let mut meta = like.checkpoint.meta.clone();
    meta.imported = Some(weights.sha256.clone());
    let checkpoint = Checkpoint {
        meta,
        tensors: weights.tensors,
    };
    checkpoint.write(&args.output)?;
    printer.document(&format!(
        "{}: {} tensors of {} (SHA-256 {:.12}) as a model like {}",
        args.output.display(),
        checkpoint.tensors.len(),
        args.weights.display(),
        weights.sha256,
        like.origin.path.display()
    ))
}

/// Refuses tensors that aren't exactly the model's: what is missing, unknown, of another shape or not finite, by name.
fn fit(tensors: &BTreeMap<String, Tensor>, like: &Opened, path: &Path) -> Outcome {
    let own = &like.checkpoint.tensors;
    let mut wrong = Vec::new();
    for (name, expected) in own {
        match tensors.get(name) {
            None => wrong.push(format!("{name} is missing, {} expected", shape(expected))),
            Some(found) if found.dims() != expected.dims() => wrong.push(format!(
                "{name}: expected {}, found {}",
                shape(expected),
                shape(found)
            )),
            Some(found) => {
                let numbers = found.flatten_all()?.to_vec1::<f32>()?;
                if let Some(odd) = numbers.iter().find(|x| !x.is_finite()) {
                    wrong.push(format!("{name}: expected finite numbers, found {odd}"));
                }
            }
        }
    }
    let unknown = tensors.keys().filter(|name| !own.contains_key(*name));
    wrong.extend(unknown.map(|name| format!("{name} is unknown")));
    if wrong.is_empty() {
        return Ok(());
    }
    let more = match wrong.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    wrong.truncate(SHOWN);
    let message = format!(
        "{} doesn't fit {}: {}{more}",
        path.display(),
        like.origin.path.display(),
        wrong.join("; ")
    );
    Err(Failure::error(message)
        .hint("the names and shapes are those of the model itself; docs/weights.md explains them"))
}
