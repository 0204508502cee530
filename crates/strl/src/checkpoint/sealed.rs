//! The form that checkpoints and training states share: safetensors with one metadata key, whose JSON
//! carries a digest of everything in the file.
//!
//! A flipped bit in a weight would be a slightly other model and no error. The digest is the SHA-256 over
//! the JSON text, in which it stands as 64 zeros itself, and over name, type, shape and bytes of each
//! tensor in the order of the names.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Read;
use std::path::Path;

use candle_core::safetensors::Load;
use candle_core::{Device, Tensor};
use safetensors::tensor::TensorView;
use safetensors::{SafeTensors, View};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::VERSION;
use super::error::{Error, Fault, Result};

/// The one metadata key: several would be written in a random order.
const KEY: &str = "ssl";

/// The digest's key in the JSON, and what stands there while it is computed.
const DIGEST: &str = "sha256";
const NONE_YET: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Far above any header ours can have, far below what would fill a memory.
const MOST_HEADER: u64 = 16 << 20;
/// The largest file that is read into memory: four times the parameters of the largest model that settings can ask for.
const LARGEST: u64 = 4 << 30;

/// The bytes of a file with these tensors and the object `meta`, its keys sorted: the same for the same
/// contents.
///
/// # Errors
/// What JSON or safetensors can't hold.
pub fn to_bytes(meta: &impl Serialize, tensors: &BTreeMap<String, Tensor>) -> Result<Vec<u8>> {
    let mut meta = serde_json::to_value(meta).map_err(|error| unwritable(&error))?;
    if let Value::Object(object) = &mut meta {
        object.insert(DIGEST.to_owned(), NONE_YET.into());
    }
    let text = serde_json::to_string(&meta).map_err(|error| unwritable(&error))?;
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
    safetensors::serialize(tensors, Some(metadata)).map_err(|error| unwritable(&error))
}

/// What no file can hold, which is a mistake of whoever asks for it.
fn unwritable(error: &dyn std::fmt::Display) -> Error {
    Error::Model(candle_core::Error::msg(error).into())
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

/// Reads a file, which is a `what` for messages. A file of another version is refused for that and not for what follows from it.
///
/// # Errors
/// A file that isn't there, is damaged, or of another kind or version.
pub fn read(path: &Path, what: &str) -> Result<Unsealed> {
    from_bytes(&read_safetensors(path)?, path, what)
}

/// [`read`] of what is in memory; `path` is for messages.
///
/// # Errors
/// As [`read`].
pub fn from_bytes(bytes: &[u8], path: &Path, what: &str) -> Result<Unsealed> {
    let expected = format!("a {what}");
    let wrong = |fault, found: String| Error::content(fault, path, "", expected.clone(), found);
    let damaged = |found: String| wrong(Fault::Damaged, found);
    let (_, header) =
        SafeTensors::read_metadata(bytes).map_err(|error| damaged(error.to_string()))?;
    let metadata = header.metadata().as_ref();
    let Some(text) = metadata.and_then(|keys| keys.get(KEY)) else {
        let found = "safetensors of another program".to_owned();
        return Err(wrong(Fault::Foreign, found));
    };
    let mut meta: Value = serde_json::from_str(text)
        .map_err(|error| damaged(format!("metadata that don't parse: {error}")))?;
    check_version(&meta, path)?;
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
        tensors: tensors.collect::<Result<_>>()?,
        sha256: hex(&Sha256::digest(bytes)),
    })
}

/// Refuses the metadata of another version.
fn check_version(meta: &Value, path: &Path) -> Result<()> {
    match meta.get("version").and_then(Value::as_u64) {
        Some(VERSION) => Ok(()),
        Some(found) => Err(Error::Version {
            path: path.to_owned(),
            found,
        }),
        None => {
            let (expected, found) = ("those of a checkpoint", "no version number");
            Err(Error::content(
                Fault::Invalid,
                path,
                "metadata",
                expected,
                found,
            ))
        }
    }
}

/// Reads a safetensors file, without trusting the length it claims for its header.
///
/// # Errors
/// A file that isn't there, is too large, or is none.
pub fn read_safetensors(path: &Path) -> Result<Vec<u8>> {
    let mut file = File::open(path).map_err(Error::io(path))?;
    let length = file.metadata().map_err(Error::io(path))?.len();
    if length > LARGEST {
        let expected = format!("a checkpoint of at most {LARGEST} bytes");
        let found = length.to_string();
        return Err(Error::content(Fault::TooLarge, path, "", expected, found));
    }
    let mut start = [0; 8];
    let other = |found: String| {
        let expected = "a checkpoint (safetensors)";
        Error::content(Fault::NotSafetensors, path, "", expected, found)
    };
    if length < 8 || file.read_exact(&mut start).is_err() {
        return Err(other(format!("{length} bytes")));
    }
    let header = u64::from_le_bytes(start);
    if header > MOST_HEADER || header > length - 8 {
        let found = format!("a header of {header} bytes in a file of {length}");
        return Err(other(found));
    }
    let mut bytes = start.to_vec();
    file.read_to_end(&mut bytes).map_err(Error::io(path))?;
    Ok(bytes)
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
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
