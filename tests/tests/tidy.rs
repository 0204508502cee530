//! The house rules that a machine can check.

use std::path::{Path, PathBuf};

use ssl_tests::root;

/// Lines of a Rust file without the tests at its end.
const LONGEST_CODE: usize = 300;
/// Lines of a Rust file with them; beyond, they move to a file of their own.
const LONGEST_FILE: usize = 400;
/// Longer for a reason.
const LONG: [(&str, &str); 0] = [];

/// Folders of the members.
const MEMBERS: [&str; 8] = [
    "crates/skeleton-graph",
    "crates/skeleton-data",
    "crates/skeletonmae",
    "crates/strl",
    "crates/ssl-cli",
    "datasets",
    "tests",
    "xtask",
];

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
    MEMBERS
        .iter()
        .flat_map(|member| files(member, &[".rs"]))
        .collect()
}

fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The lines with their numbers, up to the tests at a file's end.
fn before_tests(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line));
    lines.take_while(|(_, line)| *line != "#[cfg(test)]")
}

/// The lines of code, without tests and comments.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    before_tests(text).filter(|(_, line)| !line.trim_start().starts_with("//"))
}

fn none(what: &str, found: Vec<String>) {
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

#[test]
fn files_are_short_enough_to_read() {
    let allowed = |path: &Path| LONG.iter().any(|(long, _)| path == Path::new(long));
    let long = rust()
        .into_iter()
        .filter(|path| !allowed(path))
        .filter_map(|path| {
            let text = read(&path);
            let whole = text.lines().count();
            let code = before_tests(&text).count();
            (code > LONGEST_CODE || whole > LONGEST_FILE)
                .then(|| format!("{}: {code} lines, {whole} with its tests", path.display()))
        });
    none("split by concept, or say in LONG why not", long.collect());
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
    let macros = ["println!", "eprintln!", "print!", "eprint!", "dbg!"];
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
        for (at, line) in code(&read(&path)) {
            let words = line.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '!'));
            if words.into_iter().any(|word| macros.contains(&word)) {
                found.push(format!("{}:{at}: {line}", path.display()));
            }
        }
    }
    none("printing outside ssl-cli's printer", found);
}

#[test]
fn every_published_crate_has_a_readme_and_an_example() {
    let mut found = Vec::new();
    for member in MEMBERS
        .iter()
        .filter(|member| !["tests", "xtask"].contains(*member))
    {
        if !root().join(member).join("README.md").is_file() {
            found.push(format!("{member}: no README.md"));
        }
        if !root().join(member).join("examples").is_dir()
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
    for member in MEMBERS {
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

#[test]
fn members_are_those_of_the_manifest() {
    let manifest = read("Cargo.toml");
    let members = manifest
        .split("members = [")
        .nth(1)
        .and_then(|rest| rest.split(']').next())
        .expect("a list of members");
    let mut named: Vec<&str> = members
        .split(',')
        .map(|name| name.trim().trim_matches('"'))
        .filter(|name| !name.is_empty())
        .collect();
    named.sort_unstable();
    let mut known = MEMBERS;
    known.sort_unstable();
    assert_eq!(named, known);
}

/// Models know tensors, not files; the graph and the data know no tensor library; HDF5 has one user.
#[test]
fn dependencies_point_one_way() {
    let forbidden = [
        (
            "crates/skeleton-graph",
            ["candle", "hdf5", "skeleton-data", "skeletonmae", "strl"].as_slice(),
        ),
        (
            "crates/skeleton-data",
            ["candle", "skeletonmae", "strl"].as_slice(),
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
            ["candle", "hdf5", "skeletonmae", "strl"].as_slice(),
        ),
    ];
    let mut found = Vec::new();
    for (member, names) in forbidden {
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
