//! `unsafe` stands in the modules named here and nowhere else, and each block argues why it is sound. The lint `unsafe_code`
//! denies it elsewhere; this test keeps the list, and keeps a module from being opened in passing.

use std::path::{Path, PathBuf};

use ssl_tests::root;

/// Each file with unsafe code, and what it needs it for.
const ALLOWED: [(&str, &str); 10] = [
    ("crates/skeleton-data/src/map.rs", "maps files into memory"),
    (
        "crates/skeleton-data/tests/memory.rs",
        "counts what readers allocate",
    ),
    (
        "crates/skeleton-kernels/src/cpu/prefetch.rs",
        "prefetches what is read next",
    ),
    (
        "crates/skeleton-kernels/src/cpu/product.rs",
        "hands slices to gemm",
    ),
    (
        "crates/skeleton-kernels/src/cpu/uninit.rs",
        "sets uninitialised memory a chunk at a time",
    ),
    (
        "crates/ssl-cli/src/process.rs",
        "sets allocators' parameters, and variables before the first thread",
    ),
    (
        "crates/strl/examples/bench_step/system.rs",
        "asks the system's clock and allocator",
    ),
    (
        "crates/strl/examples/gpu_check/memory.rs",
        "asks CUDA's driver about its memory",
    ),
    ("python/src/cache.rs", "lends numpy the numbers of a cache"),
    ("tests/tests/mutations.rs", "counts what readers allocate"),
];
/// Crates that can do without and forbid it: nothing in them can allow it again.
const FORBIDDEN: [&str; 7] = [
    "crates/skeleton-graph/src/lib.rs",
    "crates/skeletonmae/src/lib.rs",
    "crates/strl/src/lib.rs",
    "datasets/src/lib.rs",
    "tests/src/lib.rs",
    "xtask/src/lib.rs",
    "xtask/src/main.rs",
];
/// Words of an argument: fewer only assert.
const FEWEST_WORDS: usize = 10;

/// All Rust files of the repository.
fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = ["crates", "datasets", "tests", "xtask", "fuzz", "python"]
        .iter()
        .map(|folder| root().join(folder))
        .collect();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of the repository") {
            let path = entry.expect("a readable folder").path();
            if path.is_dir() && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                found.push(path);
            }
        }
    }
    found
}

/// Whether a line has the word, outside of comments and strings.
fn is_unsafe(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    let outside: String = code.split('"').step_by(2).collect();
    let mut words = outside.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    words.any(|word| word == "unsafe")
}

#[test]
fn unsafe_stands_where_it_is_listed() {
    let mut wrong = Vec::new();
    let mut unused: Vec<&str> = ALLOWED.iter().map(|(path, _)| *path).collect();
    for path in sources() {
        let relative = path.strip_prefix(root()).expect("it is below the root");
        let text = std::fs::read_to_string(&path).expect("a readable file");
        let here = text.lines().enumerate().find(|(_, line)| is_unsafe(line));
        let Some((at, line)) = here else { continue };
        match unused
            .iter()
            .position(|listed| Path::new(listed) == relative)
        {
            Some(listed) => drop(unused.remove(listed)),
            None => wrong.push(format!("{}:{}: {line}", relative.display(), at + 1)),
        }
        if !text.contains("#![allow(unsafe_code, reason = ") {
            wrong.push(format!("{}: no reason at the top", relative.display()));
        }
    }
    wrong.extend(
        unused
            .iter()
            .map(|path| format!("{path}: listed, but safe")),
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_unsafe_block_argues() {
    let mut wrong = Vec::new();
    for (path, _) in ALLOWED {
        let text = std::fs::read_to_string(root().join(path)).expect("a listed file");
        let lines: Vec<&str> = text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let block = line.contains("unsafe {") || line.trim_start().starts_with("unsafe impl");
            if !block || !is_unsafe(line) {
                continue;
            }
            // The comment above, upwards to where it begins.
            let above = lines[..at].iter().rev().map(|line| line.trim());
            let comment: Vec<&str> = above.take_while(|line| line.starts_with("//")).collect();
            let argument = comment
                .iter()
                .rev()
                .flat_map(|line| line.split_whitespace())
                .skip_while(|word| *word != "SAFETY:");
            if argument.skip(1).filter(|word| *word != "//").count() < FEWEST_WORDS {
                wrong.push(format!("{path}:{}: {line}", at + 1));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "no argument after `// SAFETY:`:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn crates_without_unsafe_code_forbid_it() {
    for path in FORBIDDEN {
        let text = std::fs::read_to_string(root().join(path)).expect("a crate's first file");
        assert!(text.contains("#![forbid(unsafe_code)]"), "{path}");
    }
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).expect("the manifest");
    assert!(manifest.contains("unsafe_code = \"deny\""));
}

#[test]
fn words_in_comments_and_strings_do_not_count() {
    assert!(is_unsafe("    unsafe { call() }") && is_unsafe("unsafe impl Send for X {}"));
    assert!(
        !is_unsafe("// unsafe { }")
            && !is_unsafe("let unsafe_code = 1;")
            && !is_unsafe(&format!("{0}unsafe{0}", '"'))
    );
}
