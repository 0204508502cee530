//! Reading a cache: checked once at open, then mapped.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;

use skeleton_graph::Layout;

use super::check::check_contents;
use super::digest::digest;
use super::h5::{Reader, Stored, wrong};
use super::rows::{Region, region};
use super::schema::{Block, Contents, FORMAT, SCHEMA};
use super::write::CacheHeader;
use crate::map::Mapped;
use crate::{Error, Result, Units};

/// An open cache.
///
/// Opening checks everything but the coordinates; those are checked clip by clip, at the first read of each. The file is
/// mapped, so that many processes share one copy and nothing is read that isn't asked for.
pub struct Cache {
    pub(super) path: PathBuf,
    pub(super) map: Mapped,
    pub(super) contents: Contents,
    pub(super) layout: Layout,
    units: Units,
    source: serde_json::Value,
    digest: String,
    created_by: String,
    pub(super) keypoints: Region,
    pub(super) scores: Option<Region>,
    /// A bit for each sample whose checksum was found right.
    pub(super) checked: Vec<AtomicU64>,
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

impl Cache {
    /// Opens a cache, and checks its format, schema, digest, types, shapes, and that every row lies in the file.
    ///
    /// # Errors
    /// A file that is no cache, newer than this version, cut off or damaged.
    pub fn open(path: &Path) -> Result<Self> {
        let map = Mapped::open(path)?;
        let reader = Reader::open(path, &map)?;
        let schema = known_schema(path, &reader)?;
        let (contents, places) = reader.contents(schema)?;
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
        let [keypoints_at, scores_at] = places;
        let at = keypoints_at.unwrap_or(Stored::Contiguous(0));
        let keypoints = region(path, "/keypoints", &contents.keypoints, at, &map)?;
        let scores = match (&contents.scores, scores_at) {
            (Some(scores), Some(at)) => Some(region(path, "/scores", scores, at, &map)?),
            _ => None,
        };
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
            scores,
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
}

/// The schema of a file that is a cache, and not newer than this version.
fn known_schema(path: &Path, reader: &Reader) -> Result<u32> {
    let format = reader.text("format")?;
    if format != FORMAT {
        let found = format!("{format:?}");
        return Err(wrong(
            path,
            "attribute `format`",
            &format!("{FORMAT:?}"),
            &found,
        ));
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
