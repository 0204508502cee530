//! Clips on their way into an engine: ordered, read by worker threads, moved into tensors.

use std::sync::Arc;

use candle_core::{Device, Tensor};
use skeleton_data::ClipSource;
use skeleton_data::augment::Augment;
use skeleton_data::loader::{Batch, Batches, Loader};
use skeleton_data::reading::Reading;
use skeleton_graph::random::{Purpose, shuffled, shuffled_for};
use skeletonmae::TrackBatch;
use skeletonmae::train::ranks::{Ranks, part};
use skeletonmae::train::{BoxError, plan};
use strl::{Scores, Strl, score};

use crate::failure::{Failure, Outcome, first_few};
use crate::machine::Machine;
use crate::printer::Printer;
use crate::ranks::world;
use crate::report::count;
use crate::signal::{Interrupt, Stopped};

/// What all feeds of a command share.
pub struct Feeds<'a> {
    /// The clips, of which each feed has some.
    pub source: Arc<dyn ClipSource>,
    /// How they are read.
    pub reading: Reading,
    /// What computes.
    pub machine: Machine,
    /// Whether to stop.
    pub interrupt: &'a Interrupt,
}

impl Feeds<'_> {
    /// The clips that show somebody, and those that don't and can't be read, of which it warns.
    pub fn shown(&self, clips: Vec<u32>, printer: &Printer) -> Outcome<(Vec<u32>, Vec<u32>)> {
        let (shown, nobody, names) = sorted_out(&*self.source, &self.reading, clips)?;
        if shown.is_empty() {
            let message = format!(
                "expected a clip that shows somebody, found {} that don't",
                names.len()
            );
            return Err(Failure::error(message)
                .hint("`ssl doctor CACHE.h5` says which joints are missing; reading.score_threshold decides it"));
        }
        if !nobody.is_empty() {
            let (clips, some) = (count(names.len(), "clip"), first_few(&names));
            printer.warn(format!("{clips} without anybody left out: {some}"));
        }
        Ok((shown, nobody))
    }

    /// A feed of the clips `order`, which is sorted by clip id so that the order in a file changes
    /// nothing: for training with `augment`, for evaluation without.
    pub fn of(&self, order: Vec<u32>, augment: Option<&Augment>) -> Outcome<Feed> {
        let (source, reading) = (self.source.clone(), self.reading.clone());
        // As many prepare batches as compute.
        let workers = self.machine.threads;
        Ok(Feed {
            loader: Loader::new(source, reading, augment.cloned(), workers)?,
            order,
            views: augment.map_or(self.reading.clips, |_| 1),
            device: self.machine.device.clone(),
            interrupt: self.interrupt.clone(),
        })
    }
}

/// The clips that show somebody as they are read, those that don't, and the names of these.
pub fn sorted_out(
    source: &dyn ClipSource,
    reading: &Reading,
    clips: Vec<u32>,
) -> Outcome<(Vec<u32>, Vec<u32>, Vec<String>)> {
    let (mut shown, mut nobody, mut names) = (Vec::new(), Vec::new(), Vec::new());
    for clip in clips {
        let view = source.clip(clip as usize)?;
        if reading.shows_somebody(&view) {
            shown.push(clip);
        } else {
            names.push(view.id.to_owned());
            nobody.push(clip);
        }
    }
    Ok((shown, nobody, names))
}

/// The clips of a split with the way they are read.
pub struct Feed {
    loader: Loader,
    order: Vec<u32>,
    views: usize,
    device: Device,
    interrupt: Interrupt,
}

impl Feed {
    /// The same reading each clip twice for training, each time augmented by itself.
    #[must_use]
    pub fn twice(self) -> Feed {
        let loader = self.loader.twice();
        Feed { loader, ..self }
    }

    /// How many clips there are.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// The clips, by their ids' order.
    pub fn clips(&self) -> &[u32] {
        &self.order
    }

    /// How often an evaluation sees each clip; the views of a clip follow each other.
    pub fn views(&self) -> usize {
        self.views
    }

