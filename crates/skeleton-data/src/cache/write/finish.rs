//! The end of writing: spooled samples become a file.

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom};
use std::path::Path;
use std::time::{Duration, Instant};

use super::super::digest::digest;
use super::super::h5;
use super::super::schema::{Block, Contents, SCHEMA, is_link};
use super::super::spool::{Part, Spool, room};
use super::{CacheSummary, CacheWriter};
use crate::partial::Partial;
use crate::{Error, Result, split};

impl CacheWriter {
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
        let (bytes, synced) = self.write(&contents, &digest)?;
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
            synced,
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
    fn write(self, contents: &Contents, digest: &str) -> Result<(u64, Duration)> {
        let io = || Error::io(&self.path);
        let partial = Partial::create(&self.path)?;
        let compress = self.compress;
        let (created_by, shown) = (&self.header.created_by, &self.path);
        room(&self.folder, objects(contents)).map_err(io())?;
        let offsets = h5::write(partial.now(), shown, contents, created_by, digest, compress)?;
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
                let room = |bytes| room(&self.folder, bytes);
                h5::fill(partial.now(), &self.path, name, block, numbers, &room)?;
            } else {
                copy(numbers, partial.now(), offset).map_err(io())?;
            }
        }
        let start = Instant::now();
        let bytes = partial.finish()?;
        Ok((bytes, start.elapsed()))
    }
}

/// More bytes than all objects but the numbers take in the file.
fn objects(contents: &Contents) -> u64 {
    let samples = &contents.samples;
    let words = samples
        .id
        .iter()
        .chain(&contents.classes)
        .map(|word| word.len() + 64);
    let splits = contents
        .splits
        .iter()
        .map(|(name, indices)| 4 * indices.len() + name.len() + 1024);
    let texts = contents.layout.len() + contents.source.len();
    let bytes = words.sum::<usize>() + splits.sum::<usize>() + texts + 64 * samples.id.len();
    2 * bytes as u64 + (1 << 17)
}

/// The spooled numbers of a block, from their start: all that there should be.
fn whole(spool: Spool, block: &Block) -> std::io::Result<File> {
    let numbers: usize = block.shape.iter().product();
    let expected = numbers as u64 * block.width() as u64;
    if spool.len() != expected {
        let found = spool.len();
        return Err(std::io::Error::other(format!(
            "expected {expected} bytes of samples, {found} were written"
        )));
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
