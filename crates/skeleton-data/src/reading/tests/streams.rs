//! Streams, uniform sampling and view alignment as parts of a read.

use super::*;
use crate::normalize::View;
use crate::stream::{parents, to_bones};

const STREAMS: [Stream; 4] = [
    Stream::Joint,
    Stream::Bone,
    Stream::JointMotion,
    Stream::BoneMotion,
];

fn strong() -> Augment {
    Augment {
        noise: 0.1,
        scale: 0.4,
        turn: 0.6,
        flip: 1.0,
        crop: 0.6,
    }
}

fn of(stream: Stream, sampling: Sampling) -> Reading {
    Reading {
        stream,
        sampling,
        ..Reading::default()
    }
}

#[test]
fn what_is_absent_is_zero_in_every_stream() {
    for (stream, sampling) in STREAMS
        .into_iter()
        .flat_map(|stream| [(stream, Sampling::Linear), (stream, Sampling::Uniform)])
    {
        for augment in [None, Some(&strong())] {
            let tracks = read(&clip(3), &of(stream, sampling), augment);
            assert_eq!((tracks.tracks, tracks.frames), (2, 64));
            assert!(tracks.presence.contains(&1.0) && tracks.presence.contains(&0.0));
            for (joint, &there) in tracks.keypoints.chunks(3).zip(&tracks.presence) {
                assert!(there == 1.0 || (there == 0.0 && *joint == [0.0; 3]));
            }
            if stream.is_of_bones() {
                let root = layout().root();
                let roots = tracks.presence.iter().skip(root).step_by(17);
                assert!(roots.into_iter().all(|&there| there == 0.0));
            }
        }
    }
}

#[test]
fn noise_is_the_joints_and_bones_are_taken_of_them() {
    for sampling in [Sampling::Linear, Sampling::Uniform] {
        let joints = read(&clip(2), &of(Stream::Joint, sampling), Some(&strong()));
        let bones = read(&clip(2), &of(Stream::Bone, sampling), Some(&strong()));
        let (mut keypoints, mut presence) = (joints.keypoints, joints.presence);
        let parents = parents(&layout());
        to_bones::<2>(&mut keypoints, &mut presence, &parents, &mut Vec::new());
        assert_eq!((keypoints, presence), (bones.keypoints, bones.presence));
    }
}

#[test]
fn motion_leads_to_the_next_frame_of_the_source() {
    let change = Augment {
        turn: 0.6,
        scale: 0.3,
        ..Augment::default()
    };
    let reading = |stream| Reading {
        frames: 30,
        ..of(stream, Sampling::Uniform)
    };
    let joints = read(&clip(2), &reading(Stream::Joint), Some(&change));
    let motion = read(&clip(2), &reading(Stream::JointMotion), Some(&change));
    let (mut compared, row) = (0, 17 * 2);
    for (index, &there) in motion.presence.iter().enumerate() {
        let (frame, joint) = (index / 17, index % 17);
        let both =
            frame % 30 < 29 && joints.presence[index] == 1.0 && joints.presence[index + 17] == 1.0;
        assert_eq!(there == 1.0, both, "frame {frame}, joint {joint}");
        for x in (0..2).map(|c| index * 2 + c).filter(|_| both) {
            let step = joints.keypoints[x + row] - joints.keypoints[x];
            assert!((motion.keypoints[x] - step).abs() < 1e-5);
            compared += 1;
        }
    }
    assert!(compared > 1000);
}

/// Whatever lies between two samples, a motion is that of one frame: a walk of constant speed moves by it everywhere.
#[test]
fn motion_does_not_depend_on_the_number_of_samples() {
    let mut walk = clip(2);
    let place = |row: usize| (row % (30 * 17) / 17) as f32;
    let values = (0..2 * 30 * 17).flat_map(|row| [3.0 + place(row), 9.0 - 0.25 * place(row)]);
    walk.keypoints = Values::F32(values.collect());
    for frames in [7, 30, 64] {
        let reading = Reading {
            frames,
            normalization: Normalization::None,
            ..of(Stream::JointMotion, Sampling::Linear)
        };
        let tracks = read(&walk, &reading, None);
        let joints = tracks.keypoints.chunks(2).zip(&tracks.presence);
        for (joint, _) in joints.filter(|(_, there)| **there == 1.0) {
            assert!((joint[0] - 1.0).abs() < 1e-5 && (joint[1] + 0.25).abs() < 1e-5);
        }
        assert!(tracks.presence[0] == 1.0 && tracks.presence[frames * 17 - 1] == 0.0);
    }
}

