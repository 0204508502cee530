//! Each rule on recordings small enough to follow, and what changes when it is set otherwise.

mod slots;

use std::collections::HashSet;

use super::super::JOINTS;
use super::super::Sighting;
use super::super::rules::Preset;
use super::*;

/// A pose around `x`, a metre high and `wide` metres wide.
fn pose(x: f32, wide: f32) -> Pose {
    std::array::from_fn(|v| {
        let (column, row) = ((v % 5) as f32 / 4.0, (v / 5) as f32 / 4.0);
        [x + wide * (column - 0.5), row, 3.0]
    })
}

/// A body that swings by `swing` metres, in the frames given.
fn body(id: u64, swing: f32, frames: impl IntoIterator<Item = usize>) -> Body {
    let seen: Vec<usize> = frames.into_iter().collect();
    let poses = seen.iter().map(|&t| match t % 2 {
        0 => pose(id as f32 + swing, 0.4),
        _ => pose(id as f32 - swing, 0.4),
    });
    Body {
        id,
        poses: poses.collect(),
        seen: seen
            .iter()
            .map(|&frame| Sighting { frame, occupied: 0 })
            .collect(),
    }
}

/// A recording of these bodies over so many frames.
fn recording(frames: usize, bodies: Vec<Body>) -> Recording {
    let seen = bodies.iter().flat_map(|body| &body.seen);
    let seen: HashSet<usize> = seen.map(|sighting| sighting.frame).collect();
    let is_seen = |t| seen.contains(&t);
    let mut before = 0;
    let occupied: Vec<usize> = (0..frames)
        .map(|t| {
            before += usize::from(is_seen(t));
            before.saturating_sub(1)
        })
        .collect();
    let mut bodies = bodies.clone();
    for seen in bodies.iter_mut().flat_map(|body| &mut body.seen) {
        seen.occupied = occupied[seen.frame];
    }
    Recording {
        frames,
        empty_frames: frames - before,
        missing_joints: 0,
        bodies,
    }
}

fn pyskl() -> Rules {
    Preset::Pyskl.into()
}

fn with(change: impl FnOnce(&mut Rules)) -> Rules {
    let mut rules = pyskl();
    change(&mut rules);
    rules
}

/// Who is where: for each person, the body in every frame (a body's poses are around its number), `.` for nobody.
fn shown(recording: &Recording, rules: &Rules) -> String {
    let people = match choose(recording, rules).0 {
        Ok(people) => people,
        Err(skip) => return skip.words().to_owned(),
    };
    let numbers = people.keypoints.view();
    let who = |person: usize, frame: usize| {
        let joint = (person * people.frames + frame) * JOINTS;
        // Joint 2 is in the middle of the first row, joint 22 of the last.
        match numbers.get((joint + 22) * 3 + 1) {
            0.0 => ".".to_owned(),
            _ => format!("{:.0}", numbers.get((joint + 2) * 3)),
        }
    };
    let row = |person| {
        (0..people.frames)
            .map(move |frame| who(person, frame))
            .collect::<String>()
    };
    let rows: Vec<String> = (0..people.persons).map(row).collect();
    rows.join(" ")
}

#[test]
fn rule_1_frames_without_a_body_are_dropped() {
    let clip = recording(6, vec![body(1, 0.1, [1, 2, 5])]);
    assert_eq!(shown(&clip, &pyskl()), "111");
    let keep = with(|rules| (rules.drop_empty_frames, rules.close_gaps) = (false, false));
    assert_eq!(shown(&clip, &keep), "11..1");
    let log = choose(&clip, &pyskl()).1;
    assert!(
        log.contains(&Decision::EmptyFrames { frames: 3 }),
        "{log:?}"
    );
}

#[test]
fn rule_1_sightings_are_packed_from_the_first() {
    let two = || vec![body(1, 0.1, (0..10).chain(15..20)), body(2, 0.2, 0..20)];
    let clip = recording(20, two());
    let all = "2".repeat(20);
    assert_eq!(
        shown(&clip, &pyskl()),
        format!("{all} {}{}", "1".repeat(15), ".".repeat(5))
    );
    let open = with(|rules| rules.close_gaps = false);
    assert_eq!(
        shown(&clip, &open),
        format!("{all} {}.....11111", "1".repeat(10))
    );
    let log = choose(&clip, &pyskl()).1;
    assert!(
        log.contains(&Decision::GapsClosed { body: 1, frames: 5 }),
        "{log:?}"
    );
}

#[test]
fn rule_2_one_body_is_the_result_untrimmed_however_short() {
    let mut clip = recording(3, vec![body(1, 0.1, 0..3)]);
    clip.bodies[0].poses[0] = [[0.0; 3]; JOINTS];
    assert_eq!(shown(&clip, &pyskl()), ".11");
    assert_eq!(
        shown(&recording(3, Vec::new()), &pyskl()),
        "without any body"
    );
}

