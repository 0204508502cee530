//! Whatever numbers a clip holds and however it is read: tracks of finite numbers, or an error that names the clip.

use half::f16;
use rand::{Rng as _, RngCore as _};
use skeleton_data::augment::Augment;
use skeleton_data::normalize::{Normalization, View};
use skeleton_data::reading::{Reading, read_clip};
use skeleton_data::sample::{PeopleBy, Sampling};
use skeleton_data::skeleton_graph::Layout;
use skeleton_data::skeleton_graph::random::{Key, Purpose, Rng, stream};
use skeleton_data::stream::Stream;
use skeleton_data::{Sequence, Values};

/// Numbers of all kinds, many of them missing, odd or not numbers at all.
fn clip(rng: &mut Rng) -> Sequence {
    let coordinates = rng.random_range(2..=3);
    let (persons, frames) = (rng.random_range(0..4), rng.random_range(0..40));
    let count = persons * frames * 25 * coordinates;
    let odd = [
        0.0,
        -0.0,
        f16::NAN.to_f32(),
        f32::INFINITY,
        65504.0,
        -65504.0,
        6e-8,
    ];
    let missing = [0.0, 0.1, 0.9][rng.random_range(0..3)];
    let mut value = |_| match rng.random::<f64>() {
        draw if draw < missing => odd[rng.next_u32() as usize % odd.len()],
        draw => (draw * 4.0 - 2.0) as f32,
    };
    let keypoints: Vec<f32> = (0..count).map(&mut value).collect();
    let scores: Vec<f32> = (0..count / coordinates).map(&mut value).collect();
    let halves = rng.random::<bool>();
    let values = |numbers: &[f32]| {
        if halves {
            Values::F16(numbers.iter().map(|&x| f16::from_f32(x)).collect())
        } else {
            Values::F32(numbers.to_vec())
        }
    };
    Sequence {
        scores: rng.random::<bool>().then(|| values(&scores)),
        image: [None, Some((480, 640)), Some((0, 0))][rng.random_range(0..3)],
        ..Sequence::new(
            "odd",
            [persons, frames, 25, coordinates],
            values(&keypoints),
        )
    }
}

fn reading(rng: &mut Rng) -> Reading {
    let normalizations = [
        Normalization::None,
        Normalization::Clip,
        Normalization::Image,
        Normalization::View(View::default()),
    ];
    let streams = [
        Stream::Joint,
        Stream::Bone,
        Stream::JointMotion,
        Stream::BoneMotion,
    ];
    Reading {
        frames: rng.random_range(1..24),
        sampling: [Sampling::Linear, Sampling::Uniform][rng.random_range(0..2)],
        clips: 1,
        stream: streams[rng.random_range(0..4)],
        score_threshold: [-1.0, 0.0, 0.5][rng.random_range(0..3)],
        persons: rng.random_range(1..4),
        people: [PeopleBy::Presence, PeopleBy::Score, PeopleBy::Motion][rng.random_range(0..3)],
        normalization: normalizations[rng.random_range(0..4)].clone(),
    }
}

#[test]
fn any_clip_is_read_or_named() {
    let layout = Layout::built_in("ntu25").unwrap();
    let augment = Augment {
        noise: 0.1,
        scale: 0.4,
        turn: 2.0,
        tilt: 1.0,
        flip: 0.5,
        crop: 0.3,
    };
    let (mut read, mut refused) = (0, 0);
    for case in 0..3000 {
        let mut rng = stream(9, Purpose::Sample, 0, Key::Index(case));
        let (clip, reading) = (clip(&mut rng), reading(&mut rng));
        let augment = rng.random::<bool>().then_some((&augment, &mut rng));
        match read_clip(&clip.view(), &layout, &reading, augment) {
            Ok(tracks) => {
                read += 1;
                assert!((1..=reading.persons).contains(&tracks.tracks));
                let joints = tracks.keypoints.chunks(clip.coordinates);
                assert_eq!(tracks.presence.len(), tracks.tracks * reading.frames * 25);
                assert_eq!(joints.len(), tracks.presence.len());
                for (joint, &there) in joints.zip(&tracks.presence) {
                    let fine = |x: &f32| x.is_finite() && (there == 1.0 || *x == 0.0);
                    assert!(
                        (there == 0.0 || there == 1.0) && joint.iter().all(fine),
                        "case {case}"
                    );
                }
            }
            Err(error) => {
                refused += 1;
                assert!(
                    error.to_string().contains("\"odd\""),
                    "case {case}: {error}"
                );
            }
        }
    }
    assert!(read > 1000 && refused > 300, "{read} {refused}");
}
