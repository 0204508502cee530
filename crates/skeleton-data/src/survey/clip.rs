//! One clip, measured.

use half::slice::HalfFloatSliceExt;

use super::Survey;
use crate::{ClipView, ValuesRef};

/// How far beyond the image a joint may lie, in sizes of the image: detectors place joints a little outside.
const MARGIN: f32 = 0.1;

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
        Counter {
            joints,
            threshold,
            keypoints,
            scores,
            last,
        }
    }

    /// Measures a clip, and adds to the counts of `sums`.
    pub fn measure(&mut self, view: &ClipView<'_>, sums: &mut Survey) -> ClipFacts {
        let mut facts = match view.coordinates {
            2 => self.rows::<2>(view, sums),
            _ => self.rows::<3>(view, sums),
        };
        facts.content = content(view);
        sums.bytes += bytes(view.keypoints).len() as u64
            + view.scores.map_or(0, |scores| bytes(scores).len() as u64);
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
                let row = self.row::<C>(row, scores, bounds, &mut last, &mut sums.missing);
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

    fn row<const C: usize>(
        &self,
        row: &[f32],
        scores: Option<&[f32]>,
        bounds: Option<[f32; 2]>,
        last: &mut [f32],
        missing: &mut [u64],
    ) -> Row {
        let mut found = Row::default();
        let (mut low, mut high) = ([f32::INFINITY; C], [f32::NEG_INFINITY; C]);
        let (joints, _) = row.as_chunks::<C>();
        let (last, _) = last.as_chunks_mut::<C>();
        for (joint, (place, last)) in joints.iter().zip(last).enumerate() {
            if !place.iter().all(|x| x.is_finite()) {
                found.not_finite += 1;
                continue;
            }
            let scored = scores.is_none_or(|scores| scores[joint] > self.threshold);
            if !scored || place.iter().all(|&x| x == 0.0) {
                continue;
            }
            found.present += 1;
            for c in 0..C {
                low[c] = low[c].min(place[c]);
                high[c] = high[c].max(place[c]);
            }
            found.moves |= !last[0].is_nan() && last != place;
            *last = *place;
            if C == 2
                && let Some(size) = bounds
            {
                let beyond =
                    |c: usize| place[c] < -MARGIN * size[c] || place[c] > (1.0 + MARGIN) * size[c];
                found.outside += u32::from(beyond(0) || beyond(1));
            }
        }
        if found.present == 0 {
            return found;
        }
        if (found.present as usize) < joints.len() {
            for (joint, place) in joints.iter().enumerate() {
                let scored = scores.is_none_or(|scores| scores[joint] > self.threshold);
                let there = scored
                    && place.iter().all(|x| x.is_finite())
                    && place.iter().any(|&x| x != 0.0);
                missing[joint] += u64::from(!there);
            }
        }
        // In f64: squares of single precision's largest numbers overflow it.
        let square: f64 = (0..C)
            .map(|c| f64::from(high[c]) - f64::from(low[c]))
            .map(|x| x * x)
            .sum();
        found.size = square.sqrt() as f32;
        found.reach = (0..C)
            .map(|c| high[c].abs().max(low[c].abs()))
            .fold(0.0, f32::max);
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

/// The stored bytes.
pub(crate) fn bytes(values: ValuesRef<'_>) -> &[u8] {
    match values {
        ValuesRef::F16(values) => bytemuck::cast_slice(values),
        ValuesRef::F32(values) => bytemuck::cast_slice(values),
    }
}

/// A hash by which copies are looked for; whoever finds two equal ones compares the clips themselves.
fn content(view: &ClipView<'_>) -> u64 {
    const FACTORS: [u64; 2] = [0x9e37_79b9_7f4a_7c15, 0xc2b2_ae3d_27d4_eb4f];
    let mix = |state: u64, word: u64, factor: u64| {
        let wide = u128::from(state ^ word) * u128::from(factor);
        (wide as u64) ^ ((wide >> 64) as u64)
    };
    let bytes = bytes(view.keypoints);
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
