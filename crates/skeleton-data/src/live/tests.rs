use super::*;

/// Someone of two joints around a place.
fn pose(person: Option<i64>, x: f32) -> Pose {
    Pose {
        person,
        places: vec![x, 1.0, x + 10.0, 21.0],
        scores: vec![1.0, 1.0],
    }
}

fn frame(time: f64, people: Vec<Pose>) -> Frame {
    Frame {
        time: Some(time),
        number: None,
        image: Some((480, 640)),
        people,
    }
}

fn window(window: &str, hop: &str) -> Window {
    let settings = Settings {
        window: window.parse().unwrap(),
        hop: hop.parse().unwrap(),
        gap: 1.0,
        rate: 10.0,
    };
    Window::new(settings, (2, 2)).unwrap()
}

fn xs(due: &Due) -> Vec<f32> {
    let Values::F32(keypoints) = &due.clip.keypoints else {
        panic!("single precision");
    };
    keypoints.iter().step_by(4).copied().collect()
}

#[test]
fn a_window_of_frames_is_answered_every_hop_and_at_the_end() {
    let mut window = window("4", "2");
    let mut answered = Vec::new();
    for i in 0..9 {
        let step = window.push(frame(f64::from(i) * 0.1, vec![pose(None, i as f32)]));
        answered.extend(step.due.map(|due| (due.frame, xs(&due))));
    }
    assert_eq!(
        answered,
        [
            (4, vec![0.0, 1.0, 2.0, 3.0]),
            (6, vec![2.0, 3.0, 4.0, 5.0]),
            (8, vec![4.0, 5.0, 6.0, 7.0])
        ]
    );
    let last = window.end().unwrap();
    assert_eq!((last.frame, xs(&last)), (9, vec![5.0, 6.0, 7.0, 8.0]));
    assert!(window.end().is_none(), "all is answered");
}

#[test]
fn a_window_of_seconds_goes_by_the_time_of_frames() {
    let mut window = window("1s", "0.5s");
    let mut answered = Vec::new();
    for i in 0..40 {
        let step = window.push(frame(f64::from(i) * 0.05, vec![pose(None, 1.0)]));
        answered.extend(step.due.map(|due| (due.time, due.clip.frames)));
    }
    let times: Vec<f64> = answered.iter().map(|(time, _)| *time).collect();
    assert!(
        times
            .iter()
            .zip([1.0, 1.5])
            .all(|(a, b)| (a - b).abs() < 1e-9)
            && times.len() == 2,
        "{times:?}"
    );
    assert!(
        answered
            .iter()
            .all(|&(_, frames)| (20..=21).contains(&frames))
    );
}

#[test]
fn frames_without_a_time_are_those_of_the_rate() {
    let mut window = window("1s", "1s");
    let bare = |number| Frame {
        time: None,
        number,
        ..frame(0.0, vec![pose(None, 1.0)])
    };
    let due: Vec<u64> = (0..25)
        .filter_map(|_| window.push(bare(None)).due.map(|due| due.frame))
        .collect();
    assert_eq!(due, [11, 21]);
    let step = window.push(bare(Some(1000)));
    assert!(matches!(step.restart, Some(Restart::Gap(gap)) if gap > 90.0));
}

#[test]
fn who_is_lost_stays_as_long_as_the_window_and_is_known_again() {
    let mut window = window("4", "1");
    let mut names = Vec::new();
    for i in 0..12u8 {
        let there = [0, 1, 3, 9, 10, 11].contains(&i);
        let people = if there { vec![pose(None, 5.0)] } else { vec![] };
        let step = window.push(frame(f64::from(i) * 0.1, people));
        names.extend(step.due.map(|due| due.people));
    }
    let seen = vec!["p1".to_owned()];
    assert_eq!(
        &names[..4],
        vec![seen.clone(); 4],
        "frames 0 to 6, found again at 3"
    );
    assert_eq!(&names[4..6], [Vec::<String>::new(), Vec::new()], "nobody");
    assert_eq!(
        names[6],
        ["p2"],
        "who comes after the window is somebody new"
    );
    assert!(window.tracks.len() == 1);
}

#[test]
fn a_gap_a_step_back_and_another_size_begin_anew() {
    let mut window = window("8", "8");
    let push = |window: &mut Window, time: f64| window.push(frame(time, vec![pose(None, 1.0)]));
    for i in 0..3 {
        assert!(push(&mut window, f64::from(i) * 0.1).ended.is_none());
    }
    let step = push(&mut window, 5.0);
    assert!(matches!(step.restart, Some(Restart::Gap(gap)) if (gap - 4.8).abs() < 1e-9));
    let ended = step.ended.expect("three frames were not answered");
    assert_eq!((ended.clip.frames, ended.frame), (3, 3));
    let step = push(&mut window, 4.0);
    assert!(matches!(step.restart, Some(Restart::Back(_))));
    assert_eq!(window.frames.len(), 1);
    let larger = Frame {
        image: Some((720, 1280)),
        ..frame(4.1, vec![pose(None, 1.0)])
    };
    let step = window.push(larger);
    assert_eq!(step.restart, Some(Restart::Size((720, 1280))));
    let unsaid = Frame {
        image: None,
        ..frame(4.2, vec![])
    };
    assert_eq!(
        window.push(unsaid).restart,
        None,
        "no size is no other size"
    );
    assert_eq!(
        window.end().expect("two frames").clip.image,
        Some((720, 1280))
    );
}

#[test]
fn people_keep_their_places_whatever_their_order() {
    let mut window = window("6", "6");
    let mut step = Step::default();
    for i in 0..6 {
        let mut people = vec![pose(None, 0.0 + i as f32), pose(None, 100.0)];
        if i % 2 == 1 {
            people.reverse();
        }
        people.push(pose(Some(7), 50.0));
        step = window.push(frame(f64::from(i) * 0.1, people));
    }
    let due = step.due.unwrap();
    assert_eq!(due.people, ["p1", "p2", "7"]);
    assert_eq!(xs(&due)[..6], [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    assert_eq!(xs(&due)[6..12], [100.0; 6]);
    let apart = due.apart();
    assert_eq!(apart.len(), 3);
    assert_eq!((apart[1].clip.persons, xs(&apart[1])), (1, vec![100.0; 6]));
    assert_eq!(apart[2].people, ["7"]);
}

#[test]
fn nothing_grows() {
    let mut window = window("16", "4");
    for i in 0..20_000u32 {
        // A new number every frame, a crowd, people who come and go.
        let people = (0..40).map(|j| pose(Some(i64::from(i * 40 + j)), j as f32));
        window.push(frame(f64::from(i) * 0.033, people.collect()));
        assert!(window.frames.len() <= 16 && window.tracks.len() <= 16 * MOST_KEPT);
    }
    let kept: usize = window.frames.iter().map(|kept| kept.people.len()).sum();
    assert!(kept <= 16 * MOST_KEPT);
}

#[test]
fn spans_are_frames_or_seconds() {
    assert_eq!("64".parse(), Ok(Span::Frames(64)));
    assert_eq!("2.5s".parse(), Ok(Span::Seconds(2.5)));
    for text in [
        "0", "-1", "0s", "1e9", "1e9s", "NaNs", "x", "", "s", "99999",
    ] {
        assert!(text.parse::<Span>().is_err(), "{text}");
    }
}
