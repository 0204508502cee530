//! The documents of the repository, and what they show.

use std::path::{Path, PathBuf};

use crate::root;

/// Every Markdown file of the repository, by path.
///
/// # Panics
/// If a folder can't be read.
pub fn documents() -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![root().to_owned()]);
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder);
        let entries = entries.unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        for entry in entries {
            let path = entry.expect("a readable folder").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let others = ["target", "runs", "corpus", "artifacts", "coverage"];
            if path.is_dir() && !name.starts_with('.') && !others.contains(&&*name) {
                folders.push(path);
            } else if name.ends_with(".md") && path.is_file() {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The pages of the book in their order, as paths from the root.
///
/// # Panics
/// If there is no summary.
pub fn pages() -> Vec<PathBuf> {
    let summary = read(&root().join("docs/SUMMARY.md"));
    let names = links(&summary).into_iter();
    names.map(|name| Path::new("docs").join(name)).collect()
}

/// A document's text.
///
/// # Panics
/// If it isn't there.
pub fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Where the links and pictures of a document lead, those in code left out.
pub fn links(text: &str) -> Vec<String> {
    let prose = prose(text);
    let sentences: String = prose.split('`').step_by(2).collect();
    let after = |start, end| {
        let links = sentences.split(start).skip(1);
        links.filter_map(move |rest: &str| rest.split(end).next())
    };
    let pictures = after("src=\"", '"');
    after("](", ')')
        .chain(pictures)
        .map(str::to_owned)
        .collect()
}

/// The anchors of a document's headings, as GitHub and mdBook name them.
pub fn anchors(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for line in prose(text).lines().filter(|line| line.starts_with('#')) {
        let heading = line.trim_start_matches('#').trim().to_lowercase();
        let kept = |c: &char| c.is_alphanumeric() || "-_ ".contains(*c);
        let name: String = heading.chars().filter(kept).collect();
        let name = name.replace(' ', "-");
        let again = (1..).map(|n| format!("{name}-{n}"));
        let mut names = std::iter::once(name.clone()).chain(again);
        found.extend(names.find(|name| !found.contains(name)));
    }
    found
}

/// A document without its fenced blocks.
fn prose(text: &str) -> String {
    let mut inside = false;
    let mut kept = String::new();
    for line in text.lines() {
        let fence = line.trim_start().starts_with("```");
        inside ^= fence;
        if !inside && !fence {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

/// The commands in a document's fenced blocks of a shell: one a line, continued lines joined, comments left out.
pub fn commands(text: &str) -> Vec<String> {
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

/// The words of a command, as a shell splits them: what stands between single quotes is part of one word.
pub fn words(command: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for (at, part) in command.split('\'').enumerate() {
        match at % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    words
}
