//! Properties that every built-in layout must have, and their facts against independent lists.

use std::collections::BTreeSet;

use skeleton_graph::Layout;

fn layouts() -> impl Iterator<Item = Layout> {
    let built_in = Layout::BUILT_IN
        .iter()
        .map(|name| Layout::built_in(name).unwrap());
    let custom = include_str!("../examples/ntu25-ctrgcn.toml");
    built_in.chain([Layout::from_toml(custom, "ntu25-ctrgcn.toml").unwrap()])
}

#[test]
fn the_name_is_the_one_asked_for() {
    for name in Layout::BUILT_IN {
        assert_eq!(Layout::built_in(name).unwrap().name(), name);
    }
}

#[test]
fn edges_form_a_tree_over_all_joints() {
    for layout in layouts() {
        assert_eq!(layout.edges().len(), layout.len() - 1);
        assert_eq!(layout.parent(layout.root()), None);
        for &(child, parent) in layout.edges() {
            assert_eq!(layout.parent(child), Some(parent));
        }
        for joint in 0..layout.len() {
            let ancestors = std::iter::successors(Some(joint), |&joint| layout.parent(joint));
            let path: Vec<usize> = ancestors.take(layout.len() + 1).collect();
            assert_eq!(
                path.last(),
                Some(&layout.root()),
                "{} joint {joint}",
                layout.name()
            );
        }
        assert_eq!(layout.parent(layout.len()), None);
    }
}

#[test]
fn parts_partition_the_joints_in_the_order_of_the_body() {
    let order = [
        "head",
        "torso",
        "left arm",
        "right arm",
        "left leg",
        "right leg",
    ];
    for layout in layouts().filter(|layout| layout.name() != "hand21") {
        let names: Vec<&str> = layout
            .parts()
            .iter()
            .map(|part| part.name.as_str())
            .collect();
        assert_eq!(names, order, "{}", layout.name());
        let mut joints: Vec<usize> = layout
            .parts()
            .iter()
            .flat_map(|part| part.joints.clone())
            .collect();
        joints.sort_unstable();
        assert_eq!(
            joints,
            (0..layout.len()).collect::<Vec<_>>(),
            "{}",
            layout.name()
        );
    }
}

#[test]
fn names_say_the_side_that_parts_and_flips_give() {
    for layout in layouts() {
        let names = layout.joints();
        for part in layout.parts() {
            let side = part
                .name
                .split(' ')
                .next()
                .filter(|_| part.name.contains(' '));
            for &joint in &part.joints {
                assert!(
                    side.is_none_or(|side| names[joint].starts_with(side)),
                    "{}",
                    names[joint]
                );
            }
        }
        for (joint, &image) in layout.mirror().iter().enumerate() {
            let swapped = match names[joint].split_once('_') {
                Some(("left", rest)) => format!("right_{rest}"),
                Some(("right", rest)) => format!("left_{rest}"),
                _ => names[joint].clone(),
            };
            assert_eq!(names[image], swapped, "{}", layout.name());
        }
    }
}

#[test]
fn the_mirror_is_an_involution_that_keeps_the_tree() {
    for layout in layouts() {
        let mirror = layout.mirror();
        for joint in 0..layout.len() {
            assert_eq!(mirror[mirror[joint]], joint);
            assert_eq!(
                layout.parent(mirror[joint]),
                layout.parent(joint).map(|p| mirror[p])
            );
        }
        let images: BTreeSet<usize> = layout.origin().iter().map(|&joint| mirror[joint]).collect();
        assert_eq!(
            images,
            layout.origin().iter().copied().collect(),
            "{}",
            layout.name()
        );
    }
}

#[test]
fn the_text_round_trips() {
    for layout in layouts() {
        let text = layout.to_toml();
        let copy = Layout::from_toml(&text, "copy").unwrap();
        assert_eq!(copy, layout);
        assert_eq!(copy.to_toml(), text);
    }
}

#[test]
fn ntu25_counts_from_zero() {
    let layout = Layout::built_in("ntu25").unwrap();
    assert_eq!(
        (layout.root(), layout.joints()[20].as_str()),
        (20, "spine_at_shoulders")
    );
    assert_eq!(layout.origin(), [1]);
    // 22-8 23-8 24-12 25-12 as NTU counts.
    assert_eq!(layout.edges()[20..], [(21, 7), (22, 7), (23, 11), (24, 11)]);
    let parts: Vec<usize> = layout
        .parts()
        .iter()
        .map(|part| part.joints.len())
        .collect();
    assert_eq!(parts, [2, 7, 5, 5, 3, 3]);
}

#[test]
fn openpose18_hangs_on_the_neck() {
    let layout = Layout::built_in("openpose18").unwrap();
    assert_eq!((layout.root(), layout.origin()), (1, [1].as_slice()));
    assert_eq!(layout.adjacency().neighbours(1), [0, 2, 5]);
    assert_eq!(layout.parts()[2].joints, [6, 7]);
    assert_eq!(layout.joints()[4], "right_wrist");
}