#[test]
fn rule_2_the_body_that_moves_most_comes_first() {
    let clip = recording(20, vec![body(1, 0.1, 0..20), body(2, 0.3, 0..15)]);
    let (one, two) = ("1".repeat(20), format!("{}.....", "2".repeat(15)));
    assert_eq!(shown(&clip, &pyskl()), format!("{two} {one}"));
    for order in [Order::Frames, Order::Seen] {
        let rules = with(|rules| rules.order = order);
        assert_eq!(shown(&clip, &rules), format!("{one} {two}"), "{order:?}");
    }
    let clip = recording(20, vec![body(1, 0.1, 0..15), body(2, 0.3, 0..20)]);
    let rules = with(|rules| rules.order = Order::Seen);
    assert!(shown(&clip, &rules).starts_with("1"));
    let rules = with(|rules| rules.order = Order::Frames);
    assert!(shown(&clip, &rules).starts_with("2"));
}

#[test]
fn rule_2_bodies_of_eleven_frames_are_dropped_of_twelve_not() {
    let clip = |frames| recording(20, vec![body(1, 0.1, 0..20), body(2, 0.3, 0..frames)]);
    assert_eq!(shown(&clip(11), &pyskl()), "1".repeat(20));
    assert!(shown(&clip(12), &pyskl()).starts_with("222222222222........ 1"));
    let rules = with(|rules| rules.min_frames = 11);
    assert!(shown(&clip(11), &rules).starts_with("22222222222......... 1"));
    let short = recording(20, vec![body(1, 0.1, 0..11), body(2, 0.3, 0..11)]);
    assert_eq!(shown(&short, &pyskl()), "without a body that is left");
    let log = choose(&short, &pyskl()).1;
    assert_eq!(
        log[1],
        Decision::Short {
            body: 2,
            frames: 11
        }
    );
}

/// Two bodies of which the second is too wide in the frames given.
fn spread(swing: f32, wide: &[usize]) -> Recording {
    let mut clip = recording(20, vec![body(1, 0.1, 0..20), body(2, swing, 0..20)]);
    for &t in wide {
        clip.bodies[1].poses[t] = pose(2.0, 1.5);
    }
    clip
}

#[test]
fn rule_3_a_body_too_wide_in_most_frames_is_dropped() {
    let (one, both) = (
        "1".repeat(20),
        format!("{} {}", "2".repeat(20), "1".repeat(20)),
    );
    let wide: Vec<usize> = (0..14).collect();
    // 14 of 20 are 0.7, 13 are 0.65.
    assert_eq!(shown(&spread(0.3, &wide), &pyskl()), one);
    assert_eq!(shown(&spread(0.3, &wide[1..]), &pyskl()), both);
    let rules = with(|rules| rules.noisy_share = 0.6);
    assert_eq!(shown(&spread(0.3, &wide[1..]), &rules), one);
    let rules = with(|rules| rules.noisy_share = 2.0);
    assert_eq!(shown(&spread(0.3, &wide), &rules), both);
    let log = choose(&spread(0.3, &wide), &pyskl()).1;
    let noisy = Decision::Noisy {
        body: 2,
        frames: 20,
        wide: 14,
    };
    assert!(log.contains(&noisy), "{log:?}");
}

#[test]
fn rule_3_a_frame_is_clean_up_to_four_fifths_of_the_height() {
    for (width, clean) in [(0.75, true), (0.85, false)] {
        assert_eq!(is_clean(&pose(0.0, width), 0.8), clean, "{width}");
    }
    let mut clip = spread(0.1, &[]);
    clip.bodies[1].poses.fill(pose(2.0, 0.85));
    assert_eq!(shown(&clip, &pyskl()), "1".repeat(20));
    let rules = with(|rules| rules.max_width = 0.9);
    assert!(shown(&clip, &rules).contains('2'));
}

#[test]
fn rule_3_motion_is_measured_again_over_clean_frames() {
    // Body 2 seems to move more only because it is spread in five frames.
    let clip = spread(0.0, &[3, 5, 7, 9, 11]);
    assert!(shown(&clip, &pyskl()).starts_with('1'));
    let rules = with(|rules| rules.clean_motion = false);
    assert!(shown(&clip, &rules).starts_with('2'));
    // It never grows: without the frames in which it stands still, it would.
    let mut clip = spread(0.115, &[]);
    for t in 0..10 {
        clip.bodies[1].poses[t] = pose(2.0, 0.0);
        clip.bodies[1].poses[t][0][0] = 2.9;
    }
    let log = choose(&clip, &pyskl()).1;
    let again = log.iter().find_map(|decision| match decision {
        Decision::MotionOverCleanFrames { before, after, .. } => Some((before, after)),
        _ => None,
    });
    assert!(
        again.is_some_and(|(before, after)| after <= before),
        "{log:?}"
    );
}
