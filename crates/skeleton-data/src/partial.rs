//! Files that appear whole or not at all.

use std::fs::File;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::{Error, Result};

/// A file being written under a temporary name beside its place; dropped, it vanishes.
pub(crate) struct Partial {
    file: NamedTempFile,
    path: PathBuf,
    folder: PathBuf,
}

/// The folder that `path` lies in.
pub(crate) fn folder(path: &Path) -> PathBuf {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new(".")).to_owned()
}

impl Partial {
    /// An empty file that will be `path`.
    pub(crate) fn create(path: &Path) -> Result<Partial> {
        let folder = folder(path);
        let mut builder = tempfile::Builder::new();
        builder.prefix(".ssl-").suffix(".partial");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // As any file this program creates, not private as temporary files are; the umask applies.
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        let file = builder.tempfile_in(&folder).map_err(Error::io(&folder))?;
        let path = path.to_owned();
        Ok(Partial { file, path, folder })
    }

    /// The place it will have, for messages.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Its name until then.
    #[cfg(feature = "hdf5")]
    pub(crate) fn temporary_path(&self) -> &Path {
        self.file.path()
    }

    /// The open file.
    pub(crate) fn file(&mut self) -> &mut File {
        self.file.as_file_mut()
    }

    /// Renames the file to its place when it is safe on the disk, and returns its size.
    pub(crate) fn finish(self) -> Result<u64> {
        let io = || Error::io(&self.path);
        let file = self.file.as_file();
        file.sync_all().map_err(io())?;
        let bytes = file.metadata().map_err(io())?.len();
        self.file.persist(&self.path).map_err(|e| Error::Io {
            path: self.path.clone(),
            source: e.error,
        })?;
        // The rename itself is on the disk once the folder is.
        #[cfg(unix)]
        File::open(&self.folder)
            .and_then(|folder| folder.sync_all())
            .map_err(Error::io(&self.folder))?;
        Ok(bytes)
    }
}
