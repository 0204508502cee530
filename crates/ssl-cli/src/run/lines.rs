//! metrics.jsonl and timings.jsonl.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

use serde::Serialize;

use super::full;
use crate::checkpoint::write_whole;
use crate::failure::{Failure, Outcome};

/// A file of JSON lines that never holds half a line for long: what is cut off is made good by
/// rewriting the file when the run goes on.
#[derive(Debug)]
pub struct Lines {
    path: PathBuf,
    file: File,
    text: String,
    published: usize,
}

impl Lines {
    /// The file with these lines and no others.
    pub fn rewrite(path: PathBuf, text: String) -> Outcome<Lines> {
        write_whole(&path, text.as_bytes()).map_err(full)?;
        let file = OpenOptions::new().append(true).open(&path);
        Ok(Lines {
            file: file.map_err(Failure::io(&path))?,
            published: text.len(),
            path,
            text,
        })
    }

    /// The lines so far, published or not.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Adds a line.
    pub fn note(&mut self, line: &impl Serialize) -> Outcome {
        let line = serde_json::to_string(line).map_err(|error| Failure::from_error(&error))?;
        self.text.push_str(&line);
        self.text.push('\n');
        Ok(())
    }

    /// Brings the file up to what was noted.
    pub fn publish(&mut self) -> Outcome {
        let written = self.file.write_all(&self.text.as_bytes()[self.published..]);
        if let Err(error) = written {
            // The disk may be full in the middle of a line: back to the last whole one.
            let _ = self.file.set_len(self.published as u64);
            return Err(full(Failure::io(&self.path)(error)));
        }
        self.published = self.text.len();
        Ok(())
    }
}
