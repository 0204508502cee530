//! Reading a cache: checked once at open, then mapped.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use skeleton_graph::Layout;

use super::h5::{Packed, Reader, Stored};
use super::schema::{Block, Contents, FORMAT, SCHEMA, check_contents, digest};
use super::write::CacheHeader;
use super::wrong;
use crate::error::Mismatch;
use crate::map::Mapped;
use crate::split::ALL;
use crate::{ClipSource, ClipView, Error, Form, Kind, Result, Sequence, Units, ValuesRef};

/// An open cache.
///
/// Opening checks everything but the coordinates; those are checked clip by clip, at the first read of each. The file is
/// mapped, so that many processes share one copy and nothing is read that isn't asked for.
pub struct Cache {
    path: PathBuf,
    map: Mapped,
    contents: Contents,
    layout: Layout,
    units: Units,
    source: serde_json::Value,
    digest: String,
    created_by: String,
    keypoints: Region,
    scores: Option<Region>,
    /// Every clip's index.
    all: Vec<u32>,
    /// A bit for each sample whose checksum was found right.
    checked: Vec<AtomicU64>,
}

/// What is known of a clip without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SampleInfo<'a> {
    /// Unique name.
    pub id: &'a str,
    /// Class, from 0.
    pub label: Option<u32>,
    /// m, people stored.
    pub persons: usize,
    /// t, frames.
    pub frames: usize,
    /// (height, width) of the image.
    pub image: Option<(u32, u32)>,
    /// Subject number.
    pub subject: Option<u32>,
    /// Camera number.
    pub camera: Option<u32>,
    /// Setup number.
    pub setup: Option<u32>,
}

/// What [`Cache::verify`] found right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    /// Samples whose checksum agrees: all of them.
    pub samples: usize,
    /// Bytes of coordinates and scores read.
    pub bytes: u64,
}

/// Rows of numbers.
struct Region {
    place: Place,
    half: bool,
    row_bytes: usize,
}

enum Place {
    /// In the map, from this byte on.
    Mapped(usize),
    /// Compressed in the file, in memory once they are asked for.
    Packed(Packed),
}

