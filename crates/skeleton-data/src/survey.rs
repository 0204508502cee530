//! One pass over all clips: what can be counted of them, and a few facts of each.
//!
//! Memory doesn't grow with the coordinates: some sixty bytes stay of a clip. Clips are measured by several threads;
//! the result doesn't depend on their number.

use std::ops::ControlFlow;

use half::slice::HalfFloatSliceExt;

use crate::parallel::visit_in_order;
use crate::sequence::is_somewhere;
use crate::{ClipSource, ClipView, Result, ValuesRef};

/// Clips that a thread takes at once.
const CHUNK: usize = 32;

/// How far beyond the image a joint may lie, in sizes of the image: detectors place joints a little outside.
const MARGIN: f32 = 0.1;

/// Bins of a unit.
const BINS: usize = 200;

/// What one pass found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Survey {
    /// A few facts of each clip, by index.
    pub clips: Vec<ClipFacts>,
    /// Rows stored: one person in one frame.
    pub rows: u64,
    /// Rows with a present joint.
    pub poses: u64,
    /// By joint, the poses that lack it. Rows without any joint (a person absent in a frame) are not among them.
    pub missing: Vec<u64>,
    /// Scores, of sources that have them.
    pub scores: Option<ScoreCounts>,
    /// The smallest and the largest third coordinate of a present joint; none in the plane, or where nobody is.
    pub third: Option<(f32, f32)>,
    /// Present joints whose coordinates all have one value, by that value: the first few that occur, of which a tracker's mark for
    /// joints that it lost is one.
    pub marks: Vec<(f32, u64)>,
    /// Bytes of coordinates and scores looked at.
    pub bytes: u64,
}

/// Values of which a survey counts how often they are a joint's place.
const MARKS: usize = 16;

impl Survey {
    /// Measures all clips of `source` with `threads` threads. A joint is present when its coordinates are finite and not
    /// all zero, and its score, where there are scores, is above `threshold`: as [`Reading`](crate::reading::Reading)
    /// has it. `watch` is told how many more clips are done; where it breaks, the result is `None`.
    ///
    /// # Errors
    /// Of the clips that can't be read, the one with the smallest index.
    pub fn of(
        source: &dyn ClipSource,
        threshold: f32,
        threads: usize,
        watch: &mut dyn FnMut(usize) -> ControlFlow<()>,
    ) -> Result<Option<Survey>> {
        let chunks = source.len().div_ceil(CHUNK);
        let mut survey = Survey {
            missing: vec![0; source.layout().len()],
            ..Survey::default()
        };
        let job = || {
            let mut counter = Counter::new(source.layout().len(), threshold);
            move |chunk| part(source, chunk, &mut counter)
        };
        let end = visit_in_order(chunks, threads, job, |part| watch(survey.add(part)))?;
        Ok(end.is_continue().then_some(survey))
    }

    /// Share of all joints of all stored rows that are missing, 0 where there are none.
    pub fn missing_share(&self) -> f64 {
        let all = self.rows * self.missing.len() as u64;
        let present: u64 = self.clips.iter().map(|clip| clip.present).sum();
        if all == 0 {
            0.0
        } else {
            (all - present) as f64 / all as f64
        }
    }

    fn see_third(&mut self, low: f32, high: f32) {
        let (lowest, highest) = self.third.unwrap_or((low, high));
        self.third = Some((lowest.min(low), highest.max(high)));
    }

    /// Counts joints all of whose coordinates are `value`. Of more values than are counted the rarest goes.
    fn mark(&mut self, value: f32, joints: u64) {
        if let Some((_, count)) = self.marks.iter_mut().find(|(known, _)| *known == value) {
            *count += joints;
            return;
        }
        if self.marks.len() == MARKS
            && let Some(rarest) = (0..MARKS).min_by_key(|&at| self.marks[at].1)
        {
            self.marks.swap_remove(rarest);
        }
        self.marks.push((value, joints));
    }

