//! `cargo xtask lines`: how many lines of code each crate has, and how many of its tests.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use xtask::code::File;

use crate::process::{Failure, cannot};
use crate::workspace::Workspace;

/// Lines that are neither blank nor comments.
#[derive(Debug, Default, Clone, Copy, PartialEq, Serialize)]
struct Lines {
    /// Rust files that hold code.
    files: usize,
    code: usize,
    tests: usize,
    benches: usize,
    examples: usize,
}

impl Lines {
    fn add(&mut self, other: Lines) {
        self.files += other.files;
        self.code += other.code;
        self.tests += other.tests;
        self.benches += other.benches;
        self.examples += other.examples;
    }
}

#[derive(Debug, Serialize)]
struct Crate {
    name: String,
    #[serde(flatten)]
    lines: Lines,
}

#[derive(Serialize)]
struct Counts {
    crates: Vec<Crate>,
    total: Lines,
}

/// Prints the lines of the named crates, or of all, as a table or as JSON.
pub fn lines(workspace: &Workspace, names: &[String], json: bool) -> Result<(), Failure> {
    let counts = count(workspace.root(), names)?;
    if json {
        let text = serde_json::to_string_pretty(&counts)
            .map_err(|e| Failure::Task(format!("the counts as JSON: {e}")))?;
        println!("{text}");
    } else {
        print!("{}", table(&counts));
    }
    Ok(())
}

/// Counts the crates that `names` chooses by package or by folder; without names, all.
fn count(root: &Path, names: &[String]) -> Result<Counts, Failure> {
    let members = members(root)?;
    let is_named = |name: &String, (package, folder): &(String, String)| {
        let last = folder.rsplit('/').next();
        [Some(package.as_str()), Some(folder.as_str()), last].contains(&Some(name.as_str()))
    };
    for name in names {
        if !members.iter().any(|member| is_named(name, member)) {
            let known: Vec<&str> = members
                .iter()
                .map(|(package, _)| package.as_str())
                .collect();
            let known = known.join(", ");
            return Err(Failure::Usage(format!(
                "no crate `{name}`; the crates are {known}"
            )));
        }
    }
    let mut crates = Vec::new();
    for member in &members {
        if names.is_empty() || names.iter().any(|name| is_named(name, member)) {
            crates.push(Crate {
                name: member.0.clone(),
                lines: of_crate(&root.join(&member.1))?,
            });
        }
    }
    let mut total = Lines::default();
    crates.iter().for_each(|one| total.add(one.lines));
    Ok(Counts { crates, total })
}

/// What is read of a manifest.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Manifest {
    workspace: Members,
    package: Package,
}

#[derive(Default, Deserialize)]
struct Members {
    members: Vec<String>,
}

#[derive(Default, Deserialize)]
struct Package {
    name: String,
}

/// The packages of the workspace with their folders, in the manifest's order.
fn members(root: &Path) -> Result<Vec<(String, String)>, Failure> {
    let manifest = |folder: &str| -> Result<Manifest, Failure> {
        let path = root.join(folder).join("Cargo.toml");
        let manifest = toml::from_str(&read(&path)?);
        manifest.map_err(|e| Failure::Task(format!("{}: {e}", path.display())))
    };
    let folders = manifest("")?.workspace.members.into_iter();
    let named = folders.map(|folder| Ok((manifest(&folder)?.package.name, folder)));
    named.collect()
}

/// What a crate's file is for, by the folder of the crate that it is in.
#[derive(Clone, Copy, PartialEq)]
enum Purpose {
    Code,
    Tests,
    Benches,
    Examples,
}

/// Counts all Rust files of a crate. Of a crate of tests, which a folder named so holds, all is tests.
fn of_crate(folder: &Path) -> Result<Lines, Failure> {
    let mut files = Vec::new();
    find_files(folder, &mut files)?;
    let texts: Vec<String> = files
        .iter()
        .map(|path| read(path))
        .collect::<Result<_, _>>()?;
    let parse = |(path, text): (&PathBuf, &String)| {
        File::read(text).map_err(|error| Failure::Task(format!("{}: {error}", path.display())))
    };
    let sources: Vec<File> = files
        .iter()
        .zip(&texts)
        .map(parse)
        .collect::<Result<_, _>>()?;
    let test_modules: Vec<PathBuf> = files
        .iter()
        .zip(&sources)
        .flat_map(|(path, source)| test_modules(source, path))
        .collect();
    let mut lines = Lines::default();
    for (path, source) in files.iter().zip(&sources) {
        let below = path.strip_prefix(folder).unwrap_or(path);
        let purpose = match below.iter().next().and_then(|first| first.to_str()) {
            _ if folder.ends_with("tests") => Purpose::Tests,
            Some("tests") => Purpose::Tests,
            Some("benches") => Purpose::Benches,
            Some("examples") => Purpose::Examples,
            _ if test_modules
                .iter()
                .any(|module| path.starts_with(module) || *path == module.with_extension("rs")) =>
            {
                Purpose::Tests
            }
            _ => Purpose::Code,
        };
        lines.add(count_lines(source, purpose));
    }
    Ok(lines)
}

