//! What the end-to-end tests share: the program, small pickles to feed it, real clips where they are.
//!
//! The tests run `ssl` as a user does and look only at what a user sees: exit codes, stdout, stderr, files.
#![forbid(unsafe_code)]

pub mod documents;
pub mod mount;
pub mod mutate;
pub mod page;
pub mod pickle;
pub mod program;
pub mod random;
pub mod toy;

use std::path::{Path, PathBuf};
use std::process::Command;

/// The repository's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests stand in a folder of the repository")
}

/// A file of real clips from a folder `shared/data` beside the checkout; where it is absent the test says that it is skipped.
pub fn real_data(name: &str) -> Option<PathBuf> {
    let path = root().parent()?.join("shared").join("data").join(name);
    if path.is_file() {
        return Some(path);
    }
    eprintln!("skipped: {} is not here", path.display());
    None
}

/// A Python that has the modules: `SSL_TEST_PYTHON`, or `python3` on PATH; without one the test says that it is skipped.
///
/// # Panics
/// If `SSL_TEST_PYTHON` is set and lacks a module: whoever set it means the comparison to run.
pub fn python(modules: &[&str]) -> Option<Command> {
    let chosen = std::env::var_os("SSL_TEST_PYTHON");
    let python = chosen.clone().unwrap_or_else(|| "python3".into());
    let imports = format!("import {}", modules.join(", "));
    let output = Command::new(&python).args(["-c", &imports]).output();
    match output {
        Ok(output) if output.status.success() => Some(Command::new(python)),
        _ if chosen.is_some() => panic!("SSL_TEST_PYTHON is {python:?}, where `{imports}` fails"),
        _ => {
            eprintln!(
                "skipped: no python3 with {} here (SSL_TEST_PYTHON names one)",
                modules.join(", ")
            );
            None
        }
    }
}
