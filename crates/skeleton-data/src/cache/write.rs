//! Writing a cache: samples one by one, then the whole file at once under its name.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use half::f16;
use serde::Serialize;
use skeleton_graph::Layout;

use super::schema::{Block, Contents, SCHEMA, Samples, digest, is_link};
use super::{h5, wrong};
use crate::partial::{Partial, folder};
use crate::{Error, Result, Sequence, Units, Values, names, split};

/// What a cache says about itself.
#[derive(Clone, Debug)]
pub struct CacheHeader {
    /// The data set's name.
    pub dataset: String,
    /// The joints.
    pub layout: Layout,
    /// What the coordinates are measured in.
    pub units: Units,
    /// Where the data came from and how it was prepared ([`crate::raw::describe`]).
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
        let classes = header.classes.iter().map(|class| ("classes", class));
        for (place, text) in classes.chain([("dataset", &header.dataset)]) {
            if !names::is_name(text) {
                let expected = names::expected("a name");
                return Err(wrong(path, place, expected, format!("{text:?}")));
            }
        }
        let (by, longest) = (&header.created_by, h5::LONGEST_FIXED);
        if by.len() > longest || !names::is_name(by) {
            let expected = format!("1 to {longest} bytes without control characters");
            return Err(wrong(path, "created_by", expected, format!("{by:?}")));
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
        let persons = small(clip.persons, "fewer people")?;
        let frames = small(clip.frames, "fewer frames")?;
        let index = small(self.samples.id.len(), "fewer samples")?;
        let keypoints = clip.keypoints.view().bytes();
        let scores = clip.scores.as_ref();
        let scores = scores.map_or(&[][..], |scores| scores.view().bytes());
        let io = || Error::io(&self.folder);
        self.keypoints.push(keypoints).map_err(io())?;
        self.scores.push(scores).map_err(io())?;

        self.coordinates = clip.coordinates;
        self.has_scores = clip.scores.is_some();
        let half_scores = clip.scores.as_ref().is_some_and(is_half);
        self.halves.push([is_half(&clip.keypoints), half_scores]);
        self.index.insert(clip.id.clone(), index);
        let number = |n: Option<u32>| n.and_then(|n| i32::try_from(n).ok()).unwrap_or(-1);
        let samples = &mut self.samples;
        samples.id.push(clip.id.clone());
        samples.label.push(number(clip.label));
        samples.offset.push(self.rows);
        samples.persons.push(persons);
        samples.frames.push(frames);
        let (height, width) = clip.image.unwrap_or((0, 0));
        samples.height.push(height);
        samples.width.push(width);
        samples.subject.push(number(clip.subject));
        samples.camera.push(number(clip.camera));
        samples.setup.push(number(clip.setup));
        let checksum = crc32c::crc32c(keypoints);
        let checksum = crc32c::crc32c_append(checksum, scores);
        samples.checksum.push(checksum);
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
            let expected = "finite coordinates and scores";
            return wrong(expected.into(), "NaN or infinity".into());
        }
        let classes = self.header.classes.len();
        if let Some(label) = clip.label
            && label as usize >= classes
        {
            let expected = format!("a label below {classes}, the number of classes");
            return wrong(expected, label.to_string());
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
        let half_scores = scores.as_ref().is_none_or(|scores| scores.half);
        self.widen(keypoints.half, half_scores)?;
        let unknown_ids = resolved.iter().filter(|s| !s.unknown.is_empty());
        let unknown_ids = unknown_ids.map(|s| (s.name.clone(), s.unknown.len()));
        let unknown_ids = unknown_ids.collect();
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
        let (bytes, synced) = self.write(&contents, &digest)?;
        let splits = contents.splits.into_iter();
        Ok(CacheSummary {
            path,
            bytes,
            samples,
            rows,
            digest,
            splits: splits
                .map(|(name, indices)| (name, indices.len()))
                .collect(),
            unknown_ids,
            synced,
        })
    }

