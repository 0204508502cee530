//! Strips below each other.

use super::*;
use crate::draw::{Strip, strips};

#[test]
fn a_scene_beside_another_is_in_its_place() {
    let (sequence, layout) = tiny();
    let camera = Camera::new(
        Axis::usual(Units::Pixel, &sequence.view(), &layout),
        sequence.coordinates,
    )
    .unwrap();
    let first = Scene::new(&sequence.view(), &layout, &camera).unwrap();
    // Without a joint the middle and the size would be others.
    let mut masked = sequence.clone();
    if let Values::F32(values) = &mut masked.keypoints {
        values
            .chunks_exact_mut(8)
            .for_each(|frame| frame[4..6].fill(0.0));
    }
    let beside = first.beside(&masked.view(), &layout, &camera).unwrap();
    let alone = Scene::new(&masked.view(), &layout, &camera).unwrap();
    let place = |scene: &Scene, joint: usize| scene.people[0].places[joint];
    assert_eq!(place(&beside, 0), place(&first, 0));
    assert_eq!(place(&beside, 2), None);
    assert_ne!(place(&alone, 0), place(&first, 0));
}

#[test]
fn marks_and_ghosts_are_drawn_and_words_escaped() {
    let (sequence, layout) = tiny();
    let scene = scene(&sequence.view(), &layout, Units::Pixel);
    let strip = |name, marked, ghost| Strip {
        name,
        scene: &scene,
        marked,
        ghost,
    };
    let rows = [
        strip("<input>", &[][..], None),
        strip("made", &[false, false, true, false], Some(&scene)),
    ];
    let svg = strips(&rows, &caption("a & b"), "facts", 3);
    // Three frames: the left hand marked, and of eleven joints that are there a grey twin.
    assert_eq!(svg.matches("circle class=\"mark\"").count(), 3, "{svg}");
    assert_eq!(svg.matches("circle class=\"ghost\"").count(), 11, "{svg}");
    assert!(
        svg.contains("&lt;input&gt;") && svg.contains("a &amp; b (1 (wave), toy)"),
        "{svg}"
    );
    assert_eq!(strips(&[], &caption("x"), "", 3), "");
}