    /// The training steps of an epoch (from 0) in a new order, but for the first `done`: of each the micro-batches that are
    /// one rank's turns, all of them where there is one rank.
    pub fn steps(
        &self,
        ranks: &dyn Ranks,
        (seed, epoch, done): (u64, usize, usize),
        (batch, micro_batch): (usize, usize),
    ) -> Steps {
        let order: Vec<u32> = shuffled(seed, epoch as u64, self.order.len())
            .into_iter()
            .map(|place| self.order[place])
            .collect();
        let plan = plan(&order, batch, micro_batch);
        let (rank, size) = (ranks.rank(), ranks.size());
        let own = |step: Vec<Vec<u32>>| step.into_iter().skip(rank).step_by(size);
        let left = plan.into_iter().skip(done);
        let left = left.map(|step| own(step).collect::<Vec<_>>());
        let (sizes, batches): (Vec<usize>, Vec<_>) = left.map(|step| (step.len(), step)).unzip();
        let batches = batches.into_iter().flatten().collect();
        Steps {
            batches: self.loader.planned(batches, seed, epoch as u64),
            sizes: sizes.into_iter(),
            device: self.device.clone(),
        }
    }

    /// All clips in their order, with all their views: about `batch` views at a time, and at least
    /// one clip.
    pub fn batches(&self, batch: usize) -> impl Iterator<Item = Result<TrackBatch, BoxError>> + '_ {
        self.batches_of(&self.order, batch)
    }

    /// This rank's part of [`batches`](Self::batches), whole ones that follow each other, with their numbers.
    pub fn own_batches(
        &self,
        batch: usize,
    ) -> impl Iterator<Item = (usize, Result<TrackBatch, BoxError>)> + '_ {
        let (own, clips) = self.own(batch);
        let first = own.start / clips;
        let batches = self.batches_of(&self.order[own], batch);
        batches
            .enumerate()
            .map(move |(at, batch)| (first + at, batch))
    }

    /// This rank's clips, and how many are a batch.
    fn own(&self, batch: usize) -> (std::ops::Range<usize>, usize) {
        let clips = (batch / self.views).max(1);
        let own = part(world(), self.len().div_ceil(clips));
        let end = |batches: usize| (batches * clips).min(self.len());
        (end(own.start)..end(own.end), clips)
    }

    fn batches_of(
        &self,
        order: &[u32],
        batch: usize,
    ) -> impl Iterator<Item = Result<TrackBatch, BoxError>> + '_ {
        let clips = (batch / self.views).max(1);
        let mut batches = self.loader.epoch(order, clips, 0, 0);
        std::iter::from_fn(move || {
            if let Some(signal) = self.interrupt.received() {
                return Some(Err(Stopped(signal).into()));
            }
            let batch = batches.next()?;
            Some(
                batch
                    .map_err(BoxError::from)
                    .and_then(|batch| Ok(track_batch(batch, &self.device)?)),
            )
        })
    }

    /// This rank's part of [`batches`](Self::batches), with progress shown.
    pub fn watched_batches(
        &self,
        batch: usize,
        printer: &Printer,
        what: &str,
    ) -> impl Iterator<Item = Result<TrackBatch, BoxError>> + '_ {
        let mut progress = printer.progress(what, self.own(batch).0.len() as u64);
        self.own_batches(batch)
            .map(|(_, batch)| batch)
            .inspect(move |batch| {
                if let Ok(batch) = batch {
                    progress.advance((batch.clips() / self.views) as u64);
                }
            })
    }

    /// What a classifier makes of all clips, of which `batches` are this rank's, views averaged.
    pub fn scores(
        &self,
        model: &Strl,
        batches: impl Iterator<Item = Result<TrackBatch, BoxError>>,
    ) -> Outcome<Scores> {
        let scores = Scores::of_ranks(world(), score(model, batches));
        let scores = scores.map_err(|error| world().failure(error))?;
        Ok(scores.averaged(self.views))
    }
}