    fn check_splits(&self, splits: &[split::Resolved]) -> Result<()> {
        let wrong = |place, expected, found| Err(wrong(&self.path, place, expected, found));
        if self.samples.id.is_empty() {
            return wrong("/samples".to_owned(), "clips", "none".to_owned());
        }
        for (at, split) in splits.iter().enumerate() {
            let place = format!("split {:?}", split.name);
            if !is_link(&split.name) || splits[..at].iter().any(|other| other.name == split.name) {
                let expected = "a name of its own without `/`";
                return wrong(place, expected, "another name".to_owned());
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
        let block = |which, shape| Block {
            half: half(which),
            shape,
        };
        let scores = self.has_scores.then(|| block(1, vec![rows, joints]));
        (block(0, vec![rows, joints, self.coordinates]), scores)
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
            let copy = source.copy(&self.folder, parts, widen, seen);
            *spool = copy.map_err(Error::io(&self.folder))?;
        }
        self.samples.checksum = checksums;
        Ok(())
    }

    /// Puts the file together under a temporary name, and renames it when it is safe on the disk.
    fn write(self, contents: &Contents, digest: &str) -> Result<(u64, Duration)> {
        let io = || Error::io(&self.path);
        let partial = Partial::create(&self.path)?;
        let compress = self.compress;
        let (created_by, shown) = (&self.header.created_by, &self.path);
        ensure_free_space(&self.folder, objects(contents)).map_err(io())?;
        let offsets = h5::write(
            partial.temporary_path(),
            contents,
            created_by,
            digest,
            compress,
        );
        let offsets = offsets.map_err(|e| h5::unwritten(shown, "the file", &e))?;
        let blocks = [
            ("keypoints", Some(&contents.keypoints), self.keypoints),
            ("scores", contents.scores.as_ref(), self.scores),
        ];
        for ((name, block, spool), offset) in blocks.into_iter().zip(offsets) {
            let Some(block) = block.filter(|block| !block.shape.contains(&0)) else {
                continue;
            };
            let numbers = whole(spool, block).map_err(io())?;
            if compress {
                let room = |bytes| ensure_free_space(&self.folder, bytes);
                h5::fill(
                    partial.temporary_path(),
                    &self.path,
                    name,
                    block,
                    numbers,
                    &room,
                )?;
            } else {
                copy(numbers, partial.temporary_path(), offset).map_err(io())?;
            }
        }
        let start = Instant::now();
        let bytes = partial.finish()?;
        Ok((bytes, start.elapsed()))
    }
}

fn is_half(values: &Values) -> bool {
    matches!(values, Values::F16(_))
}

/// More bytes than all objects but the numbers take in the file.
fn objects(contents: &Contents) -> u64 {
    let samples = &contents.samples;
    let words = samples.id.iter().chain(&contents.classes);
    let words = words.map(|word| word.len() + 64);
    let splits = contents.splits.iter();
    let splits = splits.map(|(name, indices)| 4 * indices.len() + name.len() + 1024);
    let texts = contents.layout.len() + contents.source.len();
    let bytes = words.sum::<usize>() + splits.sum::<usize>() + texts + 64 * samples.id.len();
    2 * bytes as u64 + (1 << 17)
}

/// The spooled numbers of a block, from their start: all that there should be.
fn whole(spool: Spool, block: &Block) -> std::io::Result<File> {
    let (expected, found) = (block.size(), spool.len);
    if expected != Some(found) {
        let expected = expected.unwrap_or(0);
        let wrong = format!("expected {expected} bytes of samples, {found} were written");
        return Err(std::io::Error::other(wrong));
    }
    spool.rewind()
}

/// Moves numbers to where the file has room for them.
fn copy(mut numbers: File, file: &Path, offset: u64) -> std::io::Result<()> {
    let mut file = OpenOptions::new().read(true).write(true).open(file)?;
    file.seek(SeekFrom::Start(offset))?;
    std::io::copy(&mut numbers, &mut file)?;
    Ok(())
}

// Numbers on their way into a cache, kept in a nameless file until their count and type are known.

/// An append-only file that vanishes with its last handle, whatever happens to the program.
struct Spool {
    file: BufWriter<File>,
    len: u64,
}

impl Spool {
    /// A spool in `folder`, where the cache will be: it needs as much room.
    fn create(folder: &Path) -> std::io::Result<Spool> {
        Ok(Spool {
            file: BufWriter::with_capacity(1 << 20, tempfile::tempfile_in(folder)?),
            len: 0,
        })
    }

    fn push(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.file.write_all(bytes)?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// The bytes from the start.
    fn rewind(self) -> std::io::Result<File> {
        let mut file = self.file.into_inner().map_err(|e| e.into_error())?;
        file.rewind()?;
        Ok(file)
    }

    /// The same numbers in a new spool, in single precision if `widen` says so: `parts` says how many there are of which
    /// type, in order, and each part's new bytes are shown to `seen`.
    fn copy(
        self,
        folder: &Path,
        parts: impl Iterator<Item = Part>,
        widen: bool,
        mut seen: impl FnMut(&[u8]),
    ) -> std::io::Result<Spool> {
        let mut source = BufReader::with_capacity(1 << 20, self.rewind()?);
        let mut copy = Spool::create(folder)?;
        for part in parts {
            let width = if part.half { 2 } else { 4 };
            let mut bytes = vec![0; part.numbers * width];
            source.read_exact(&mut bytes)?;
            if widen && part.half {
                let halves = bytes.as_chunks().0.iter();
                let singles = halves.map(|&half| f16::from_le_bytes(half).to_f32());
                bytes = singles.flat_map(f32::to_le_bytes).collect();
            }
            seen(&bytes);
            copy.push(&bytes)?;
        }
        Ok(copy)
    }
}

/// Makes sure that `folder` has room for so many bytes: they are written and taken back. libhdf5 2.2.0 reads through a null
/// pointer when it closes a file that it found no room for, so it is not let near a full disk.
fn ensure_free_space(folder: &Path, mut bytes: u64) -> std::io::Result<()> {
    let mut file = tempfile::tempfile_in(folder)?;
    let block = vec![0x5a; 1 << 16];
    while bytes > 0 {
        let part = bytes.min(block.len() as u64);
        file.write_all(&block[..part as usize])?;
        bytes -= part;
    }
    Ok(())
}

/// Numbers of one type in a spool.
struct Part {
    numbers: usize,
    half: bool,
}
