mod splits;

use std::ops::ControlFlow;

use skeleton_graph::Layout;

use super::*;
use crate::{MemoryClips, Sequence, Values};

/// A set without a fault: two classes, two subjects on each side, every clip different.
struct Set {
    clips: MemoryClips,
    splits: Vec<(String, Vec<u32>)>,
}

const JOINTS: usize = 15;

fn clip(index: usize) -> Sequence {
    let frames = 5 + index % 3;
    let place = |at: usize| {
        let (frame, joint, axis) = (at / 2 / JOINTS, at / 2 % JOINTS, at % 2);
        let (size, shift) = (40.0 + index as f32, 300.0 + 7.0 * index as f32);
        shift + size * (joint * (3 + 2 * axis) % 7) as f32 + 2.0 * frame as f32
    };
    Sequence {
        label: Some(index as u32 % 2),
        image: Some((1080, 1920)),
        subject: Some(index as u32 / 4),
        ..Sequence::new(
            format!("clip{index:02}"),
            [1, frames, JOINTS, 2],
            Values::F32((0..frames * JOINTS * 2).map(place).collect()),
        )
    }
}

fn sound() -> Set {
    Set {
        clips: MemoryClips {
            layout: Layout::built_in("jhmdb15").unwrap(),
            units: Units::Pixel,
            classes: vec!["sit".into(), "stand".into()],
            clips: (0..16).map(clip).collect(),
        },
        splits: vec![
            ("train".into(), (0..8).collect()),
            ("test".into(), (8..16).collect()),
        ],
    }
}

fn examined(change: impl FnOnce(&mut Set)) -> Health {
    let mut set = sound();
    change(&mut set);
    let splits: Vec<(&str, &[u32])> = set
        .splits
        .iter()
        .map(|(name, clips)| (&name[..], &clips[..]))
        .collect();
    let catalogue = Catalogue {
        labels: set.clips.clips.iter().map(|clip| clip.label).collect(),
        subjects: set.clips.clips.iter().map(|clip| clip.subject).collect(),
        classes: &set.clips.classes,
        units: set.clips.units,
        splits,
        reading: Reading::default(),
    };
    let survey = Survey::of(&set.clips, 0.0, 2, &mut |_| ControlFlow::Continue(()))
        .unwrap()
        .expect("nobody stops it");
    let pairs = usual_pairs(set.splits.iter().map(|(name, _)| &name[..]));
    examine(&set.clips, &survey, &catalogue, &pairs).unwrap()
}

/// The one finding that a change brings about: its kind, the clips it names, its words.
#[track_caller]
fn only(kind: Kind, clips: &[u32], words: &str, change: impl FnOnce(&mut Set)) -> Finding {
    let health = examined(change);
    let kinds: Vec<Kind> = health.findings.iter().map(|finding| finding.kind).collect();
    assert_eq!(kinds, [kind], "{:#?}", health.findings);
    let finding = health.findings.into_iter().next().unwrap();
    assert_eq!(
        finding
            .places
            .iter()
            .map(|place| place.clip)
            .collect::<Vec<_>>(),
        clips
    );
    assert_eq!(finding.what, words);
    assert!(!kind.why().is_empty() && finding.severity == kind.severity());
    finding
}

fn numbers(clip: &mut Sequence) -> &mut Vec<f32> {
    match &mut clip.keypoints {
        Values::F32(values) => values,
        Values::F16(_) => unreachable!("the clips here are in single precision"),
    }
}

#[test]
fn a_sound_set_has_no_findings() {
    let health = examined(|_| {});
    assert_eq!(health.findings, []);
    assert!(!health.is_ill());
    let majority = Some(Majority {
        class: 0,
        share: 0.5,
    });
    let split = |name: &str| SplitFacts {
        name: name.into(),
        clips: 8,
        unlabelled: 0,
        classes: 2,
        majority,
    };
    assert_eq!(health.splits, [split("train"), split("test")]);
    assert_eq!(
        health.pairs,
        [PairFacts {
            train: "train".into(),
            test: "test".into(),
            baseline: majority,
            leaked: 0
        }]
    );
}

