//! The house rules that a machine can check.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ssl_tests::root;
use xtask::modules::{SiblingImport, shortest_cycles, sibling_imports};

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

/// A README of one screen or two; more is for the book.
#[test]
fn the_readme_is_short() {
    let lines = read("README.md").lines().count();
    assert!(
        lines < 150,
        "README.md has {lines} lines; expected fewer than 150"
    );
}

/// Rows of tables and what a program printed are as long as they are.
#[test]
fn lines_of_the_readme_and_the_book_are_of_readable_length() {
    let mut found = Vec::new();
    for path in files("docs", &[".md"])
        .into_iter()
        .chain([PathBuf::from("README.md")])
    {
        // Still to be wrapped.
        if path.ends_with("gpu.md") {
            continue;
        }
        let mut fenced = false;
        for (at, line) in read(&path).lines().enumerate() {
            fenced ^= line.starts_with("```");
            let prose =
                !fenced && !line.starts_with(['|', '!']) && !line.starts_with("Measured on: ");
            if prose && line.chars().count() > 140 {
                found.push(format!("{}:{}", path.display(), at + 1));
            }
        }
    }
    none("lines of more than 140 characters", found);
}

#[test]
fn every_published_crate_has_a_readme_and_an_example() {
    let mut found = Vec::new();
    for member in members() {
        if ["tests", "xtask", "python"].contains(&member.as_str()) {
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
        ("crates/strl", ["hdf5", "ssl-cli"].as_slice()),
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

/// `strl` can be built with its checkpoints as files; what makes the model knows tensors alone.
#[test]
fn files_are_the_affair_of_one_feature_of_strl() {
    let manifest = read("crates/strl/Cargo.toml");
    let mut found = Vec::new();
    for name in ["safetensors", "serde_json", "sha2", "skeleton-data", "toml"] {
        let optional = format!("\n{name} = {{ workspace = true, optional = true }}");
        if !manifest.contains(&optional) {
            found.push(format!("{name} isn't optional"));
        }
    }
    for path in files("crates/strl/src", &[".rs"]) {
        if path.starts_with("crates/strl/src/checkpoint") || path.ends_with("predictor.rs") {
            continue;
        }
        let text = read(&path);
        for word in ["skeleton_data", "safetensors::", "std::fs", "std::path"] {
            if text.contains(word) {
                found.push(format!("{}: {word}", path.display()));
            }
        }
    }
    none("models know tensors, not files", found);
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

/// Each read from a device waits for it, so `host::read` counts them, and the tests of a step can say that there is one.
#[test]
fn only_host_read_reads_from_a_device() {
    let reads = [
        ".to_vec0",
        ".to_vec1",
        ".to_vec2",
        ".to_vec3",
        ".to_scalar",
        "to_device(&Device::Cpu",
    ];
    let folders = [
        "crates/skeleton-kernels/src",
        "crates/skeletonmae/src",
        "crates/strl/src",
    ];
    let mut found = Vec::new();
    for path in folders.iter().flat_map(|folder| files(folder, &[".rs"])) {
        // Fused forms are the CPU's.
        if path.ends_with("host.rs") || path.starts_with("crates/skeleton-kernels/src/cpu") {
            continue;
        }
        let text = read(&path);
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let lines = code.lines().enumerate();
        let lines = lines.filter(|(_, line)| reads.iter().any(|read| line.contains(read)));
        found.extend(lines.map(|(at, line)| format!("{}:{}: {line}", path.display(), at + 1)));
    }
    none(
        "reading from a device is skeleton_kernels::host's affair",
        found,
    );
}

/// The imports between sibling modules of a member's library and of its program.
fn imports_of(member: &str) -> Vec<SiblingImport> {
    let roots = ["src/lib.rs", "src/main.rs"].map(|file| Path::new(member).join(file));
    let roots = roots.iter().filter(|file| root().join(file).is_file());
    let read = |path: &Path| std::fs::read_to_string(root().join(path)).ok();
    roots
        .flat_map(|file| sibling_imports(file, &read).unwrap_or_else(|e| panic!("{e}")))
        .collect()
}

/// The cycles that these imports make, each with the lines that make it.
fn cycles(imports: &[SiblingImport]) -> Vec<String> {
    let all: BTreeSet<(&str, &str)> = imports
        .iter()
        .map(|import| (import.from.as_str(), import.to.as_str()))
        .collect();
    let mut found = Vec::new();
    for cycle in shortest_cycles(&all) {
        found.push(format!("a cycle: {}", cycle.join(" -> ")));
        for (at, from) in cycle.iter().enumerate() {
            let to = &cycle[(at + 1) % cycle.len()];
            let one = imports
                .iter()
                .find(|import| import.from == *from && import.to == *to)
                .expect("a cycle is made of imports");
            let (file, line, path) = (one.file.display(), one.line, &one.path);
            found.push(format!("    {from} -> {to}: {file}:{line}: {path}"));
        }
    }
    found
}

#[test]
fn no_two_modules_import_each_other() {
    let mut found = Vec::new();
    for member in members() {
        let cycles = cycles(&imports_of(&member));
        found.extend(cycles.iter().map(|line| format!("{member}: {line}")));
    }
    none("modules that import each other", found);
}

#[test]
fn a_cycle_is_reported_with_the_lines_that_make_it() {
    let import = |from: &str, to: &str| SiblingImport {
        from: from.to_owned(),
        to: to.to_owned(),
        file: PathBuf::from(format!("{from}.rs")),
        line: 1,
        path: format!("super::{to}"),
    };
    let imports = [
        import("a", "b"),
        import("b", "a"),
        import("b", "c"),
        import("c", "a"),
        import("c", "d"),
    ];
    let found = cycles(&imports);
    assert_eq!(
        found,
        [
            "a cycle: a -> b",
            "    a -> b: a.rs:1: super::b",
            "    b -> a: b.rs:1: super::a",
            "a cycle: a -> b -> c",
            "    a -> b: a.rs:1: super::b",
            "    b -> c: b.rs:1: super::c",
            "    c -> a: c.rs:1: super::a",
        ]
    );
    assert_eq!(cycles(&imports[2..]), [""; 0]);
}
