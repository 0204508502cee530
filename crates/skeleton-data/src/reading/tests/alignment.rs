//! View alignment as part of a read.

use super::*;
use crate::normalize::View;

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
