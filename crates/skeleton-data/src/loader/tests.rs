use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use skeleton_graph::Layout;

use super::*;
use crate::parallel::AHEAD;
use crate::{ClipView, Sequence, Values};

/// Clips of one or two people; reading clip `fatal` panics, clip `broken` has no present joint.
struct Clips {
    layout: Layout,
    clips: Vec<Sequence>,
    fatal: Option<usize>,
    reads: AtomicUsize,
}

impl ClipSource for Clips {
    fn len(&self) -> usize {
        self.clips.len()
    }

    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn clip(&self, index: usize) -> Result<ClipView<'_>> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        assert_ne!(Some(index), self.fatal, "clip {index} is fatal");
        Ok(self.clips[index].view())
    }
}

fn clips(count: usize, broken: Option<usize>, fatal: Option<usize>) -> Arc<Clips> {
    let clip = |index: usize| {
        let (persons, frames) = (1 + index % 2, 5 + index % 7);
        let values = (0..persons * frames * 34).map(|i| ((i * 31 + index * 17) % 101) as f32 + 1.0);
        let alive = f32::from(u8::from(broken != Some(index)));
        Sequence {
            label: (!index.is_multiple_of(3)).then_some(index as u32),
            ..Sequence::new(
                format!("clip{index}"),
                [persons, frames, 17, 2],
                Values::F32(values.map(|x| x * alive).collect()),
            )
        }
    };
    let layout = Layout::built_in("coco17").unwrap();
    Arc::new(Clips {
        layout,
        clips: (0..count).map(clip).collect(),
        fatal,
        reads: AtomicUsize::new(0),
    })
}

fn augment() -> Option<Augment> {
    Some(Augment {
        noise: 0.02,
        scale: 0.4,
        turn: 0.6,
        tilt: 0.0,
        flip: 0.5,
        crop: 0.6,
    })
}

fn loader(source: Arc<Clips>, workers: usize) -> Loader {
    Loader::new(
        source,
        Reading {
            frames: 16,
            ..Reading::default()
        },
        augment(),
        workers,
    )
    .unwrap()
}

fn order(count: u32) -> Vec<u32> {
    (0..count).map(|i| i * 7 % count).collect()
}

/// Each clip's numbers by its name.
fn by_clip(batches: &[Batch]) -> BTreeMap<String, Vec<f32>> {
    let mut clips = BTreeMap::new();
    for batch in batches {
        let track = batch.frames * batch.joints * batch.coordinates;
        for (values, &clip) in batch.keypoints.chunks_exact(track).zip(&batch.track_clip) {
            let numbers: &mut Vec<f32> = clips.entry(batch.ids[clip as usize].clone()).or_default();
            numbers.extend_from_slice(values);
        }
    }
    clips
}

#[test]
fn batches_do_not_depend_on_the_workers() {
    let source = clips(23, None, None);
    let all = |workers| {
        let batches = loader(source.clone(), workers).epoch(&order(23), 4, 5, 2);
        batches.collect::<Result<Vec<_>>>().unwrap()
    };
    let inline = all(0);
    assert_eq!(inline.len(), 6);
    assert_eq!(
        (
            inline[5].clips(),
            inline[0].frames,
            inline[0].joints,
            inline[0].coordinates
        ),
        (3, 16, 17, 2)
    );
    for workers in [1, 2, 5, 40] {
        assert_eq!(all(workers), inline, "{workers} workers");
    }
}

#[test]
fn a_batch_holds_the_tracks_of_its_clips_in_order() {
    let source = clips(6, None, None);
    let batch = loader(source, 1)
        .epoch(&[3, 0, 4, 1], 9, 0, 0)
        .next()
        .unwrap()
        .unwrap();
    assert_eq!(batch.ids, ["clip3", "clip0", "clip4", "clip1"]);
    assert_eq!(batch.labels, [-1, -1, 4, 1]);
    assert_eq!(batch.track_clip, [0, 0, 1, 2, 3, 3]);
    assert_eq!(batch.tracks(), 6);
    assert_eq!(batch.keypoints.len(), 6 * 16 * 17 * 2);
    assert_eq!(batch.presence, vec![1.0; 6 * 16 * 17]);
}

#[test]
fn a_plan_gives_its_batches_in_its_sizes() {
    let source = clips(9, None, None);
    let plan = vec![vec![8, 1], vec![0], vec![3, 2, 7]];
    let planned = loader(source.clone(), 2).planned(plan.clone(), 5, 2);
    let planned = planned.collect::<Result<Vec<_>>>().unwrap();
    let sizes: Vec<usize> = planned.iter().map(Batch::clips).collect();
    assert_eq!(sizes, [2, 1, 3]);
    let order = plan.concat();
    let whole = loader(source, 0).epoch(&order, 9, 5, 2);
    let whole = whole.collect::<Result<Vec<_>>>().unwrap();
    assert_eq!(by_clip(&planned), by_clip(&whole));
}

