//! The set as a whole. What the bodies do is tested in `motion`, what a mean pose tells in `mean_pose`.

mod mean_pose;
mod motion;

use sha2::{Digest, Sha256};

use super::*;
use crate::Values;

fn small() -> SyntheticSettings {
    SyntheticSettings {
        subjects: 4,
        repetitions: 1,
        seed: 3,
    }
}

fn make(kind: SyntheticKind, settings: &SyntheticSettings) -> Synthetic {
    synthetic(kind, settings).unwrap()
}

fn halves(values: &Values) -> Vec<f32> {
    match values {
        Values::F16(values) => values.iter().map(|x| x.to_f32()).collect(),
        Values::F32(_) => panic!("the set is stored in half precision"),
    }
}

#[test]
fn the_default_set_is_as_documented() {
    for kind in [SyntheticKind::Coco17, SyntheticKind::Ntu25] {
        let set = make(kind, &SyntheticSettings::default());
        assert_eq!((set.sequences.len(), set.classes.len()), (960, 16));
        let splits: Vec<_> = set
            .splits
            .iter()
            .map(|(name, ids)| (name.as_str(), ids.len()))
            .collect();
        assert_eq!(splits, [("train", 672), ("val", 288)]);
        let mut ids: Vec<_> = set.splits.iter().flat_map(|(_, ids)| ids).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 960);
        let (mut joints, mut missing, mut frames) = (0, 0, Vec::new());
        for clip in &set.sequences {
            assert!((scene::FRAMES.0..=scene::FRAMES.1).contains(&clip.frames));
            frames.push(clip.frames);
            let action = ACTIONS[clip.label.unwrap() as usize].action;
            assert_eq!(clip.persons, action.facts().persons);
            assert_eq!(
                (clip.joints, clip.coordinates),
                (set.layout.len(), kind.coordinates())
            );
            let values = halves(&clip.keypoints);
            assert!(values.iter().all(|x| x.is_finite()));
            let absent: Vec<bool> = values
                .chunks_exact(clip.coordinates)
                .map(|joint| joint.iter().all(|&x| x == 0.0))
                .collect();
            if let Some(scores) = &clip.scores {
                let scores = halves(scores);
                assert!(
                    scores
                        .iter()
                        .zip(&absent)
                        .all(|(&score, &absent)| (score == 0.0) == absent)
                );
            }
            joints += absent.len();
            missing += absent.iter().filter(|&&absent| absent).count();
        }
        assert!(frames.iter().max().unwrap() > &110 && frames.iter().min().unwrap() < &35);
        let share = missing as f64 / joints as f64;
        assert!((0.01..0.1).contains(&share), "{share}");
    }
}

#[test]
fn subjects_are_disjoint_between_splits_and_partners_are_of_the_same() {
    let set = make(SyntheticKind::Coco17, &SyntheticSettings::default());
    for clip in &set.sequences {
        let split = usize::from(clip.subject.unwrap() >= 14);
        assert!(set.splits[split].1.contains(&clip.id));
    }
    let bodies: Vec<Subject> = (0..20)
        .map(|s| Subject::draw(0, &format!("subject{s:03}")))
        .collect();
    for (subject, group) in [(0, 0..14), (13, 0..14), (14, 14..20), (19, 14..20)] {
        for clip in 0..50 {
            let mut dice = Dice::new(clip, "cast");
            let pair = cast(&mut dice, subject, Action::Push, &bodies, group.clone());
            let numbers: Vec<usize> = pair
                .iter()
                .map(|one| bodies.iter().position(|body| body == *one).unwrap())
                .collect();
            assert!(numbers.contains(&subject) && numbers[0] != numbers[1]);
            assert!(
                numbers.iter().all(|number| group.contains(number)),
                "{numbers:?}"
            );
        }
    }
}

#[test]
fn clips_depend_on_seed_and_name_alone() {
    let set = make(SyntheticKind::Coco17, &small());
    let again = make(SyntheticKind::Coco17, &small());
    assert_eq!(set.sequences, again.sequences);
    let more = make(
        SyntheticKind::Coco17,
        &SyntheticSettings {
            repetitions: 2,
            ..small()
        },
    );
    for clip in &set.sequences {
        assert!(more.sequences.contains(clip), "{}", clip.id);
    }
    let other = make(
        SyntheticKind::Coco17,
        &SyntheticSettings { seed: 4, ..small() },
    );
    assert!(
        set.sequences
            .iter()
            .zip(&other.sequences)
            .all(|(a, b)| a.keypoints != b.keypoints)
    );
}