#[test]
fn a_clip_of_one_frame_has_no_motion_and_is_no_error() {
    let mut still = clip(2);
    still.frames = 1;
    still.keypoints = Values::F32((1..=68).map(|x| x as f32).collect());
    for sampling in [Sampling::Linear, Sampling::Uniform] {
        let tracks = read(&still, &of(Stream::BoneMotion, sampling), Some(&strong()));
        assert_eq!(tracks.tracks, 2);
        assert!(tracks.presence.iter().all(|&there| there == 0.0));
        assert!(tracks.keypoints.iter().all(|&x| x == 0.0));
    }
}

#[test]
fn views_of_a_clip_differ_and_are_counted() {
    let reading = Reading {
        frames: 8,
        clips: 3,
        ..of(Stream::Joint, Sampling::Uniform)
    };
    let view = |number| read_view(&clip(2).view(), &layout(), &reading, number);
    assert_eq!(view(0).unwrap(), read(&clip(2), &reading, None));
    assert_ne!(view(0).unwrap(), view(1).unwrap());
    assert_eq!(view(2).unwrap(), view(2).unwrap());
    let error = view(3).unwrap_err().to_string();
    assert!(error.contains("reading.clips: expected above"), "{error}");
    let linear = Reading {
        sampling: Sampling::Linear,
        ..reading
    };
    let error = linear.check().unwrap_err().to_string();
    assert!(
        error.contains("reading.clips: expected 1 with linear sampling"),
        "{error}"
    );
}

fn aligned() -> Reading {
    Reading {
        frames: 2,
        normalization: Normalization::View(View {
            origin: "chest".into(),
            spine: ["hip".into(), "chest".into()],
            shoulders: ["right".into(), "left".into()],
        }),
        ..Reading::default()
    }
}

fn body(keypoints: Vec<f32>) -> Sequence {
    Sequence {
        persons: 1,
        frames: 2,
        joints: 5,
        keypoints: Values::F32(keypoints),
        ..clip(3)
    }
}

/// tests/reference/pyskl_reading.py on this clip, whose second frame lacks the right shoulder:
///
/// ```python
/// import numpy as np, pyskl_reading as p
/// x = np.array([[[0, 0, 3], [.1, .5, 3.1], [-.2, .6, 3], [.3, .7, 3.2], [.1, .9, 3]],
///               [[0, .1, 3], [.1, .6, 3.1], [-.2, .8, 3], [0, 0, 0], [.1, 1, 3]]], np.float32)[None]
/// print(p.view(x, origin=1, spine=(0, 1), shoulders=(3, 2)).astype(np.float32).ravel())
/// ```
#[test]
fn a_view_is_aligned_as_the_reference_aligns_it() {
    let layout = Layout::from_toml(FIVE_JOINTS, "five.toml").unwrap();
    let sequence = body(BODY.to_vec());
    let tracks = read_clip(&sequence.view(), &layout, &aligned(), None).unwrap();
    for (ours, reference) in tracks.keypoints.iter().zip(ALIGNED) {
        assert!((ours - reference).abs() < 1e-6, "{ours} {reference}");
    }
}

/// A body with level shoulders looks the same from everywhere.
#[test]
fn an_aligned_clip_does_not_depend_on_the_camera() {
    let layout = Layout::from_toml(FIVE_JOINTS, "five.toml").unwrap();
    let level = [
        [0.0, 0.0, 0.0],
        [0.0, 0.0, 0.5],
        [-0.2, 0.0, 0.6],
        [0.2, 0.0, 0.6],
        [0.0, 0.1, 0.9],
    ];
    let walk = level.map(|[x, y, z]| [x + 0.1, y + 0.3, z]);
    let read = |turn: f32, tilt: f32, place: [f32; 3]| {
        let seen = |[x, y, z]: [f32; 3]| {
            let (x, y) = (
                x * turn.cos() - y * turn.sin(),
                x * turn.sin() + y * turn.cos(),
            );
            let (y, z) = (
                y * tilt.cos() - z * tilt.sin(),
                y * tilt.sin() + z * tilt.cos(),
            );
            [x + place[0], y + place[1], z + place[2]]
        };
        let keypoints = level.into_iter().chain(walk).flat_map(seen).collect();
        read_clip(&body(keypoints).view(), &layout, &aligned(), None).unwrap()
    };
    let first = read(0.0, 0.0, [1.0, 1.0, 1.0]);
    assert!(
        (first.keypoints[2] + 0.5).abs() < 1e-6,
        "the hip hangs down"
    );
    for (turn, tilt) in [(0.7, 0.2), (-2.0, -1.4), (3.0, 0.5)] {
        let other = read(turn, tilt, [-0.5, 2.0, 3.0]);
        for (a, b) in first.keypoints.iter().zip(&other.keypoints) {
            assert!((a - b).abs() < 2e-5, "{a} {b}");
        }
    }
}

