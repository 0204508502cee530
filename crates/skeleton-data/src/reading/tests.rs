mod alignment;
mod streams;

use rand::Rng as _;
use skeleton_graph::random::{Key, Purpose, stream};

use super::*;
use crate::{Sequence, Values};

/// Two people walking through 30 frames of coco17, some joints absent.
fn clip(coordinates: usize) -> Sequence {
    let mut rng = stream(11, Purpose::Sample, 0, Key::Index(coordinates as u64));
    let mut keypoints = Vec::new();
    for row in 0..2 * 30 * 17 {
        let there = rng.random::<f32>() > 0.1;
        for c in 0..coordinates {
            let x = 100.0 * (c + 1) as f32 + (row % 17) as f32 * 7.0 + rng.random::<f32>() * 20.0;
            keypoints.push(if there { x } else { 0.0 });
        }
    }
    Sequence {
        label: Some(3),
        ..Sequence::new("pair", [2, 30, 17, coordinates], Values::F32(keypoints))
    }
}

fn layout() -> Layout {
    Layout::built_in("coco17").unwrap()
}

fn read(sequence: &Sequence, reading: &Reading, augment: Option<&Augment>) -> Tracks {
    let mut rng = stream(1, Purpose::Augment, 0, Key::Clip(&sequence.id));
    let augment = augment.map(|augment| (augment, &mut rng));
    read_clip(&sequence.view(), &layout(), reading, augment).unwrap()
}

#[test]
fn augmentation_by_nothing_is_no_augmentation() {
    for coordinates in [2, 3] {
        for normalization in [Normalization::None, Normalization::Clip] {
            let reading = Reading {
                normalization,
                ..Reading::default()
            };
            let clip = clip(coordinates);
            assert_eq!(
                read(&clip, &reading, None),
                read(&clip, &reading, Some(&Augment::default()))
            );
        }
    }
}

#[test]
fn absent_joints_are_zero_after_everything() {
    let augment = Augment {
        noise: 0.1,
        scale: 0.4,
        turn: 0.6,
        tilt: 0.4,
        flip: 1.0,
        crop: 0.6,
    };
    for coordinates in [2, 3] {
        for normalization in [
            Normalization::None,
            Normalization::Clip,
            Normalization::Image,
        ] {
            if coordinates == 3 && normalization == Normalization::Image {
                continue;
            }
            let reading = Reading {
                normalization,
                ..Reading::default()
            };
            let tracks = read(&clip(coordinates), &reading, Some(&augment));
            assert_eq!((tracks.tracks, tracks.frames, tracks.joints), (2, 64, 17));
            assert!(tracks.presence.contains(&0.0) && tracks.presence.contains(&1.0));
            for (joint, &there) in tracks.keypoints.chunks(coordinates).zip(&tracks.presence) {
                assert_eq!(
                    there == 0.0,
                    joint.iter().all(|&x| x == 0.0),
                    "{joint:?} {there}"
                );
            }
        }
    }
}

#[test]
fn a_flip_is_a_mirror_image() {
    let reading = Reading::default();
    let plain = read(&clip(2), &reading, None);
    let flipped = read(
        &clip(2),
        &reading,
        Some(&Augment {
            flip: 1.0,
            ..Augment::default()
        }),
    );
    let mirror = layout().mirror();
    for row in 0..2 * 64 {
        for (joint, other) in mirror.iter().enumerate() {
            let (from, to) = (row * 17 + other, row * 17 + joint);
            assert_eq!(plain.presence[from], flipped.presence[to]);
            assert_eq!(plain.keypoints[from * 2], -flipped.keypoints[to * 2]);
            assert_eq!(plain.keypoints[from * 2 + 1], flipped.keypoints[to * 2 + 1]);
        }
    }
}

#[test]
fn the_image_maps_to_minus_one_to_one() {
    let mut clip = clip(2);
    (clip.persons, clip.frames, clip.image) = (1, 1, Some((100, 300)));
    let mut corners = vec![5.0; 34];
    corners[..6].copy_from_slice(&[300.0, 100.0, 150.0, 50.0, 0.0, 50.0]);
    clip.keypoints = Values::F32(corners);
    let reading = Reading {
        normalization: Normalization::Image,
        frames: 1,
        ..Reading::default()
    };
    let found = read(&clip, &reading, None).keypoints;
    for (found, expected) in found.iter().zip([1.0f32, 1.0, 0.0, 0.0, -1.0, 0.0]) {
        assert!((found - expected).abs() < 1e-6, "{found} {expected}");
    }
    clip.image = None;
    let x = read(&clip, &reading, None).keypoints[..2].to_vec();
    assert!(
        (x[0] - (300.0 - 960.0) / 960.0).abs() < 1e-6
            && (x[1] - (100.0 - 540.0) / 540.0).abs() < 1e-6
    );
    clip.image = Some((0, 300));
    assert!(read_clip(&clip.view(), &layout(), &reading, None).is_err());
}

