mod bounds;
mod camera;
mod rows;
mod strangers;
mod xml;

use skeleton_graph::Layout;

use super::*;
use crate::synthetic::{SyntheticKind, SyntheticSettings, synthetic};
use crate::{ClipView, Sequence, Units, Values};

/// A head, a chest and two hands over three frames; the right hand is missing in the second and jumps in the third.
fn tiny() -> (Sequence, Layout) {
    let text = r#"
        name = "tiny"
        joints = ["head", "chest", "left_hand", "right_hand"]
        edges = [[0, 1], [2, 1], [3, 1]]
        flips = [[2, 3]]
        origin = [1]
        parts = [{ name = "trunk", joints = [0, 1] }, { name = "left arm", joints = [2] }, { name = "right arm", joints = [3] }]
    "#;
    let frame = |dx: f32, right: [f32; 2]| {
        let rest = [[100.0, 50.0], [100.0, 100.0], [140.0, 110.0]].map(|[x, y]| [x + dx, y]);
        [rest[0], rest[1], rest[2], right].concat()
    };
    let values = [
        frame(0.0, [60.0, 110.0]),
        frame(2.0, [0.0, 0.0]),
        frame(4.0, [64.0, 20.0]),
    ]
    .concat();
    (
        clip(values, 1, 3, 4, 2),
        Layout::from_toml(text, "tests").unwrap(),
    )
}

fn clip(
    values: Vec<f32>,
    persons: usize,
    frames: usize,
    joints: usize,
    coordinates: usize,
) -> Sequence {
    Sequence {
        label: Some(1),
        ..Sequence::new(
            "a clip",
            [persons, frames, joints, coordinates],
            Values::F32(values),
        )
    }
}

fn scene(view: &ClipView<'_>, layout: &Layout, units: Units) -> Scene {
    let camera = Camera::new(Axis::usual(units, view, layout), view.coordinates).unwrap();
    Scene::new(view, layout, &camera).unwrap()
}

fn caption(id: &str) -> Caption<'_> {
    Caption {
        id,
        class: Some("1 (wave)".into()),
        dataset: "toy",
    }
}

/// Two people in space who shake hands.
fn pair() -> (Sequence, Layout) {
    let settings = SyntheticSettings {
        subjects: 4,
        repetitions: 1,
        seed: 0,
    };
    let set = synthetic(SyntheticKind::Ntu25, &settings).unwrap();
    let two = set
        .sequences
        .into_iter()
        .find(|clip| clip.persons == 2)
        .expect("some actions are of two people");
    (two, set.layout)
}

#[test]
fn a_strip_is_the_same_bytes_as_ever() {
    let (clip, layout) = tiny();
    let drawn = strip(
        &scene(&clip.view(), &layout, Units::Pixel),
        &caption("a clip"),
        8,
    );
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/src/draw/golden/strip.svg");
    if std::env::var_os("SSL_RENEW_GOLDEN").is_some() {
        std::fs::write(golden, &drawn).unwrap();
    }
    let known = std::fs::read_to_string(golden).unwrap();
    assert_eq!(
        drawn, known,
        "a change on purpose: look at the drawing, and run this with SSL_RENEW_GOLDEN=1"
    );
}

#[test]
fn drawings_are_well_formed() {
    let (two, layout) = pair();
    let seen = scene(&two.view(), &layout, Units::Metre);
    for frames in [1, 2, 8, 24, 200] {
        xml::check(&strip(&seen, &caption("two"), frames));
    }
    let drawn = strip(&seen, &caption("two"), 8);
    assert_eq!(drawn.matches("<rect class=\"panel\"").count(), 8);
    assert!(
        drawn.contains("class=\"in\"") && drawn.contains("person 1 filled, the other hollow"),
        "{drawn}"
    );
    let page = animation(&seen, &caption("two"));
    assert!(
        !page.contains("{{")
            && page.contains("Person 2 (hollow)")
            && page.contains("data-turn=\"90\"")
    );
}

#[test]
fn a_missing_joint_is_not_drawn_and_left_is_blue() {
    let (clip, layout) = tiny();
    let drawn = strip(
        &scene(&clip.view(), &layout, Units::Pixel),
        &caption("a clip"),
        3,
    );
    let panels: Vec<&str> = drawn
        .split("<svg x=")
        .skip(1)
        .map(|panel| panel.split("</svg>").next().unwrap())
        .collect();
    let count = |panel: &str, what: &str| panel.matches(what).count();
    assert_eq!(
        panels
            .iter()
            .map(|panel| count(panel, "<path"))
            .collect::<Vec<_>>(),
        [3, 2, 3]
    );
    assert_eq!(
        panels
            .iter()
            .map(|panel| count(panel, "<circle"))
            .collect::<Vec<_>>(),
        [4, 3, 4]
    );
    assert_eq!(
        panels
            .iter()
            .map(|panel| count(panel, "1 missing"))
            .collect::<Vec<_>>(),
        [0, 1, 0]
    );
    // In pixels, x points to the right on paper: the left hand at 140 is right of the head at 100, which is above it.
    let place = |class: &str| -> (f32, f32) {
        let circle = panels[0]
            .split(&format!("<circle class=\"{class}\" cx=\""))
            .nth(1)
            .expect("it is drawn");
        let (x, rest) = circle.split_once('"').unwrap();
        (
            x.parse().unwrap(),
            rest.split('"').nth(1).unwrap().parse().unwrap(),
        )
    };
    let (head, left, right) = (place("mid"), place("lu"), place("ru"));
    assert!(
        left.0 > head.0 && right.0 < head.0 && head.1 < left.1,
        "{head:?} {left:?} {right:?}"
    );
}

#[test]
fn jumps_and_gaps_are_traced() {
    let mut values = vec![];
    for frame in 0..6 {
        let hand = if frame == 4 { 180.0 } else { 140.0 };
        values.extend([100.0, 50.0, 100.0, 100.0, hand, 110.0, 60.0, 110.0]);
    }
    let seen = scene(&clip(values, 1, 6, 4, 2).view(), &tiny().1, Units::Pixel);
    assert_eq!(
        seen.trace
            .steps
            .iter()
            .map(|&step| step > 0.1)
            .collect::<Vec<_>>(),
        [false, false, false, false, true, true]
    );
    assert_eq!(seen.trace.fastest[4], 2);
    // A frame without anybody lacks all four.
    let values = [vec![1.0; 8], vec![0.0; 8], vec![1.0; 8]].concat();
    let alone = clip(values, 1, 3, 4, 2);
    assert_eq!(
        scene(&alone.view(), &tiny().1, Units::Pixel).trace.missing,
        [0, 4, 0]
    );
    let (gap, layout) = tiny();
    assert_eq!(
        scene(&gap.view(), &layout, Units::Pixel).trace.missing,
        [0, 1, 0]
    );
}

#[test]
fn a_clip_of_another_skeleton_is_refused() {
    let (clip, _) = tiny();
    let camera = Camera::new("-y".parse().unwrap(), 2).unwrap();
    let other = Layout::built_in("coco17").unwrap();
    let error = Scene::new(&clip.view(), &other, &camera).unwrap_err();
    assert_eq!(
        error.to_string(),
        "clip \"a clip\": expected the 17 joints of the layout, found 4"
    );
    let cut = Sequence { frames: 4, ..clip };
    assert!(Scene::new(&cut.view(), &tiny().1, &camera).is_err());
}
