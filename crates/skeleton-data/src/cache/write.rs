//! Writing a cache: samples one by one, then the whole file at once under its name.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde::Serialize;
use skeleton_graph::Layout;
use tempfile::NamedTempFile;

use super::digest::digest;
use super::h5;
use super::schema::{Block, Contents, LONGEST_NAME, SCHEMA, Samples, is_link, is_name};
use super::spool::{Part, Spool, stored};
use crate::{Error, Result, Sequence, Units, Values, split};

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
}

impl CacheWriter {
    /// Begins a cache that will be `path`. An existing file there stays as it is until [`finish`](Self::finish).
    ///
    /// # Errors
    /// When nothing can be written beside `path`, or the header has names that can't be stored.
    pub fn create(path: &Path, header: CacheHeader) -> Result<Self> {
        let parent = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        let folder = parent.unwrap_or(Path::new(".")).to_owned();
        let wrong = |place: &str, expected: String, found: String| Error::Cache {
            path: path.to_owned(),
            place: place.to_owned(),
            expected,
            found,
        };
        let name = format!("a name of 1 to {LONGEST_NAME} bytes, none of them zero");
        for (place, text) in header
            .classes
            .iter()
            .map(|class| ("classes", class))
            .chain([("dataset", &header.dataset)])
        {
            if !is_name(text) {
                return Err(wrong(place, name, format!("{text:?}")));
            }
        }
        if header.created_by.len() > h5::LONGEST_FIXED || !is_name(&header.created_by) {
            let expected = format!("1 to {} bytes, none of them zero", h5::LONGEST_FIXED);
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
        })
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
        if !is_name(&clip.id) {
            return wrong(
                format!("an id of 1 to {LONGEST_NAME} bytes, none of them zero"),
                "another".into(),
            );
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

    /// Writes the file and returns what is in it. `splits` name clips by id; ids that no clip has are left out and
    /// counted in the summary.
    ///
    /// # Errors
    /// When no clip was pushed, a split's name can't be stored or names a clip twice, or the file can't be written.
    pub fn finish(mut self, splits: &[(String, Vec<String>)]) -> Result<CacheSummary> {
        let resolved = split::resolve(splits, &self.index);
        self.check_splits(&resolved)?;
        let (keypoints, scores) = self.blocks();
        self.widen(
            keypoints.half,
            scores.as_ref().is_none_or(|scores| scores.half),
        )?;
        let unknown_ids = resolved.iter().filter(|s| !s.unknown.is_empty());
        let unknown_ids = unknown_ids
            .map(|s| (s.name.clone(), s.unknown.len()))
            .collect();
        let mut splits: Vec<_> = resolved.into_iter().map(|s| (s.name, s.indices)).collect();
        splits.sort();
        let contents = Contents {
            schema: SCHEMA,
            dataset: self.header.dataset.clone(),
            layout: self.header.layout.to_toml(),
            units: self.header.units.name().to_owned(),
            source: self.header.source.to_string(),
            keypoints,
            scores,
            samples: std::mem::take(&mut self.samples),
            classes: self.header.classes.clone(),
            splits,
        };
        let digest = digest(&contents);
        let (path, rows, samples) = (self.path.clone(), self.rows, contents.samples.id.len());
        let bytes = self.write(&contents, &digest)?;
        let splits = contents
            .splits
            .into_iter()
            .map(|(name, indices)| (name, indices.len()))
            .collect();
        Ok(CacheSummary {
            path,
            bytes,
            samples,
            rows,
            digest,
            splits,
            unknown_ids,
        })
    }

    fn check_splits(&self, splits: &[split::Resolved]) -> Result<()> {
        let wrong = |place: String, expected: &str, found: String| {
            let (path, expected) = (self.path.clone(), expected.to_owned());
            Err(Error::Cache {
                path,
                place,
                expected,
                found,
            })
        };
        if self.samples.id.is_empty() {
            return wrong("/samples".into(), "clips", "none".into());
        }
        for (at, split) in splits.iter().enumerate() {
            let place = format!("split {:?}", split.name);
            if !is_link(&split.name) || splits[..at].iter().any(|other| other.name == split.name) {
                return wrong(
                    place,
                    "a name of its own without `/`",
                    "another name".into(),
                );
            }
            let mut seen = vec![false; self.samples.id.len()];
            for &index in &split.indices {
                if std::mem::replace(&mut seen[index as usize], true) {
                    let id = &self.samples.id[index as usize];
                    return wrong(place, "each clip once", format!("{id:?} twice"));
                }
            }
        }
        Ok(())
    }

    /// Types and shapes: half precision where every sample has it.
    fn blocks(&self) -> (Block, Option<Block>) {
        let half = |which: usize| self.halves.iter().all(|half| half[which]);
        let (rows, joints) = (self.rows as usize, self.header.layout.len());
        let keypoints = Block {
            half: half(0),
            shape: vec![rows, joints, self.coordinates],
        };
        (
            keypoints,
            self.has_scores.then(|| Block {
                half: half(1),
                shape: vec![rows, joints],
            }),
        )
    }

    /// Brings samples in half precision to single where others are single, and takes the checksums again.
    fn widen(&mut self, half_keypoints: bool, half_scores: bool) -> Result<()> {
        let mixed = |which: usize, half: bool| !half && self.halves.iter().any(|h| h[which]);
        let (keypoints, scores) = (mixed(0, half_keypoints), mixed(1, half_scores));
        if !keypoints && !scores {
            return Ok(());
        }
        let joints = self.header.layout.len();
        let size =
            |i: usize| self.samples.persons[i] as usize * self.samples.frames[i] as usize * joints;
        // A checksum runs over keypoints, then scores: both are read again, widened or not.
        let mut checksums = vec![0; self.halves.len()];
        for (which, spool, per_joint, widen) in [
            (0, &mut self.keypoints, self.coordinates, keypoints),
            (1, &mut self.scores, usize::from(self.has_scores), scores),
        ] {
            let empty = Spool::create(&self.folder).map_err(Error::io(&self.folder))?;
            let source = std::mem::replace(spool, empty);
            let halves = &self.halves;
            let part = |i: usize| Part {
                numbers: size(i) * per_joint,
                half: halves[i][which],
            };
            let mut next = checksums.iter_mut();
            let seen = |bytes: &[u8]| {
                if let Some(checksum) = next.next() {
                    *checksum = crc32c::crc32c_append(*checksum, bytes);
                }
            };
            let parts = (0..halves.len()).map(part);
            *spool = source
                .copy(&self.folder, parts, widen, seen)
                .map_err(Error::io(&self.folder))?;
        }
        self.samples.checksum = checksums;
        Ok(())
    }

    /// Puts the file together under a temporary name, and renames it when it is safe on the disk.
    fn write(self, contents: &Contents, digest: &str) -> Result<u64> {
        let io = || Error::io(&self.path);
        let mut builder = tempfile::Builder::new();
        builder.prefix(".cache-").suffix(".partial");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // As any file this program creates, not private as temporary files are; the umask applies.
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        let partial: NamedTempFile = builder.tempfile_in(&self.folder).map_err(io())?;
        let offsets = h5::write(
            partial.path(),
            &self.path,
            contents,
            &self.header.created_by,
            digest,
        )?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(partial.path())
            .map_err(io())?;
        copy(
            self.keypoints,
            &mut file,
            &contents.keypoints,
            offsets.keypoints,
        )
        .map_err(io())?;
        if let Some(scores) = &contents.scores {
            copy(self.scores, &mut file, scores, offsets.scores).map_err(io())?;
        }
        file.sync_all().map_err(io())?;
        let bytes = file.metadata().map_err(io())?.len();
        partial.persist(&self.path).map_err(|e| Error::Io {
            path: self.path.clone(),
            source: e.error,
        })?;
        // The rename itself is on the disk once the folder is.
        #[cfg(unix)]
        File::open(&self.folder)
            .and_then(|folder| folder.sync_all())
            .map_err(Error::io(&self.folder))?;
        Ok(bytes)
    }
}

/// Moves spooled numbers to where the file has room for them.
fn copy(spool: Spool, file: &mut File, block: &Block, offset: u64) -> std::io::Result<()> {
    let numbers: usize = block.shape.iter().product();
    let expected = numbers as u64 * block.width() as u64;
    if spool.len() != expected {
        let found = spool.len();
        return Err(std::io::Error::other(format!(
            "expected {expected} bytes of samples, {found} were written"
        )));
    }
    file.seek(SeekFrom::Start(offset))?;
    std::io::copy(&mut spool.rewind()?, file)?;
    Ok(())
}

fn is_half(values: &Values) -> bool {
    matches!(values, Values::F16(_))
}