    /// Adds what was found of the next clips, and says how many these are.
    fn add(&mut self, part: Survey) -> usize {
        self.clips.extend(&part.clips);
        self.rows += part.rows;
        self.poses += part.poses;
        self.bytes += part.bytes;
        for (sum, more) in self.missing.iter_mut().zip(&part.missing) {
            *sum += more;
        }
        if let Some(scores) = part.scores {
            self.scores.get_or_insert_default().add(&scores);
        }
        if let Some((low, high)) = part.third {
            self.see_third(low, high);
        }
        for (value, joints) in part.marks {
            self.mark(value, joints);
        }
        part.clips.len()
    }
}

/// Measures the clips of one chunk.
fn part(source: &dyn ClipSource, chunk: usize, counter: &mut Counter) -> Result<Survey> {
    let clips = chunk * CHUNK..((chunk + 1) * CHUNK).min(source.len());
    let mut part = Survey {
        missing: vec![0; source.layout().len()],
        ..Survey::default()
    };
    for index in clips {
        let view = source.clip(index)?;
        view.check(source.layout().len())?;
        let facts = counter.measure(&view, &mut part);
        part.clips.push(facts);
    }
    Ok(part)
}

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
#[derive(Default)]
struct Counter {
    joints: usize,
    threshold: f32,
    /// Keypoints and scores in single precision; (v, c), where each joint was seen last, NaN before.
    buffers: (Vec<f32>, Vec<f32>, Vec<f32>),
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
    third: Option<(f32, f32)>,
    /// Whether a present joint has one value in all coordinates.
    marked: bool,
}

impl Counter {
    fn new(joints: usize, threshold: f32) -> Counter {
        Counter {
            joints,
            threshold,
            present: vec![false; joints],
            ..Counter::default()
        }
    }

    /// Measures a clip, and adds to the counts of `sums`.
    fn measure(&mut self, view: &ClipView<'_>, sums: &mut Survey) -> ClipFacts {
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
        let (mut keypoints, mut scores, mut last) = std::mem::take(&mut self.buffers);
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
        let size = |(height, width)| [width as f32, height as f32];
        let bounds = view.image.map(size);
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
                if row.marked {
                    let (places, _) = keypoints_seen[at * v * C..(at + 1) * v * C].as_chunks::<C>();
                    for (place, _) in places
                        .iter()
                        .zip(&self.present)
                        .filter(|(_, there)| **there)
                    {
                        if is_even(place) {
                            sums.mark(place[0], 1);
                        }
                    }
                }
                if let Some((low, high)) = row.third {
                    sums.see_third(low, high);
                }
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
        self.buffers = (keypoints, scores, last);
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
        let (joints, _) = row.as_chunks::<C>();
        let present = &mut self.present[..];
        present.fill(true);
        for (present, &score) in present.iter_mut().zip(scores.unwrap_or(&[])) {
            *present = score > self.threshold;
        }
        let (mut extent, mut finite, mut count) = (Extent::<C>::default(), 0, 0);
        let mut marked = false;
        for (place, present) in joints.iter().zip(&mut *present) {
            finite += u32::from(place.iter().fold(true, |all, x| all & x.is_finite()));
            *present &= is_somewhere(place);
            count += u32::from(*present);
            marked |= *present & is_even(place);
            extent.take_if(*present, place);
        }
        let mut found = Row {
            present: count,
            marked,
            not_finite: joints.len() as u32 - finite,
            ..Row::default()
        };
        if count == 0 {
            return found;
        }
        if (count as usize) < joints.len() {
            for (sum, &present) in missing.iter_mut().zip(&*present) {
                *sum += u64::from(!present);
            }
        }
        let there = || {
            joints
                .iter()
                .enumerate()
                .filter(|(joint, _)| present[*joint])
        };
        if let Some(size) = bounds.filter(|size| C == 2 && extent.leaves(size)) {
            let is_outside = |place: &[f32; C]| (0..2).any(|c| beyond(place[c], size[c]));
            found.outside = there().filter(|(_, place)| is_outside(place)).count() as u32;
        }
        if let Some(last) = still {
            let (last, _) = last.as_chunks_mut::<C>();
            for (joint, place) in there() {
                found.moves |= !last[joint][0].is_nan() && last[joint] != *place;
                last[joint] = *place;
            }
        }
        (found.size, found.reach) = (extent.diagonal(), extent.reach());
        found.third = (C == 3).then(|| (extent.low[C - 1], extent.high[C - 1]));
        found
    }
}

