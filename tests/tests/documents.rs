//! What the documents say is there: commands, options, presets and linked files.

use std::path::Path;

use ssl_tests::documents::{anchors, commands, documents, links, pages, read, words};
use ssl_tests::program::Desk;
use ssl_tests::root;

#[test]
fn tasks_in_the_documents_exist() {
    let tasks = read(&root().join("xtask/src/main.rs"));
    let mut seen = 0;
    for document in documents() {
        let text = read(&document);
        let prose: Vec<&str> = text.split('`').skip(1).step_by(2).collect();
        let shown = prose.iter().map(|code| code.replace('\n', " "));
        for command in commands(&text).into_iter().chain(shown) {
            let Some(rest) = command.strip_prefix("cargo xtask ") else {
                continue;
            };
            let task = rest.split_whitespace().next().unwrap_or_default();
            // A branch of a match on words, or a variant of a subcommand.
            let variant = |start: &str| tasks.contains(&format!("    {}{start}", camel(task)));
            let there = ["(", " {", ","].into_iter().any(variant);
            assert!(
                there || tasks.contains(&format!("Some(\"{task}\")")),
                "{}: no task `{task}`",
                document.display()
            );
            seen += 1;
        }
    }
    assert!(seen >= 10, "only {seen} tasks: are they still shown so?");
}