#[test]
fn clips_that_teach_nothing_are_found() {
    only(
        Kind::EmptyClip,
        &[3],
        "1 clip without a frame or without a person",
        |set| {
            let clip = &mut set.clips.clips[3];
            (clip.frames, clip.keypoints) = (0, Values::F32(Vec::new()));
        },
    );
    let finding = only(
        Kind::NoPresentJoint,
        &[3, 9],
        "2 clips in which no joint is present in any frame",
        |set| {
            for clip in [3, 9] {
                numbers(&mut set.clips.clips[clip]).fill(0.0);
            }
        },
    );
    assert_eq!(finding.severity, Severity::Error);
    only(
        Kind::NotFinite,
        &[2],
        "1 clip with coordinates that are not finite, 2 joints in all",
        |set| {
            let values = numbers(&mut set.clips.clips[2]);
            (values[4], values[5], values[40]) = (f32::NAN, f32::NAN, f32::INFINITY);
        },
    );
    only(Kind::OneFrame, &[1], "1 clip of one frame", |set| {
        numbers(&mut set.clips.clips[1]).truncate(JOINTS * 2);
        set.clips.clips[1].frames = 1;
    });
    only(
        Kind::Constant,
        &[1],
        "1 clip of several frames in which no joint moves",
        |set| {
            let values = numbers(&mut set.clips.clips[1]);
            let first = values[..JOINTS * 2].to_vec();
            values
                .chunks_exact_mut(first.len())
                .for_each(|row| row.copy_from_slice(&first));
        },
    );
}

#[test]
fn sizes_that_make_no_sense_are_found() {
    let scaled = |set: &mut Set, clips: std::ops::Range<usize>, factor: f32| {
        for clip in clips {
            numbers(&mut set.clips.clips[clip])
                .iter_mut()
                .for_each(|x| *x *= factor);
            set.clips.clips[clip].image = None;
        }
    };
    let finding = examined(|set| scaled(set, 5..6, 1000.0)).findings;
    assert_eq!(
        finding
            .iter()
            .map(|finding| finding.kind)
            .collect::<Vec<_>>(),
        [Kind::Scale]
    );
    assert_eq!(
        finding[0].places,
        [Place {
            clip: 5,
            twin: None
        }]
    );

    let health = examined(|set| set.clips.units = Units::Metre);
    assert_eq!(health.findings[0].kind, Kind::Units);
    assert!(
        health.findings[0]
            .what
            .starts_with("units are said to be metre, and people are 4"),
        "{}",
        health.findings[0].what
    );
    let health = examined(|set| scaled(set, 0..16, 0.002));
    assert_eq!(
        health.findings[0].what.split(',').next(),
        Some("units are said to be pixel")
    );
    let health = examined(|set| set.clips.units = Units::Normalised);
    assert_eq!(health.findings[0].kind, Kind::Units);
    // Metres as Kinects have them are in order.
    let health = examined(|set| {
        set.clips.units = Units::Metre;
        scaled(set, 0..16, 0.004);
    });
    assert_eq!(health.findings, []);

    only(
        Kind::OutsideImage,
        &[7],
        "1 clip with most joints outside of the image",
        |set| {
            set.clips.clips[7].image = Some((100, 100));
        },
    );
}