/// Whether all coordinates of a place are one value.
#[inline]
fn is_even<const C: usize>(place: &[f32; C]) -> bool {
    place.iter().fold(true, |all, x| all & (*x == place[0]))
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

/// The box around some joints.
pub(crate) struct Extent<const C: usize> {
    low: [f32; C],
    high: [f32; C],
}

impl<const C: usize> Default for Extent<C> {
    fn default() -> Self {
        Extent {
            low: [f32::INFINITY; C],
            high: [f32::NEG_INFINITY; C],
        }
    }
}

impl<const C: usize> Extent<C> {
    /// Extends the box to a place that is `present`. Others are compared, too, so that the loop has no branches; they may be NaN.
    #[inline]
    pub(crate) fn take_if(&mut self, present: bool, place: &[f32; C]) {
        for (c, &x) in place.iter().enumerate() {
            let (low, high) = (self.low[c], self.high[c]);
            self.low[c] = if present & (x < low) { x } else { low };
            self.high[c] = if present & (x > high) { x } else { high };
        }
    }

    /// In f64: squares of single precision's largest numbers overflow it.
    pub(crate) fn diagonal(&self) -> f32 {
        let side = |c: usize| f64::from(self.high[c]) - f64::from(self.low[c]);
        (0..C).map(|c| side(c) * side(c)).sum::<f64>().sqrt() as f32
    }

    fn reach(&self) -> f32 {
        (0..C)
            .map(|c| self.high[c].abs().max(self.low[c].abs()))
            .fold(0.0, f32::max)
    }

    fn leaves(&self, size: &[f32; 2]) -> bool {
        (0..C.min(2)).any(|c| beyond(self.low[c], size[c]) || beyond(self.high[c], size[c]))
    }
}

/// Whether a coordinate is clearly outside of an image of that size.
fn beyond(x: f32, size: f32) -> bool {
    x < -MARGIN * size || x > (1.0 + MARGIN) * size
}

/// Scores in bins: 0 to 1 in steps of 1/200.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoreCounts {
    /// Below or at zero: the detector has nothing to say of the joint.
    pub zero: u64,
    /// Not finite.
    pub not_finite: u64,
    /// Above 1, as some detectors have them.
    pub above: u64,
    bins: Vec<u64>,
}

impl Default for ScoreCounts {
    fn default() -> Self {
        ScoreCounts {
            zero: 0,
            not_finite: 0,
            above: 0,
            bins: vec![0; BINS],
        }
    }
}

impl ScoreCounts {
    /// Counts one score.
    #[inline]
    fn count(&mut self, score: f32) {
        if score > 0.0 && score <= 1.0 {
            // At most BINS: the bin of 1 is the last.
            let bin = (score * BINS as f32) as usize;
            self.bins[bin.min(BINS - 1)] += 1;
        } else if score > 1.0 && score.is_finite() {
            self.above += 1;
        } else if score.is_finite() {
            self.zero += 1;
        } else {
            self.not_finite += 1;
        }
    }

    fn add(&mut self, more: &ScoreCounts) {
        self.zero += more.zero;
        self.not_finite += more.not_finite;
        self.above += more.above;
        for (sum, more) in self.bins.iter_mut().zip(&more.bins) {
            *sum += more;
        }
    }

    /// All scores.
    pub fn all(&self) -> u64 {
        self.zero + self.not_finite + self.above + self.bins.iter().sum::<u64>()
    }

    /// Scores above 0 in ten equal bins up to 1.
    pub fn tenths(&self) -> [u64; 10] {
        let mut tenths = [0; 10];
        for (bin, count) in self.bins.iter().enumerate() {
            tenths[bin * 10 / BINS] += count;
        }
        tenths
    }

    /// The score that a share of all finite scores doesn't exceed, to 1/200; those above 1 count as 1.
    pub fn quantile(&self, share: f64) -> f64 {
        let all = self.all() - self.not_finite;
        let wanted = (share.clamp(0.0, 1.0) * all as f64).ceil() as u64;
        let mut seen = self.zero;
        if seen >= wanted {
            return 0.0;
        }
        for (bin, count) in self.bins.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return (bin + 1) as f64 / BINS as f64;
            }
        }
        1.0
    }
}

#[cfg(test)]
mod tests;
