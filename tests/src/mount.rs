//! A small file system of one's own: to fill it up, to make it read-only, to see what a program does then.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use tempfile::TempDir;

/// The file that [`Small::fill`] fills the rest with.
const FILLER: &str = "filler";

/// A file system in memory of a fixed size. It is mounted in a mount namespace of a shell's, reached through the
/// shell's `/proc` entry, and gone with it, however the test ends: nothing is left mounted.
#[derive(Debug)]
pub struct Small {
    shell: Child,
    said: BufReader<ChildStdout>,
    asked: Option<ChildStdin>,
    /// Where it is mounted, as the shell sees it.
    inside: TempDir,
    /// The same, as everyone sees it.
    path: PathBuf,
}

impl Small {
    /// One of so many kilobytes. Where this system doesn't let us mount, with a namespace of users or without, the test says that
    /// it is skipped.
    ///
    /// # Panics
    /// If the system's temporary folder is not writable.
    pub fn new(kilobytes: u32) -> Option<Small> {
        // Root needs no namespace of users, and may have none; others are root in one of their own.
        let small = ["-m", "-rm"]
            .into_iter()
            .find_map(|namespaces| Small::mounted(namespaces, kilobytes));
        if small.is_none() {
            eprintln!(
                "skipped: no small file system can be mounted here (as root, or by `unshare -rm`)"
            );
        }
        small
    }

    fn mounted(namespaces: &str, kilobytes: u32) -> Option<Small> {
        let inside = tempfile::tempdir().expect("the temporary folder is writable");
        let mut shell = Command::new("unshare")
            .args([namespaces, "sh"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let (asked, said) = (shell.stdin.take(), shell.stdout.take()?);
        let place = inside.path().to_str()?.to_owned();
        let path = PathBuf::from(format!("/proc/{}/root{place}", shell.id()));
        let mut small = Small {
            shell,
            said: BufReader::new(said),
            asked,
            inside,
            path,
        };
        let mounted = small.ask(&format!("mount -t tmpfs -o size={kilobytes}k,mode=755 ssl"));
        // What was mounted must also be there for this process.
        (mounted && File::create(small.path.join(FILLER)).is_ok()).then_some(small)
    }

    /// Has the shell do something to the mounted folder.
    fn ask(&mut self, command: &str) -> bool {
        let line = format!(
            "{command} '{}' && echo done || echo failed\n",
            self.inside.path().display()
        );
        let mut answer = String::new();
        let asked = self
            .asked
            .as_mut()
            .map(|shell| shell.write_all(line.as_bytes()));
        matches!(asked, Some(Ok(())))
            && self.said.read_line(&mut answer).is_ok()
            && answer == "done\n"
    }

    /// The folder, for any process.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where a file of that name is.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The names of all files in it but the filler, sorted.
    ///
    /// # Panics
    /// If they can't be read.
    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.path).expect("the folder is mounted");
        let name = |entry: std::io::Result<std::fs::DirEntry>| {
            entry.expect("a readable folder").file_name()
        };
        let names = entries.map(|entry| name(entry).to_string_lossy().into_owned());
        let mut names: Vec<_> = names.filter(|name| name != FILLER).collect();
        names.sort();
        names
    }

    /// Fills it up but for so many kilobytes (pages, of four), or, where more was taken, gives so much back.
    ///
    /// # Panics
    /// If that fails for another reason than that it is full.
    pub fn fill(&self, kilobytes_left: u64) {
        let mut filler = File::create(self.path.join(FILLER)).expect("the folder is writable");
        let mut filled = 0;
        loop {
            match filler.write(&[0x5a; 4096]) {
                Ok(written) => filled += written as u64,
                Err(error) if error.kind() == ErrorKind::StorageFull => break,
                Err(error) => panic!("{}: {error}", self.path.display()),
            }
        }
        let kept = filled.saturating_sub(kilobytes_left * 1024);
        filler.set_len(kept).expect("a file can be cut");
    }

    /// Lets nobody write any more, not even root; or again.
    ///
    /// # Panics
    /// If a file there is open for writing.
    pub fn read_only(&mut self, read_only: bool) {
        let option = if read_only { "ro" } else { "rw" };
        assert!(
            self.ask(&format!("mount -o remount,bind,{option}")),
            "remounting {option}"
        );
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        // The shell ends with its input, and its namespace with it.
        drop(self.asked.take());
        let _ = self.shell.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_full_when_full_and_read_only_when_asked_and_gone_when_dropped() {
        let Some(mut small) = Small::new(64) else {
            return;
        };
        std::fs::write(small.file("kept"), "text").unwrap();
        small.fill(8);
        std::fs::write(small.file("fits"), [0; 8192]).unwrap();
        let refused = std::fs::write(small.file("more"), [0; 1]).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::StorageFull);
        std::fs::remove_file(small.file("more")).unwrap();
        small.read_only(true);
        let refused = std::fs::write(small.file("late"), "text").unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ReadOnlyFilesystem);
        assert_eq!(std::fs::read(small.file("kept")).unwrap(), b"text");
        small.read_only(false);
        std::fs::write(small.file("kept"), "more").unwrap();
        assert_eq!(small.names(), ["fits", "kept"]);
        let (path, inside) = (small.path().to_owned(), small.inside.path().to_owned());
        assert_eq!(
            std::fs::read_dir(&inside).unwrap().count(),
            0,
            "mounted for the shell only"
        );
        drop(small);
        assert!(!path.exists() && !inside.exists());
    }
}