#[test]
fn labels_that_make_no_sense_are_found() {
    only(
        Kind::LabelBeyondClasses,
        &[4, 5, 6],
        "3 clips with labels up to 2, beyond the 2 classes",
        |set| {
            // In both splits, so that nothing else is wrong.
            set.splits = vec![("all".into(), (0..16).collect())];
            (4..7).for_each(|clip| set.clips.clips[clip].label = Some(2));
        },
    );
    only(
        Kind::ClassWithoutClips,
        &[],
        "1 of 3 classes without a clip: 2 (lie)",
        |set| set.clips.classes.push("lie".into()),
    );
    only(
        Kind::Unlabelled,
        &[9],
        "1 clip of split test without a label",
        |set| set.clips.clips[9].label = None,
    );
    // Ten of thirteen are of class 1; the other split keeps both.
    only(
        Kind::Uneven,
        &[],
        "76.9 % of split train are of class 1 (stand)",
        |set| {
            set.splits[0].1 = (0..13).collect();
            set.splits[1].1 = vec![13, 14];
            (0..13).for_each(|clip| set.clips.clips[clip].label = Some(u32::from(clip > 2)));
            (0..16).for_each(|clip| set.clips.clips[clip].subject = None);
        },
    );
    // Clips without any label, for pre-training, lack nothing.
    let health = examined(|set| {
        set.clips
            .clips
            .iter_mut()
            .for_each(|clip| clip.label = None)
    });
    assert!(
        health
            .findings
            .iter()
            .all(|finding| finding.kind == Kind::Unlabelled),
        "{:#?}",
        health.findings
    );
}

/// The set in 3D: the third number of each joint as `third` makes it of its place.
fn with_third(set: &mut Set, third: impl Fn(usize) -> f32) {
    for clip in &mut set.clips.clips {
        let places = numbers(clip).chunks(2).enumerate();
        let values = places.flat_map(|(at, place)| [place[0], place[1], third(at)]);
        clip.keypoints = Values::F32(values.collect());
        clip.coordinates = 3;
    }
}

#[test]
fn a_score_that_is_read_as_depth_is_found_whatever_the_units() {
    for units in [Units::Pixel, Units::Metre, Units::Normalised] {
        let finding = |third: fn(usize) -> f32| {
            let health = examined(|set| {
                set.clips.units = units;
                with_third(set, third);
            });
            let mut kinds = health.findings.iter().map(|finding| finding.kind);
            let found = kinds.any(|kind| kind == Kind::ThirdIsScore);
            assert!(!found || kinds.all(|kind| kind != Kind::Units), "{units:?}");
            found
        };
        assert!(finding(|at| (at % 10) as f32 / 10.0), "{units:?}");
        assert!(!finding(|at| at as f32), "depth beyond 1");
        assert!(
            !finding(|at| (at % 10) as f32 / 10.0 - 0.5),
            "depth below 0"
        );
    }
}

#[test]
fn one_value_at_many_joints_is_a_mark() {
    for (mark, share) in [(-1.0, 30), (0.0, 30), (999.0, 5), (-1.0, 0)] {
        let health = examined(|set| {
            for clip in &mut set.clips.clips {
                for (at, place) in numbers(clip).chunks_mut(2).enumerate() {
                    if at * 7 % 100 < share {
                        place.fill(mark);
                    }
                }
            }
        });
        let found = health
            .findings
            .iter()
            .find(|finding| finding.kind == Kind::Mark);
        assert_eq!(found.is_some(), mark != 0.0 && share > 0, "{mark} {share}");
        if let Some(found) = found {
            assert!(
                found.what.contains(&format!("({mark}, {mark})")),
                "{}",
                found.what
            );
        }
    }
}

#[test]
fn people_beyond_those_that_are_read_are_said_with_what_they_do() {
    let crowd = |set: &mut Set| {
        for clip in &mut set.clips.clips {
            let actor = numbers(clip).clone();
            let still: Vec<f32> = (0..2)
                .flat_map(|person| {
                    let first = actor[..2 * JOINTS].to_vec();
                    let moved = first.into_iter().map(move |x| x + 50.0 * person as f32);
                    let frames = actor.len() / (2 * JOINTS);
                    moved.collect::<Vec<_>>().repeat(frames)
                })
                .collect();
            clip.persons = 3;
            clip.keypoints = Values::F32([still, actor].concat());
        }
    };
    let all: Vec<u32> = (0..16).collect();
    only(
        Kind::MorePeople,
        &all,
        "16 clips with more people than reading.persons = 2: those with the most present joints are read, the others are not; 0 % of the motion is read (median)",
        crowd,
    );
}

#[test]
fn a_set_without_splits_is_said_to_be_so() {
    only(Kind::NoSplits, &[], "no split", |set| set.splits.clear());
}
