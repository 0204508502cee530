//! Several clips as plain arrays: batches prepared by worker threads while the model computes.
//!
//! The batches and their order are a function of the clips, the order asked for, the seed and the epoch; the number of
//! workers only changes who prepares them.

use std::sync::Arc;

use skeleton_graph::random::{Key, Purpose, stream};

use crate::augment::Augment;
use crate::parallel::InOrder;
use crate::reading::{Purpose as Use, Reader, Reading};
use crate::{ClipSource, Error, Result};

/// The tracks of a batch of clips, one person of one clip each, present ones only: a clip of two people has two.
///
/// In evaluation with several views ([`Reading::clips`]) each view counts as a clip here: those of one clip follow
/// each other and share its name and label.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// t.
    pub frames: usize,
    /// v.
    pub joints: usize,
    /// c.
    pub coordinates: usize,
    /// (n, t, v, c); absent joints are 0.
    pub keypoints: Vec<f32>,
    /// (n, t, v), 1 where the joint is present, else 0.
    pub presence: Vec<f32>,
    /// (n), the clip (or view) of each track, counted from 0 within the batch and never falling.
    pub track_clip: Vec<u32>,
    /// (b), the clips' names.
    pub ids: Vec<String>,
    /// (b), the clips' classes, -1 where a clip has none.
    pub labels: Vec<i64>,
}

impl Batch {
    /// b.
    pub fn clips(&self) -> usize {
        self.ids.len()
    }

    /// n.
    pub fn tracks(&self) -> usize {
        self.track_clip.len()
    }
}

/// Makes batches of the clips of one source.
#[derive(Clone)]
pub struct Loader {
    source: Arc<dyn ClipSource>,
    reading: Reading,
    augment: Option<Augment>,
    workers: usize,
    twice: bool,
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
            twice: false,
        })
    }

    /// The same reading each clip twice for training, each time augmented by itself. The two follow each other as if they
    /// were clips; the first is the one that is read otherwise.
    #[must_use]
    pub fn twice(self) -> Loader {
        Loader {
            twice: true,
            ..self
        }
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
                loader.read(reader, seed, epoch, &plan[index])
            }
        };
        Batches {
            refused: None,
            batches: InOrder::new(jobs, workers, job),
        }
    }
}

impl Loader {
    /// Reads the clips of `indices`, in this order: once each for training, in all their views for evaluation. Augmentation is
    /// drawn by each clip's own name, never by the batch's make-up.
    fn read(&self, reader: &mut Reader, seed: u64, epoch: u64, indices: &[u32]) -> Result<Batch> {
        let mut batch = Batch {
            frames: self.reading.frames,
            ..Batch::default()
        };
        let views = match &self.augment {
            Some(_) => 1 + usize::from(self.twice),
            None => self.reading.clips,
        };
        let source = &*self.source;
        for (clip, &index) in indices.iter().enumerate() {
            if index as usize >= source.len() {
                let expected = format!("an index below the source's {} clips", source.len());
                return Err(Error::setting("order", expected, index));
            }
            let view = source.clip(index as usize)?;
            if clip == 0 {
                (batch.joints, batch.coordinates) = (view.joints, view.coordinates);
                let tracks = indices.len() * views * view.persons.min(self.reading.persons);
                let values = tracks * self.reading.frames * view.joints;
                batch.keypoints.reserve(values * view.coordinates);
                batch.presence.reserve(values);
            } else if view.coordinates != batch.coordinates {
                let expected = format!("{} coordinates, as the clip before has", batch.coordinates);
                return Err(Error::clip(view.id, expected, view.coordinates.to_string()));
            }
            for number in 0..views {
                let drawn = match number {
                    0 => Purpose::Augment,
                    _ => Purpose::SecondRead,
                };
                let mut rng = stream(seed, drawn, epoch, Key::Clip(view.id));
                let purpose = match &self.augment {
                    Some(augment) => Use::Training {
                        augment,
                        rng: &mut rng,
                    },
                    None => Use::Evaluation { view: number },
                };
                let read =
                    reader.read(&view, purpose, &mut batch.keypoints, &mut batch.presence)?;
                let entry = (clip * views + number) as u32;
                batch.track_clip.extend(std::iter::repeat_n(entry, read));
                batch.ids.push(view.id.to_owned());
                batch.labels.push(view.label.map_or(-1, i64::from));
            }
        }
        Ok(batch)
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
