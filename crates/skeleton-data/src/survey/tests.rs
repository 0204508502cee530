use std::ops::ControlFlow;

use half::f16;
use skeleton_graph::Layout;

use super::*;
use crate::synthetic::{SyntheticKind, SyntheticSettings, synthetic};
use crate::{ClipView, MemoryClips, Sequence, Units, Values};

fn clips(kind: SyntheticKind) -> MemoryClips {
    let settings = SyntheticSettings {
        subjects: 4,
        repetitions: 1,
        seed: 1,
    };
    let set = synthetic(kind, &settings).unwrap();
    MemoryClips {
        layout: set.layout,
        units: set.units,
        classes: set.classes,
        clips: set.sequences,
    }
}

fn survey(source: &dyn ClipSource, threads: usize) -> Survey {
    Survey::of(source, 0.0, threads, &mut |_| ControlFlow::Continue(()))
        .unwrap()
        .expect("nobody stops it")
}

/// The same counts, in the plainest way.
fn plain(view: &ClipView<'_>) -> (u64, u64, Vec<u64>) {
    let (v, c) = (view.joints, view.coordinates);
    let present = |row: usize, joint: usize| {
        let scored = view
            .scores
            .is_none_or(|scores| scores.get(row * v + joint) > 0.0);
        scored && (0..c).any(|axis| view.keypoints.get((row * v + joint) * c + axis) != 0.0)
    };
    let (mut poses, mut there, mut missing) = (0, 0, vec![0; v]);
    for row in 0..view.persons * view.frames {
        let count = (0..v).filter(|&joint| present(row, joint)).count() as u64;
        there += count;
        if count > 0 {
            poses += 1;
            (0..v)
                .filter(|&joint| !present(row, joint))
                .for_each(|joint| missing[joint] += 1);
        }
    }
    (poses, there, missing)
}

#[test]
fn a_survey_counts_what_is_there() {
    for kind in [SyntheticKind::Coco17, SyntheticKind::Ntu25] {
        let source = clips(kind);
        let found = survey(&source, 3);
        let mut missing = vec![0; source.layout.len()];
        for (clip, facts) in source.clips.iter().zip(&found.clips) {
            let (poses, present, lacking) = plain(&clip.view());
            assert_eq!(
                (u64::from(facts.poses), facts.present),
                (poses, present),
                "{}",
                clip.id
            );
            assert_eq!(
                (facts.persons as usize, facts.frames as usize),
                (clip.persons, clip.frames)
            );
            assert!(facts.moves && facts.not_finite == 0 && facts.size > 0.0 && facts.reach > 0.0);
            missing
                .iter_mut()
                .zip(lacking)
                .for_each(|(sum, more)| *sum += more);
        }
        assert_eq!(found.missing, missing);
        assert!(missing.iter().any(|&n| n > 0), "the set has missing joints");
        assert_eq!(
            found.rows,
            source
                .clips
                .iter()
                .map(|clip| (clip.persons * clip.frames) as u64)
                .sum::<u64>()
        );
        let scores: usize = source
            .clips
            .iter()
            .filter_map(|clip| clip.scores.as_ref())
            .map(|s| s.view().len())
            .sum();
        assert_eq!(
            found.scores.as_ref().map_or(0, ScoreCounts::all),
            scores as u64
        );
        assert!((0.0..0.5).contains(&found.missing_share()));
    }
}

#[test]
fn threads_change_nothing() {
    let source = clips(SyntheticKind::Coco17);
    assert_eq!(survey(&source, 1), survey(&source, 7));
}

fn one(values: Values, persons: usize, frames: usize, scores: Option<Values>) -> MemoryClips {
    let layout = Layout::built_in("jhmdb15").unwrap();
    let clip = Sequence {
        scores,
        ..Sequence::new("one", [persons, frames, 15, 2], values)
    };
    MemoryClips {
        layout,
        units: Units::Pixel,
        classes: Vec::new(),
        clips: vec![clip],
    }
}

#[test]
fn a_hash_depends_on_every_byte_and_on_the_shape() {
    let values: Vec<f16> = (0..60).map(|i| f16::from_f32(i as f32 + 1.0)).collect();
    let hash = |values: &[f16], persons, frames| {
        survey(&one(Values::F16(values.to_vec()), persons, frames, None), 1).clips[0].content
    };
    let original = hash(&values, 1, 2);
    assert_eq!(original, hash(&values, 1, 2));
    assert_ne!(original, hash(&values, 2, 1));
    for at in 0..values.len() {
        let mut other = values.clone();
        other[at] = f16::from_bits(other[at].to_bits() ^ 1);
        assert_ne!(original, hash(&other, 1, 2), "number {at}");
    }
}

#[test]
fn scores_at_the_threshold_make_a_joint_missing() {
    let scores: Vec<f32> = (0..15).map(|joint| joint as f32 / 14.0).collect();
    let source = one(Values::F32(vec![1.0; 30]), 1, 1, Some(Values::F32(scores)));
    let of = |threshold| {
        let found = Survey::of(&source, threshold, 1, &mut |_| ControlFlow::Continue(()))
            .unwrap()
            .unwrap();
        found.clips[0].present
    };
    assert_eq!((of(0.0), of(0.5), of(1.0)), (14, 7, 0));
    let counts = survey(&source, 1).scores.unwrap();
    assert_eq!((counts.zero, counts.all()), (1, 15));
    assert_eq!(counts.tenths().iter().sum::<u64>(), 14);
    assert_eq!((counts.quantile(0.0), counts.quantile(1.0)), (0.0, 1.0));
    assert!(
        (counts.quantile(0.5) - 0.5).abs() < 0.01,
        "{}",
        counts.quantile(0.5)
    );
}

#[test]
fn extreme_numbers_are_measured_without_overflow() {
    let mut values = vec![1.0f32; 60];
    (values[0], values[2]) = (f32::MAX, f32::MIN);
    (values[10], values[20]) = (f32::NAN, f32::NEG_INFINITY);
    let found = survey(&one(Values::F32(values), 1, 2, None), 1);
    assert_eq!((found.clips[0].not_finite, found.clips[0].present), (2, 28));
    assert_eq!(found.clips[0].reach, f32::MAX);
    assert_eq!(found.missing.iter().sum::<u64>(), 2);
}

#[test]
fn a_survey_stops_when_asked() {
    let source = clips(SyntheticKind::Coco17);
    let mut calls = 0;
    let stopped = Survey::of(&source, 0.0, 2, &mut |_| {
        calls += 1;
        ControlFlow::Break(())
    });
    assert_eq!((stopped.unwrap(), calls), (None, 1));
}

#[test]
fn the_first_clip_that_cannot_be_read_is_reported() {
    let mut source = clips(SyntheticKind::Coco17);
    for clip in [40, 63, 10] {
        source.clips[clip].frames += 1;
    }
    let id = source.clips[10].id.clone();
    for threads in [1, 4] {
        let error =
            Survey::of(&source, 0.0, threads, &mut |_| ControlFlow::Continue(())).unwrap_err();
        assert!(error.to_string().contains(&id), "{error}");
    }
}