/// The Rust files of a crate's own folders, without what was built.
fn find_files(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), Failure> {
    for entry in std::fs::read_dir(folder).map_err(cannot("read", folder))? {
        let path = entry.map_err(cannot("read", folder))?.path();
        if path.is_dir() {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name != "target" && !name.starts_with('.') {
                find_files(&path, found)?;
            }
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(cannot("read", path))
}

/// The modules of tests that a file declares, as their paths without `.rs`.
fn test_modules(file: &File, path: &Path) -> Vec<PathBuf> {
    let folder = path.with_file_name("");
    let own_folder = match path.file_stem().and_then(|stem| stem.to_str()) {
        Some("lib" | "main" | "mod") | None => folder.clone(),
        Some(stem) => folder.join(stem),
    };
    let modules = file.test_modules.iter().map(|module| match &module.path {
        Some(path) => folder.join(path).with_extension(""),
        None => own_folder.join(&module.name),
    });
    modules.collect()
}

/// Counts lines. Those with nothing but tests in them are tests wherever the file is.
fn count_lines(file: &File, purpose: Purpose) -> Lines {
    let (mut all, mut code) = (Vec::new(), Vec::new());
    for token in &file.tokens {
        let lines = token.text.lines().enumerate();
        let lines = lines.filter(|(_, line)| !line.trim().is_empty());
        let lines = lines.map(|(after, _)| token.line + after);
        all.extend(lines.clone());
        if !token.test {
            code.extend(lines);
        }
    }
    all.dedup();
    code.dedup();
    let mut counted = Lines {
        tests: all.len() - code.len(),
        files: usize::from(purpose == Purpose::Code && !code.is_empty()),
        ..Lines::default()
    };
    match purpose {
        Purpose::Code => counted.code += code.len(),
        Purpose::Tests => counted.tests += code.len(),
        Purpose::Benches => counted.benches += code.len(),
        Purpose::Examples => counted.examples += code.len(),
    }
    counted
}

fn table(counts: &Counts) -> String {
    let total = ("total", counts.total);
    let rows = counts
        .crates
        .iter()
        .map(|one| (one.name.as_str(), one.lines));
    let mut text = format!(
        "{:<18} {:>7} {:>7} {:>7} {:>7} {:>8}\n",
        "crate", "files", "code", "tests", "benches", "examples"
    );
    for (name, lines) in rows.chain([total]) {
        // Writing into a String cannot fail.
        let _ = writeln!(
            text,
            "{name:<18} {:>7} {:>7} {:>7} {:>7} {:>8}",
            lines.files, lines.code, lines.tests, lines.benches, lines.examples
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines of code and of tests in a file of a crate's src/.
    fn counted(text: &str) -> (usize, usize) {
        let file = File::read(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let lines = count_lines(&file, Purpose::Code);
        (lines.code, lines.tests)
    }

    #[test]
    fn blank_lines_and_comments_are_not_counted() {
        let text = "//! Page.\n\n/// Doc.\nfn f() {} // why\n    \n/* a\n b /* c */\n*/ fn g() {}\n/** d */\n";
        assert_eq!(counted(text), (2, 0));
        assert_eq!(counted(""), (0, 0));
        assert_eq!(counted("// no newline at its end"), (0, 0));
        assert_eq!(counted("fn f() {}\r\n\r\n// a\r\nfn g() {}\r\n"), (2, 0));
    }

    #[test]
    fn what_looks_like_a_comment_in_a_string_is_code() {
        assert_eq!(
            counted("fn f() { let a = \"http://x\"; /* b\n*/\nlet c = 1; }"),
            (2, 0)
        );
        assert_eq!(
            counted("fn f() { let a = \"/*\";\nlet b = 1; }\n// \"*/\""),
            (2, 0)
        );
        assert_eq!(
            counted("fn f() { let a = '\"'; // \"\nlet b = r#\"\"//\"#; }\n"),
            (2, 0)
        );
    }

    #[test]
    fn lines_of_a_long_string_are_code_where_they_are_not_blank() {
        let text = "const A: &str = \"\\\nfirst\n\n// third\n\";\n";
        assert_eq!(counted(text), (4, 0));
    }

    #[test]
    fn tests_are_told_from_code_wherever_they_stand() {
        let text = "fn f() {}\n#[cfg(test)]\nmod tests {\n    // why\n    fn g() { \"}\" }\n}\nfn h() {}\n";
        assert_eq!(counted(text), (2, 4));
        assert_eq!(
            counted("use a;\n#[cfg(test)]\nuse b::{\n    c,\n};\nfn f() {}\n"),
            (2, 4)
        );
        assert_eq!(counted("fn f() {} #[cfg(test)] fn g() {}\n"), (1, 0));
        assert_eq!(counted("#![cfg(test)]\nfn f() {}\n"), (0, 2));
        assert_eq!(
            counted("// #[cfg(test)]\nfn f() { \"#[cfg(test)]\" }\n"),
            (1, 0)
        );
    }

    /// A crate `a` with one of everything and a crate of tests.
    fn workspace() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("the temporary folder is writable");
        for (path, text) in [
            (
                "Cargo.toml",
                "[workspace]\nmembers = [\"crates/one\", \"tests\"]\n",
            ),
            (
                "crates/one/Cargo.toml",
                "[package]\nname = \"one-package\"\n",
            ),
            ("crates/one/build.rs", "fn main() {}\n"),
            (
                "crates/one/src/lib.rs",
                "mod a;\nmod b;\n#[cfg(test)]\nmod tests;\n",
            ),
            ("crates/one/src/tests.rs", "mod more;\n"),
            ("crates/one/src/tests/more.rs", "fn f() {}\n"),
            (
                "crates/one/src/a.rs",
                "fn a() {}\n#[cfg(test)]\nmod tests;\n#[cfg(test)]\n#[path = \"odd.rs\"]\nmod c;\n",
            ),
            ("crates/one/src/a/tests/mod.rs", "fn f() {}\n"),
            ("crates/one/src/odd.rs", "fn f() {}\n"),
            ("crates/one/src/b/mod.rs", "mod tests;\n"),
            ("crates/one/src/b/tests.rs", "fn not_only_for_tests() {}\n"),
            ("crates/one/tests/it.rs", "fn f() {}\n\nfn g() {}\n"),
            ("crates/one/benches/b.rs", "fn f() {}\n"),
            (
                "crates/one/examples/e/main.rs",
                "fn f() {}\n#[cfg(test)]\nfn g() {}\n",
            ),
            ("crates/one/target/debug/x.rs", "fn f() {}\n"),
            ("tests/Cargo.toml", "[package]\nname = \"all-tests\"\n"),
            ("tests/src/lib.rs", "fn f() {}\n"),
        ] {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().expect("below a folder")).expect("writable");
            std::fs::write(path, text).expect("writable");
        }
        folder
    }

    #[test]
    fn files_are_counted_by_what_they_are_for() {
        let folder = workspace();
        let counts = count(folder.path(), &[]).expect("it can be read");
        let expected = Lines {
            files: 5,
            code: 6,
            tests: 15,
            benches: 1,
            examples: 1,
        };
        assert_eq!(counts.crates[0].name, "one-package");
        assert_eq!(counts.crates[0].lines, expected);
        let tests = Lines {
            tests: 1,
            ..Lines::default()
        };
        assert_eq!(counts.crates[1].lines, tests);
        assert_eq!(counts.total.tests, 16);
        let table = table(&counts);
        assert!(
            table.lines().any(|line| line.starts_with("total")),
            "{table}"
        );
        let json = serde_json::to_value(&counts).expect("plain numbers");
        assert_eq!(json["crates"][0]["code"], 6);
        assert_eq!(json["total"]["tests"], 16);
    }

    #[test]
    fn crates_are_chosen_by_package_or_folder() {
        let folder = workspace();
        for name in ["one-package", "one", "crates/one"] {
            let counts = count(folder.path(), &[name.to_owned()]).expect("it is there");
            assert_eq!(counts.crates.len(), 1, "{name}");
        }
        let error = count(folder.path(), &["two".to_owned()])
            .err()
            .expect("none");
        assert_eq!(
            error.to_string(),
            "no crate `two`; the crates are one-package, all-tests"
        );
    }
}