/// `cuda-build` as `CudaBuild`.
fn camel(name: &str) -> String {
    let part = |part: &str| part[..1].to_uppercase() + &part[1..];
    name.split('-')
        .filter(|part| !part.is_empty())
        .map(part)
        .collect()
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
fn links_lead_to_files_and_headings_that_are_there() {
    let (mut wrong, mut seen) = (Vec::new(), [0, 0]);
    for document in documents() {
        let text = read(&document);
        for link in links(&text) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let path = match file {
                "" => document.clone(),
                file => document.with_file_name(file),
            };
            let headings = || anchors(&read(&path)).iter().any(|name| name == anchor);
            if !path.exists() || !(anchor.is_empty() || headings()) {
                wrong.push(format!("{}: {link}", document.display()));
            }
            seen[usize::from(!anchor.is_empty())] += 1;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen[0] > 50 && seen[1] > 10, "{seen:?}");
}

/// Hints and comments of the sources send readers to documents by their path from the root.
#[test]
fn documents_that_the_sources_name_are_there() {
    let (mut wrong, mut seen) = (Vec::new(), 0);
    let mut folders = ["crates", "datasets", "xtask", "docs"]
        .map(|name| root().join(name))
        .to_vec();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of the repository") {
            let path = entry.expect("a readable folder").path();
            let source =
                ["rs", "py", "toml"].map(|ending| path.extension().is_some_and(|e| e == ending));
            if path.is_dir() {
                folders.push(path);
            } else if source.contains(&true) {
                let text = read(&path);
                let rest = |c: char| !c.is_alphanumeric() && !"/_-.".contains(c);
                let named = text
                    .match_indices("docs/")
                    .map(|(at, _)| text[at..].split(rest).next());
                for name in named.flatten().map(|name| name.trim_end_matches('.')) {
                    seen += 1;
                    if !root().join(name).exists() {
                        wrong.push(format!("{}: {name}", path.display()));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen >= 8, "only {seen} names");
}

/// What `cargo xtask ci book` makes absolute are links that begin so.
#[test]
fn the_book_has_every_page_and_its_links_out_are_known_as_such() {
    let mut found: Vec<_> = documents()
        .into_iter()
        .map(|path| {
            path.strip_prefix(root())
                .expect("below the root")
                .to_owned()
        })
        .filter(|path| path.starts_with("docs") && !path.ends_with("SUMMARY.md"))
        .collect();
    let mut pages = pages();
    pages.sort();
    found.sort();
    assert_eq!(pages, found, "docs/SUMMARY.md lists each page once");
    for page in pages {
        for link in links(&read(&root().join(&page))) {
            let inner = link.replacen("../", "", 1);
            assert!(!inner.contains("../"), "{}: {link}", page.display());
        }
    }
}

/// The README repeats a few of the book's numbers: each stands on the page that says how it was measured.
#[test]
fn numbers_in_the_readme_are_those_of_the_book() {
    let readme = read(&root().join("README.md"));
    let [expect, speed] =
        ["expect", "speed"].map(|name| read(&root().join(format!("docs/{name}.md"))));
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for cell in readme
        .lines()
        .filter(|line| line.starts_with('|'))
        .flat_map(|row| row.split('|'))
    {
        let cell = cell.trim();
        let there = match cell {
            cell if cell.ends_with(" %") => {
                expect.contains(&format!("| {} |", cell.trim_end_matches(" %")))
            }
            cell if cell.ends_with('x') && cell.starts_with(|c: char| c.is_ascii_digit()) => {
                speed.contains(&format!("**{cell}**"))
            }
            cell if cell.starts_with("0.") => speed.contains(&format!(" MB, {cell} |")),
            _ => continue,
        };
        seen += 1;
        if !there {
            wrong.push(cell);
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
    assert!(seen >= 15, "only {seen} numbers");
}

#[test]
fn commands_words_links_and_anchors_are_found() {
    let text = "# A `b.c`: d's e\n```sh\n$ ssl a \\\n    --b 'c d'   # why\nls\n[x](y)\n```\n## F\n```rust\nssl x\n```\nssl y [a](b.md#c) `[x](y)` <img src=\"p.svg\">\n## F\n";
    assert_eq!(commands(text), ["ssl a --b 'c d'", "ls", "[x](y)"]);
    assert_eq!(words("ssl a --b 'c d'"), ["ssl", "a", "--b", "c d"]);
    assert_eq!(links(text), ["b.md#c", "p.svg"]);
    assert_eq!(anchors(text), ["a-bc-ds-e", "f", "f-1"]);
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

/// The page of all settings: the program takes each value that it shows, and it has each key of every preset.
#[test]
fn every_setting_is_on_its_page_and_is_taken() {
    let text = read(&root().join("docs/settings.md"));
    let mut shown: Vec<(String, String)> = Vec::new();
    for line in text.lines().filter(|line| line.starts_with("| `")) {
        let mut cells = line
            .split(" | ")
            .map(|cell| cell.trim_matches(['|', ' ', '`']));
        let (key, value) = (cells.next().unwrap_or(""), cells.next().unwrap_or(""));
        shown.push((key.to_owned(), value.to_owned()));
    }
    assert!(shown.len() > 50, "only {} rows", shown.len());
    let desk = Desk::new();
    for (key, value) in &shown {
        for job in ["pretrain", "finetune"] {
            let own = match key.split_once('.') {
                Some(("pretrain", rest)) if !rest.starts_with("objective") && rest != "control" => {
                    format!("{job}.{rest}")
                }
                _ => key.clone(),
            };
            let other = match job {
                "pretrain" => own.starts_with("finetune.") || own.starts_with("model.strl"),
                _ => own.starts_with("pretrain."),
            };
            if other {
                continue;
            }
            let typed = [
                "--preset", "quick", "--data", "none.h5", "--out", "run", "--set",
            ];
            let split = if job == "pretrain" {
                "--split"
            } else {
                "--train"
            };
            let mut command = desk.command(job);
            command.args(typed).arg(format!("{own}={value}"));
            command.args([split, "train"]);
            let output = command.output().expect("the program starts");
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(
                said.contains("none.h5: No such file"),
                "{own}={value}: {said}"
            );
        }
    }
    let presets = desk.ssl("preset").success().stdout;
    let presets = presets
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    for preset in presets {
        let text = desk.ssl(&format!("preset {preset}")).success().stdout;
        let settings: toml::Table = text.parse().expect("a preset is TOML");
        let mut keys = Vec::new();
        leaves("", &settings, &mut keys);
        for key in keys {
            let of_both = key.replacen("finetune.", "pretrain.", 1);
            let is_shown = |key: &str| {
                shown
                    .iter()
                    .any(|(shown, _)| key == shown || key.starts_with(&format!("{shown}.")))
            };
            let kind = key.ends_with("objective.kind");
            assert!(
                kind || is_shown(&key) || is_shown(&of_both),
                "{preset}: {key} is not on the page"
            );
        }
    }
}

/// The dotted keys of a table's values.
fn leaves(above: &str, table: &toml::Table, keys: &mut Vec<String>) {
    for (key, value) in table {
        let key = match above {
            "" => key.clone(),
            above => format!("{above}.{key}"),
        };
        match value {
            toml::Value::Table(table) => leaves(&key, table, keys),
            _ => keys.push(key),
        }
    }
}
