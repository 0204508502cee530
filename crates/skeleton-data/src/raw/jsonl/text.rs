//! Lines as they lie in the file.

use std::path::Path;

use super::{LONGEST_LINE, wrong};
use crate::Result;

/// The text of a line, and where it is.
pub(super) struct Text<'a> {
    pub(super) path: &'a Path,
    pub(super) number: usize,
    pub(super) start: usize,
    pub(super) bytes: &'a [u8],
}

/// Lines that aren't empty, one after the other.
pub(super) struct Lines<'a> {
    pub(super) path: &'a Path,
    bytes: &'a [u8],
    at: usize,
    number: usize,
}

impl<'a> Lines<'a> {
    pub(super) fn new(path: &'a Path, bytes: &'a [u8]) -> Self {
        // Some editors begin a text with this mark.
        let at = if bytes.starts_with(b"\xef\xbb\xbf") {
            3
        } else {
            0
        };
        Lines {
            path,
            bytes,
            at,
            number: 0,
        }
    }

    pub(super) fn next(&mut self) -> Result<Option<Text<'a>>> {
        while self.at < self.bytes.len() {
            let (start, rest) = (self.at, &self.bytes[self.at..]);
            let len = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            self.at += len + 1;
            self.number += 1;
            if len > LONGEST_LINE {
                let expected = format!("at most {LONGEST_LINE} bytes");
                let found = len.to_string();
                return Err(wrong(self.path, self.number, "the line", expected, found));
            }
            if rest[..len].iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            return Ok(Some(Text {
                path: self.path,
                number: self.number,
                start,
                bytes: &rest[..len],
            }));
        }
        Ok(None)
    }
}

/// What the JSON reader says, without its count of lines, which is always 1.
pub(super) fn told(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!("at line {} column {}", error.line(), error.column());
    text.replace(&place, &format!("at column {}", error.column()))
}