impl Cache {
    /// Opens a cache, and checks its format, schema, digest, types, shapes, and that every row lies in the file.
    ///
    /// # Errors
    /// A file that is no cache, newer than this version, cut off or damaged.
    pub fn open(path: &Path) -> Result<Self> {
        let map = Mapped::open(path)?;
        if let Some(kind) = Kind::of(&map).filter(|&kind| kind != Kind::Hdf5) {
            let wrong = Mismatch::new("a cache", kind.name());
            return Err(wrong.at(Form::NoCache(kind), path, ""));
        }
        let reader = Reader::open(path, &map)?;
        let schema = known_schema(path, &reader)?;
        let (contents, places) = reader.contents(schema)?;
        let created_by = reader.text("created_by")?;
        let (stored, found) = (reader.text("digest")?, digest(&contents));
        let attribute = |name: &str, expected: &str, found: String| {
            wrong(path, format!("attribute `{name}`"), expected, found)
        };
        if stored != found {
            let found = format!("contents of digest {found}");
            return Err(attribute("digest", &stored, found));
        }
        let layout = Layout::from_toml(&contents.layout, &format!("{}: layout", path.display()));
        let layout = layout.map_err(|e| attribute("layout", "a layout", e.to_string()))?;
        let units = Units::from_name(&contents.units);
        let units =
            units.ok_or_else(|| attribute("units", "known units", contents.units.clone()))?;
        let source = serde_json::from_str(&contents.source);
        let source = source.map_err(|e| attribute("source", "JSON", e.to_string()))?;
        check_contents(path, &contents, &layout)?;
        let [keypoints_at, scores_at] = places;
        let at = keypoints_at.unwrap_or(Stored::Contiguous(0));
        let keypoints = region(path, "/keypoints", &contents.keypoints, at, &map)?;
        let scores = match (&contents.scores, scores_at) {
            (Some(scores), Some(at)) => Some(region(path, "/scores", scores, at, &map)?),
            _ => None,
        };
        let words = contents.samples.id.len().div_ceil(64);
        let checked = (0..words).map(|_| AtomicU64::new(0)).collect();
        let all = (0..contents.samples.id.len() as u32).collect();
        Ok(Cache {
            path: path.to_owned(),
            map,
            layout,
            units,
            source,
            digest: stored,
            created_by,
            keypoints,
            scores,
            all,
            checked,
            contents,
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The data set's name.
    pub fn dataset(&self) -> &str {
        &self.contents.dataset
    }

    /// The joints.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// What the coordinates are measured in.
    pub fn units(&self) -> Units {
        self.units
    }

    /// What the cache says of itself, to write another of the same contents.
    pub fn header(&self) -> CacheHeader {
        CacheHeader {
            dataset: self.dataset().to_owned(),
            layout: self.layout.clone(),
            units: self.units,
            source: self.source.clone(),
            classes: self.classes().to_vec(),
            created_by: self.created_by.clone(),
        }
    }

    /// The splits by the ids of their clips, in their order.
    pub fn split_ids(&self) -> Vec<(String, Vec<String>)> {
        let ids = &self.contents.samples.id;
        let named = |indices: &[u32]| indices.iter().map(|&i| ids[i as usize].clone()).collect();
        let splits = self.contents.splits.iter();
        splits
            .map(|(name, indices)| (name.clone(), named(indices)))
            .collect()
    }

    /// Class names.
    pub fn classes(&self) -> &[String] {
        &self.contents.classes
    }

    /// Where the data came from and how it was prepared.
    pub fn source(&self) -> &serde_json::Value {
        &self.source
    }

    /// The program that wrote the file.
    pub fn created_by(&self) -> &str {
        &self.created_by
    }

    /// The data fingerprint, in hexadecimal.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// c, coordinates of a joint.
    pub fn coordinates(&self) -> usize {
        self.contents.keypoints.shape[2]
    }

    /// Whether joints have scores.
    pub fn has_scores(&self) -> bool {
        self.scores.is_some()
    }

    /// The number type of the coordinates: "f16" or "f32".
    pub fn element_type(&self) -> &'static str {
        self.contents.keypoints.kind()
    }

    /// The number type of the scores, where there are any.
    pub fn score_type(&self) -> Option<&'static str> {
        self.contents.scores.as_ref().map(Block::kind)
    }

    /// The splits and how many clips each has, by name.
    pub fn splits(&self) -> impl Iterator<Item = (&str, usize)> + '_ {
        let splits = self.contents.splits.iter();
        splits.map(|(name, indices)| (name.as_str(), indices.len()))
    }

    /// The clips of a split, by index; of [`ALL`] all, where no split is called so.
    ///
    /// # Errors
    /// An unknown name; the error lists those there are.
    pub fn split(&self, name: &str) -> Result<&[u32]> {
        let splits = || self.contents.splits.iter();
        let split = splits().find(|(known, _)| known == name);
        match split {
            Some((_, indices)) => Ok(indices),
            None if name == ALL => Ok(&self.all),
            None => {
                let known = splits().map(|(name, _)| name.clone());
                Err(Error::NoSplit {
                    source_name: self.path.display().to_string(),
                    name: name.to_owned(),
                    known: known.chain([format!("{ALL} (every clip)")]).collect(),
                })
            }
        }
    }