#[test]
fn a_clip_that_cannot_be_aligned_is_named() {
    let layout = Layout::from_toml(FIVE_JOINTS, "five.toml").unwrap();
    let fails = |sequence: &Sequence, reading: &Reading, says: &str| {
        let error = read_clip(&sequence.view(), &layout, reading, None).unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
    };
    let mut blind = BODY;
    blind[9..12].fill(0.0);
    fails(
        &body(blind.to_vec()),
        &aligned(),
        "all joints that view alignment goes by, found none",
    );
    let mut flat = body(BODY[..20].to_vec());
    flat.coordinates = 2;
    fails(&flat, &aligned(), "3 coordinates for view alignment");
    let unknown = Reading {
        normalization: Normalization::View(View::default()),
        ..Reading::default()
    };
    fails(
        &body(BODY.to_vec()),
        &unknown,
        "reading.normalization.view.origin",
    );
    // The first frame lacks a shoulder: the second one decides.
    let mut late = [&BODY[..15], &BODY[..15]].concat();
    late[9..12].fill(0.0);
    let tracks = read_clip(&body(late).view(), &layout, &aligned(), None).unwrap();
    assert_eq!(tracks.presence[..5], [1.0, 1.0, 1.0, 0.0, 1.0]);
    assert!((tracks.keypoints[15..30].iter().zip(ALIGNED)).all(|(a, b)| (a - b).abs() < 1e-6));
}

#[test]
fn settings_without_the_newer_keys_and_with_them_are_read() {
    let reading = aligned();
    let text = serde_json::to_string(&reading).unwrap();
    assert_eq!(serde_json::from_str::<Reading>(&text).unwrap(), reading);
    let short = text.replace(
        &serde_json::to_string(&reading.normalization).unwrap(),
        r#"{"view":{}}"#,
    );
    let Normalization::View(view) = serde_json::from_str::<Reading>(&short)
        .unwrap()
        .normalization
    else {
        panic!("a view");
    };
    assert_eq!(view, View::default());
    assert!(serde_json::from_str::<Reading>(&text.replace("origin", "centre")).is_err());
}

const FIVE_JOINTS: &str = r#"
name = "five"
joints = ["hip", "chest", "left", "right", "head"]
edges = [[0, 1], [2, 1], [3, 1], [4, 1]]
flips = [[2, 3]]
origin = [1]
[[parts]]
name = "top"
joints = [1, 2, 3, 4]
[[parts]]
name = "bottom"
joints = [0]
"#;

const BODY: [f32; 30] = [
    0.0, 0.0, 3.0, 0.1, 0.5, 3.1, -0.2, 0.6, 3.0, 0.3, 0.7, 3.2, 0.1, 0.9, 3.0, //
    0.0, 0.1, 3.0, 0.1, 0.6, 3.1, -0.2, 0.8, 3.0, 0.0, 0.0, 0.0, 0.1, 1.0, 3.0,
];

const ALIGNED: [f32; 30] = [
    -0.21908896,
    -0.05549009,
    -0.4678898,
    0.0,
    0.0,
    0.0,
    -0.29211867,
    0.01849655,
    0.15596329,
    0.2556039,
    0.01849655,
    0.15596329,
    0.03651483,
    0.18401808,
    0.36715662,
    -0.20083155,
    -0.0324483,
    -0.37230873,
    0.01825741,
    0.0230418,
    0.0955811,
    -0.25560385,
    0.06458013,
    0.34712544,
    0.0,
    0.0,
    0.0,
    0.05477225,
    0.20705988,
    0.4627377,
];
