//! Running the program `ssl` as a user types it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

/// The program under test: `SSL_BIN`, or a release build made on first use.
///
/// # Panics
/// If there is neither, with the compiler's words.
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| match std::env::var_os("SSL_BIN") {
        Some(path) => path.into(),
        None => build(),
    })
}

fn build() -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "build",
            "--release",
            "--package",
            "ssl-cli",
            "--message-format=json",
        ])
        .current_dir(crate::root())
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo runs this test, so it is there");
    assert!(output.status.success(), "building ssl failed");
    let executable = |line: &str| -> Option<PathBuf> {
        let message: Value = serde_json::from_str(line).ok()?;
        (message["target"]["name"] == "ssl")
            .then(|| message["executable"].as_str().map(PathBuf::from))?
    };
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .find_map(executable)
        .expect("a build of ssl-cli makes the program ssl")
}

/// What a finished program left.
#[derive(Debug)]
pub struct Finished {
    /// The command line, for messages.
    pub line: String,
    /// The exit code; `None` where a signal killed it.
    pub code: Option<i32>,
    /// Everything on stdout.
    pub stdout: String,
    /// Everything on stderr.
    pub stderr: String,
}

/// A user's folder, where commands are typed; it goes away with the value.
#[derive(Debug)]
pub struct Desk {
    folder: TempDir,
}

impl Desk {
    /// An empty folder.
    ///
    /// # Panics
    /// If the system's temporary folder is not writable.
    #[expect(clippy::new_without_default, reason = "it makes a folder")]
    pub fn new() -> Desk {
        Desk {
            folder: tempfile::tempdir().expect("the temporary folder is writable"),
        }
    }

    /// Where a file of that name is.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file.
    ///
    /// # Panics
    /// If the folder is not writable.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), bytes).expect("the temporary folder is writable");
    }

    /// Reads a file.
    ///
    /// # Panics
    /// If it is not there.
    #[track_caller]
    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// The JSON lines of a file.
    ///
    /// # Panics
    /// If it is not there or a line is anything else.
    #[track_caller]
    pub fn lines(&self, name: &str) -> Vec<Value> {
        let text = String::from_utf8(self.read(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        let parse =
            |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{name}: {line}: {e}"));
        text.lines().map(parse).collect()
    }

    /// `ssl` with arguments as typed (words between spaces) in this folder, not started yet.
    pub fn command(&self, typed: &str) -> Command {
        let mut command = Command::new(program());
        command
            .args(typed.split_whitespace())
            .current_dir(self.folder.path());
        command.stdin(Stdio::null()).env_remove("SSL_LOG");
        command
    }

    /// Runs `ssl` with arguments as typed to its end.
    ///
    /// # Panics
    /// If it does not start or prints something else than UTF-8.
    #[track_caller]
    pub fn ssl(&self, typed: &str) -> Finished {
        let output = self
            .command(typed)
            .output()
            .unwrap_or_else(|e| panic!("{}: {e}", program().display()));
        Finished::new(format!("ssl {typed}"), output)
    }
}

impl Finished {
    /// Keeps what a process left.
    ///
    /// # Panics
    /// If it printed something else than UTF-8.
    #[track_caller]
    pub fn new(line: String, output: Output) -> Finished {
        let text =
            |bytes| String::from_utf8(bytes).unwrap_or_else(|e| panic!("{line}: not UTF-8: {e}"));
        Finished {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
            line,
        }
    }

    /// The same, having ended with code 0.
    ///
    /// # Panics
    /// If it did not.
    #[track_caller]
    pub fn success(self) -> Finished {
        assert_eq!(self.code, Some(0), "{self}");
        self
    }

    /// The one JSON document that is all of stdout.
    ///
    /// # Panics
    /// If the program failed or stdout is anything else.
    #[track_caller]
    pub fn json(self) -> Value {
        let done = self.success();
        serde_json::from_str(&done.stdout)
            .unwrap_or_else(|e| panic!("stdout is not one JSON document ({e}): {done}"))
    }

    /// Checks a refusal: the exit code, a message with each of `parts`, a hint, nothing on stdout, no panic.
    ///
    /// # Panics
    /// If any of these is missing.
    #[track_caller]
    pub fn refused(&self, code: i32, parts: &[&str]) {
        assert_eq!(self.code, Some(code), "{self}");
        assert!(!self.stderr.contains("panicked"), "a panic: {self}");
        assert!(self.stderr.contains("error:"), "no error: {self}");
        assert!(self.stderr.contains("hint:"), "no hint: {self}");
        for part in parts {
            assert!(self.stderr.contains(part), "no `{part}`: {self}");
        }
        assert_eq!(self.stdout, "", "{self}");
    }
}

impl std::fmt::Display for Finished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Finished {
            line,
            code,
            stdout,
            stderr,
        } = self;
        write!(
            f,
            "{line}\nexit code {code:?}\n-- stdout --\n{stdout}\n-- stderr --\n{stderr}"
        )
    }
}
