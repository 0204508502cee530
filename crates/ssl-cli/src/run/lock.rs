//! One process a run folder.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::Path;

use crate::failure::{Failure, Outcome};

/// The file's name.
pub const FILE: &str = "lock";

/// Held as long as the value lives; the system lets go of it with the process, however that ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of a folder that is there, or says who holds it.
    pub fn take(folder: &Path) -> Outcome<Lock> {
        let path = folder.join(FILE);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&path).map_err(|error| {
            Failure::io(&path)(error).hint("--out names a folder that this process may write to")
        })?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // The number is a help, no more: who can't read it is told the rest.
                let _ = Read::by_ref(&mut file).take(32).read_to_string(&mut holder);
                let holder = holder.trim().parse::<u32>();
                let holder = holder.map_or(String::new(), |id| format!(" (process {id})"));
                let folder = folder.display();
                return Err(Failure::error(format!(
                    "{folder}: another process{holder} is using this run folder"
                ))
                .hint("wait for it, stop it, or choose another --out"));
            }
            Err(TryLockError::Error(error)) => return Err(Failure::io(&path)(error)),
        }
        // A holder that can't be named does no harm, and a full disk is told of by what matters.
        let _ = file
            .set_len(0)
            .and_then(|()| file.write_all(format!("{}\n", std::process::id()).as_bytes()));
        Ok(Lock { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_holder_until_it_lets_go() {
        let folder = tempfile::tempdir().unwrap();
        let held = Lock::take(folder.path()).unwrap();
        let refused = Lock::take(folder.path()).unwrap_err();
        let id = std::process::id().to_string();
        assert!(refused.message().contains("another process"));
        assert!(refused.message().contains(&id), "{}", refused.message());
        drop(held);
        Lock::take(folder.path()).unwrap();
    }
}
