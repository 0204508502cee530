//! Batches prepared by worker threads while the model computes.
//!
//! The batches and their order are a function of the clips, the order asked for, the seed and the epoch; the number of
//! workers only changes who prepares them.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use crate::augment::Augment;
use crate::batch::{Batch, Draws, read_batch};
use crate::reading::{Reader, Reading};
use crate::{ClipSource, Error, Result};

/// Batches that may be ready or in work for each worker before the consumer takes the first of them.
const AHEAD: usize = 2;

/// Makes batches of the clips of one source.
#[derive(Clone)]
pub struct Loader {
    source: Arc<dyn ClipSource>,
    reading: Reading,
    augment: Option<Augment>,
    workers: usize,
}

impl Loader {
    /// A loader over `source`; with `workers = 0` the thread that asks for a batch reads it.
    ///
    /// # Errors
    /// A setting of `reading` or `augment` out of its range.
    pub fn new(
        source: Arc<dyn ClipSource>,
        reading: Reading,
        augment: Option<Augment>,
        workers: usize,
    ) -> Result<Loader> {
        reading.check()?;
        augment.as_ref().map_or(Ok(()), Augment::check)?;
        Ok(Loader {
            source,
            reading,
            augment,
            workers,
        })
    }

    /// The clips of `order` (indices of the source) in batches of `batch`, the last one shorter where they don't
    /// divide. `seed` and `epoch` choose the augmentation.
    pub fn epoch(&self, order: &[u32], batch: usize, seed: u64, epoch: u64) -> Batches {
        let job = Arc::new(Job {
            source: Arc::clone(&self.source),
            reading: self.reading.clone(),
            augment: self.augment.clone(),
            order: order.to_vec(),
            batch,
            seed,
            epoch,
            ahead: self.workers * AHEAD,
            state: Mutex::new(State::default()),
            changed: Condvar::new(),
        });
        let workers = (0..self.workers.min(job.batches())).map(|_| {
            let job = Arc::clone(&job);
            std::thread::spawn(move || job.work())
        });
        Batches {
            workers: workers.collect(),
            reader: None,
            next: 0,
            job,
        }
    }
}

/// The batches of one epoch, in order. Ends after the first error. Dropping it stops the workers.
pub struct Batches {
    job: Arc<Job>,
    workers: Vec<JoinHandle<()>>,
    /// Of the thread that asks, when there are no workers.
    reader: Option<Reader>,
    next: usize,
}

impl Iterator for Batches {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Result<Batch>> {
        if self.job.batch == 0 {
            let first = self.next == 0;
            self.next = 1;
            return first.then(|| Err(Error::setting("batch", "1 or more", 0)));
        }
        if self.next >= self.job.batches() {
            return None;
        }
        let batch = if self.workers.is_empty() {
            self.job.read_guarded(&mut self.reader, self.next)
        } else {
            self.job.take(self.next)
        };
        self.next = if batch.is_ok() {
            self.next + 1
        } else {
            self.job.batches()
        };
        Some(batch)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.job.batches().max(1).saturating_sub(self.next)))
    }
}

impl Drop for Batches {
    fn drop(&mut self) {
        self.job.lock().stopped = true;
        self.job.changed.notify_all();
        for worker in self.workers.drain(..) {
            // Its panics were caught and handed over as errors.
            let _ = worker.join();
        }
    }
}

/// What the workers share.
struct Job {
    source: Arc<dyn ClipSource>,
    reading: Reading,
    augment: Option<Augment>,
    order: Vec<u32>,
    batch: usize,
    seed: u64,
    epoch: u64,
    ahead: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Batches that are ready, by their place in the epoch.
    ready: BTreeMap<usize, Result<Batch>>,
    /// The first batch no worker has begun.
    begun: usize,
    /// The batch the consumer takes next.
    wanted: usize,
    stopped: bool,
}

impl Job {
    fn batches(&self) -> usize {
        if self.batch == 0 {
            0
        } else {
            self.order.len().div_ceil(self.batch)
        }
    }

    /// No code that can panic runs under the lock, so a poisoned one still guards a sound state.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// A worker's life: batches in turn, never more than `ahead` before the consumer.
    fn work(&self) {
        let mut reader = None;
        while let Some(index) = self.begin() {
            let batch = self.read_guarded(&mut reader, index);
            let mut state = self.lock();
            state.ready.insert(index, batch);
            drop(state);
            self.changed.notify_all();
        }
    }

    /// The next batch to read, none when there is nothing left to do.
    fn begin(&self) -> Option<usize> {
        let mut state = self.lock();
        loop {
            if state.stopped || state.begun >= self.batches() {
                return None;
            }
            if state.begun < state.wanted + self.ahead {
                state.begun += 1;
                return Some(state.begun - 1);
            }
            state = self.wait(state);
        }
    }

    /// Waits for batch `index`; every begun batch becomes ready, since its worker catches panics.
    fn take(&self, index: usize) -> Result<Batch> {
        let mut state = self.lock();
        loop {
            if let Some(batch) = state.ready.remove(&index) {
                state.wanted = index + 1;
                state.stopped |= batch.is_err();
                drop(state);
                self.changed.notify_all();
                return batch;
            }
            state = self.wait(state);
        }
    }

    /// Reads batch `index`; a panic on the way becomes an error.
    fn read_guarded(&self, reader: &mut Option<Reader>, index: usize) -> Result<Batch> {
        let read = || {
            let reader = reader
                .get_or_insert_with(|| Reader::new(self.source.layout(), self.reading.clone()));
            let start = index * self.batch;
            let indices = &self.order[start..self.order.len().min(start + self.batch)];
            let draws = Draws {
                augment: self.augment.as_ref(),
                seed: self.seed,
                epoch: self.epoch,
            };
            read_batch(&*self.source, reader, self.reading.frames, draws, indices)
        };
        // The reader's working memory is of no use to anyone after a panic: the epoch ends with the error.
        catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|panic| {
            let message = panic
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
                .or_else(|| panic.downcast_ref::<String>().cloned());
            Err(Error::Worker {
                message: message.unwrap_or_else(|| "a panic without a message".into()),
            })
        })
    }
}

#[cfg(test)]
mod tests;
