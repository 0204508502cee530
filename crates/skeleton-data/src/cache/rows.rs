//! The coordinates of an open cache: where they lie, their checksums, and clips over them.

use std::path::Path;
use std::sync::atomic::Ordering;

use half::f16;
use memmap2::Mmap;
use serde::Serialize;
use skeleton_graph::Layout;

use super::h5::wrong;
use super::read::Cache;
use super::schema::Block;
use crate::{ClipSource, ClipView, Error, Result, ValuesRef};

/// What [`Cache::verify`] found right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    /// Samples whose checksum agrees: all of them.
    pub samples: usize,
    /// Bytes of coordinates and scores read.
    pub bytes: u64,
}

/// Rows of numbers in the map.
#[derive(Clone, Copy)]
pub(super) struct Region {
    at: usize,
    half: bool,
    row_bytes: usize,
}

impl Cache {
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
pub(super) fn region(
    path: &Path,
    name: &str,
    block: &Block,
    offset: u64,
    map: &Mmap,
) -> Result<Region> {
    let size = block
        .shape
        .iter()
        .try_fold(block.width(), |size, &axis| size.checked_mul(axis));
    let end = size.and_then(|size| usize::try_from(offset).ok()?.checked_add(size));
    if end.is_none_or(|end| end > map.len()) {
        let expected = format!("{:?} numbers from byte {offset} on", block.shape);
        return Err(wrong(
            path,
            name,
            &expected,
            &format!("a file of {} bytes", map.len()),
        ));
    }
    if !offset.is_multiple_of(block.width() as u64) {
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
