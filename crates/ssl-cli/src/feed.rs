//! Clips on their way into an engine: ordered, read by worker threads, moved into tensors.

use std::sync::Arc;

use candle_core::Device;
use skeleton_data::ClipSource;
use skeleton_data::augment::Augment;
use skeleton_data::batch::Batch;
use skeleton_data::loader::{Batches, Loader};
use skeleton_data::reading::Reading;
use skeleton_graph::random::shuffled;
use skeletonmae::TrackBatch;
use skeletonmae::train::{BoxError, plan};

use crate::batch::{merge, track_batch};
use crate::failure::Outcome;
use crate::machine::Machine;
use crate::printer::Printer;
use crate::signal::{Interrupt, Stopped};

/// The clips of a split with the way they are read.
pub struct Feed {
    loader: Loader,
    order: Vec<u32>,
    device: Device,
    interrupt: Interrupt,
}

impl Feed {
    /// A feed of the clips `order`, which is sorted by clip id so that the order in a file changes nothing.
    pub fn new(
        source: Arc<dyn ClipSource>,
        order: Vec<u32>,
        reading: &Reading,
        augment: Option<&Augment>,
        machine: &Machine,
        interrupt: &Interrupt,
    ) -> Outcome<Feed> {
        let loader = Loader::new(source, reading.clone(), augment.cloned(), machine.workers())?;
        Ok(Feed { loader, order, device: machine.device.clone(), interrupt: interrupt.clone() })
    }

    /// How many clips there are.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// The training steps of an epoch (from 0) in a new order: a few micro-batches each.
    pub fn steps(&self, seed: u64, epoch: usize, batch: usize, micro_batch: usize) -> Steps {
        let order: Vec<u32> =
            shuffled(seed, epoch as u64, self.order.len()).into_iter().map(|place| self.order[place]).collect();
        let plan = plan(&order, batch, micro_batch);
        // The plan's parts differ in length by one: clips are loaded one by one and merged as it says.
        let clips = self.loader.epoch(&order, 1, seed, epoch as u64);
        let sizes = plan.iter().map(|step| step.iter().map(Vec::len).collect()).collect::<Vec<_>>();
        Steps { clips, sizes: sizes.into_iter(), device: self.device.clone() }
    }

    /// All clips in their order, `batch` at a time.
    pub fn batches(&self, batch: usize) -> impl Iterator<Item = Result<TrackBatch, BoxError>> + '_ {
        let mut batches = self.loader.epoch(&self.order, batch, 0, 0);
        std::iter::from_fn(move || {
            if let Some(signal) = self.interrupt.received() {
                return Some(Err(Stopped(signal).into()));
            }
            let batch = batches.next()?;
            Some(batch.map_err(BoxError::from).and_then(|batch| Ok(track_batch(batch, &self.device)?)))
        })
    }
}

impl Feed {
    /// [`batches`](Self::batches) with progress shown.
    pub fn watched_batches(
        &self,
        batch: usize,
        printer: &Printer,
        what: &str,
    ) -> impl Iterator<Item = Result<TrackBatch, BoxError>> + '_ {
        let mut progress = printer.progress(what, self.len() as u64);
        self.batches(batch).inspect(move |batch| {
            if let Ok(batch) = batch {
                progress.advance(batch.clips() as u64);
            }
        })
    }
}

/// The steps of one epoch.
pub struct Steps {
    clips: Batches,
    sizes: std::vec::IntoIter<Vec<usize>>,
    device: Device,
}

impl Steps {
    fn micro_batch(&mut self, clips: usize) -> Result<TrackBatch, BoxError> {
        let read: Vec<Batch> = self.clips.by_ref().take(clips).collect::<Result<_, _>>()?;
        Ok(track_batch(merge(read), &self.device)?)
    }
}

impl Iterator for Steps {
    type Item = Result<Vec<TrackBatch>, BoxError>;

    fn next(&mut self) -> Option<Self::Item> {
        let sizes = self.sizes.next()?;
        Some(sizes.into_iter().map(|clips| self.micro_batch(clips)).collect())
    }
}