#[test]
fn evaluation_reads_every_view_of_a_clip() {
    let reading = Reading {
        frames: 3,
        clips: 4,
        sampling: crate::sample::Sampling::Uniform,
        ..Reading::default()
    };
    let source = clips(3, None, None);
    let batches = |augment| {
        let loader = Loader::new(source.clone(), reading.clone(), augment, 1).unwrap();
        loader
            .epoch(&[0, 1, 2], 2, 0, 0)
            .collect::<Result<Vec<_>>>()
            .unwrap()
    };
    let seen = batches(None);
    assert_eq!(
        seen[0].ids,
        [
            "clip0", "clip0", "clip0", "clip0", "clip1", "clip1", "clip1", "clip1"
        ]
    );
    assert_eq!(seen[0].labels, [-1, -1, -1, -1, 1, 1, 1, 1]);
    assert_eq!(seen[0].track_clip, [0, 1, 2, 3, 4, 4, 5, 5, 6, 6, 7, 7]);
    assert_eq!(seen[1].clips(), 4);
    assert_eq!(
        batches(augment())[0].ids,
        ["clip0", "clip1"],
        "training reads each once"
    );
}

#[test]
fn a_clips_numbers_depend_on_seed_epoch_and_name_alone() {
    let source = clips(12, None, None);
    let epoch = |order: &[u32], batch, seed, epoch| {
        by_clip(
            &loader(source.clone(), 2)
                .epoch(order, batch, seed, epoch)
                .collect::<Result<Vec<_>>>()
                .unwrap(),
        )
    };
    let first = epoch(&order(12), 5, 1, 0);
    let reversed: Vec<u32> = order(12).into_iter().rev().collect();
    assert_eq!(epoch(&reversed, 3, 1, 0), first);
    let differs =
        |other: BTreeMap<String, Vec<f32>>| first.iter().all(|(id, numbers)| other[id] != *numbers);
    assert!(differs(epoch(&order(12), 5, 1, 1)));
    assert!(differs(epoch(&order(12), 5, 2, 0)));
}

#[test]
fn the_first_error_ends_the_epoch_after_the_good_batches() {
    for workers in [0, 1, 3] {
        let mut batches =
            loader(clips(20, Some(9), None), workers).epoch(&(0..20).collect::<Vec<_>>(), 4, 0, 0);
        assert!(batches.next().unwrap().is_ok());
        assert!(batches.next().unwrap().is_ok());
        let error = batches.next().unwrap().unwrap_err().to_string();
        assert!(error.contains("clip9"), "{error}");
        assert!(batches.next().is_none());
    }
}

#[test]
fn a_panic_becomes_an_error() {
    for workers in [0, 1, 3] {
        let results: Vec<_> = loader(clips(20, None, Some(6)), workers)
            .epoch(&order(20), 2, 0, 0)
            .collect();
        let error = results.last().unwrap().as_ref().unwrap_err();
        assert!(
            matches!(error, Error::Worker { .. }) && error.to_string().contains("clip 6 is fatal"),
            "{error}"
        );
    }
}

#[test]
fn dropping_an_epoch_stops_the_workers() {
    let source = clips(400, None, None);
    let mut batches = loader(source.clone(), 2).epoch(&order(400), 2, 0, 0);
    batches.next().unwrap().unwrap();
    drop(batches);
    // One batch was taken; at most four more may be ready or in work.
    let reads = source.reads.load(Ordering::Relaxed);
    assert!(reads <= 2 * (1 + 2 * AHEAD), "{reads}");
    assert_eq!(Arc::strong_count(&source), 1);
}

#[test]
fn indices_batch_sizes_and_settings_are_checked() {
    let mut batches = loader(clips(3, None, None), 2).epoch(&[0, 3], 2, 0, 0);
    let error = batches.next().unwrap().unwrap_err().to_string();
    assert!(
        error.contains("below the source's 3 clips, found 3"),
        "{error}"
    );
    let mut batches = loader(clips(3, None, None), 2).epoch(&[0, 1], 0, 0, 0);
    assert!(batches.next().unwrap().is_err());
    assert!(batches.next().is_none());
    assert!(
        loader(clips(3, None, None), 2)
            .epoch(&[], 4, 0, 0)
            .next()
            .is_none()
    );
    let wrong = Some(Augment {
        crop: 2.0,
        ..Augment::default()
    });
    assert!(Loader::new(clips(1, None, None), Reading::default(), wrong, 1).is_err());
}

#[test]
fn a_clip_read_twice_is_changed_twice_and_first_as_ever() {
    let once: Vec<Batch> = batches(loader(clips(4, None, None), 0));
    let twice: Vec<Batch> = batches(loader(clips(4, None, None), 2).twice());
    for (once, twice) in once.iter().zip(&twice) {
        let doubled: Vec<&String> = once.ids.iter().flat_map(|id| [id, id]).collect();
        assert_eq!(twice.ids.iter().collect::<Vec<_>>(), doubled);
        let of = |batch: &Batch, entry: u32| -> Vec<f32> {
            let values = batch.keypoints.len() / batch.tracks();
            let tracks = batch.keypoints.chunks_exact(values).zip(&batch.track_clip);
            let own = tracks.filter(|(_, clip)| **clip == entry);
            own.flat_map(|(track, _)| track.to_vec()).collect()
        };
        for clip in 0..once.clips() as u32 {
            assert_eq!(of(once, clip), of(twice, 2 * clip));
            assert_ne!(of(once, clip), of(twice, 2 * clip + 1));
        }
    }
    assert_eq!(twice.len(), 2);
}

fn batches(loader: Loader) -> Vec<Batch> {
    let all = loader.epoch(&[0, 1, 2, 3], 2, 7, 1);
    all.collect::<Result<_>>().unwrap()
}
