//! Recordings become clips: read, parsed and decided by threads, given out in the order of their names.

use std::sync::Arc;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::choose::{People, choose};
use super::files::{Entry, Files};
use super::rules::{FileLog, Outcome, Skip};
use super::{Edition, JOINTS, Name, Recording, Rules};
use crate::parallel::InOrder;
use crate::raw::hex;
use crate::{Result, Sequence};

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

/// The recordings one after the other, in the order of their names, which threads read. Ends after the first error.
pub struct Clips {
    files: Files,
    preparation: Arc<Preparation>,
    prepared: InOrder<(Prepared, Option<Read>)>,
    sums: Vec<Sum>,
}

/// What a file held, for the record.
struct Read {
    input: usize,
    bytes: u64,
    /// What `sha256sum` prints of it.
    line: String,
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
    /// A rule that makes no sense. Each item's error is a file that can't be read or parsed, unless those are to be skipped.
    pub fn clips(&self, preparation: &Preparation) -> Result<Clips> {
        preparation.rules.check()?;
        let preparation = Arc::new(preparation.clone());
        let job = || {
            let (files, preparation) = (self.clone(), Arc::clone(&preparation));
            move |index: usize| prepare(&files, &files.entries()[index], &preparation)
        };
        Ok(Clips {
            files: self.clone(),
            prepared: InOrder::new(self.len(), preparation.threads, job),
            sums: vec![Sum::default(); self.inputs().count()],
            preparation,
        })
    }
}

impl Clips {
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
}

impl Iterator for Clips {
    type Item = Result<Prepared>;

    fn next(&mut self) -> Option<Result<Prepared>> {
        let prepared = self.prepared.next()?;
        Some(prepared.map(|(prepared, read)| {
            if let Some(read) = read {
                let sum = &mut self.sums[read.input];
                sum.samples += 1;
                sum.bytes += read.bytes;
                sum.list.update(read.line);
            }
            prepared
        }))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.prepared.left();
        (left, Some(left))
    }
}

impl ExactSizeIterator for Clips {}

fn prepare(
    files: &Files,
    entry: &Entry,
    preparation: &Preparation,
) -> Result<(Prepared, Option<Read>)> {
    let became = |outcome, decisions, clip| Prepared {
        log: FileLog {
            sample: entry.name.to_string(),
            outcome,
            decisions,
        },
        clip,
    };
    let unread = |skip| Ok((became(Outcome::Skipped(skip), Vec::new(), None), None));
    let edition = preparation.edition;
    if !edition.has(&entry.name) {
        return unread(Skip::OtherAction);
    }
    if edition.lists_as_missing(&entry.name) {
        return unread(Skip::ListedAsMissing);
    }
    let parsed = files.read(entry).and_then(|text| {
        let recording = Recording::parse(&entry.path, &text)?;
        Ok((recording, text))
    });
    let (recording, text) = match parsed {
        Err(error) if preparation.skip_unreadable => {
            let message = error.to_string();
            return unread(Skip::Unreadable { message });
        }
        parsed => parsed?,
    };
    let sha256 = hex(&Sha256::digest(&text));
    let read = Read {
        input: entry.input,
        bytes: text.len() as u64,
        line: format!("{sha256}  {}.skeleton\n", entry.name),
    };
    let prepared = match choose(&recording, &preparation.rules) {
        (Err(skip), decisions) => became(Outcome::Skipped(skip), decisions, None),
        (Ok(people), decisions) => {
            let (persons, frames) = (people.persons, people.frames);
            let clip = clip(&entry.name, people);
            became(Outcome::Kept { persons, frames }, decisions, Some(clip))
        }
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
