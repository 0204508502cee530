//! One pass over all clips: what can be counted of them, and a few facts of each.
//!
//! Memory doesn't grow with the coordinates: some sixty bytes stay of a clip. Clips are measured by several threads;
//! the result doesn't depend on their number.

mod clip;
mod extent;
mod scores;

use std::ops::ControlFlow;

pub use clip::ClipFacts;
use clip::Counter;
pub use scores::ScoreCounts;

use crate::parallel::visit_in_order;
use crate::{ClipSource, Result};

/// Clips that a thread takes at once.
const CHUNK: usize = 32;

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
    /// Bytes of coordinates and scores looked at.
    pub bytes: u64,
}

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

#[cfg(test)]
mod tests;
