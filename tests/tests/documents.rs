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
        "crates/skeleton-kernels",
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
    // `cuda-build` is `Task::CudaBuild`.
    let source = read(&root().join("xtask/src/main.rs"));
    let other = |c: char| !c.is_alphanumeric();
    let names = source.split("Task::").skip(1);
    let tasks: Vec<String> = names
        .filter_map(|rest| rest.split(other).next())
        .map(str::to_lowercase)
        .collect();
    let mut seen = 0;
    for document in documents() {
        for command in commands(&read(&document)) {
            let Some(rest) = command.strip_prefix("cargo xtask ") else {
                continue;
            };
            let task = rest.split_whitespace().next().unwrap_or_default();
            assert!(
                tasks.contains(&task.replace('-', "")),
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
        let path = path.split(':').next().unwrap_or(path);
        let found = root().join(path).exists() || root().join("crates").join(path).exists();
        assert!(found, "ARCHITECTURE.md names {path}");
        seen += 1;
    }
    assert!(
        seen >= 5,
        "only {seen} paths: are they still in backquotes?"
    );
}

/// A function that a document names: `FILE:LINE`, then its name, in backquotes.
#[derive(Debug, PartialEq)]
struct Place<'a> {
    file: &'a str,
    line: usize,
    function: &'a str,
}

impl Place<'_> {
    fn text(&self) -> String {
        read(&root().join(self.file))
    }

    /// Why the function isn't there.
    fn wrong(&self) -> Option<String> {
        let starts = [
            format!("fn {}(", self.function),
            format!("fn {}<", self.function),
        ];
        let is_there = |line: &str| starts.iter().any(|start| line.contains(start));
        let text = self.text();
        let lines: Vec<usize> = (1..)
            .zip(text.lines())
            .filter(|(_, line)| is_there(line))
            .map(|(at, _)| at)
            .collect();
        (!lines.contains(&self.line)).then(|| {
            let Place {
                file,
                line,
                function,
            } = self;
            format!(
                "ARCHITECTURE.md: {file}:{line} `{function}`: expected one of the lines {lines:?}"
            )
        })
    }
}

fn places<'a>(text: &'a str) -> Vec<Place<'a>> {
    let quoted: Vec<&str> = text.split('`').skip(1).step_by(2).collect();
    let place = |pair: &[&'a str]| {
        let &[place, function] = pair else {
            return None;
        };
        let (file, line) = place.rsplit_once(':')?;
        Some(Place {
            file,
            line: line.parse().ok()?,
            function,
        })
    };
    quoted.windows(2).filter_map(place).collect()
}

/// The table of equations: a row names a function of a model and the function that defines the equation, which the model's file
/// names too, so that a reader gets from one to the other in one step. All definitions of ops are there.
#[test]
fn equations_are_defined_where_the_architecture_says() {
    let text = read(&root().join("ARCHITECTURE.md"));
    let mut wrong: Vec<String> = places(&text).iter().filter_map(Place::wrong).collect();
    let mut defined = Vec::new();
    for row in text.lines().filter(|line| line.starts_with('|')) {
        let places = places(row);
        let [model, definition] = places.as_slice() else {
            continue;
        };
        let module = Path::new(definition.file).file_stem().expect("a file");
        let named = match definition.function {
            "reference" => format!("{}::reference", module.to_string_lossy()),
            name => name.to_owned(),
        };
        if !model.text().contains(&named) {
            wrong.push(format!("{} doesn't name {named}", model.file));
        }
        defined.push(definition.file.to_owned());
    }
    let ops = "crates/skeleton-kernels/src";
    for entry in std::fs::read_dir(root().join(ops)).expect("a folder of the repository") {
        let path = entry.expect("a readable folder").path();
        let name = path.file_name().expect("a file").to_string_lossy();
        let file = format!("{ops}/{name}");
        if path.is_file() && read(&path).contains("pub fn reference(") && !defined.contains(&file) {
            wrong.push(format!("ARCHITECTURE.md: no equation for {file}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(defined.len() >= 12, "{} equations", defined.len());
}

#[test]
fn places_are_a_file_with_a_line_and_then_a_function() {
    let found = places("`a` | `src/b.rs:12` `c` | `d:e` `f` | `src/g.rs:0`");
    let expected = Place {
        file: "src/b.rs",
        line: 12,
        function: "c",
    };
    assert_eq!(found, [expected]);
}

/// Each library's README says what to write into a manifest, in versions that the workspace has.
#[test]
fn readmes_show_dependencies_of_the_versions_there_are() {
    let manifest = read(&root().join("Cargo.toml"));
    for name in [
        "crates/skeleton-graph",
        "crates/skeleton-data",
        "crates/skeleton-kernels",
        "crates/skeletonmae",
        "crates/strl",
        "datasets",
    ] {
        let readme = read(&root().join(name).join("README.md"));
        let shown = readme
            .split("```toml\n[dependencies]\n")
            .nth(1)
            .and_then(|rest| rest.split("```").next());
        let shown = shown.unwrap_or_else(|| panic!("{name}: no [dependencies] in the README"));
        for line in shown.lines() {
            let (dependency, version) = line.split_once(" = ").expect("a name and a version");
            let start = format!("{dependency} = ");
            let ours = manifest.lines().find(|line| line.starts_with(&start));
            let ours = ours.unwrap_or_else(|| panic!("{name}: {line}: the workspace has none"));
            assert!(
                ours.contains(version.trim_end_matches('"')),
                "{name}: {line}: the workspace has {ours}"
            );
        }
    }
}