#[test]
fn unusable_clips_and_settings_are_errors_that_name_them() {
    let fails = |sequence: &Sequence, reading: &Reading, says: &str| {
        let error = read_clip(&sequence.view(), &layout(), reading, None)
            .unwrap_err()
            .to_string();
        assert!(error.contains(says), "{error}");
    };
    let good = clip(2);
    let zeros = Sequence {
        keypoints: Values::F32(vec![0.0; 2 * 30 * 17 * 2]),
        ..good.clone()
    };
    fails(
        &zeros,
        &Reading::default(),
        "\"pair\": expected a present joint",
    );
    fails(
        &Sequence {
            frames: 0,
            keypoints: Values::F32(vec![]),
            ..good.clone()
        },
        &Reading::default(),
        "present",
    );
    fails(
        &Sequence {
            joints: 15,
            ..good.clone()
        },
        &Reading::default(),
        "the 17 joints of the layout, found 15",
    );
    fails(
        &Sequence {
            frames: 31,
            ..good.clone()
        },
        &Reading::default(),
        "[2, 31, 17, 2]",
    );
    fails(
        &Sequence {
            coordinates: 4,
            frames: 15,
            ..good.clone()
        },
        &Reading::default(),
        "2 or 3 coordinates",
    );
    fails(
        &Sequence {
            scores: Some(Values::F32(vec![1.0])),
            ..good.clone()
        },
        &Reading::default(),
        "scores",
    );
    let image = Reading {
        normalization: Normalization::Image,
        ..Reading::default()
    };
    fails(&clip(3), &image, "normalisation by the image");
    fails(
        &good,
        &Reading {
            frames: 0,
            ..Reading::default()
        },
        "reading.frames",
    );
    fails(
        &good,
        &Reading {
            persons: 0,
            ..Reading::default()
        },
        "reading.persons",
    );
    fails(
        &good,
        &Reading {
            score_threshold: f32::NAN,
            ..Reading::default()
        },
        "score_threshold",
    );
}

#[test]
fn unknown_settings_are_refused() {
    let reading =
        r#"{"frames": 64, "normalization": "clip", "score_threshold": 0.0, "persons": 2}"#;
    assert_eq!(
        serde_json::from_str::<Reading>(reading).unwrap(),
        Reading::default()
    );
    assert!(serde_json::from_str::<Reading>(&reading.replace("persons", "people")).is_err());
    assert!(serde_json::from_str::<Reading>(&reading.replace("\"clip\"", "\"Clip\"")).is_err());
    assert!(serde_json::from_str::<Augment>(r#"{"nose": 0.0}"#).is_err());
}

/// torch_ssl.load_clips on a clip whose second frame is empty:
///
/// ```python
/// import numpy as np, torch_ssl
/// p = np.array([[[1., 2.], [3., 5.]], [[0., 0.], [0., 0.]], [[2., 7.], [4., 1.]], [[6., 3.], [1., 1.]]])
/// print(torch_ssl.load_clips([p], [0], 4)[0].numpy().ravel())
/// ```
#[test]
fn a_clip_reads_as_the_reference_reads_it() {
    let layout = Layout::from_toml(TWO_JOINTS, "two.toml").unwrap();
    let keypoints = vec![
        1., 2., 3., 5., 0., 0., 0., 0., 2., 7., 4., 1., 6., 3., 1., 1.,
    ];
    let pair = Sequence {
        persons: 1,
        frames: 4,
        joints: 2,
        keypoints: Values::F32(keypoints),
        ..clip(2)
    };
    let reading = Reading {
        frames: 4,
        ..Reading::default()
    };
    let tracks = read_clip(&pair.view(), &layout, &reading, None).unwrap();
    for (ours, reference) in tracks.keypoints.iter().zip(GOLDEN) {
        assert!((ours - reference).abs() < 2e-6, "{ours} {reference}");
    }
}

const TWO_JOINTS: &str = r#"
name = "two"
joints = ["a", "b"]
edges = [[1, 0]]
flips = []
origin = [0]
[[parts]]
name = "first"
joints = [0]
[[parts]]
name = "second"
joints = [1]
"#;

const GOLDEN: [f32; 16] = [
    -1.0945402, -0.6965256, 0.0995037, 1.0945402, -0.6965256, 1.2935476, 0.4975183, -0.4975183,
    0.298511, 1.4925549, 0.0995037, -1.2935476, 1.8905696, -0.0995037, -1.0945402, -1.2935476,
];
