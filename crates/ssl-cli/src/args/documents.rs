//! Every command that the documents show can be typed.

use std::path::{Path, PathBuf};

use clap::Parser;
use clap::error::ErrorKind;

use super::Cli;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The README, the book, and what stands beside the crates.
fn documents() -> Vec<PathBuf> {
    let entries = |folder: PathBuf| {
        let entries = std::fs::read_dir(&folder);
        let entries = entries.unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        entries.map(|entry| entry.expect("a readable folder").path())
    };
    let mut folders = vec![root(), root().join("docs"), root().join("datasets")];
    folders.extend(entries(root().join("crates")));
    let mut found: Vec<PathBuf> = folders.into_iter().flat_map(entries).collect();
    found.retain(|path| path.extension().is_some_and(|ending| ending == "md"));
    found.sort();
    found
}

/// What a document shows: lines of its fenced blocks for a shell, continued ones joined, and its code within sentences.
fn shown(text: &str) -> (Vec<String>, Vec<String>) {
    let (mut lines, mut prose) = (Vec::<String>::new(), String::new());
    let (mut inside, mut shell, mut continued) = (false, false, false);
    for line in text.lines() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            inside = !inside;
            shell = inside && ["sh", "bash", "console"].contains(&language);
        } else if !inside {
            prose.push_str(line);
            prose.push(' ');
        } else if shell {
            let typed = line.trim().trim_start_matches("$ ");
            let typed = typed.split(" #").next().unwrap_or(typed).trim();
            let more = typed.ends_with('\\');
            let typed = typed.trim_end_matches('\\').trim();
            match lines.last_mut() {
                Some(last) if continued => *last = format!("{last} {typed}"),
                _ => lines.push(typed.to_owned()),
            }
            continued = more;
        }
    }
    let code = prose.split('`').skip(1).step_by(2);
    (lines, code.map(str::to_owned).collect())
}

/// The words that a shell gives to `ssl`, alone or through `cargo xtask`, which fills in the run's folder of a pre-training.
fn words(typed: &str) -> Option<Vec<String>> {
    let typed = typed.split(" > ").next().unwrap_or(typed);
    let typed = typed.strip_prefix("SSL_REFERENCE=1 ").unwrap_or(typed);
    let handed_on = ["cargo xtask pretrain ", "cargo xtask reproduce "];
    let (start, rest) = match handed_on.iter().find(|task| typed.starts_with(*task)) {
        Some(task) if task.contains("pretrain") => ("pretrain --out RUN ", &typed[task.len()..]),
        Some(task) => ("reproduce ", &typed[task.len()..]),
        None => {
            let rest = typed.strip_prefix("cargo xtask ");
            let typed = rest.unwrap_or(typed);
            // The same program with CUDA in it.
            let cuda = typed.strip_prefix("target/cuda/programs/").unwrap_or(typed);
            let cuda = cuda.strip_prefix("ssl-cuda ");
            ("", cuda.or_else(|| typed.strip_prefix("ssl "))?)
        }
    };
    let mut words = vec!["ssl".to_owned()];
    // What stands between single quotes is part of one word.
    for (at, part) in format!("{start}{rest}").split('\'').enumerate() {
        match at % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    Some(words)
}

/// Why a command can't be typed. A fragment within a sentence may leave out what is required, and the value of its last option.
fn wrong(words: &[String], fragment: bool) -> Option<String> {
    let error = Cli::try_parse_from(words).err()?;
    let fine = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => true,
        ErrorKind::MissingRequiredArgument => fragment,
        ErrorKind::InvalidValue if fragment && words.last()?.starts_with("--") => {
            return wrong(&[words, &["1".to_owned()]].concat(), true);
        }
        _ => false,
    };
    (!fine).then(|| error.to_string())
}

#[test]
fn commands_in_the_documents_can_be_typed() {
    // A crate from the registry has no documents beside it.
    if !root().join("docs/SUMMARY.md").exists() {
        return;
    }
    let (mut found, mut seen) = (Vec::new(), [0, 0]);
    for document in documents() {
        let text = std::fs::read_to_string(&document).expect("a document is UTF-8");
        let (lines, code) = shown(&text);
        for (fragment, typed) in [(false, lines), (true, code)] {
            for typed in typed {
                let Some(words) = words(&typed) else { continue };
                seen[usize::from(fragment)] += 1;
                if let Some(why) = wrong(&words, fragment) {
                    found.push(format!("{}: {typed}\n{why}", document.display()));
                }
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert!(
        seen[0] > 60 && seen[1] > 20,
        "{seen:?}: are they still shown so?"
    );
}

#[test]
fn wrong_commands_are_found() {
    let text = "Use `ssl\ndoctor` or `cargo xtask ssl doctor x.h5`:\n\n```sh\nssl predict runs/a \\\n    --data 'my clips.h5'  # why\nls\n```\n\n```toml\nssl = 1\n```\n";
    let (lines, code) = shown(text);
    assert_eq!(lines, ["ssl predict runs/a --data 'my clips.h5'", "ls"]);
    assert_eq!(code, ["ssl doctor", "cargo xtask ssl doctor x.h5"]);
    assert_eq!(words("ls"), None);
    let typed = words(&lines[0]).expect("a command of ssl");
    assert_eq!(typed, ["ssl", "predict", "runs/a", "--data", "my clips.h5"]);
    let check = |typed: &str, fragment| wrong(&words(typed).expect("a command of ssl"), fragment);
    assert_eq!(wrong(&typed, false), None);
    assert_eq!(check("ssl doctor", true), None);
    assert_eq!(check("ssl doctor --preset", true), None);
    assert_eq!(check("cargo xtask pretrain --preset quick", false), None);
    assert!(check("ssl doctor", false).is_some());
    for typed in [
        "ssl docter x.h5",
        "ssl doctor --overfits",
        "ssl predict a --data b --top x",
    ] {
        assert!(check(typed, true).is_some(), "{typed}");
    }
}
