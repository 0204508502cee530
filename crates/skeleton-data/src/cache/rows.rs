//! The coordinates of an open cache: where they lie, their checksums, and clips over them.

use std::path::Path;
use std::sync::atomic::Ordering;

use half::f16;
use serde::Serialize;
use skeleton_graph::Layout;

use super::h5::{Packed, Stored, wrong};
use super::read::Cache;
use super::schema::Block;
use super::spool::stored;
use crate::map::Mapped;
use crate::{ClipSource, ClipView, Error, Result, Sequence, ValuesRef};

/// What [`Cache::verify`] found right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    /// Samples whose checksum agrees: all of them.
    pub samples: usize,
    /// Bytes of coordinates and scores read.
    pub bytes: u64,
}

/// Rows of numbers.
pub(super) struct Region {
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
    /// Reads every sample and checks its checksum, whether it was read before or not.
    ///
    /// # Errors
    /// Names the first damaged sample, and says how many there are; a file that was cut off meanwhile.
    pub fn verify(&self) -> Result<VerifyReport> {
        let samples = self.contents.samples.id.len();
        let (mut bytes, mut damaged) = (0, Vec::new());
        for index in 0..samples {
            self.map.check()?;
            let (keypoints, scores) = self.bytes(index);
            bytes += (keypoints.len() + scores.len()) as u64;
            if self.checksum(index) != self.promised(index) {
                damaged.push(index);
            }
        }
        match damaged.first() {
            None => Ok(VerifyReport { samples, bytes }),
            Some(&first) => Err(self.damaged(
                first,
                &format!(" ({} of {samples} samples are damaged)", damaged.len()),
            )),
        }
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

    /// Checks that the file is whole, and a sample the first time it is read, or read since the file was written to.
    fn check(&self, index: usize) -> Result<()> {
        if self.map.check()? {
            for word in &self.checked {
                word.store(0, Ordering::Relaxed);
            }
        }
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
        let scores = self
            .scores
            .as_ref()
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

/// The bytes of all rows, and behind them, where they are mapped, the rest of the file.
fn region_bytes<'a>(region: &'a Region, map: &'a Mapped) -> &'a [u8] {
    match &region.place {
        Place::Mapped(at) => &map[*at..],
        Place::Packed(packed) => stored(packed.numbers()),
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

/// Where a block lies, after checking that it does.
pub(super) fn region(
    path: &Path,
    name: &str,
    block: &Block,
    place: Stored,
    map: &Mapped,
) -> Result<Region> {
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
    let size = block
        .shape
        .iter()
        .try_fold(block.width(), |size, &axis| size.checked_mul(axis));
    let end = size.and_then(|size| usize::try_from(offset).ok()?.checked_add(size));
    if end.is_none_or(|end| end > map.len()) {
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
