//! The house rules that a machine can check.

use std::path::{Path, PathBuf};

use ssl_tests::root;
use xtask::source::items::File;
use xtask::source::tokens::tokens;

/// Folders of the members, from the manifest.
fn members() -> Vec<String> {
    let manifest = read("Cargo.toml");
    let members = manifest
        .split("members = [")
        .nth(1)
        .and_then(|rest| rest.split(']').next())
        .expect("a list of members");
    let members = members.split(',').map(|name| name.trim().trim_matches('"'));
    members
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Every file below a folder with one of these endings, relative to the root.
fn files(folder: &str, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in
            std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
        {
            let path = entry.expect("a readable folder").path();
            let hidden = |path: &Path| {
                path.file_name()
                    .is_some_and(|name| name.to_string_lossy().starts_with('.'))
            };
            if path.is_dir()
                && !hidden(&path)
                && !path.ends_with("target")
                && !path.ends_with("runs")
            {
                folders.push(path);
            } else if endings
                .iter()
                .any(|ending| path.to_string_lossy().ends_with(ending))
            {
                let relative = path.strip_prefix(root()).expect("it is below the root");
                found.push(relative.to_owned());
            }
        }
    }
    found.sort();
    found
}

fn rust() -> Vec<PathBuf> {
    members()
        .iter()
        .flat_map(|member| files(member, &[".rs"]))
        .collect()
}

fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn none(what: &str, found: Vec<String>) {
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

#[test]
fn nothing_is_left_to_be_written() {
    let mut found = Vec::new();
    // Spelt in two halves, so that this file may stand among those it checks.
    let unwanted = [
        ("todo", "!"),
        ("unimplemented", "!"),
        ("TO", "DO"),
        ("FIX", "ME"),
        ("Being ", "written"),
    ]
    .map(|(a, b)| format!("{a}{b}"));
    for path in rust().into_iter().chain(files("datasets", &[".toml"])) {
        for (at, line) in read(&path).lines().enumerate() {
            if unwanted.iter().any(|word| line.contains(word.as_str())) {
                found.push(format!("{}:{}: {line}", path.display(), at + 1));
            }
        }
    }
    none("unfinished", found);
}

#[test]
fn only_the_printer_prints() {
    let mut found = Vec::new();
    let macros = ["println", "eprintln", "print", "eprint", "dbg"];
    let sources = files("crates", &[".rs"])
        .into_iter()
        .chain(files("datasets", &[".rs"]));
    for path in sources {
        let text = path.to_string_lossy();
        let library = text.contains("/src/") && !text.contains("/src/printer");
        let tests = text.ends_with("tests.rs") || text.contains("/tests/");
        if !library || tests {
            continue;
        }
        let text = read(&path);
        let tokens = tokens(&text);
        let tests = File::read(&tokens).tests;
        for (at, pair) in tokens.windows(2).enumerate() {
            let is_test = tests.iter().any(|tests| tests.contains(&at));
            let [name, mark] = pair else { continue };
            if !is_test && macros.iter().any(|one| name.is_word(one)) && mark.is_mark("!") {
                found.push(format!("{}:{}: {}!", path.display(), name.line, name.text));
            }
        }
    }
    none("printing outside ssl-cli's printer", found);
}

#[test]
fn every_published_crate_has_a_readme_and_an_example() {
    let mut found = Vec::new();
    for member in members() {
        if ["tests", "xtask"].contains(&member.as_str()) {
            continue;
        }
        if !root().join(&member).join("README.md").is_file() {
            found.push(format!("{member}: no README.md"));
        }
        if !root().join(&member).join("examples").is_dir()
            || files(&format!("{member}/examples"), &[".rs"]).is_empty()
        {
            found.push(format!("{member}: no example"));
        }
    }
    none("a crate explains itself", found);
}

#[test]
fn versions_stand_once_in_the_root_manifest() {
    let mut found = Vec::new();
    for member in members() {
        let manifest = format!("{member}/Cargo.toml");
        let text = read(&manifest);
        let mut dependencies = false;
        for (at, line) in text.lines().enumerate() {
            if line.starts_with('[') {
                dependencies = line.contains("dependencies");
            } else if dependencies
                && line.contains('=')
                && !line.trim_start().starts_with('#')
                && !line.contains("workspace = true")
            {
                found.push(format!("{manifest}:{}: {line}", at + 1));
            }
        }
    }
    none(
        "dependency versions belong to [workspace.dependencies]",
        found,
    );
}

/// Models know tensors, not files; the graph and the data know no tensor library; HDF5 has one user.
#[test]
fn dependencies_point_one_way() {
    let forbidden = [
        (
            "crates/skeleton-graph",
            [
                "candle",
                "hdf5",
                "skeleton-data",
                "skeleton-kernels",
                "skeletonmae",
                "strl",
            ]
            .as_slice(),
        ),
        (
            "crates/skeleton-data",
            ["candle", "skeleton-kernels", "skeletonmae", "strl"].as_slice(),
        ),
        (
            "crates/skeleton-kernels",
            [
                "hdf5",
                "skeleton-data",
                "skeletonmae",
                "strl",
                "safetensors",
                "ssl-cli",
            ]
            .as_slice(),
        ),
        (
            "crates/skeletonmae",
            ["hdf5", "skeleton-data", "strl", "safetensors", "ssl-cli"].as_slice(),
        ),
        (
            "crates/strl",
            ["hdf5", "skeleton-data", "safetensors", "ssl-cli"].as_slice(),
        ),
        (
            "datasets",
            ["candle", "hdf5", "skeleton-kernels", "skeletonmae", "strl"].as_slice(),
        ),
    ];
    let mut found = Vec::new();
    let members = members();
    let is_member = |name: &str| members.iter().any(|member| member == name);
    for (member, names) in forbidden {
        // It is checked from the day it is there.
        if member == "crates/skeleton-kernels" && !is_member(member) {
            continue;
        }
        let text = read(format!("{member}/Cargo.toml"));
        let dependencies = text
            .split("\n[dependencies]")
            .nth(1)
            .and_then(|rest| rest.split("\n[").next())
            .unwrap_or("");
        for line in dependencies.lines() {
            if names.iter().any(|name| line.starts_with(name)) {
                found.push(format!("{member}: {line}"));
            }
        }
    }
    none("dependencies against the direction", found);
}

#[test]
fn models_do_not_ask_for_cuda() {
    let sources = ["crates/skeletonmae/src", "crates/strl/src"]
        .into_iter()
        .flat_map(|folder| files(folder, &[".rs"]));
    let found = sources.filter(|path| read(path).contains("feature = \"cuda\""));
    none(
        "cfg(feature = \"cuda\") in a model",
        found.map(|path| path.display().to_string()).collect(),
    );
}