/// The training steps of an epoch over several feeds, each a set of its own, but for the first `done`: a step is of one set,
/// and sets take turns at random, each as often as it has steps.
pub fn steps(
    feeds: &[&Feed],
    ranks: &dyn Ranks,
    (seed, epoch, done): (u64, usize, usize),
    (batch, micro_batch): (usize, usize),
) -> impl Iterator<Item = Result<Vec<TrackBatch>, BoxError>> + use<> {
    let all = feeds.iter().enumerate();
    let turns: Vec<usize> = all
        .flat_map(|(set, feed)| {
            let order: Vec<u32> = (0..feed.len() as u32).collect();
            vec![set; plan(&order, batch, micro_batch).len()]
        })
        .collect();
    let order = shuffled_for(seed, Purpose::Turns, epoch as u64, turns.len());
    let turns: Vec<usize> = order.into_iter().map(|at| turns[at]).collect();
    let (before, left) = turns.split_at(done.min(turns.len()));
    let mut each: Vec<Steps> = feeds
        .iter()
        .enumerate()
        .map(|(set, feed)| {
            let done = before.iter().filter(|turn| **turn == set).count();
            feed.steps(ranks, (seed, epoch, done), (batch, micro_batch))
        })
        .collect();
    let left = left.to_vec();
    left.into_iter().filter_map(move |set| {
        let mut step = each[set].next()?;
        if let Ok(batches) = &mut step {
            batches.iter_mut().for_each(|batch| batch.set = set);
        }
        Some(step)
    })
}

/// The steps of one epoch.
pub struct Steps {
    batches: Batches,
    /// Micro-batches of each step.
    sizes: std::vec::IntoIter<usize>,
    device: Device,
}

impl Iterator for Steps {
    type Item = Result<Vec<TrackBatch>, BoxError>;

    fn next(&mut self) -> Option<Self::Item> {
        let device = &self.device;
        let micro_batches = self.batches.by_ref().take(self.sizes.next()?);
        Some(
            micro_batches
                .map(|batch| Ok(track_batch(batch?, device)?))
                .collect(),
        )
    }
}

/// Moves the arrays of one batch into tensors on `device`.
///
/// # Errors
/// When the arrays don't fit together, which would be a bug of the loader.
fn track_batch(batch: Batch, device: &Device) -> skeletonmae::Result<TrackBatch> {
    let shape = (
        batch.tracks(),
        batch.frames,
        batch.joints,
        batch.coordinates,
    );
    let keypoints = Tensor::from_vec(batch.keypoints, shape, device)?;
    let presence = batch
        .presence
        .iter()
        .map(|&present| present > 0.0)
        .collect();
    TrackBatch::new(
        keypoints,
        presence,
        batch.track_clip,
        batch.ids,
        batch.labels,
    )
}

#[cfg(test)]
pub mod tests {
    use skeleton_data::{MemoryClips, Sequence, Units, Values};
    use skeleton_graph::Layout;
    use skeletonmae::train::ranks::Alone;

    use super::*;

    /// A clip without a label: coordinates (n, t, v, c), and nothing else.
    pub fn clip(id: impl Into<String>, shape: [usize; 4], keypoints: Vec<f32>) -> Sequence {
        Sequence::new(id, shape, Values::F32(keypoints))
    }

    fn clips(n: usize) -> MemoryClips {
        let layout = Layout::built_in("coco17").unwrap();
        let clip = |index: usize| {
            let persons = 1 + index % 2;
            let places = (0..persons * 3 * 17 * 2).map(|i| (i * (index + 1)) as f32 + 1.0);
            Sequence {
                label: Some(index as u32),
                ..clip(
                    format!("clip{index:02}"),
                    [persons, 3, 17, 2],
                    places.collect(),
                )
            }
        };
        MemoryClips {
            layout,
            units: Units::Pixel,
            classes: Vec::new(),
            clips: (0..n).map(clip).collect(),
        }
    }

    fn feed(n: usize, threads: usize, interrupt: &Interrupt) -> Feed {
        let augment = Augment {
            noise: 0.1,
            ..Augment::default()
        };
        let reading = Reading {
            frames: 4,
            ..Reading::default()
        };
        let feeds = Feeds {
            source: Arc::new(clips(n)),
            reading,
            machine: Machine::cpu(threads),
            interrupt,
        };
        feeds.of((0..n as u32).collect(), Some(&augment)).unwrap()
    }

    fn seen(feed: &Feed, seed: u64, epoch: usize) -> Vec<Vec<(Vec<String>, Vec<f32>)>> {
        let values = |batch: TrackBatch| {
            (
                batch.ids,
                batch.keypoints.flatten_all().unwrap().to_vec1().unwrap(),
            )
        };
        feed.steps(&Alone, (seed, epoch, 0), (5, 2))
            .map(|step| step.unwrap().into_iter().map(values).collect())
            .collect()
    }

