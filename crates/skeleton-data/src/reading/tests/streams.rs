//! Streams and uniform sampling as parts of a read.

use super::*;
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
        tilt: 0.4,
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
