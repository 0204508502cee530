//! Rules 4 and 5, and what a clip stores.

use half::f16;

use super::*;
use crate::Values;

#[test]
fn rule_4_bodies_after_one_another_share_a_slot() {
    // 3 moves most, then 2, then 1.
    let clip = recording(
        60,
        vec![
            body(1, 0.1, 30..60),
            body(2, 0.2, 0..60),
            body(3, 0.3, 0..30),
        ],
    );
    let (long, shared) = (
        "2".repeat(60),
        format!("{}{}", "3".repeat(30), "1".repeat(30)),
    );
    assert_eq!(shown(&clip, &pyskl()), format!("{shared} {long}"));
    let rules = with(|rules| rules.share_slots = false);
    assert_eq!(
        shown(&clip, &rules),
        format!("{}{} {long}", "3".repeat(30), ".".repeat(30))
    );
    let log = choose(&clip, &rules).1;
    let dropped = Decision::NoSlot {
        body: 1,
        start: 30,
        end: 60,
    };
    assert!(log.contains(&dropped), "{log:?}");
    let rules = with(|rules| (rules.share_slots, rules.persons) = (false, 3));
    assert!(shown(&clip, &rules).ends_with(&format!(" {}{}", ".".repeat(30), "1".repeat(30))));
    let rules = with(|rules| rules.persons = 1);
    assert_eq!(shown(&clip, &rules), shared);
}

#[test]
fn rule_4_the_second_slot_is_taken_from_the_beginning_on() {
    // The second slot's span is the hull of [0, 0) and its bodies': 1 finds no place in it although 2 came later.
    let clip = recording(
        60,
        vec![
            body(1, 0.1, 0..20),
            body(2, 0.2, 30..60),
            body(3, 0.3, 0..60),
        ],
    );
    let later = format!("{}{}", ".".repeat(30), "2".repeat(30));
    assert_eq!(
        shown(&clip, &pyskl()),
        format!("{} {later}", "3".repeat(60))
    );
}

#[test]
fn rule_4_the_first_slot_is_taken_from_its_first_body_on() {
    let clip = recording(
        60,
        vec![
            body(1, 0.1, 0..20),
            body(2, 0.2, 0..60),
            body(3, 0.3, 30..60),
        ],
    );
    let shared = format!("{}..........{}", "1".repeat(20), "3".repeat(30));
    assert_eq!(
        shown(&clip, &pyskl()),
        format!("{shared} {}", "2".repeat(60))
    );
}

/// Two bodies that are zero in the first two and the last three of twenty frames.
fn zeros() -> Recording {
    let mut clip = recording(20, vec![body(1, 0.1, 0..20), body(2, 0.2, 0..20)]);
    for body in &mut clip.bodies {
        for t in [0, 1, 17, 18, 19] {
            body.poses[t] = [[0.0; 3]; JOINTS];
        }
    }
    clip
}

#[test]
fn rule_5_empty_ends_are_cut() {
    let cut = format!("{} {}", "1".repeat(15), "2".repeat(15));
    let mut clip = zeros();
    assert_eq!(shown(&clip, &with(|rules| rules.order = Order::Seen)), cut);
    let log = choose(&clip, &pyskl()).1;
    assert!(
        log.contains(&Decision::Trimmed {
            leading: 2,
            trailing: 3
        }),
        "{log:?}"
    );
    let rules = with(|rules| rules.trim_below = 0.0);
    assert!(shown(&clip, &rules).starts_with("..") && shown(&clip, &rules).ends_with("..."));
    // As much as is still nothing.
    clip.bodies[0].poses[1][7] = [0.0005, 0.0004, 0.0];
    assert_eq!(shown(&clip, &pyskl()).len(), 31);
    clip.bodies[1].poses[1][7] = [0.0005, 0.0004, 0.0];
    assert_eq!(shown(&clip, &pyskl()).len(), 33);
    for body in &mut clip.bodies {
        body.poses.fill([[0.0; 3]; JOINTS]);
    }
    let all_zero = with(|rules| rules.noisy_share = 2.0);
    assert_eq!(shown(&clip, &all_zero), "with zeros only");
}

#[test]
fn rule_5_who_is_there_first_comes_first() {
    let clip = recording(40, vec![body(1, 0.1, 0..40), body(2, 0.3, 20..40)]);
    let (one, two) = (
        "1".repeat(40),
        format!("{}{}", ".".repeat(20), "2".repeat(20)),
    );
    assert_eq!(shown(&clip, &pyskl()), format!("{one} {two}"));
    assert_eq!(choose(&clip, &pyskl()).1.last(), Some(&Decision::Swapped));
    let rules = with(|rules| rules.swap_absent_first = false);
    assert_eq!(shown(&clip, &rules), format!("{two} {one}"));
}

#[test]
fn coordinates_are_stored_in_half_precision_or_as_read() {
    let mut clip = recording(1, vec![body(1, 0.1, 0..1)]);
    clip.bodies[0].poses[0][0] = [0.1, 70_000.0, -65_519.0];
    clip.bodies[0].poses[0][1] = [0.1, 1.0, -65_519.0];
    let (people, log) = choose(&clip, &pyskl());
    let Ok(Values::F16(half)) = people.map(|people| people.keypoints) else {
        panic!("half precision was asked for")
    };
    let expected = [0.0, 0.0, 0.0, 0.1, 1.0, -65_504.0].map(f16::from_f32);
    assert_eq!(half[..6], expected);
    assert!(
        log.contains(&Decision::MissingJoints { joints: 1 }),
        "{log:?}"
    );
    let single = choose(&clip, &with(|rules| rules.half = false)).0;
    let Ok(Values::F32(single)) = single.map(|people| people.keypoints) else {
        panic!("single precision was asked for")
    };
    assert_eq!(single[..3], [0.1, 70_000.0, -65_519.0]);
}

#[test]
fn the_sensor_preset_keeps_everything_on_its_own_time() {
    let clip = recording(
        9,
        vec![
            body(1, 0.1, [1, 2, 5]),
            body(2, 0.4, [1]),
            body(3, 0.2, 6..9),
        ],
    );
    let found = shown(&clip, &Preset::Sensor.into());
    assert_eq!(found, ".11..1... .2....... ......333");
}

#[test]
fn frames_without_a_body_take_no_memory_without_end() {
    let clip = recording(2_000_000, vec![body(1, 0.1, [0, 1_999_999])]);
    assert_eq!(shown(&clip, &pyskl()), "11");
    assert_eq!(shown(&clip, &Preset::Sensor.into()), "too long");
    let both = recording(
        2_000_000,
        vec![body(1, 0.1, [0]), body(2, 0.1, [1_999_999])],
    );
    assert_eq!(shown(&both, &Preset::Sensor.into()), "too long");
}

#[test]
fn rules_without_sense_are_refused() {
    for change in [
        |rules: &mut Rules| rules.persons = 0,
        |rules: &mut Rules| rules.persons = 65,
        |rules: &mut Rules| rules.max_width = f64::NAN,
        |rules: &mut Rules| rules.noisy_share = -0.1,
        |rules: &mut Rules| rules.trim_below = f64::INFINITY,
    ] {
        let rules = with(change);
        assert!(rules.check().is_err(), "{rules:?}");
    }
    for preset in [Preset::Pyskl, Preset::Sensor] {
        assert!(Rules::from(preset).check().is_ok());
    }
}