    /// What is known of clip `index` without reading it.
    ///
    /// # Panics
    /// When there is no such clip.
    pub fn sample(&self, index: usize) -> SampleInfo<'_> {
        let samples = &self.contents.samples;
        let (height, width) = (samples.height[index], samples.width[index]);
        let number = |n: i32| u32::try_from(n).ok();
        SampleInfo {
            id: &samples.id[index],
            label: number(samples.label[index]),
            persons: samples.persons[index] as usize,
            frames: samples.frames[index] as usize,
            image: (height > 0 && width > 0).then_some((height, width)),
            subject: number(samples.subject[index]),
            camera: number(samples.camera[index]),
            setup: number(samples.setup[index]),
        }
    }

    /// The class of every clip, by index.
    pub fn labels(&self) -> Vec<Option<u32>> {
        let labels = self.contents.samples.label.iter();
        labels.map(|&label| u32::try_from(label).ok()).collect()
    }

    /// Reads every sample and checks its checksum, whether it was read before or not.
    ///
    /// # Errors
    /// Names the first damaged sample, and says how many there are; a file that was cut off meanwhile.
    pub fn verify(&self) -> Result<VerifyReport> {
        let samples = self.contents.samples.id.len();
        let (mut bytes, mut damaged) = (0, Vec::new());
        for index in 0..samples {
            self.forget_if_written()?;
            let (keypoints, scores) = self.bytes(index);
            bytes += (keypoints.len() + scores.len()) as u64;
            if self.checksum(index) != self.promised(index) {
                damaged.push(index);
            }
        }
        let Some(&first) = damaged.first() else {
            return Ok(VerifyReport { samples, bytes });
        };
        let more = format!(" ({} of {samples} samples are damaged)", damaged.len());
        Err(self.damaged(first, &more))
    }

    /// Clip `index` with everything that is known of it, copied.
    ///
    /// # Errors
    /// When the stored clip is damaged.
    ///
    /// # Panics
    /// When there is no such clip.
    pub fn sequence(&self, index: usize) -> Result<Sequence> {
        let (view, info) = (self.clip(index)?, self.sample(index));
        Ok(Sequence {
            id: view.id.to_owned(),
            label: view.label,
            persons: view.persons,
            frames: view.frames,
            joints: view.joints,
            coordinates: view.coordinates,
            keypoints: view.keypoints.to_owned(),
            scores: view.scores.map(|scores| scores.to_owned()),
            image: view.image,
            subject: info.subject,
            camera: info.camera,
            setup: info.setup,
        })
    }

    fn promised(&self, index: usize) -> u32 {
        self.contents.samples.checksum[index]
    }

    fn checksum(&self, index: usize) -> u32 {
        let (keypoints, scores) = self.bytes(index);
        crc32c::crc32c_append(crc32c::crc32c(keypoints), scores)
    }

    fn damaged(&self, index: usize, more: &str) -> Error {
        let place = format!("sample {index} ({:?})", self.contents.samples.id[index]);
        let expected = format!("coordinates of checksum {:08x}", self.promised(index));
        let found = format!("{:08x}{more}", self.checksum(index));
        wrong(&self.path, place, expected, found)
    }

    /// The stored bytes of a sample's coordinates and scores.
    fn bytes(&self, index: usize) -> (&[u8], &[u8]) {
        let samples = &self.contents.samples;
        let first = samples.offset[index] as usize;
        let rows = samples.persons[index] as usize * samples.frames[index] as usize;
        let own = |region: &Region| first * region.row_bytes..(first + rows) * region.row_bytes;
        (
            &region_bytes(&self.keypoints, &self.map)[own(&self.keypoints)],
            match &self.scores {
                Some(scores) => &region_bytes(scores, &self.map)[own(scores)],
                None => &[],
            },
        )
    }

    /// Whether coordinates are compressed in the file, and so held in memory once they are read.
    pub fn is_compressed(&self) -> bool {
        matches!(self.keypoints.place, Place::Packed(_))
    }

    /// Checks that the file is whole; what was checked of it before it was last written to doesn't count.
    fn forget_if_written(&self) -> Result<()> {
        self.map.check(|| {
            for word in &self.checked {
                word.store(0, Ordering::SeqCst);
            }
        })
    }

    /// Checks that the file is whole, and a sample the first time it is read, or read since the file was written to.
    fn check(&self, index: usize) -> Result<()> {
        self.forget_if_written()?;
        let (word, bit) = (&self.checked[index / 64], 1 << (index % 64));
        if word.load(Ordering::Relaxed) & bit != 0 {
            return Ok(());
        }
        if self.checksum(index) != self.promised(index) {
            return Err(self.damaged(index, ""));
        }
        word.fetch_or(bit, Ordering::Relaxed);
        Ok(())
    }
}

