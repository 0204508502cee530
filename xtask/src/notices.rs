//! The licences of what is inside the program: every crate that it is built from, by cargo's metadata, with the texts that lie in
//! the crates' own folders.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::process::{Failure, cannot, typed};
use crate::workspace::Workspace;

/// Beginnings of the names of files that hold licences or what goes with them.
const FILES: [&str; 6] = [
    "license",
    "licence",
    "copying",
    "copyright",
    "notice",
    "unlicense",
];
/// Longer ones are no licences.
const LONGEST: u64 = 1 << 18;

/// A crate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Package {
    pub name: String,
    pub version: String,
    id: String,
    /// An SPDX expression.
    pub license: Option<String>,
    pub repository: Option<String>,
    pub source: Option<String>,
    manifest_path: PathBuf,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<Kind>,
}

#[derive(Deserialize)]
struct Kind {
    /// None where it is linked; "dev" and "build" otherwise.
    kind: Option<String>,
}

/// The crates that these members are built from on this machine's kind, themselves included, by name.
pub fn packages(workspace: &Workspace, members: &[&str]) -> Result<Vec<Package>, Failure> {
    let mut command = workspace.cargo("metadata");
    command.args([
        "--format-version",
        "1",
        "--locked",
        "--filter-platform",
        &host()?,
    ]);
    let output = command.output();
    let output = output.map_err(|e| Failure::Task(format!("{}: {e}", typed(&command))))?;
    let failed = |why: String| Failure::Task(format!("{}: {why}", typed(&command)));
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    let metadata: Metadata =
        serde_json::from_slice(&output.stdout).map_err(|e| failed(e.to_string()))?;
    Ok(linked(metadata, members))
}

/// This machine's target triple, as the compiler calls it.
pub fn host() -> Result<String, Failure> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = std::process::Command::new(rustc).arg("-vV").output();
    let output = output.map_err(|e| Failure::Task(format!("rustc: {e}")))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned)
        .ok_or_else(|| Failure::Task("rustc -vV says no host".to_owned()))
}

fn linked(metadata: Metadata, members: &[&str]) -> Vec<Package> {
    let nodes: HashMap<&str, &Node> = metadata
        .resolve
        .nodes
        .iter()
        .map(|n| (&n.id[..], n))
        .collect();
    let is_member =
        |package: &&Package| members.contains(&&package.name[..]) && package.source.is_none();
    let roots = metadata.packages.iter().filter(is_member);
    let mut left: Vec<&str> = roots.map(|package| &package.id[..]).collect();
    let mut found: BTreeSet<&str> = BTreeSet::new();
    while let Some(id) = left.pop() {
        if found.insert(id) {
            let deps = nodes.get(id).into_iter().flat_map(|node| &node.deps);
            let linked = deps.filter(|dep| dep.dep_kinds.iter().any(|kind| kind.kind.is_none()));
            left.extend(linked.map(|dep| &dep.pkg[..]));
        }
    }
    let all = metadata.packages.iter();
    let mut all: Vec<Package> = all
        .filter(|package| found.contains(&package.id[..]))
        .cloned()
        .collect();
    all.sort();
    all
}

/// The notices of everything from elsewhere in these members: a list, then each text once with the crates that it is of.
pub fn text(workspace: &Workspace, members: &[&str]) -> Result<String, Failure> {
    let packages = packages(workspace, members)?;
    let foreign = packages.iter().filter(|package| package.source.is_some());
    let mut list = String::from(
        "The program and the library in this package are built from these works of others, each under its own licence.\n\
         `cargo xtask wheel` makes this file from cargo's metadata and the crates' own files.\n\n",
    );
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in foreign {
        let title = format!("{} {}", package.name, package.version);
        let licence = package.license.as_deref().unwrap_or("see its text below");
        let home = package.repository.as_deref().unwrap_or("");
        list.push_str(&format!("{title}: {licence} {home}\n"));
        let folder = package.manifest_path.parent().unwrap_or(Path::new("."));
        for text in licences(folder)? {
            texts.entry(text).or_default().push(title.clone());
        }
    }
    for (text, of) in texts {
        let line = "-".repeat(100);
        list.push_str(&format!("\n{line}\n{}\n{line}\n\n{text}\n", of.join(", ")));
    }
    Ok(list)
}

/// The texts in a crate's folder, and in the C sources that it brings along.
fn licences(folder: &Path) -> Result<Vec<String>, Failure> {
    let mut texts = Vec::new();
    let mut folders = vec![folder.to_owned()];
    // The C libraries lie in `ext/NAME` or `src/NAME`.
    for below in ["ext", "src", "LICENSES"] {
        let below = folder.join(below);
        folders.push(below.clone());
        let entries = std::fs::read_dir(&below).into_iter().flatten().flatten();
        folders.extend(
            entries
                .map(|entry| entry.path())
                .filter(|path| path.is_dir()),
        );
    }
    for folder in folders {
        let Ok(entries) = std::fs::read_dir(&folder) else {
            continue;
        };
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths.into_iter().filter(|path| is_licence(path)) {
            let bytes = std::fs::read(&path).map_err(cannot("read", &path))?;
            let text = String::from_utf8_lossy(&bytes).replace("\r\n", "\n");
            texts.push(text.trim_matches('\n').to_owned());
        }
    }
    Ok(texts)
}

fn is_licence(path: &Path) -> bool {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().to_ascii_lowercase());
    let named = name.is_some_and(|name| {
        FILES.iter().any(|start| name.starts_with(start)) && !name.ends_with(".rs")
    });
    named
        && path
            .metadata()
            .is_ok_and(|file| file.is_file() && file.len() <= LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_builds_or_tests_is_not_inside() {
        let metadata: Metadata = serde_json::from_str(
            r#"{"packages": [
                {"name": "own", "version": "1.0.0", "id": "own", "license": null, "repository": null, "source": null, "manifest_path": "/o/Cargo.toml"},
                {"name": "lib", "version": "1.0.0", "id": "lib", "license": "MIT", "repository": null, "source": "r", "manifest_path": "/l/Cargo.toml"},
                {"name": "cc", "version": "1.0.0", "id": "cc", "license": "MIT", "repository": null, "source": "r", "manifest_path": "/c/Cargo.toml"},
                {"name": "far", "version": "1.0.0", "id": "far", "license": "MIT", "repository": null, "source": "r", "manifest_path": "/f/Cargo.toml"}],
              "resolve": {"nodes": [
                {"id": "own", "deps": [{"pkg": "lib", "dep_kinds": [{"kind": null}]}, {"pkg": "cc", "dep_kinds": [{"kind": "build"}]}]},
                {"id": "lib", "deps": [{"pkg": "far", "dep_kinds": [{"kind": "dev"}, {"kind": null}]}]},
                {"id": "far", "deps": []}, {"id": "cc", "deps": []}]}}"#,
        )
        .expect("metadata");
        let names: Vec<String> = linked(metadata, &["own"])
            .into_iter()
            .map(|p| p.name)
            .collect();
        assert_eq!(names, ["far", "lib", "own"]);
    }

    #[test]
    fn the_notices_have_the_texts_of_hdf5_and_of_the_crates() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .expect("a folder of the repository");
        let text = text(&Workspace::at(root), &["skeletonmae-python"]).expect("cargo's metadata");
        for part in [
            "hdf5-metno-src",
            "Copyright 2006 by The HDF Group",
            "pyo3 0.",
            "numpy 0.",
            "Permission is hereby granted",
        ] {
            assert!(text.contains(part), "{part}");
        }
        assert!(
            !text.contains("\nskeleton-data 0."),
            "our own is under the package's licences"
        );
    }
}
