//! Writing a cache: samples one by one, then the whole file at once under its name.

mod finish;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use skeleton_graph::Layout;

use super::h5;
use super::schema::Samples;
use super::spool::{Spool, stored};
use crate::names;
use crate::partial::folder;
use crate::{Error, Result, Sequence, Units, Values};

/// What a cache says about itself.
#[derive(Clone, Debug)]
pub struct CacheHeader {
    /// The data set's name.
    pub dataset: String,
    /// The joints.
    pub layout: Layout,
    /// What the coordinates are measured in.
    pub units: Units,
    /// Where the data came from and how it was prepared ([`crate::raw::source::describe`]).
    pub source: serde_json::Value,
    /// Class names; labels lie below their number.
    pub classes: Vec<String>,
    /// The program that writes, with its version; at most 255 bytes.
    pub created_by: String,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CacheSummary {
    /// The file.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// Clips.
    pub samples: usize,
    /// Rows of /keypoints: people times frames.
    pub rows: u64,
    /// The data fingerprint.
    pub digest: String,
    /// Splits and their sizes.
    pub splits: Vec<(String, usize)>,
    /// Splits that name clips the source lacks, and how many.
    pub unknown_ids: Vec<(String, usize)>,
    /// How long the disk took to say that everything is on it.
    #[serde(skip)]
    pub synced: Duration,
}

/// Collects samples and writes them as one file.
///
/// Coordinates go to a nameless file beside the target as they come, so that memory does not grow with the set; the
/// cache is put together by [`finish`](Self::finish), under a temporary name, and renamed when it is on the disk. A
/// writer that is dropped, or fails, leaves nothing behind.
pub struct CacheWriter {
    path: PathBuf,
    folder: PathBuf,
    header: CacheHeader,
    keypoints: Spool,
    scores: Spool,
    samples: Samples,
    index: HashMap<String, u32>,
    /// By sample: whether its keypoints and its scores are in half precision.
    halves: Vec<[bool; 2]>,
    coordinates: usize,
    has_scores: bool,
    rows: u64,
    compress: bool,
}

impl CacheWriter {
    /// Begins a cache that will be `path`. An existing file there stays as it is until [`finish`](Self::finish).
    ///
    /// # Errors
    /// When nothing can be written beside `path`, or the header has names that can't be stored.
    pub fn create(path: &Path, header: CacheHeader) -> Result<Self> {
        let folder = folder(path);
        let wrong = |place: &str, expected: String, found: String| Error::Cache {
            path: path.to_owned(),
            place: place.to_owned(),
            expected,
            found,
        };
        let name = names::expected("a name");
        for (place, text) in header
            .classes
            .iter()
            .map(|class| ("classes", class))
            .chain([("dataset", &header.dataset)])
        {
            if !names::is_name(text) {
                return Err(wrong(place, name, format!("{text:?}")));
            }
        }
        if header.created_by.len() > h5::LONGEST_FIXED || !names::is_name(&header.created_by) {
            let expected = format!(
                "1 to {} bytes without control characters",
                h5::LONGEST_FIXED
            );
            return Err(wrong(
                "created_by",
                expected,
                format!("{:?}", header.created_by),
            ));
        }
        let spool = || Spool::create(&folder).map_err(Error::io(&folder));
        let (keypoints, scores) = (spool()?, spool()?);
        Ok(CacheWriter {
            path: path.to_owned(),
            folder,
            header,
            keypoints,
            scores,
            samples: Samples::default(),
            index: HashMap::new(),
            halves: Vec::new(),
            coordinates: 0,
            has_scores: false,
            rows: 0,
            compress: false,
        })
    }

    /// Replaces the header's `source`: what can be said of the source only after it was read.
    pub fn set_source(&mut self, source: serde_json::Value) {
        self.header.source = source;
    }

    /// Compresses the coordinates and scores: a smaller file with the same digest, which a reader unpacks into memory as
    /// a whole instead of mapping it.
    pub fn compress(&mut self) {
        self.compress = true;
    }

    /// Adds a clip. A clip that is refused changes nothing.
    ///
    /// # Errors
    /// A clip that doesn't fit the layout, the classes or the clips before it, an id that was there already, numbers
    /// that are not finite ([`Sequence::repair`] makes them so), or a full disk.
    pub fn push(&mut self, clip: &Sequence) -> Result<()> {
        self.check(clip)?;
        let wrong = |expected: &str, found: String| Error::clip(&clip.id, expected, found);
        let small = |n: usize, what: &str| u32::try_from(n).map_err(|_| wrong(what, n.to_string()));
        let (persons, frames) = (
            small(clip.persons, "fewer people")?,
            small(clip.frames, "fewer frames")?,
        );
        let index = small(self.samples.id.len(), "fewer samples")?;
        let keypoints = stored(clip.keypoints.view());
        let scores = clip
            .scores
            .as_ref()
            .map_or(&[][..], |scores| stored(scores.view()));
        self.keypoints
            .push(keypoints)
            .map_err(Error::io(&self.folder))?;
        self.scores.push(scores).map_err(Error::io(&self.folder))?;

        self.coordinates = clip.coordinates;
        self.has_scores = clip.scores.is_some();
        self.halves.push([
            is_half(&clip.keypoints),
            clip.scores.as_ref().is_some_and(is_half),
        ]);
        self.index.insert(clip.id.clone(), index);
        let number = |n: Option<u32>| n.and_then(|n| i32::try_from(n).ok()).unwrap_or(-1);
        let samples = &mut self.samples;
        samples.id.push(clip.id.clone());
        samples.label.push(number(clip.label));
        samples.offset.push(self.rows);
        samples.persons.push(persons);
        samples.frames.push(frames);
        samples
            .height
            .push(clip.image.map_or(0, |(height, _)| height));
        samples.width.push(clip.image.map_or(0, |(_, width)| width));
        samples.subject.push(number(clip.subject));
        samples.camera.push(number(clip.camera));
        samples.setup.push(number(clip.setup));
        samples
            .checksum
            .push(crc32c::crc32c_append(crc32c::crc32c(keypoints), scores));
        self.rows += u64::from(persons) * u64::from(frames);
        Ok(())
    }

    fn check(&self, clip: &Sequence) -> Result<()> {
        let wrong = |expected: String, found: String| Err(Error::clip(&clip.id, expected, found));
        clip.check(self.header.layout.len())?;
        if !names::is_name(&clip.id) {
            return wrong(names::expected("an id"), names::found(&clip.id));
        }
        if self.index.contains_key(&clip.id) {
            return wrong("an id of its own".into(), "the same id twice".into());
        }
        if !clip.is_finite() {
            return wrong(
                "finite coordinates and scores".into(),
                "NaN or infinity".into(),
            );
        }
        let classes = self.header.classes.len();
        if let Some(label) = clip.label
            && label as usize >= classes
        {
            return wrong(
                format!("a label below {classes}, the number of classes"),
                label.to_string(),
            );
        }
        if let Some(first) = self.samples.id.first() {
            if clip.coordinates != self.coordinates {
                let expected = format!("{} coordinates, as in clip {first:?}", self.coordinates);
                return wrong(expected, clip.coordinates.to_string());
            }
            if clip.scores.is_some() != self.has_scores {
                let words = |has| if has { "scores" } else { "no scores" };
                let expected = format!("{}, as in clip {first:?}", words(self.has_scores));
                return wrong(expected, words(clip.scores.is_some()).into());
            }
        }
        Ok(())
    }
}

fn is_half(values: &Values) -> bool {
    matches!(values, Values::F16(_))
}