impl ClipSource for Cache {
    fn len(&self) -> usize {
        self.contents.samples.id.len()
    }

    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn clip(&self, index: usize) -> Result<ClipView<'_>> {
        self.check(index)?;
        let (keypoints, scores) = self.bytes(index);
        let info = self.sample(index);
        let misaligned = |e: bytemuck::PodCastError| {
            wrong(&self.path, info.id, "aligned numbers", e.to_string())
        };
        let keypoints = numbers(keypoints, self.keypoints.half).map_err(misaligned)?;
        let scores = match &self.scores {
            Some(region) => Some(numbers(scores, region.half).map_err(misaligned)?),
            None => None,
        };
        Ok(ClipView {
            id: info.id,
            label: info.label,
            persons: info.persons,
            frames: info.frames,
            joints: self.layout.len(),
            coordinates: self.coordinates(),
            keypoints,
            scores,
            image: info.image,
        })
    }
}

/// The bytes of all rows, and behind them, where they are mapped, the rest of the file.
fn region_bytes<'a>(region: &'a Region, map: &'a Mapped) -> &'a [u8] {
    match &region.place {
        Place::Mapped(at) => &map[*at..],
        Place::Packed(packed) => packed.numbers().bytes(),
    }
}

/// Mapped bytes as numbers; [`region`] saw to their alignment.
fn numbers(bytes: &[u8], half: bool) -> Result<ValuesRef<'_>, bytemuck::PodCastError> {
    Ok(if half {
        ValuesRef::F16(bytemuck::try_cast_slice(bytes)?)
    } else {
        ValuesRef::F32(bytemuck::try_cast_slice(bytes)?)
    })
}

/// Where a block lies, after checking that it does.
fn region(path: &Path, name: &str, block: &Block, place: Stored, map: &Mapped) -> Result<Region> {
    let place = match place {
        Stored::Packed(packed) => Place::Packed(packed),
        Stored::Contiguous(offset) => Place::Mapped(mapped(path, name, block, offset, map)?),
    };
    Ok(Region {
        place,
        half: block.half,
        row_bytes: block.row() * block.width(),
    })
}

fn mapped(path: &Path, name: &str, block: &Block, offset: u64, map: &Mapped) -> Result<usize> {
    let end = block.size().and_then(|size| offset.checked_add(size));
    if end.is_none_or(|end| end > map.len() as u64) {
        let expected = format!("{:?} numbers from byte {offset} on", block.shape);
        let found = format!("a file of {} bytes", map.len());
        return Err(wrong(path, name, &expected, &found));
    }
    if !offset.is_multiple_of(block.width() as u64) {
        let expected = format!("numbers aligned to {} bytes", block.width());
        let found = format!("some at byte {offset}");
        return Err(wrong(path, name, &expected, &found));
    }
    Ok(offset as usize)
}

/// The schema of a file that is a cache, and not newer than this version.
fn known_schema(path: &Path, reader: &Reader) -> Result<u32> {
    let format = reader.text("format")?;
    if format != FORMAT {
        let (expected, found) = (format!("{FORMAT:?}"), format!("{format:?}"));
        return Err(wrong(path, "attribute `format`", expected, found));
    }
    match reader.schema()? {
        0 => Err(wrong(path, "attribute `schema`", "1 or more", "0")),
        found if found > SCHEMA.into() => Err(Error::Schema {
            path: path.to_owned(),
            found,
            newest: SCHEMA.into(),
        }),
        found => Ok(found as u32),
    }
}
