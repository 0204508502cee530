//! Reading a cache: checked once at open, then mapped.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use half::f16;
use memmap2::Mmap;
use skeleton_graph::Layout;

use super::digest::digest;
use super::h5::{Reader, wrong};
use super::schema::{Block, Contents, FORMAT, SCHEMA, Samples, is_name};
use crate::{ClipSource, ClipView, Error, Result, Units, ValuesRef};

/// An open cache.
///
/// Opening checks everything but the coordinates; those are checked clip by clip, at the first read of each. The file is
/// mapped, so that many processes share one copy and nothing is read that isn't asked for.
pub struct Cache {
    path: PathBuf,
    map: Mmap,
    contents: Contents,
    layout: Layout,
    units: Units,
    source: serde_json::Value,
    digest: String,
    created_by: String,
    keypoints: Region,
    scores: Option<Region>,
    /// A bit for each sample whose checksum was found right.
    checked: Vec<AtomicU64>,
}

/// Rows of numbers in the map.
#[derive(Clone, Copy)]
struct Region {
    at: usize,
    half: bool,
    row_bytes: usize,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct VerifyReport {
    /// Samples whose checksum agrees: all of them.
    pub samples: usize,
    /// Bytes of coordinates and scores read.
    pub bytes: u64,
}

impl Cache {
    /// Opens a cache, and checks its format, schema, digest, types, shapes, and that every row lies in the file.
    ///
    /// # Errors
    /// A file that is no cache, newer than this version, cut off or damaged.
    pub fn open(path: &Path) -> Result<Self> {
        let map = crate::map::map(path)?;
        let reader = Reader::open(path, map.len() as u64)?;
        if !reader.has_format() {
            let expected = format!("`format` = {FORMAT:?}");
            return Err(wrong(
                path,
                "the file",
                &expected,
                "an HDF5 file without it",
            ));
        }
        let format = reader.text("format")?;
        if format != FORMAT {
            return Err(wrong(
                path,
                "attribute `format`",
                &format!("{FORMAT:?}"),
                &format!("{format:?}"),
            ));
        }
        let schema = match reader.schema()? {
            0 => return Err(wrong(path, "attribute `schema`", "1 or more", "0")),
            found if found > SCHEMA.into() => {
                return Err(Error::Schema {
                    path: path.to_owned(),
                    found,
                    newest: SCHEMA.into(),
                });
            }
            found => found as u32,
        };
        let (contents, offsets) = reader.contents(schema)?;
        let created_by = reader.text("created_by")?;
        let (stored, found) = (reader.text("digest")?, digest(&contents));
        if stored != found {
            return Err(wrong(
                path,
                "attribute `digest`",
                &stored,
                &format!("contents of digest {found}"),
            ));
        }
        let layout = Layout::from_toml(&contents.layout, &format!("{}: layout", path.display()));
        let layout =
            layout.map_err(|e| wrong(path, "attribute `layout`", "a layout", &e.to_string()))?;
        let units = Units::from_name(&contents.units);
        let units = units
            .ok_or_else(|| wrong(path, "attribute `units`", "known units", &contents.units))?;
        let source = serde_json::from_str(&contents.source);
        let source =
            source.map_err(|e| wrong(path, "attribute `source`", "JSON", &e.to_string()))?;
        check_contents(path, &contents, &layout)?;
        let keypoints = region(
            path,
            "/keypoints",
            &contents.keypoints,
            offsets.keypoints,
            &map,
        )?;
        let scores = contents
            .scores
            .as_ref()
            .map(|scores| region(path, "/scores", scores, offsets.scores, &map));
        let checked = (0..contents.samples.id.len().div_ceil(64))
            .map(|_| AtomicU64::new(0))
            .collect();
        Ok(Cache {
            path: path.to_owned(),
            map,
            layout,
            units,
            source,
            digest: stored,
            created_by,
            keypoints,
            scores: scores.transpose()?,
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

    /// The splits and how many clips each has, by name.
    pub fn splits(&self) -> impl Iterator<Item = (&str, usize)> + '_ {
        self.contents
            .splits
            .iter()
            .map(|(name, indices)| (name.as_str(), indices.len()))
    }

    /// The clips of a split, by index.
    ///
    /// # Errors
    /// An unknown name; the error lists those there are.
    pub fn split(&self, name: &str) -> Result<&[u32]> {
        let split = self.contents.splits.iter().find(|(known, _)| known == name);
        split
            .map(|(_, indices)| &indices[..])
            .ok_or_else(|| Error::NoSplit {
                source_name: self.path.display().to_string(),
                name: name.to_owned(),
                known: self
                    .contents
                    .splits
                    .iter()
                    .map(|(name, _)| name.clone())
                    .collect(),
            })
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
        self.contents
            .samples
            .label
            .iter()
            .map(|&label| u32::try_from(label).ok())
            .collect()
    }

    /// Reads every sample and checks its checksum, whether it was read before or not.
    ///
    /// # Errors
    /// Names the first damaged sample, and says how many there are.
    pub fn verify(&self) -> Result<VerifyReport> {
        let len = self.contents.samples.id.len();
        let damaged: Vec<usize> = (0..len)
            .filter(|&index| self.checksum(index) != self.stored(index))
            .collect();
        match damaged.first() {
            None => {
                let bytes = (0..len)
                    .map(|index| self.bytes(index))
                    .map(|(k, s)| (k.len() + s.len()) as u64)
                    .sum();
                Ok(VerifyReport {
                    samples: len,
                    bytes,
                })
            }
            Some(&first) => Err(self.damaged(
                first,
                &format!(" ({} of {len} samples are damaged)", damaged.len()),
            )),
        }
    }

    fn stored(&self, index: usize) -> u32 {
        self.contents.samples.checksum[index]
    }

    fn checksum(&self, index: usize) -> u32 {
        let (keypoints, scores) = self.bytes(index);
        crc32c::crc32c_append(crc32c::crc32c(keypoints), scores)
    }

    fn damaged(&self, index: usize, more: &str) -> Error {
        let place = format!("sample {index} ({:?})", self.contents.samples.id[index]);
        let expected = format!("coordinates of checksum {:08x}", self.stored(index));
        wrong(
            &self.path,
            &place,
            &expected,
            &format!("{:08x}{more}", self.checksum(index)),
        )
    }

    /// The stored bytes of a sample's coordinates and scores.
    fn bytes(&self, index: usize) -> (&[u8], &[u8]) {
        let samples = &self.contents.samples;
        let first = samples.offset[index] as usize;
        let rows = samples.persons[index] as usize * samples.frames[index] as usize;
        let rows_of = |region: &Region| {
            let at = region.at + first * region.row_bytes;
            &self.map[at..at + rows * region.row_bytes]
        };
        (
            rows_of(&self.keypoints),
            self.scores.as_ref().map_or(&[][..], rows_of),
        )
    }

    /// Checks a sample the first time it is read.
    fn check(&self, index: usize) -> Result<()> {
        let (word, bit) = (&self.checked[index / 64], 1 << (index % 64));
        if word.load(Ordering::Relaxed) & bit != 0 {
            return Ok(());
        }
        if self.checksum(index) != self.stored(index) {
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
        let scores = self
            .scores
            .map(|region| numbers(scores, region.half))
            .transpose();
        let values =
            numbers(keypoints, self.keypoints.half).and_then(|keypoints| Ok((keypoints, scores?)));
        let (keypoints, scores) =
            values.map_err(|e| wrong(&self.path, info.id, "aligned numbers", &e.to_string()))?;
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

/// Mapped bytes as numbers; [`region`] saw to their alignment.
fn numbers(bytes: &[u8], half: bool) -> Result<ValuesRef<'_>, bytemuck::PodCastError> {
    Ok(if half {
        ValuesRef::F16(bytemuck::try_cast_slice::<u8, f16>(bytes)?)
    } else {
        ValuesRef::F32(bytemuck::try_cast_slice::<u8, f32>(bytes)?)
    })
}

/// Where a block lies in the map, after checking that it does.
fn region(path: &Path, name: &str, block: &Block, offset: u64, map: &Mmap) -> Result<Region> {
    let size = block
        .shape
        .iter()
        .try_fold(block.width(), |size, &axis| size.checked_mul(axis));
    let end = size.and_then(|size| usize::try_from(offset).ok()?.checked_add(size));
    if !end.is_some_and(|end| end <= map.len()) {
        let expected = format!("{:?} numbers from byte {offset} on", block.shape);
        return Err(wrong(
            path,
            name,
            &expected,
            &format!("a file of {} bytes", map.len()),
        ));
    }
    if offset % block.width() as u64 != 0 {
        let expected = format!("numbers aligned to {} bytes", block.width());
        return Err(wrong(
            path,
            name,
            &expected,
            &format!("some at byte {offset}"),
        ));
    }
    Ok(Region {
        at: offset as usize,
        half: block.half,
        row_bytes: block.row() * block.width(),
    })
}

/// What the digest can't say: a file made by another program may be whole and still not make sense.
fn check_contents(path: &Path, contents: &Contents, layout: &Layout) -> Result<()> {
    let shape = &contents.keypoints.shape;
    let [rows, joints, coordinates] = [shape[0], shape[1], shape[2]];
    if joints != layout.len() || !(2..=3).contains(&coordinates) {
        let expected = format!(
            "{} joints, as the layout has, of 2 or 3 coordinates",
            layout.len()
        );
        return Err(wrong(
            path,
            "/keypoints",
            &expected,
            &format!("shape {shape:?}"),
        ));
    }
    if let Some(scores) = &contents.scores
        && scores.shape != shape[..2]
    {
        return Err(wrong(
            path,
            "/scores",
            &format!("shape {:?}", &shape[..2]),
            &format!("{:?}", scores.shape),
        ));
    }
    check_samples(path, &contents.samples, rows as u64, contents.classes.len())?;
    for (name, indices) in &contents.splits {
        let len = contents.samples.id.len();
        if let Some(index) = indices.iter().find(|&&index| index as usize >= len) {
            let expected = format!("indices below {len}, the number of samples");
            return Err(wrong(
                path,
                &format!("/splits/{name}"),
                &expected,
                &index.to_string(),
            ));
        }
    }
    Ok(())
}

fn check_samples(path: &Path, samples: &Samples, rows: u64, classes: usize) -> Result<()> {
    let mut seen = HashSet::with_capacity(samples.id.len());
    for (index, id) in samples.id.iter().enumerate() {
        let wrong = |expected: &str, found: String| {
            Err(wrong(
                path,
                &format!("sample {index} ({id:?})"),
                expected,
                &found,
            ))
        };
        if !is_name(id) || !seen.insert(id) {
            return wrong("an id of its own", format!("{id:?}"));
        }
        let label = samples.label[index];
        if label < -1 || i64::from(label) >= classes as i64 {
            return wrong(
                &format!("a label below {classes}, the number of classes, or -1"),
                label.to_string(),
            );
        }
        let (offset, persons, frames) = (
            samples.offset[index],
            samples.persons[index],
            samples.frames[index],
        );
        let own = u64::from(persons) * u64::from(frames);
        if offset.checked_add(own).is_none_or(|end| end > rows) {
            let found = format!("{own} rows from row {offset} on");
            return wrong(&format!("rows of the {rows} there are"), found);
        }
    }
    Ok(())
}