/// The edge lists and parts of the PyTorch reference (torch_ssl.py: COCO, JHMDB, UCLA), copied.
#[test]
fn three_layouts_agree_with_the_reference() {
    let check = |name: &str, edges: &[(usize, usize)], parts: &[&[usize]]| {
        let layout = Layout::built_in(name).unwrap();
        let found: BTreeSet<(usize, usize)> = layout.edges().iter().copied().collect();
        assert_eq!(found, edges.iter().copied().collect(), "{name}");
        for (part, expected) in layout.parts().iter().zip(parts) {
            let found: BTreeSet<usize> = part.joints.iter().copied().collect();
            assert_eq!(
                found,
                expected.iter().copied().collect(),
                "{name} {}",
                part.name
            );
        }
        assert_eq!(layout.parts().len(), parts.len());
    };
    #[rustfmt::skip]
    check(
        "coco17",
        &[(15,13),(13,11),(16,14),(14,12),(11,5),(12,6),(9,7),(7,5),(10,8),(8,6),(5,0),(6,0),(1,0),(3,1),(2,0),(4,2)],
        &[&[0,1,2,3,4],&[5,6,11,12],&[7,9],&[8,10],&[13,15],&[14,16]],
    );
    #[rustfmt::skip]
    check(
        "jhmdb15",
        &[(2,0),(1,0),(3,0),(4,0),(5,1),(6,1),(7,3),(8,4),(11,7),(12,8),(9,5),(10,6),(13,9),(14,10)],
        &[&[0,2],&[1,5,6,3,4],&[8,12],&[7,11],&[10,14],&[9,13]],
    );
    #[rustfmt::skip]
    check(
        "ucla20",
        &[(0,1),(1,2),(3,2),(4,2),(5,4),(6,5),(7,6),(8,2),(9,8),(10,9),(11,10),(12,0),(13,12),(14,13),(15,14),(16,0),(17,16),(18,17),(19,18)],
        &[&[2,3],&[0,1,4,8,12,16],&[5,6,7],&[9,10,11],&[13,14,15],&[17,18,19]],
    );
}

/// Joints in the order of mmpose's `keypoint_info` and MediaPipe's `PoseLandmark` and `HandLandmark`: a few of each, by number, and
/// how many flips there are.
#[test]
fn joints_stand_at_the_numbers_of_their_makers() {
    type Facts<'a> = (&'a str, usize, usize, &'a [(usize, &'a str)]);
    let layouts: [Facts; 6] = [
        (
            "mediapipe33",
            33,
            16,
            &[
                (0, "nose"),
                (1, "left_eye_inner"),
                (4, "right_eye_inner"),
                (7, "left_ear"),
                (9, "left_mouth"),
                (11, "left_shoulder"),
                (16, "right_wrist"),
                (17, "left_pinky"),
                (20, "right_index"),
                (21, "left_thumb"),
                (23, "left_hip"),
                (28, "right_ankle"),
                (29, "left_heel"),
                (32, "right_foot_index"),
            ],
        ),
        (
            "body25",
            25,
            11,
            &[
                (0, "nose"),
                (1, "neck"),
                (4, "right_wrist"),
                (7, "left_wrist"),
                (8, "mid_hip"),
                (11, "right_ankle"),
                (14, "left_ankle"),
                (15, "right_eye"),
                (18, "left_ear"),
                (19, "left_big_toe"),
                (21, "left_heel"),
                (23, "right_small_toe"),
                (24, "right_heel"),
            ],
        ),
        (
            "halpe26",
            26,
            11,
            &[
                (5, "left_shoulder"),
                (16, "right_ankle"),
                (17, "head"),
                (18, "neck"),
                (19, "hip"),
                (20, "left_big_toe"),
                (21, "right_big_toe"),
                (22, "left_small_toe"),
                (24, "left_heel"),
            ],
        ),
        (
            "wholebody133",
            133,
            61,
            &[
                (16, "right_ankle"),
                (17, "left_big_toe"),
                (19, "left_heel"),
                (20, "right_big_toe"),
                (23, "right_jaw_1"),
                (31, "chin"),
                (40, "right_brow_1"),
                (49, "left_brow_1"),
                (53, "nose_bridge_4"),
                (56, "nose_base"),
                (59, "right_eye_outer"),
                (68, "left_eye_outer"),
                (71, "right_mouth_corner"),
                (77, "left_mouth_corner"),
                (89, "inner_lower_lip"),
                (91, "left_hand_root"),
                (95, "left_thumb4"),
                (96, "left_forefinger1"),
                (112, "right_hand_root"),
                (132, "right_pinky_finger4"),
            ],
        ),
        (
            "h36m17",
            17,
            6,
            &[
                (0, "root"),
                (1, "right_hip"),
                (3, "right_foot"),
                (4, "left_hip"),
                (7, "spine"),
                (8, "thorax"),
                (9, "neck_base"),
                (10, "head"),
                (11, "left_shoulder"),
                (14, "right_shoulder"),
            ],
        ),
        (
            "hand21",
            21,
            0,
            &[
                (0, "wrist"),
                (1, "thumb1"),
                (5, "forefinger1"),
                (8, "forefinger4"),
                (9, "middle_finger1"),
                (13, "ring_finger1"),
                (17, "pinky_finger1"),
                (20, "pinky_finger4"),
            ],
        ),
    ];
    for (name, joints, flips, numbers) in layouts {
        let layout = Layout::built_in(name).unwrap();
        assert_eq!(
            (layout.len(), layout.flips().len()),
            (joints, flips),
            "{name}"
        );
        for &(number, joint) in numbers {
            assert_eq!(layout.joints()[number], joint, "{name} {number}");
        }
    }
    // The first 17 of two of them are COCO's.
    let coco = Layout::built_in("coco17").unwrap();
    for name in ["halpe26", "wholebody133"] {
        let layout = Layout::built_in(name).unwrap();
        assert_eq!(layout.joints()[..17], coco.joints()[..], "{name}");
    }
    let body = Layout::built_in("wholebody133").unwrap();
    assert!(coco.edges().iter().all(|edge| body.edges().contains(edge)));
    // A hand's edges, twice, from the wrists.
    let hand = Layout::built_in("hand21").unwrap();
    for (root, wrist) in [(91, 9), (112, 10)] {
        assert_eq!(body.parent(root), Some(wrist));
        for &(child, parent) in hand.edges() {
            assert_eq!(body.parent(root + child), Some(root + parent));
        }
    }
}
