//! Recordings become clips: read, parsed and decided by threads, given out in the order of their names.

use rayon::ThreadPool;
use rayon::prelude::*;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::choose::{People, choose};
use super::decision::{FileLog, Outcome, Skip};
use super::files::{Entry, Files};
use super::{Edition, JOINTS, Name, Recording, Rules};
use crate::raw::source::hex;
use crate::{Error, Result, Sequence};

/// Files of a window, by thread.
const FILES: usize = 32;
/// Bytes of text after which a window ends.
const BYTES: u64 = 128 << 20;

/// How recordings become clips.
#[derive(Clone, Debug)]
pub struct Preparation {
    /// Which data set they are for: files of other actions and those listed as missing are not read.
    pub edition: Edition,
    /// How bodies are chosen.
    pub rules: Rules,
    /// Whether a file that can't be read or parsed is skipped, with a line in the log; else it is an error.
    pub skip_unreadable: bool,
    /// Threads to read with; the clips don't depend on it.
    pub threads: usize,
}

/// What became of a recording.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// For the log.
    pub log: FileLog,
    /// The clip, unless the file was skipped.
    pub clip: Option<Sequence>,
}

/// The recordings one after the other, in the order of their names.
///
/// A window of files is read by all threads at once and then given out, so that memory doesn't grow with the set.
pub struct Clips<'a> {
    files: &'a Files,
    preparation: Preparation,
    pool: ThreadPool,
    next: usize,
    window: std::vec::IntoIter<Result<(Prepared, Option<Read>)>>,
    given: usize,
    sums: Vec<Sum>,
}

/// What a file held, for the record.
struct Read {
    bytes: u64,
    sha256: String,
}

/// What was read of an input.
#[derive(Clone, Default)]
struct Sum {
    samples: usize,
    bytes: u64,
    list: Sha256,
}

impl Files {
    /// Reads all recordings.
    ///
    /// # Errors
    /// A rule that makes no sense, or threads that can't be started. Each item's error is a file that can't be read or
    /// parsed, unless those are to be skipped.
    pub fn clips(&self, preparation: &Preparation) -> Result<Clips<'_>> {
        preparation.rules.check()?;
        let pool = rayon::ThreadPoolBuilder::new().num_threads(preparation.threads);
        Ok(Clips {
            files: self,
            preparation: preparation.clone(),
            pool: pool.build().map_err(|e| Error::Worker {
                message: e.to_string(),
            })?,
            next: 0,
            window: Vec::new().into_iter(),
            given: 0,
            sums: vec![Sum::default(); self.inputs().count()],
        })
    }
}

impl Clips<'_> {
    /// What the clips given out so far were made from and how, for a cache's `source`: each input with the number of samples that were read,
    /// their bytes and one SHA-256 over their list, and the rules.
    ///
    /// The list is what `sha256sum` prints in the recordings' folder: a line `HASH  NAME.skeleton` for each sample that was
    /// read, in the order of their names. So the same recordings give the same hash in a folder and in an archive.
    pub fn source(&self) -> Value {
        let inputs = self.files.inputs().zip(&self.sums);
        let inputs = inputs.map(|(name, sum)| {
            let sha256 = hex(&sum.list.clone().finalize());
            json!({ "name": name, "samples": sum.samples, "bytes": sum.bytes, "sha256_of_list": sha256 })
        });
        json!({
            "files": inputs.collect::<Vec<_>>(),
            "rules": {
                "format": "skeleton",
                "edition": self.preparation.edition,
                "bodies": self.preparation.rules,
                "not_finite": "joints become missing",
                "left_out": "samples listed as missing, of other actions, or without a body that is left",
                "unreadable": if self.preparation.skip_unreadable { "skipped" } else { "an error" },
            },
        })
    }

    fn fill(&mut self) {
        let entries = &self.files.entries()[self.next..];
        let mut bytes = 0;
        let most = FILES * self.pool.current_num_threads();
        let fits = |entry: &&Entry| {
            let fits = bytes < BYTES;
            bytes += entry.size;
            fits
        };
        let count = entries.iter().take(most).take_while(fits).count();
        self.next += count;
        let (files, preparation) = (self.files, &self.preparation);
        let prepare = |entry: &Entry| prepare(files, entry, preparation);
        let window: Vec<_> = self
            .pool
            .install(|| entries[..count].par_iter().map(prepare).collect());
        self.window = window.into_iter();
    }
}

impl Iterator for Clips<'_> {
    type Item = Result<Prepared>;

    fn next(&mut self) -> Option<Result<Prepared>> {
        if self.window.len() == 0 {
            self.fill();
        }
        let entry = self.files.entries().get(self.given)?;
        self.given += 1;
        let (prepared, read) = match self.window.next()? {
            Err(error) => return Some(Err(error)),
            Ok(item) => item,
        };
        if let Some(read) = read {
            let sum = &mut self.sums[entry.input];
            sum.samples += 1;
            sum.bytes += read.bytes;
            sum.list
                .update(format!("{}  {}.skeleton\n", read.sha256, entry.name));
        }
        Some(Ok(prepared))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.files.len() - self.given;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Clips<'_> {}

fn prepare(
    files: &Files,
    entry: &Entry,
    preparation: &Preparation,
) -> Result<(Prepared, Option<Read>)> {
    let skipped = |skip, decisions| Prepared {
        log: FileLog {
            sample: entry.name.to_string(),
            outcome: Outcome::Skipped(skip),
            decisions,
        },
        clip: None,
    };
    let edition = preparation.edition;
    if !edition.has(&entry.name) {
        return Ok((skipped(Skip::OtherAction, Vec::new()), None));
    }
    if edition.lists_as_missing(&entry.name) {
        return Ok((skipped(Skip::ListedAsMissing, Vec::new()), None));
    }
    let parsed = files.read(entry).and_then(|text| {
        let recording = Recording::parse(&entry.path, &text)?;
        Ok((recording, text))
    });
    let (recording, text) = match parsed {
        Err(error) if preparation.skip_unreadable => {
            let message = error.to_string();
            return Ok((skipped(Skip::Unreadable { message }, Vec::new()), None));
        }
        parsed => parsed?,
    };
    let read = Read {
        bytes: text.len() as u64,
        sha256: hex(&Sha256::digest(&text)),
    };
    let prepared = match choose(&recording, &preparation.rules) {
        (Err(skip), decisions) => skipped(skip, decisions),
        (Ok(people), decisions) => Prepared {
            log: FileLog {
                sample: entry.name.to_string(),
                outcome: Outcome::Kept {
                    persons: people.persons,
                    frames: people.frames,
                },
                decisions,
            },
            clip: Some(clip(&entry.name, people)),
        },
    };
    Ok((prepared, Some(read)))
}

fn clip(name: &Name, people: People) -> Sequence {
    Sequence {
        id: name.to_string(),
        label: name.label(),
        persons: people.persons,
        frames: people.frames,
        joints: JOINTS,
        coordinates: 3,
        keypoints: people.keypoints,
        scores: None,
        image: None,
        subject: Some(name.person),
        camera: Some(name.camera),
        setup: Some(name.setup),
    }
}
