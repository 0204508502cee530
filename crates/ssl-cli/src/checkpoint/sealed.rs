//! The form that checkpoints and training states share: safetensors with one metadata key, whose JSON
//! carries a digest of everything in the file.
//!
//! A flipped bit in a weight would be a slightly other model and no error. The digest is the SHA-256 over
//! the JSON text, in which it stands as 64 zeros itself, and over name, type, shape and bytes of each
//! tensor in the order of the names.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use candle_core::safetensors::Load;
use candle_core::{Device, Tensor};
use safetensors::tensor::TensorView;
use safetensors::{SafeTensors, View};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::file::read_safetensors;
use crate::failure::{Failure, Outcome};
use crate::text::hex;

/// The one metadata key: several would be written in a random order.
const KEY: &str = "ssl";

/// The digest's key in the JSON, and what stands there while it is computed.
const DIGEST: &str = "sha256";
const NONE_YET: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// What to do about a damaged file.
const AGAIN: &str =
    "the file is damaged or cut off: copy it again, take an older one, or train again";

/// The bytes of a file with these tensors and the object `meta`, its keys sorted: the same for the same
/// contents.
pub fn to_bytes(mut meta: Value, tensors: &BTreeMap<String, Tensor>) -> Outcome<Vec<u8>> {
    if let Value::Object(object) = &mut meta {
        object.insert(DIGEST.to_owned(), NONE_YET.into());
    }
    let text = serde_json::to_string(&meta).map_err(|error| Failure::from_error(&error))?;
    let mut hasher = hasher(&text);
    for (name, tensor) in tensors {
        let view = &tensor;
        let dtype = View::dtype(view).to_string();
        hash_tensor(
            &mut hasher,
            name,
            &dtype,
            View::shape(view),
            &View::data(view),
        );
    }
    let text = text.replacen(&field(NONE_YET), &field(&hex(&hasher.finalize())), 1);
    let metadata = HashMap::from([(KEY.to_owned(), text)]);
    let tensors = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor));
    safetensors::serialize(tensors, Some(metadata)).map_err(|error| Failure::from_error(&error))
}

/// A file whose digest is right.
pub struct Unsealed {
    /// The metadata, without the digest.
    pub meta: Value,
    /// Tensors by name.
    pub tensors: BTreeMap<String, Tensor>,
    /// SHA-256 of all bytes.
    pub sha256: String,
}

/// Reads a file, which is a `what` for messages; `version` looks at the metadata first, so that a file
/// of another version is refused for that and not for what follows from it.
pub fn read(
    path: &Path,
    what: &str,
    version: impl FnOnce(&Value, &Path) -> Outcome,
) -> Outcome<Unsealed> {
    let bytes = read_safetensors(path)?;
    from_bytes(&bytes, path, what, version)
}

/// [`read`] of what is in memory; `path` is for messages.
pub fn from_bytes(
    bytes: &[u8],
    path: &Path,
    what: &str,
    version: impl FnOnce(&Value, &Path) -> Outcome,
) -> Outcome<Unsealed> {
    let damaged = |found: String| {
        let path = path.display();
        Failure::error(format!("{path}: expected a {what}, found {found}")).hint(AGAIN)
    };
    let (_, header) =
        SafeTensors::read_metadata(bytes).map_err(|error| damaged(error.to_string()))?;
    let metadata = header.metadata().as_ref();
    let Some(text) = metadata.and_then(|keys| keys.get(KEY)) else {
        let path = path.display();
        return Err(Failure::error(format!(
            "{path}: expected a {what}, found safetensors of another program"
        ))
        .hint("weights of another program become a checkpoint by `ssl import`"));
    };
    let mut meta: Value = serde_json::from_str(text)
        .map_err(|error| damaged(format!("metadata that don't parse: {error}")))?;
    version(&meta, path)?;
    let stored = match meta
        .as_object_mut()
        .and_then(|object| object.remove(DIGEST))
    {
        Some(Value::String(stored)) => stored,
        _ => return Err(damaged(format!("metadata without {DIGEST}"))),
    };
    let file = SafeTensors::deserialize(bytes).map_err(|error| damaged(error.to_string()))?;
    let mut views: Vec<(String, TensorView<'_>)> = file.tensors();
    views.sort_by(|(one, _), (other, _)| one.cmp(other));
    let mut hasher = hasher(&text.replacen(&field(&stored), &field(NONE_YET), 1));
    for (name, view) in &views {
        let dtype = view.dtype().to_string();
        hash_tensor(&mut hasher, name, &dtype, view.shape(), view.data());
    }
    let found = hex(&hasher.finalize());
    if found != stored {
        return Err(damaged(format!(
            "other contents than were written: SHA-256 {found}, not {stored}"
        )));
    }
    let tensors = views.into_iter().map(|(name, view)| {
        let tensor = view.load(&Device::Cpu);
        let tensor = tensor.map_err(|error| damaged(format!("{name}: {error}")))?;
        Ok((name, tensor))
    });
    Ok(Unsealed {
        meta,
        tensors: tensors.collect::<Outcome<_>>()?,
        sha256: hex(&Sha256::digest(bytes)),
    })
}

/// The digest as it stands in the text.
fn field(digest: &str) -> String {
    format!("\"{DIGEST}\":\"{digest}\"")
}

fn hasher(text: &str) -> Sha256 {
    let mut hasher = Sha256::new();
    hash(&mut hasher, text.as_bytes());
    hasher
}

/// Each piece with its length in front, so that no two lists of pieces look alike.
fn hash(hasher: &mut Sha256, piece: &[u8]) {
    hasher.update((piece.len() as u64).to_le_bytes());
    hasher.update(piece);
}

fn hash_tensor(hasher: &mut Sha256, name: &str, dtype: &str, shape: &[usize], data: &[u8]) {
    hash(hasher, name.as_bytes());
    hash(hasher, dtype.as_bytes());
    let shape: Vec<u8> = shape
        .iter()
        .flat_map(|&length| (length as u64).to_le_bytes())
        .collect();
    hash(hasher, &shape);
    hash(hasher, data);
}
