use super::*;
use crate::{ClipView, Sequence, Values};

fn clip(persons: usize, frames: usize, joints: usize, keypoints: Vec<f32>) -> Sequence {
    assert_eq!(keypoints.len(), persons * frames * joints * 2);
    Sequence::new("clip", [persons, frames, joints, 2], Values::F32(keypoints))
}

/// The samples at `picks`, or spread over the whole clip.
fn filled(
    view: &ClipView<'_>,
    threshold: f32,
    picks: Option<&[Option<Pick>]>,
    samples: usize,
) -> (Vec<f32>, Vec<f32>, Survey) {
    let (mut survey, mut chosen) = (Survey::default(), Picks::default());
    survey.take(view, threshold, 2, PeopleBy::Presence);
    let whole = Choice::View {
        view: 0,
        views: 1,
        id: view.id,
    };
    let lengths = (survey.frames.len(), samples);
    chosen.choose(Sampling::Linear, lengths, whole, false);
    let picks = picks.unwrap_or(&chosen.now);
    let joints = survey.tracks.len() * picks.len() * view.joints;
    let (mut keypoints, mut presence) = (vec![9.0; joints * 2], vec![9.0; joints]);
    let mut to = Arrays {
        keypoints: &mut keypoints,
        presence: &mut presence,
    };
    let complete = Filler::default().fill::<2>(view, threshold, &survey, picks, &mut to);
    assert_eq!(complete, presence.iter().all(|&there| there == 1.0));
    (keypoints, presence, survey)
}

fn sampled(
    sequence: &Sequence,
    window: Option<Window>,
    samples: usize,
) -> (Vec<f32>, Vec<f32>, Survey) {
    let picks = window.map(|window| {
        let last = sequence.frames - 1;
        let picks = (0..samples).map(|k| Some(Pick::at(window.time(k, samples), last)));
        picks.collect::<Vec<_>>()
    });
    filled(&sequence.view(), 0.0, picks.as_deref(), samples)
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
    let (keypoints, presence, survey) = sampled(&clip(2, 4, 1, [first, second].concat()), None, 3);
    assert_eq!(survey.frames, [0, 2, 3]);
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
    let survey = sampled(&clip(5, 2, 1, values), None, 2).2;
    assert_eq!(survey.tracks, [1, 3]);
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
        let view = sequence.view();
        let (keypoints, presence, _) = filled(&view, 0.2, None, 1);
        assert_eq!(presence, [1.0, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!(
            keypoints,
            [1.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
        );
        assert_eq!(rank(&view, 0.2, 0, PeopleBy::Presence), 1.0);
        sequence.keypoints = Values::F16(values.iter().map(|&x| half::f16::from_f32(x)).collect());
    }
}

#[test]
fn people_are_read_by_presence_score_or_motion() {
    // Three people, three frames of one joint: a still one that is always there, one with a high score, one that moves.
    let people = [[1.0, 1.0, 1.0], [0.0, 5.0, 5.0], [0.0, 2.0, 9.0]];
    let values = people.iter().flatten().flat_map(|&x| [x, x]).collect();
    let mut sequence = clip(3, 3, 1, values);
    let first = |sequence: &Sequence, by| {
        let mut survey = Survey::default();
        survey.take(&sequence.view(), 0.0, 1, by);
        survey.tracks
    };
    assert_eq!(first(&sequence, PeopleBy::Presence), [0]);
    assert_eq!(first(&sequence, PeopleBy::Score), [0], "without scores");
    assert_eq!(first(&sequence, PeopleBy::Motion), [2]);
    sequence.scores = Some(Values::F32(vec![
        0.1, 0.1, 0.1, 0.0, 0.9, 0.9, 0.0, 0.2, 0.2,
    ]));
    assert_eq!(first(&sequence, PeopleBy::Score), [1]);
    // numpy: var([2, 9]) + var([2, 9]) = 24.5, and 0 for the others.
    assert_eq!(rank(&sequence.view(), 0.0, 2, PeopleBy::Motion), 24.5);
    let share = |by| share_of_motion(&sequence.view(), 0.0, 1, by);
    assert_eq!(
        (share(PeopleBy::Presence), share(PeopleBy::Motion)),
        (0.0, 1.0)
    );
}

#[test]
fn the_leading_track_comes_first_with_its_frames() {
    // Four people, four frames of one joint: seen in 1, 3, 3 and 1 frames; the second leads, the last is never with it.
    let people = [
        [1.0, 0.0, 0.0, 0.0],
        [2.0, 0.0, 3.0, 4.0],
        [5.0, 6.0, 7.0, 0.0],
        [0.0, 8.0, 0.0, 0.0],
    ];
    let values = people.iter().flatten().flat_map(|&x| [x, x]).collect();
    let (sequence, mut survey) = (clip(4, 4, 1, values), Survey::default());
    survey.take(&sequence.view(), 0.0, 4, PeopleBy::Presence);
    assert_eq!(
        (&survey.tracks[..], &survey.frames[..]),
        (&[0, 1, 2, 3][..], &[0, 1, 2, 3][..])
    );
    survey.follow(4);
    assert_eq!(
        (&survey.tracks[..], &survey.frames[..]),
        (&[1, 0, 2][..], &[0, 2, 3][..])
    );
}

#[test]
fn a_frame_later_is_one_kept_frame_and_ends_with_the_clip() {
    let mut picks = Picks::default();
    let whole = |id| Choice::View {
        view: 0,
        views: 1,
        id,
    };
    picks.choose(Sampling::Linear, (3, 5), whole("a"), true);
    let times = |pick: &Pick| pick.low as f32 + pick.weight;
    let later: Vec<_> = picks
        .later
        .iter()
        .map(|pick| pick.as_ref().map(times))
        .collect();
    assert_eq!(later, [Some(1.0), Some(1.5), Some(2.0), None, None]);
    picks.choose(Sampling::Uniform, (4, 4), whole("a"), true);
    let later: Vec<_> = picks
        .later
        .iter()
        .map(|pick| pick.as_ref().map(times))
        .collect();
    assert_eq!(later, [Some(1.0), Some(2.0), Some(3.0), None]);
    picks.choose(Sampling::Linear, (1, 2), whole("a"), true);
    assert_eq!(picks.later, [None, None]);
}

#[test]
fn uniform_crops_hold_their_share_and_views_their_seed() {
    let mut picks = Picks::default();
    let mut frames = |share, place, key| {
        let mut rng = stream(1, Purpose::Augment, 0, Key::Index(key));
        let choice = Choice::Random {
            share,
            place,
            rng: &mut rng,
        };
        picks.choose(Sampling::Uniform, (100, 10), choice, false);
        picks
            .now
            .iter()
            .flatten()
            .map(|pick| pick.low)
            .collect::<Vec<_>>()
    };
    for key in 0..50 {
        assert!(
            frames(0.5, 0.999, key)
                .iter()
                .all(|frame| (50..100).contains(frame))
        );
        assert!(
            frames(0.5, 0.0, key)
                .iter()
                .all(|frame| (0..50).contains(frame))
        );
        assert!(frames(0.001, 1.0, key).iter().all(|&frame| frame == 99));
    }
    let mut view = |view, id| {
        let choice = Choice::View { view, views: 3, id };
        picks.choose(Sampling::Uniform, (100, 10), choice, false);
        picks.now.clone()
    };
    assert_eq!(view(1, "a"), view(1, "a"));
    assert_ne!(view(1, "a"), view(2, "a"));
    assert_ne!(view(1, "a"), view(1, "b"));
}
