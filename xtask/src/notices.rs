//! The licences of what is inside the program: every crate that it is built from, by cargo's metadata, with the texts that lie in
//! the crates' own folders.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::process::{Failure, cannot, output, typed};
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

/// The crates that some members are built from on this machine's kind, themselves included, by name.
pub struct Graph {
    packages: Vec<Package>,
    /// By id, the ids of what is linked into it.
    linked: HashMap<String, Vec<String>>,
}

impl Graph {
    /// By cargo's metadata.
    pub fn of(workspace: &Workspace, members: &[&str]) -> Result<Self, Failure> {
        let mut command = workspace.cargo("metadata");
        command.args([
            "--format-version",
            "1",
            "--locked",
            "--filter-platform",
            &host()?,
        ]);
        let said = output(&mut command)?;
        let failed = |why: String| Failure::Task(format!("{}: {why}", typed(&command)));
        let mut metadata: Metadata =
            serde_json::from_str(&said).map_err(|e| failed(e.to_string()))?;
        let clarified = clarified(&workspace.root().join("deny.toml"))?;
        for package in &mut metadata.packages {
            if package.license.is_none() {
                package.license = clarified.get(&package.name).cloned();
            }
        }
        Ok(Self::linked(metadata, members))
    }

    fn linked(metadata: Metadata, members: &[&str]) -> Self {
        let linked = |node: Node| {
            let deps = node.deps.into_iter();
            let linked = deps.filter(|dep| dep.dep_kinds.iter().any(|kind| kind.kind.is_none()));
            (node.id, linked.map(|dep| dep.pkg).collect())
        };
        let linked: HashMap<String, Vec<String>> =
            metadata.resolve.nodes.into_iter().map(linked).collect();
        let is_member =
            |package: &&Package| members.contains(&&package.name[..]) && package.source.is_none();
        let roots = metadata.packages.iter().filter(is_member);
        let mut left: Vec<&String> = roots.map(|package| &package.id).collect();
        let mut found: BTreeSet<&String> = BTreeSet::new();
        while let Some(id) = left.pop() {
            if found.insert(id) {
                left.extend(linked.get(id).into_iter().flatten());
            }
        }
        let all = metadata.packages.iter();
        let mut packages: Vec<Package> = all
            .filter(|package| found.contains(&package.id))
            .cloned()
            .collect();
        packages.sort();
        Self { packages, linked }
    }

    /// All of them.
    pub fn packages(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter()
    }

    /// What is linked into one.
    pub fn dependencies(&self, package: &Package) -> impl Iterator<Item = &Package> {
        let on = self.linked.get(&package.id);
        self.packages
            .iter()
            .filter(move |other| on.is_some_and(|on| on.contains(&other.id)))
    }
}

/// What `deny.toml` says of crates that name no licence of their own.
fn clarified(path: &Path) -> Result<HashMap<String, String>, Failure> {
    #[derive(Deserialize)]
    struct Deny {
        licenses: Licences,
    }
    #[derive(Deserialize)]
    struct Licences {
        clarify: Vec<Clarified>,
    }
    #[derive(Deserialize)]
    struct Clarified {
        #[serde(rename = "crate")]
        name: String,
        expression: String,
    }
    let text = std::fs::read_to_string(path).map_err(cannot("read", path))?;
    let failed = |e: toml::de::Error| Failure::Task(format!("{}: {e}", path.display()));
    let deny: Deny = toml::from_str(&text).map_err(failed)?;
    let all = deny.licenses.clarify.into_iter();
    Ok(all.map(|one| (one.name, one.expression)).collect())
}

/// This machine's target triple, as the compiler calls it.
pub fn host() -> Result<String, Failure> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let text = output(Command::new(rustc).arg("-vV"))?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned)
        .ok_or_else(|| Failure::Task("rustc -vV says no host".to_owned()))
}

/// The notices of everything from elsewhere in a graph: a list, then each text once with the crates that it is of.
pub fn text(graph: &Graph) -> Result<String, Failure> {
    let foreign = graph.packages().filter(|package| package.source.is_some());
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
        let graph = Graph::linked(metadata, &["own"]);
        let names: Vec<&str> = graph.packages().map(|p| &p.name[..]).collect();
        assert_eq!(names, ["far", "lib", "own"]);
    }

    #[test]
    fn the_notices_have_the_texts_of_hdf5_and_of_the_crates() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .expect("a folder of the repository");
        let graph =
            Graph::of(&Workspace::at(root), &["skeletonmae-python"]).expect("cargo's metadata");
        let text = text(&graph).expect("readable files");
        for part in [
            "hdf5-metno-src",
            ": HDF5 ",
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
