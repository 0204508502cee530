//! `cargo package` of every crate that is published, and a check that each compiles from its archive
//! alone: no file outside its folder, no feature that only the workspace turns on.
//!
//! Cargo's own verification would build everything once more in the dev profile, HDF5 included. Here the
//! archives are unpacked into a workspace of their own and type-checked against this target folder, where
//! the dependencies are compiled already.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{Failure, cannot, run};
use crate::workspace::Workspace;

/// Members that are not published.
const INTERNAL: [&str; 3] = ["xtask", "ssl-tests", "skeletonmae-python"];

/// Packages the published crates and type-checks what was packaged.
pub fn package(workspace: &Workspace) -> Result<(), Failure> {
    let archives = workspace.target().join("package");
    clear(&archives)?;
    let mut command = workspace.cargo("package");
    command.args(["--workspace", "--no-verify"]);
    for name in INTERNAL {
        command.args(["--exclude", name]);
    }
    if std::env::var_os("CI").is_none() {
        // Locally the step also serves changes that are not committed yet.
        command.arg("--allow-dirty");
    }
    run(&mut command)?;

    let unpacked = archives.join("unpacked");
    std::fs::create_dir_all(&unpacked).map_err(cannot("make", &unpacked))?;
    let crates = unpack(&archives, &unpacked)?;
    let manifest = unpacked.join("Cargo.toml");
    let root = workspace.root().join("Cargo.toml");
    let text = std::fs::read_to_string(&root).map_err(cannot("read", &root))?;
    std::fs::write(&manifest, workspace_of(&crates, profiles(&text)))
        .map_err(cannot("write", &manifest))?;
    let lock = workspace.root().join("Cargo.lock");
    std::fs::copy(&lock, unpacked.join("Cargo.lock")).map_err(cannot("copy", &lock))?;
    for (name, _) in &crates {
        // The examples use the library as a dependent does; without a flag its programs are checked.
        check(workspace, &unpacked, &["--package", name])?;
        check(workspace, &unpacked, &["--package", name, "--examples"])?;
    }
    // Readers, sampling and batches are promised without HDF5.
    check(
        workspace,
        &unpacked,
        &["--package", "skeleton-data", "--no-default-features"],
    )
}

fn check(workspace: &Workspace, folder: &Path, args: &[&str]) -> Result<(), Failure> {
    let mut command = workspace.build("check")?;
    run(command.arg("--quiet").args(args).current_dir(folder))
}

fn clear(folder: &Path) -> Result<(), Failure> {
    match std::fs::remove_dir_all(folder) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(cannot("clear", folder)(e)),
        _ => Ok(()),
    }
}

/// Unpacks every archive and gives the crates' names and folders, sorted.
fn unpack(archives: &Path, into: &Path) -> Result<Vec<(String, String)>, Failure> {
    let mut crates = Vec::new();
    let entries = std::fs::read_dir(archives).map_err(cannot("read", archives))?;
    for entry in entries {
        let path: PathBuf = entry.map_err(cannot("read", archives))?.path();
        let Some(folder) = path
            .file_name()
            .and_then(|f| f.to_str()?.strip_suffix(".crate"))
        else {
            continue;
        };
        let Some((name, _version)) = folder.rsplit_once('-') else {
            continue;
        };
        crates.push((name.to_owned(), folder.to_owned()));
        // Files as new as they are here: by the time in an archive Cargo would take what an earlier one left for up to date.
        run(Command::new("tar")
            .arg("-xzmf")
            .arg(&path)
            .arg("-C")
            .arg(into))?;
    }
    crates.sort();
    if crates.is_empty() {
        return Err(Failure::Task(format!(
            "cargo package left no archive in {}",
            archives.display()
        )));
    }
    Ok(crates)
}

/// A workspace of the unpacked crates in which they find each other.
fn workspace_of(crates: &[(String, String)], profiles: &str) -> String {
    let mut text = String::from("[workspace]\nresolver = \"3\"\nmembers = [\n");
    for (_, folder) in crates {
        text.push_str(&format!("    \"{folder}\",\n"));
    }
    text.push_str("]\n\n[patch.crates-io]\n");
    for (name, folder) in crates {
        text.push_str(&format!("{name} = {{ path = \"{folder}\" }}\n"));
    }
    text.push('\n');
    text.push_str(profiles);
    text
}

/// The profiles of the root manifest, where they stand last: with others the dependencies would be
/// compiled again.
fn profiles(manifest: &str) -> &str {
    manifest
        .find("\n[profile.")
        .map_or("", |at| &manifest[at + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_patches_each_crate_to_its_archive() {
        let crates = [("a-b".to_owned(), "a-b-0.1.0".to_owned())];
        let text = workspace_of(
            &crates,
            profiles("[workspace]\n\n[profile.release]\ndebug = 1\n"),
        );
        assert!(
            text.contains("members = [\n    \"a-b-0.1.0\",\n]"),
            "{text}"
        );
        assert!(text.contains("a-b = { path = \"a-b-0.1.0\" }"), "{text}");
        assert!(text.ends_with("[profile.release]\ndebug = 1\n"), "{text}");
    }
}
