//! One pass over all clips: what can be counted of them, and a few facts of each.
//!
//! Memory doesn't grow with the coordinates: some sixty bytes stay of a clip. Clips are measured by several threads;
//! the result doesn't depend on their number.

mod clip;
mod extent;
mod scores;

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

pub use clip::ClipFacts;
use clip::Counter;
pub(crate) use clip::bytes;
pub use scores::ScoreCounts;

use crate::{ClipSource, Error, Result};

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
        let next = AtomicUsize::new(0);
        let mut survey = Survey {
            clips: vec![ClipFacts::default(); source.len()],
            missing: vec![0; source.layout().len()],
            ..Survey::default()
        };
        let (mut failed, mut stopped): (Option<(usize, Error)>, bool) = (None, false);
        std::thread::scope(|scope| {
            let (sender, parts) = mpsc::sync_channel(2 * threads.max(1));
            for _ in 0..threads.clamp(1, chunks.max(1)) {
                let (sender, next) = (sender.clone(), &next);
                scope.spawn(move || {
                    let mut counter = Counter::new(source.layout().len(), threshold);
                    loop {
                        let chunk = next.fetch_add(1, Ordering::Relaxed);
                        if chunk >= chunks
                            || sender
                                .send((chunk, part(source, chunk, &mut counter)))
                                .is_err()
                        {
                            break;
                        }
                    }
                });
            }
            drop(sender);
            // Chunks are taken in order, so those before a failed one have been taken too, and the failure that is
            // reported doesn't depend on who was faster.
            for (chunk, part) in parts {
                let done = match part {
                    Ok(part) => survey.add(chunk, part),
                    Err(error) => {
                        next.store(chunks, Ordering::Relaxed);
                        if failed.as_ref().is_none_or(|(first, _)| chunk < *first) {
                            failed = Some((chunk, error));
                        }
                        continue;
                    }
                };
                if !stopped && watch(done).is_break() {
                    next.store(chunks, Ordering::Relaxed);
                    stopped = true;
                }
            }
        });
        match failed {
            Some((_, error)) => Err(error),
            None if stopped => Ok(None),
            None => Ok(Some(survey)),
        }
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

    /// Takes what a thread found over, and says of how many clips.
    fn add(&mut self, chunk: usize, part: Survey) -> usize {
        let first = chunk * CHUNK;
        self.clips[first..first + part.clips.len()].copy_from_slice(&part.clips);
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