/// A change of these numbers is a change of the data set: results measured before it can't be compared any more.
/// Coordinates are stored in half precision, so that the last bits of a machine's sine don't matter.
#[test]
fn the_numbers_stay_what_they_are() {
    let digests = [SyntheticKind::Coco17, SyntheticKind::Ntu25].map(|kind| {
        let mut hash = Sha256::new();
        for clip in make(kind, &small()).sequences {
            hash.update(clip.id.as_bytes());
            for values in std::iter::once(&clip.keypoints).chain(&clip.scores) {
                let Values::F16(values) = values else {
                    panic!("half precision")
                };
                values
                    .iter()
                    .for_each(|x| hash.update(x.to_bits().to_le_bytes()));
            }
        }
        hash.finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    });
    assert_eq!(digests, [COCO17, NTU25]);
}

const COCO17: &str = "005035b5cd04111f4c1c7b5ab8bd4984426c9d8c09c8b590308c4bdf99c6cef2";
const NTU25: &str = "ded14b7271563ac2afe0a68fe0d8e2d054a3b87793d98603f808ffa3dd50cd7a";

/// Facing the camera, a subject's left is to the image's right; a Kinect's x grows to the camera's left.
#[test]
fn left_and_right_are_where_they_belong() {
    for (kind, left, right, sign) in [
        (SyntheticKind::Coco17, 5, 6, 1.0),
        (SyntheticKind::Ntu25, 4, 8, -1.0),
    ] {
        let set = make(kind, &small());
        for clip in set.sequences.iter().filter(|clip| clip.persons == 1) {
            let values = halves(&clip.keypoints);
            let c = clip.coordinates;
            let x = |row: &[f32], joint: usize| row[joint * c];
            let apart: f32 = values
                .chunks_exact(clip.joints * c)
                .filter(|row| x(row, left) != 0.0 && x(row, right) != 0.0)
                .map(|row| x(row, left) - x(row, right))
                .sum();
            assert!(apart * sign > 0.0, "{}", clip.id);
        }
    }
}

#[test]
fn so_many_clips_are_dealt_evenly_and_shown_in_order() {
    let set = Generator::of_clips(SyntheticKind::Ntu25, 7, 401, 0.25, 3).expect("possible");
    assert_eq!(set.len(), 401);
    let mut clips = Vec::new();
    set.each(|clip| -> Result<()> {
        clips.push(clip);
        Ok(())
    })
    .expect("nothing fails");
    assert_eq!(clips.iter().filter(|clip| clip.persons == 2).count(), 100);
    for (at, clip) in clips.iter().enumerate() {
        assert_eq!(*clip, set.clip(at));
    }
    for subject in 0..7 {
        let own = clips.iter().filter(|clip| clip.subject == Some(subject));
        assert!((56..=58).contains(&own.count()), "subject {subject}");
    }
    // The same clips as in a set of repetitions.
    let usual = make(SyntheticKind::Ntu25, &small());
    let same = Generator::of_clips(
        SyntheticKind::Ntu25,
        small().subjects,
        16,
        0.125,
        small().seed,
    );
    let first = same.expect("possible").clip(0);
    assert!(usual.sequences.contains(&first));
    let of = |subjects, clips, pairs| {
        Generator::of_clips(SyntheticKind::Ntu25, subjects, clips, pairs, 0)
    };
    for bad in [
        of(3, 9, 0.1),
        of(9, 0, 0.1),
        of(9, 9, 1.5),
        of(9, 9, f64::NAN),
    ] {
        assert!(matches!(bad, Err(Error::Setting { .. })), "{bad:?}");
    }
}

#[test]
fn impossible_settings_are_errors() {
    for settings in [
        SyntheticSettings {
            subjects: 3,
            ..small()
        },
        SyntheticSettings {
            subjects: 1000,
            ..small()
        },
        SyntheticSettings {
            repetitions: 0,
            ..small()
        },
    ] {
        assert!(matches!(
            synthetic(SyntheticKind::Ntu25, &settings),
            Err(Error::Setting { .. })
        ));
    }
}
