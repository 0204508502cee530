//! Files that are there whole or not at all.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use tempfile::NamedTempFile;

use crate::failure::{Failure, Outcome};

/// Writes `bytes` beside `path`, makes them durable and moves them there: whoever reads `path` sees
/// the old file or the new one.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Outcome {
    let mut whole = Whole::create(path)?;
    whole.write_all(bytes).map_err(Failure::io(path))?;
    whole.finish()
}

/// A value as one JSON document, written as [`write_whole`] does.
pub fn write_json(path: &Path, value: &impl Serialize) -> Outcome {
    let mut text = serde_json::to_vec_pretty(value)?;
    text.push(b'\n');
    write_whole(path, &text)
}

/// A file that grows beside its place, and goes away if it isn't finished.
#[derive(Debug)]
pub struct Whole {
    path: PathBuf,
    folder: PathBuf,
    beside: BufWriter<NamedTempFile>,
}

impl Whole {
    /// An empty one that will be `path`.
    pub fn create(path: &Path) -> Outcome<Whole> {
        let folder = folder_of(path);
        Ok(Whole {
            path: path.to_owned(),
            folder: folder.to_owned(),
            beside: BufWriter::new(beside(folder).map_err(Failure::io(folder))?),
        })
    }

    /// Where it will be.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes it durable and moves it to its place.
    pub fn finish(self) -> Outcome {
        let path = &self.path;
        let beside = self.beside.into_inner();
        let beside = beside.map_err(|error| Failure::io(path)(error.into_error()))?;
        beside.as_file().sync_all().map_err(Failure::io(path))?;
        beside
            .persist(path)
            .map_err(|error| Failure::io(path)(error.error))?;
        // The new name is durable once the folder is; systems that can't sync a folder don't need it.
        if let Ok(folder) = File::open(&self.folder) {
            let _ = folder.sync_all();
        }
        Ok(())
    }
}

impl Write for Whole {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.beside.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.beside.flush()
    }
}

/// The folder that a path is in: this one, where it names none.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// How the names of files begin that aren't finished.
pub const BESIDE: &str = ".writing-";

/// A temporary file as readable as any file its user makes: temporary files are private unless told
/// otherwise.
fn beside(folder: &Path) -> std::io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(BESIDE);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        write_whole(&path, b"one").unwrap();
        write_whole(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