    #[test]
    fn an_epoch_sees_every_clip_once_in_the_planned_sizes() {
        let steps = seen(&feed(11, 2, &Interrupt::default()), 1, 0);
        let sizes: Vec<Vec<usize>> = steps
            .iter()
            .map(|step| step.iter().map(|(ids, _)| ids.len()).collect())
            .collect();
        let order: Vec<u32> = (0..11).collect();
        let planned: Vec<Vec<usize>> = plan(&order, 5, 2)
            .iter()
            .map(|step| step.iter().map(Vec::len).collect())
            .collect();
        assert_eq!(sizes, planned);
        let mut ids: Vec<String> = steps
            .into_iter()
            .flatten()
            .flat_map(|(ids, _)| ids)
            .collect();
        ids.sort();
        assert_eq!(
            ids,
            (0..11)
                .map(|index| format!("clip{index:02}"))
                .collect::<Vec<_>>()
        );
    }

    #[test]
    fn steps_depend_on_seed_and_epoch_and_not_on_threads() {
        let interrupt = Interrupt::default();
        let (one, four) = (feed(9, 1, &interrupt), feed(9, 4, &interrupt));
        assert_eq!(seen(&one, 1, 2), seen(&four, 1, 2));
        assert_ne!(seen(&one, 1, 2), seen(&one, 1, 3));
        assert_ne!(seen(&one, 1, 2), seen(&one, 2, 2));
    }

    #[test]
    fn an_epoch_that_goes_on_sees_the_rest_of_it() {
        let feed = feed(9, 2, &Interrupt::default());
        let whole = seen(&feed, 1, 2);
        for done in 0..=whole.len() {
            let rest: Vec<Vec<Vec<String>>> = feed
                .steps(&Alone, (1, 2, done), (5, 2))
                .map(|step| step.unwrap().into_iter().map(|batch| batch.ids).collect())
                .collect();
            let expected: Vec<Vec<Vec<String>>> = whole[done..]
                .iter()
                .map(|step| step.iter().map(|(ids, _)| ids.clone()).collect())
                .collect();
            assert_eq!(rest, expected, "{done} steps done");
        }
    }

    #[test]
    fn held_out_clips_come_in_their_order() {
        let feed = feed(5, 2, &Interrupt::default());
        let ids: Vec<String> = feed
            .batches(2)
            .flat_map(|batch| batch.unwrap().ids)
            .collect();
        assert_eq!(ids, ["clip00", "clip01", "clip02", "clip03", "clip04"]);
    }

    fn batch() -> Batch {
        Batch {
            frames: 2,
            joints: 1,
            coordinates: 2,
            keypoints: (0..12).map(|x| x as f32).collect(),
            presence: vec![1.0, 0.0, 1.0, 1.0, 1.0, 1.0],
            track_clip: vec![0, 0, 1],
            ids: vec!["a".into(), "b".into()],
            labels: vec![3, -1],
        }
    }

    #[test]
    fn axes_keep_their_order() {
        let tracks = track_batch(batch(), &Device::Cpu).unwrap();
        assert_eq!(tracks.keypoints.dims(), [3, 2, 1, 2]);
        let last = tracks
            .keypoints
            .get(2)
            .unwrap()
            .get(1)
            .unwrap()
            .flatten_all()
            .unwrap();
        assert_eq!(last.to_vec1::<f32>().unwrap(), [10.0, 11.0]);
        assert_eq!(tracks.presence, [true, false, true, true, true, true]);
        assert_eq!(
            (tracks.clips(), tracks.track_clip, tracks.labels),
            (2, vec![0, 0, 1], vec![3, -1])
        );
    }

    #[test]
    fn arrays_that_do_not_fit_are_an_error() {
        let mut short = batch();
        short.keypoints.pop();
        assert!(track_batch(short, &Device::Cpu).is_err());
        let mut lost = batch();
        lost.track_clip[2] = 7;
        assert!(track_batch(lost, &Device::Cpu).is_err());
    }
}
