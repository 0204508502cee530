//! What the documents say is there: commands, options, presets and linked files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ssl_tests::program::Desk;
use ssl_tests::root;

fn documents() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in [
        "",
        "datasets",
        "docs",
        "docs/data",
        "crates/skeleton-graph",
        "crates/skeleton-data",
        "crates/skeletonmae",
        "crates/strl",
        "crates/ssl-cli",
        "tests",
    ] {
        let entries = std::fs::read_dir(root().join(folder)).expect("a folder of the repository");
        found.extend(
            entries
                .map(|entry| entry.expect("a readable folder").path())
                .filter(|path| path.extension().is_some_and(|e| e == "md")),
        );
    }
    found.sort();
    found
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The commands in fenced blocks without a language or of a shell: one a line, continued lines joined.
fn commands(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let (mut shell, mut inside, mut continued) = (false, false, false);
    for line in text.lines() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            inside = !inside;
            shell = inside && ["", "sh", "bash", "console", "text"].contains(&language);
            continue;
        }
        if !shell {
            continue;
        }
        let typed = line.trim().trim_start_matches("$ ");
        let part = typed.split(" #").next().unwrap_or(typed).trim();
        let (part, more) = part
            .strip_suffix('\\')
            .map_or((part, false), |part| (part.trim(), true));
        match found.last_mut() {
            Some(last) if continued => *last = format!("{last} {part}"),
            _ => found.push(part.to_owned()),
        }
        continued = more;
    }
    found
}

/// `ssl ...` as typed alone or through `cargo xtask`.
fn as_ssl(command: &str) -> Option<String> {
    if let Some(rest) = command.strip_prefix("cargo xtask pretrain ") {
        return Some(format!("pretrain {rest}"));
    }
    let rest = command
        .strip_prefix("cargo xtask ssl ")
        .or_else(|| command.strip_prefix("ssl "))?;
    Some(rest.to_owned())
}

#[test]
fn commands_and_options_in_the_documents_exist() {
    let desk = Desk::new();
    let mut help: BTreeMap<String, String> = BTreeMap::new();
    let mut seen = 0;
    for document in documents() {
        for command in commands(&read(&document)) {
            let Some(typed) = as_ssl(&command) else {
                continue;
            };
            let mut words = typed.split_whitespace();
            let subcommand = words.next().expect("a command").to_owned();
            if subcommand.starts_with('-') {
                continue;
            }
            let shown = help
                .entry(subcommand.clone())
                .or_insert_with(|| desk.ssl(&format!("{subcommand} --help")).success().stdout);
            for option in words.filter(|word| word.starts_with("--")) {
                let name = option.split('=').next().unwrap_or(option);
                assert!(
                    shown.contains(name),
                    "{}: `ssl {subcommand}` has no {name}: {command}",
                    document.display()
                );
            }
            seen += 1;
        }
    }
    assert!(
        seen >= 8,
        "only {seen} commands of ssl in the documents: are they still fenced?"
    );
}

#[test]
fn tasks_in_the_documents_exist() {
    let tasks = read(&root().join("xtask/src/main.rs"));
    let mut seen = 0;
    for document in documents() {
        for command in commands(&read(&document)) {
            let Some(rest) = command.strip_prefix("cargo xtask ") else {
                continue;
            };
            let task = rest.split_whitespace().next().unwrap_or_default();
            assert!(
                tasks.contains(&format!("Some(\"{task}\")")),
                "{}: no task `{task}`",
                document.display()
            );
            seen += 1;
        }
    }
    assert!(
        seen >= 2,
        "the README shows `cargo xtask pretrain` and `cargo xtask test`"
    );
}

#[test]
fn presets_and_data_sets_in_the_documents_exist() {
    let desk = Desk::new();
    let presets = desk.ssl("preset").success().stdout;
    let data_sets: Vec<String> = std::fs::read_dir(root().join("datasets/sets"))
        .expect("a folder of the repository")
        .filter_map(|entry| entry.ok()?.path().file_stem()?.to_str().map(str::to_owned))
        .collect();
    for document in documents() {
        for command in commands(&read(&document)) {
            let mut words = command.split_whitespace();
            while let Some(word) = words.next() {
                let known = |name: &str| match word {
                    "--preset" => presets.split_whitespace().any(|known| known == name),
                    _ => data_sets.iter().any(|known| known == name),
                };
                if ["--preset", "--dataset"].contains(&word) {
                    let name = words.next().unwrap_or_default();
                    let placeholder = !name.starts_with(|c: char| c.is_ascii_lowercase());
                    assert!(
                        placeholder || known(name),
                        "{}: {word} {name}: {command}",
                        document.display()
                    );
                }
            }
        }
    }
}

#[test]
fn linked_files_exist() {
    for document in documents() {
        let text = read(&document);
        let folder = document.parent().expect("a file has a folder");
        for link in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let file = link.split('#').next().unwrap_or_default();
            let outside = file.is_empty() || file.contains("://") || file.starts_with("mailto:");
            assert!(
                outside || folder.join(file).exists(),
                "{}: {link}",
                document.display()
            );
        }
    }
}

#[test]
fn commands_are_found_in_fenced_blocks() {
    let text = "```sh\n$ ssl a \\\n    --b c   # why\nls\n```\n```rust\nssl x\n```\nssl y\n";
    assert_eq!(commands(text), ["ssl a --b c", "ls"]);
}

/// Paths below crates/ that the architecture page names as `crate/src/...`.
#[test]
fn paths_in_the_architecture_exist() {
    let text = read(&root().join("ARCHITECTURE.md"));
    let named: Vec<&str> = text.split('`').skip(1).step_by(2).collect();
    let sources = named
        .iter()
        .filter(|path| path.contains("/src/") && !path.starts_with("src/"));
    let mut seen = 0;
    for path in sources {
        let found = root().join(path).exists() || root().join("crates").join(path).exists();
        assert!(found, "ARCHITECTURE.md names {path}");
        seen += 1;
    }
    assert!(
        seen >= 5,
        "only {seen} paths: are they still in backquotes?"
    );
}
