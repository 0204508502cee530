//! `ssl import`

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::safetensors::Load;
use candle_core::{Device, Tensor};
use safetensors::SafeTensors;
use sha2::{Digest, Sha256};

use crate::args::ImportArgs;
use crate::checkpoint::{self, Checkpoint, read_safetensors};
use crate::failure::{Failure, Outcome};
use crate::models::Opened;
use crate::outputs::vacant;
use crate::printer::Printer;
use crate::text::hex;

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
    checkpoint::write(&checkpoint, &args.output)?;
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

/// The tensors of a safetensors file of any program.
struct Weights {
    /// By name, all 32-bit floats.
    tensors: BTreeMap<String, Tensor>,
    /// SHA-256 of the file.
    sha256: String,
}

impl Weights {
    /// Reads the file; its metadata are not looked at.
    fn read(path: &Path) -> Outcome<Weights> {
        let bytes = read_safetensors(path)?;
        let wrong = |found: String| {
            Failure::error(format!(
                "{}: expected safetensors of 32-bit floats, found {found}",
                path.display()
            ))
        };
        let file = SafeTensors::deserialize(&bytes).map_err(|error| {
            wrong(error.to_string()).hint("the file is damaged or cut off: write it again")
        })?;
        let mut tensors = BTreeMap::new();
        for (name, view) in file.iter() {
            if view.dtype() != safetensors::Dtype::F32 {
                return Err(wrong(format!("{name} in {:?}", view.dtype()))
                    .hint("in PyTorch: tensor.float() before it is saved"));
            }
            let tensor = view
                .load(&Device::Cpu)
                .map_err(|error| wrong(format!("{name}: {error}")))?;
            tensors.insert(name.to_owned(), tensor);
        }
        let sha256 = hex(&Sha256::digest(&bytes));
        Ok(Weights { tensors, sha256 })
    }
}

/// `(64, 2)`
fn shape(tensor: &Tensor) -> String {
    let sizes: Vec<String> = tensor.dims().iter().map(usize::to_string).collect();
    format!("({})", sizes.join(", "))
}
