//! Text from strangers: small files of it, and words of theirs on the way to a terminal.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::de::DeserializeOwned;
use skeleton_data::draw::steers;
pub use strl::checkpoint::sealed::hex;

use crate::failure::{Failure, Outcome};

/// The longest text that is read: a hundred times what any of these needs.
const LONGEST: u64 = 1 << 20;

/// A whole text file. A longer one, or a device that never ends, is refused instead of filling the memory.
pub fn read_text(path: &Path) -> Outcome<String> {
    read_at_most(path, LONGEST)
}

/// A text file of at most so many bytes.
pub fn read_at_most(path: &Path, most: u64) -> Outcome<String> {
    let file = File::open(path).map_err(Failure::io(path))?;
    let mut text = String::new();
    file.take(most + 1)
        .read_to_string(&mut text)
        .map_err(Failure::io(path))?;
    if text.len() as u64 > most {
        let path = path.display();
        return Err(Failure::error(format!(
            "{path}: expected a text of at most {most} bytes, found a longer one"
        ))
        .hint("is it a file of another kind?"));
    }
    // The mark of UTF-8 that programs on Windows put before a text.
    match text.strip_prefix('\u{feff}') {
        Some(rest) => Ok(rest.to_owned()),
        None => Ok(text),
    }
}

/// The longest list and the longest JSON document that are read, in bytes: a million clips, a hundred thousand epochs and a
/// measurement of a thousand classes have fewer.
const LONGEST_LIST: u64 = 64 << 20;

/// A text with a line a clip or an epoch, such as labels or metrics.jsonl.
pub fn read_list(path: &Path) -> Outcome<String> {
    read_at_most(path, LONGEST_LIST)
}

/// A file that is one JSON document.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Outcome<T> {
    let text = read_list(path)?;
    serde_json::from_str(&text).map_err(|error| {
        Failure::error(format!("{}: {error}", path.display())).hint(
            "it was damaged, or another program wrote it: make it again, or take it from a copy",
        )
    })
}

/// A file that is one JSON document, where there is one.
pub fn read_json_if_there<T: DeserializeOwned>(path: &Path) -> Outcome<Option<T>> {
    path.exists().then(|| read_json(path)).transpose()
}

/// A word for a shell: as it is where that is safe, else in single quotes.
pub fn shell(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-=+:,@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// The text with `\u001b` and its like for each character but ends of lines and tabs that could steer a terminal. In JSON, where
/// such characters stand in strings only, it means the same.
pub fn harmless(text: &str) -> Cow<'_, str> {
    let acts = |c: char| steers(c) && !matches!(c, '\n' | '\t');
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if acts(c) {
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// The longest line of a message, in characters: what quotes a stranger's line doesn't fill the screen with it.
const WIDEST: usize = 2000;

/// [`harmless`] text with no line that is longer than a screen.
pub fn message(text: &str) -> String {
    let short = |line: &str| match line.char_indices().nth(WIDEST) {
        None => line.to_owned(),
        Some((at, _)) => format!("{} ... ({} bytes more)", &line[..at], line.len() - at),
    };
    let lines: Vec<String> = text.split('\n').map(short).collect();
    harmless(&lines.join("\n")).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_a_shell() {
        assert_eq!(shell("runs/a-1.h5"), "runs/a-1.h5");
        assert_eq!(shell("my runs"), "'my runs'");
        assert_eq!(shell("it's"), "'it'\\''s'");
        assert_eq!(shell(""), "''");
    }

    #[test]
    fn the_mark_of_windows_is_no_part_of_a_text() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("names.txt");
        std::fs::write(&path, "\u{feff}wave\r\nclap\r\n").unwrap();
        let text = read_text(&path).unwrap();
        assert_eq!(text.lines().collect::<Vec<_>>(), ["wave", "clap"]);
    }

    #[test]
    fn a_line_of_a_message_ends() {
        let shown = message(&format!("short\n{}", "ä".repeat(WIDEST + 3)));
        assert!(shown.starts_with("short\nää") && shown.ends_with("ä ... (6 bytes more)"));
        assert_eq!(message("two\nlines\u{7}"), "two\nlines\\u0007");
    }

    #[test]
    fn nothing_steers_a_terminal_and_json_means_the_same() {
        let plain = "two\nlines\tand ständ 行动 ✓";
        assert!(matches!(harmless(plain), Cow::Borrowed(text) if text == plain));
        let evil = "a\u{1b}[31mb\u{9b}c\r\u{7f}\u{202e}d\u{0}";
        assert_eq!(
            harmless(evil),
            "a\\u001b[31mb\\u009bc\\u000d\\u007f\\u202ed\\u0000"
        );
        let json = serde_json::to_string_pretty(&[evil]).unwrap();
        let read: Vec<String> = serde_json::from_str(&harmless(&json)).unwrap();
        assert_eq!(read, [evil]);
    }

    #[test]
    fn a_text_is_read_whole_and_one_too_long_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.toml");
        let longest = "x".repeat(LONGEST as usize);
        std::fs::write(&path, &longest).unwrap();
        assert_eq!(read_text(&path).unwrap(), longest);
        std::fs::write(&path, longest + "y").unwrap();
        let refused = read_text(&path).unwrap_err();
        refused.assert_says("at most 1048576 bytes");
        let missing = read_text(&folder.path().join("missing.toml")).unwrap_err();
        missing.assert_says("missing.toml");
    }

    #[cfg(unix)]
    #[test]
    fn a_device_without_end_is_refused() {
        read_text(Path::new("/dev/zero"))
            .unwrap_err()
            .assert_says("a longer one");
    }
}
