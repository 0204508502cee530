//! One clip, measured.

use half::slice::HalfFloatSliceExt;

use super::Survey;
use super::extent::{Extent, beyond};
use crate::{ClipView, ValuesRef};

/// What a pass keeps of a clip.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ClipFacts {
    /// People stored.
    pub persons: u32,
    /// Frames stored.
    pub frames: u32,
    /// People with a present joint.
    pub tracks: u32,
    /// Rows (one person in one frame) with a present joint.
    pub poses: u32,
    /// Joints present.
    pub present: u64,
    /// Joints with a coordinate that is not finite.
    pub not_finite: u64,
    /// Joints clearly outside the image, where its size is known and coordinates may be pixels of it.
    pub outside: u64,
    /// Whether a present joint changed its place from one frame to another.
    pub moves: bool,
    /// Mean over the poses of the diagonal of the box around the present joints, in the source's units.
    pub size: f32,
    /// The largest absolute coordinate of a present joint.
    pub reach: f32,
    /// A hash of persons, frames and the stored bytes of the coordinates: clips that differ in it differ.
    pub content: u64,
}

/// Working memory that is kept from clip to clip.
pub(super) struct Counter {
    joints: usize,
    threshold: f32,
    keypoints: Vec<f32>,
    scores: Vec<f32>,
    /// (v, c), where each joint was seen last; NaN before.
    last: Vec<f32>,
    /// (v), of the row at hand.
    present: Vec<bool>,
}

/// One row, measured.
#[derive(Default)]
struct Row {
    present: u32,
    not_finite: u32,
    outside: u32,
    moves: bool,
    size: f32,
    reach: f32,
}

impl Counter {
    pub fn new(joints: usize, threshold: f32) -> Counter {
        let (keypoints, scores, last) = Default::default();
        let present = vec![false; joints];
        Counter {
            joints,
            threshold,
            keypoints,
            scores,
            last,
            present,
        }
    }

    /// Measures a clip, and adds to the counts of `sums`.
    pub fn measure(&mut self, view: &ClipView<'_>, sums: &mut Survey) -> ClipFacts {
        let mut facts = match view.coordinates {
            2 => self.rows::<2>(view, sums),
            _ => self.rows::<3>(view, sums),
        };
        facts.content = content(view);
        let scores = view.scores.map_or(0, |scores| scores.bytes().len());
        sums.bytes += (view.keypoints.bytes().len() + scores) as u64;
        facts
    }

    fn rows<const C: usize>(&mut self, view: &ClipView<'_>, sums: &mut Survey) -> ClipFacts {
        let (v, frames) = (self.joints, view.frames);
        let (mut keypoints, mut scores, mut last) = (
            std::mem::take(&mut self.keypoints),
            std::mem::take(&mut self.scores),
            std::mem::take(&mut self.last),
        );
        let keypoints_seen = single(view.keypoints, &mut keypoints);
        let scores_seen = view.scores.map(|values| single(values, &mut scores));
        let mut facts = ClipFacts {
            persons: view.persons as u32,
            frames: frames as u32,
            ..ClipFacts::default()
        };
        if let Some(values) = scores_seen {
            let counts = sums.scores.get_or_insert_default();
            values.iter().for_each(|&score| counts.count(score));
        }
        let bounds = view
            .image
            .map(|(height, width)| [width as f32, height as f32]);
        let mut size = 0.0f64;
        for person in 0..view.persons {
            let before = facts.present;
            last.clear();
            last.resize(v * C, f32::NAN);
            for frame in 0..frames {
                let at = person * frames + frame;
                let row = &keypoints_seen[at * v * C..(at + 1) * v * C];
                let scores = scores_seen.map(|scores| &scores[at * v..(at + 1) * v]);
                // Once something moved, nobody has to remember where it was.
                let still = (!facts.moves).then_some(&mut last[..]);
                let row = self.row::<C>(row, scores, bounds, still, &mut sums.missing);
                sums.rows += 1;
                facts.not_finite += u64::from(row.not_finite);
                facts.outside += u64::from(row.outside);
                if row.present > 0 {
                    facts.poses += 1;
                    facts.present += u64::from(row.present);
                    facts.moves |= row.moves;
                    facts.reach = facts.reach.max(row.reach);
                    size += f64::from(row.size);
                }
            }
            facts.tracks += u32::from(facts.present > before);
        }
        sums.poses += u64::from(facts.poses);
        facts.size = (size / f64::from(facts.poses.max(1))) as f32;
        (self.keypoints, self.scores, self.last) = (keypoints, scores, last);
        facts
    }

