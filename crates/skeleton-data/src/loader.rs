//! Batches prepared by worker threads while the model computes.
//!
//! The batches and their order are a function of the clips, the order asked for, the seed and the epoch; the number of
//! workers only changes who prepares them.

use std::sync::Arc;

use crate::augment::Augment;
use crate::batch::{Batch, Manner, read_batch};
use crate::parallel::InOrder;
use crate::reading::{Reader, Reading};
use crate::{ClipSource, Error, Result};

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
        let plan = match batch {
            0 => Vec::new(),
            batch => order.chunks(batch).map(<[u32]>::to_vec).collect(),
        };
        let mut batches = self.planned(plan, seed, epoch);
        batches.refused = (batch == 0).then(|| Error::setting("batch", "1 or more", 0));
        batches
    }

    /// A batch for each list of clips (indices of the source) of `plan`, in this order. `seed` and `epoch` choose the
    /// augmentation.
    pub fn planned(&self, plan: Vec<Vec<u32>>, seed: u64, epoch: u64) -> Batches {
        let (jobs, workers) = (plan.len(), self.workers);
        let shared = Arc::new((self.clone(), plan));
        let job = || {
            let (shared, mut reader) = (Arc::clone(&shared), None);
            move |index: usize| {
                let (loader, plan) = &*shared;
                let reader = match &mut reader {
                    Some(reader) => reader,
                    None => reader.insert(Reader::new(loader.source.layout(), &loader.reading)?),
                };
                let manner = Manner {
                    reading: &loader.reading,
                    augment: loader.augment.as_ref(),
                    seed,
                    epoch,
                };
                read_batch(&*loader.source, reader, manner, &plan[index])
            }
        };
        Batches {
            refused: None,
            batches: InOrder::new(jobs, workers, job),
        }
    }
}

/// The batches of one epoch, in order. Ends after the first error. Dropping it stops the workers.
pub struct Batches {
    refused: Option<Error>,
    batches: InOrder<Batch>,
}

impl Iterator for Batches {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Result<Batch>> {
        let refused = self.refused.take().map(Err);
        refused.or_else(|| self.batches.next())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let refused = usize::from(self.refused.is_some());
        (0, Some(refused + self.batches.left()))
    }
}

#[cfg(test)]
mod tests;
