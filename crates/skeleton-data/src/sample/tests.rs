use super::*;
use crate::{Sequence, Values};

fn clip(persons: usize, frames: usize, joints: usize, keypoints: Vec<f32>) -> Sequence {
    assert_eq!(keypoints.len(), persons * frames * joints * 2);
    Sequence {
        id: "clip".into(),
        label: None,
        persons,
        frames,
        joints,
        coordinates: 2,
        keypoints: Values::F32(keypoints),
        scores: None,
        image: None,
        subject: None,
        camera: None,
        setup: None,
    }
}

fn sampled(
    sequence: &Sequence,
    window: Option<Window>,
    samples: usize,
) -> (Vec<f32>, Vec<f32>, Sampler) {
    let (mut sampler, view) = (Sampler::default(), sequence.view());
    sampler.survey(&view, 0.0, 2);
    let window = window.unwrap_or(Window::whole(sampler.frames.len()));
    let (mut keypoints, mut presence) = (Vec::new(), Vec::new());
    sampler.resample::<2>(&view, 0.0, window, samples, &mut keypoints, &mut presence);
    (keypoints, presence, sampler)
}

#[test]
fn times_are_numpys_linspace() {
    // numpy.linspace(0, 18, 64)[[0, 1, 31, 62, 63]]
    let window = Window::whole(19);
    let times = [0, 1, 31, 62, 63].map(|k| window.time(k, 64));
    let expected = [
        0.0,
        0.285_714_285_714_285_7,
        8.857_142_857_142_856,
        17.714_285_714_285_71,
        18.0,
    ];
    assert_eq!(times, expected);
    assert_eq!(Window::whole(19).time(0, 1), 0.0);
}

#[test]
fn a_crop_stays_inside_and_the_whole_crop_is_the_whole() {
    assert_eq!(Window::crop(19, 1.0, 0.7), Window::whole(19));
    let window = Window::crop(11, 0.5, 1.0);
    assert_eq!((window.start, window.length), (5.0, 5.0));
    // Joint 0 moves by one a frame: a window's samples are its times.
    let line: Vec<f32> = (0..11).flat_map(|t| [t as f32 + 1.0, 1.0]).collect();
    let (keypoints, ..) = sampled(
        &clip(1, 11, 1, line),
        Some(Window {
            start: 2.25,
            length: 4.0,
        }),
        5,
    );
    let x: Vec<f32> = keypoints.iter().copied().step_by(2).collect();
    assert_eq!(x, [3.25, 4.25, 5.25, 6.25, 7.25]);
}

#[test]
fn as_many_samples_as_frames_are_the_frames() {
    let values: Vec<f32> = (1..=24).map(|x| x as f32).collect();
    assert_eq!(sampled(&clip(1, 6, 2, values.clone()), None, 6).0, values);
}

#[test]
fn the_present_neighbour_stands_in() {
    // Joint 0 is there in frame 0 only, joint 1 in both, joint 2 in neither.
    let values = vec![4.0, 6.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 3.0, 5.0, 0.0, 0.0];
    let (keypoints, presence, _) = sampled(&clip(1, 2, 3, values), None, 3);
    assert_eq!(keypoints[6..12], [4.0, 6.0, 2.0, 3.0, 0.0, 0.0]);
    assert_eq!(presence, [1.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 0.0]);
}

#[test]
fn frames_without_anybody_are_dropped_for_all_tracks() {
    // Two people, four frames: frame 1 is empty for both, frame 2 for the second only.
    let first = [1.0, 1.0, 0.0, 0.0, 3.0, 3.0, 4.0, 4.0];
    let second = [5.0, 5.0, 0.0, 0.0, 0.0, 0.0, 8.0, 8.0];
    let (keypoints, presence, sampler) = sampled(&clip(2, 4, 1, [first, second].concat()), None, 3);
    assert_eq!(sampler.frames, [0, 2, 3]);
    assert_eq!(
        keypoints,
        [1.0, 1.0, 3.0, 3.0, 4.0, 4.0, 5.0, 5.0, 0.0, 0.0, 8.0, 8.0]
    );
    assert_eq!(presence, [1.0, 1.0, 1.0, 1.0, 0.0, 1.0]);
}

#[test]
fn the_fullest_tracks_are_kept_in_order() {
    // Present joints: 1, 2, 0, 2, 2 in two frames of one joint each.
    let people = [[1.0, 0.0], [2.0, 2.5], [0.0, 0.0], [3.0, 3.5], [4.0, 4.5]];
    let values = people
        .iter()
        .flat_map(|p| p.iter().flat_map(|&x| [x, x]))
        .collect();
    let sampler = sampled(&clip(5, 2, 1, values), None, 2).2;
    assert_eq!(sampler.tracks, [1, 3]);
}

#[test]
fn halves_scores_and_odd_numbers() {
    let values = [
        1.0,
        2.0,
        f32::NAN,
        2.0,
        3.0,
        f32::INFINITY,
        -0.0,
        0.0,
        5.0,
        6.0,
    ];
    let mut sequence = clip(1, 1, 5, values.to_vec());
    sequence.scores = Some(Values::F32(vec![0.3, 0.9, 0.9, 0.9, 0.1]));
    for _ in 0..2 {
        let (mut sampler, view) = (Sampler::default(), sequence.view());
        sampler.survey(&view, 0.2, 2);
        let (mut keypoints, mut presence) = (Vec::new(), Vec::new());
        sampler.resample::<2>(
            &view,
            0.2,
            Window::whole(1),
            1,
            &mut keypoints,
            &mut presence,
        );
        assert_eq!(presence, [1.0, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!(
            keypoints,
            [1.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
        );
        assert_eq!(count_present(&view, 0.2, 0), 1);
        sequence.keypoints = Values::F16(values.iter().map(|&x| half::f16::from_f32(x)).collect());
    }
}
