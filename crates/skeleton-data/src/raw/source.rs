//! Where data came from, as a cache records it.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{Error, Result};

/// The JSON a cache keeps in `source`: the files it was made from, and every preparation rule with its value.
///
/// Files are recorded by name, size and SHA-256, without their folder: the same bytes give the same record anywhere.
///
/// # Errors
/// A file that can't be read.
pub fn describe(files: &[&Path], rules: Value) -> Result<Value> {
    let files: Result<Vec<Value>> = files.iter().map(|path| describe_file(path)).collect();
    Ok(json!({ "files": files?, "rules": rules }))
}

fn describe_file(path: &Path) -> Result<Value> {
    let mut file = File::open(path).map_err(Error::io(path))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut size = 0u64;
    loop {
        let read = file.read(&mut buffer).map_err(Error::io(path))?;
        if read == 0 {
            break;
        }
        hasher.update(&buffer[..read]);
        size += read as u64;
    }
    let name = path
        .file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    Ok(json!({ "name": name, "size": size, "sha256": hex(&hasher.finalize()) }))
}

/// Bytes in lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
