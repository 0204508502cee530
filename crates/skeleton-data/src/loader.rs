//! Batches prepared by worker threads while the model computes.
//!
//! The batches and their order are a function of the clips, the order asked for, the seed and the epoch; the number of
//! workers only changes who prepares them.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use crate::augment::Augment;
use crate::batch::{Batch, Manner, read_batch};
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
    /// A loader over `source`: for training with `augment`, for evaluation without. With `workers = 0` the thread that
    /// asks for a batch reads it.
    ///
    /// # Errors
    /// A setting of `reading` or `augment` out of its range, or that doesn't fit the source's layout.
    pub fn new(
        source: Arc<dyn ClipSource>,
        reading: Reading,
        augment: Option<Augment>,
        workers: usize,
    ) -> Result<Loader> {
        // Settings that don't fit the clips' layout are refused here rather than by a worker.
        Reader::new(source.layout(), &reading)?;
        augment.as_ref().map_or(Ok(()), Augment::check)?;
        Ok(Loader {
            source,
            reading,
            augment,
            workers,
        })
    }

    /// The clips of `order` (indices of the source) in batches of `batch` (1 or more), the last one shorter where they don't
    /// divide. `seed` and `epoch` choose the augmentation.
    pub fn epoch(&self, order: &[u32], batch: usize, seed: u64, epoch: u64) -> Batches {
        let plan = order.chunks(batch.max(1)).map(<[u32]>::to_vec);
        let mut batches = self.planned(plan.collect(), seed, epoch);
        batches.refused = (batch == 0).then(|| Error::setting("batch", "1 or more", 0));
        batches
    }

    /// A batch for each list of clips (indices of the source) of `plan`, in this order. `seed` and `epoch` choose the
    /// augmentation.
    pub fn planned(&self, plan: Vec<Vec<u32>>, seed: u64, epoch: u64) -> Batches {
        let job = Arc::new(Job {
            source: Arc::clone(&self.source),
            reading: self.reading.clone(),
            augment: self.augment.clone(),
            plan,
            seed,
            epoch,
            ahead: self.workers * AHEAD,
            state: Mutex::new(State::default()),
            changed: Condvar::new(),
        });
        let workers = (0..self.workers.min(job.plan.len())).map(|_| {
            let job = Arc::clone(&job);
            std::thread::spawn(move || job.work())
        });
        Batches {
            workers: workers.collect(),
            reader: None,
            next: 0,
            refused: None,
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
    refused: Option<Error>,
}

impl Iterator for Batches {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Result<Batch>> {
        let last = self.job.plan.len();
        if let Some(error) = self.refused.take() {
            self.next = last;
            return Some(Err(error));
        }
        if self.next >= last {
            return None;
        }
        let batch = if self.workers.is_empty() {
            self.job.read_guarded(&mut self.reader, self.next)
        } else {
            self.job.take(self.next)
        };
        self.next = if batch.is_ok() { self.next + 1 } else { last };
        Some(batch)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let refused = usize::from(self.refused.is_some());
        (0, Some(refused + self.job.plan.len() - self.next))
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
    /// The clips of each batch.
    plan: Vec<Vec<u32>>,
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
            if state.stopped || state.begun >= self.plan.len() {
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
            let reader = match reader {
                Some(reader) => reader,
                None => reader.insert(Reader::new(self.source.layout(), &self.reading)?),
            };
            let manner = Manner {
                reading: &self.reading,
                augment: self.augment.as_ref(),
                seed: self.seed,
                epoch: self.epoch,
            };
            read_batch(&*self.source, reader, manner, &self.plan[index])
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
