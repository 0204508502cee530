//! The program `ssl`, called for what it knows.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::process::{Failure, exit_code, run, typed};
use crate::workspace::Workspace;

/// The program, built.
pub struct Ssl {
    path: PathBuf,
    /// `ssl 0.1.0`
    pub version: String,
    /// The hash of the program itself.
    pub build: String,
}

/// What `ssl inspect --json` says, as far as it is needed.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Facts {
    pub dataset: String,
    pub layout: String,
    pub joints: usize,
    pub coordinates: usize,
    pub units: String,
    pub splits: BTreeMap<String, usize>,
    pub parts: Vec<Part>,
    /// Clips by their number of people.
    pub tracks: BTreeMap<u32, usize>,
    pub digest: String,
}

/// A part of the layout.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Part {
    pub name: String,
    pub joints: Vec<String>,
}

impl Ssl {
    /// Builds it, unless the variable SSL_BIN says where it is.
    pub fn provide(workspace: &Workspace) -> Result<Ssl, Failure> {
        let path = match std::env::var_os("SSL_BIN").filter(|path| !path.is_empty()) {
            Some(path) => path.into(),
            None => {
                run(workspace.build("build")?.args(["--package", "ssl-cli"]))?;
                workspace.program("ssl")
            }
        };
        let mut ssl = Ssl {
            path,
            version: String::new(),
            build: String::new(),
        };
        ssl.version = ssl.said(&["--version"])?.trim().to_owned();
        let bytes = std::fs::read(&ssl.path)
            .map_err(|e| Failure::Task(format!("cannot read {}: {e}", ssl.path.display())))?;
        ssl.build = short_hash(&bytes);
        Ok(ssl)
    }

    /// A command line, not started yet.
    pub fn command<S: AsRef<std::ffi::OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(&self.path);
        command.args(args);
        command
    }

    /// Runs it to its end; what it writes on stdout. Its errors are the user's to see.
    pub fn said(&self, args: &[&str]) -> Result<String, Failure> {
        let mut command = self.command(args);
        let line = typed(&command);
        let output = command
            .stderr(std::process::Stdio::inherit())
            .output()
            .map_err(|error| Failure::Task(format!("cannot start `{line}`: {error}")))?;
        if !output.status.success() {
            let code = exit_code(output.status);
            return Err(Failure::Child {
                command: line,
                code,
            });
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// What a cache holds.
    pub fn inspect(&self, cache: &Path) -> Result<Facts, Failure> {
        let name = cache.to_string_lossy();
        let text = self.said(&["inspect", &name, "--json", "--quiet"])?;
        serde_json::from_str(&text)
            .map_err(|error| Failure::Task(format!("ssl inspect {name} --json: {error}")))
    }

    /// A preset's text.
    pub fn preset(&self, name: &str) -> Result<String, Failure> {
        self.said(&["preset", name])
    }
}

/// The first 16 hexadecimal digits of a SHA-256.
pub fn short_hash(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}