    /// Measures one row, without branches on its numbers: on a large set this loop is most of the work.
    fn row<const C: usize>(
        &mut self,
        row: &[f32],
        scores: Option<&[f32]>,
        bounds: Option<[f32; 2]>,
        still: Option<&mut [f32]>,
        missing: &mut [u64],
    ) -> Row {
        const SIGN: u32 = 1 << 31;
        const INFINITE: u32 = f32::INFINITY.to_bits();
        let (joints, _) = row.as_chunks::<C>();
        let present = &mut self.present[..];
        match scores {
            Some(scores) => present
                .iter_mut()
                .zip(scores)
                .for_each(|(present, &score)| *present = score > self.threshold),
            None => present.fill(true),
        }
        let (mut extent, mut finite, mut count) = (Extent::<C>::default(), 0, 0);
        for (place, present) in joints.iter().zip(&mut *present) {
            let bits = place.map(|x| x.to_bits() & !SIGN);
            let is_finite = bits.iter().fold(true, |all, &bits| all & (bits < INFINITE));
            finite += u32::from(is_finite);
            *present &= is_finite & (bits.iter().fold(0, |any, &bits| any | bits) != 0);
            count += u32::from(*present);
            extent.take_if(*present, place);
        }
        let mut found = Row {
            present: count,
            not_finite: joints.len() as u32 - finite,
            ..Row::default()
        };
        if count == 0 {
            return found;
        }
        if (count as usize) < joints.len() {
            missing
                .iter_mut()
                .zip(&*present)
                .for_each(|(sum, &present)| *sum += u64::from(!present));
        }
        let numbered = || joints.iter().enumerate().zip(&*present);
        let there = || {
            numbered()
                .filter(|(_, present)| **present)
                .map(|(joint, _)| joint)
        };
        if let Some(size) = bounds.filter(|size| C == 2 && extent.leaves(size)) {
            found.outside = there()
                .filter(|(_, place)| (0..2).any(|c| beyond(place[c], size[c])))
                .count() as u32;
        }
        if let Some(last) = still {
            let (last, _) = last.as_chunks_mut::<C>();
            for (joint, place) in there() {
                found.moves |= !last[joint][0].is_nan() && last[joint] != *place;
                last[joint] = *place;
            }
        }
        (found.size, found.reach) = (extent.diagonal(), extent.reach());
        found
    }
}

/// The numbers in single precision, in `buffer` where they aren't stored so.
fn single<'a>(values: ValuesRef<'a>, buffer: &'a mut Vec<f32>) -> &'a [f32] {
    match values {
        ValuesRef::F32(values) => values,
        ValuesRef::F16(values) => {
            buffer.resize(values.len(), 0.0);
            values.convert_to_f32_slice(buffer);
            buffer
        }
    }
}

/// A hash by which copies are looked for; whoever finds two equal ones compares the clips themselves.
fn content(view: &ClipView<'_>) -> u64 {
    const FACTORS: [u64; 2] = [0x9e37_79b9_7f4a_7c15, 0xc2b2_ae3d_27d4_eb4f];
    let mix = |state: u64, word: u64, factor: u64| {
        let wide = u128::from(state ^ word) * u128::from(factor);
        (wide as u64) ^ ((wide >> 64) as u64)
    };
    let bytes = view.keypoints.bytes();
    let mut lanes = [view.persons as u64 + 1, view.frames as u64 + 2];
    let (pairs, rest) = bytes.as_chunks::<16>();
    for pair in pairs {
        let (words, _) = pair.as_chunks::<8>();
        for lane in 0..2 {
            // A lane of zero would stay zero over zeros.
            lanes[lane] = mix(lanes[lane], u64::from_le_bytes(words[lane]), FACTORS[lane])
                ^ FACTORS[1 - lane];
        }
    }
    let mut last = [0; 16];
    last[..rest.len()].copy_from_slice(rest);
    let (words, _) = last.as_chunks::<8>();
    let tail = mix(lanes[0], u64::from_le_bytes(words[0]), FACTORS[0]);
    let other = mix(
        lanes[1],
        u64::from_le_bytes(words[1]) ^ bytes.len() as u64,
        FACTORS[1],
    );
    mix(tail, other.rotate_left(32), FACTORS[0])
}
