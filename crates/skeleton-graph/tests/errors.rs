//! Every way a layout can be wrong is said, with the file, the entry and the joint.

use skeleton_graph::{Layout, LayoutError};

const STICK: &str = r#"
name = "stick"
joints = ["hip", "head", "left_foot", "right_foot"]
edges = [[1, 0], [2, 0], [3, 0]]
flips = [[2, 3]]
origin = [0]
[[parts]]
name = "upper"
joints = [0, 1]
[[parts]]
name = "legs"
joints = [2, 3]
"#;

fn read(text: &str) -> Result<Layout, LayoutError> {
    Layout::from_toml(text, "stick.toml")
}

/// The error after `from` in the valid layout has become `to`.
fn error(from: &str, to: &str) -> LayoutError {
    assert_eq!(STICK.matches(from).count(), 1, "{from:?} stands once");
    read(&STICK.replace(from, to)).expect_err(to)
}

/// The message of that error, without the file, which must lead it.
fn message(from: &str, to: &str) -> String {
    let message = error(from, to).to_string();
    message
        .strip_prefix("stick.toml: ")
        .unwrap_or_else(|| panic!("{message}"))
        .to_owned()
}

#[test]
fn the_valid_layout_is_read() {
    let layout = read(STICK).unwrap();
    assert_eq!((layout.root(), layout.mirror()), (0, vec![0, 1, 3, 2]));
    assert_eq!(layout.parts().len(), 2);
}

#[test]
fn the_order_of_a_file_does_not_matter() {
    let other = STICK
        .replace("[[1, 0], [2, 0], [3, 0]]", "[[3, 0], [1, 0], [2, 0]]")
        .replace("[[2, 3]]", "[[3, 2]]")
        .replace("joints = [2, 3]", "joints = [3, 2]");
    assert_eq!(read(&other).unwrap(), read(STICK).unwrap());
}

#[test]
fn names_are_kept_whatever_they_hold() {
    let text = STICK.replace("\"hip\"", r#""hip \\ \"centre\" é""#);
    let layout = read(&text).unwrap();
    assert_eq!(layout.joints()[0], r#"hip \ "centre" é"#);
    assert_eq!(read(&layout.to_toml()).unwrap(), layout);
}

#[test]
fn an_unknown_name_lists_the_known() {
    let message = Layout::built_in("coco18").unwrap_err().to_string();
    assert_eq!(
        message,
        "no built-in layout is called \"coco18\"; \
         there are coco17, ntu25, openpose18, body25, jhmdb15, ucla20, mediapipe33, halpe26, wholebody133, h36m17, hand21"
    );
}

#[test]
fn what_is_no_layout_text() {
    for (from, to) in [
        ("origin", "orign"),
        ("name = \"stick\"", "name = \"stick\"\nsize = 4"),
        ("name = \"legs\"", "name = \"legs\"\nside = \"both\""),
        ("origin = [0]", ""),
        ("origin = [0]", "origin = [-1]"),
        ("origin = [0]", "origin = [0.5]"),
        ("origin = [0]", "origin = [0"),
    ] {
        let error = error(from, to);
        assert!(matches!(error, LayoutError::Syntax { .. }), "{to}: {error}");
        assert!(
            error.to_string().starts_with("stick.toml: not a layout: "),
            "{error}"
        );
    }
    assert!(message("origin", "orign").contains("orign"));
}

#[test]
fn what_is_too_long() {
    let text = format!("{STICK}#{}", " ".repeat(1 << 20));
    assert!(matches!(
        read(&text),
        Err(LayoutError::TooLong { limit: 1048576, .. })
    ));
    let many: Vec<String> = (0..1025).map(|joint| format!("\"j{joint}\"")).collect();
    let joints = "\"hip\", \"head\", \"left_foot\", \"right_foot\"";
    assert_eq!(
        message(joints, &many.join(", ")),
        "joints: found 1025, expected 2 to 1024"
    );
    assert_eq!(message(joints, ""), "joints: found 0, expected 2 to 1024");
    let long = format!("\"{}\"", "x".repeat(65));
    assert!(message("\"head\"", &long).contains("is longer than 64 bytes"));
}

#[test]
fn names_that_are_none() {
    assert_eq!(
        message("\"stick\"", "\" \""),
        "name: the name \" \" is blank"
    );
    assert_eq!(
        message("\"head\"", "\"\""),
        "joints[1]: the name \"\" is blank"
    );
    assert_eq!(
        message("\"legs\"", "\"le\\ngs\""),
        "parts[1]: the name \"le\\ngs\" holds a control character"
    );
    assert_eq!(
        message("\"head\"", "\"hip\""),
        "joints: entries 0 and 1 are both called \"hip\""
    );
    assert_eq!(
        message("\"legs\"", "\"upper\""),
        "parts: entries 0 and 1 are both called \"upper\""
    );
}

#[test]
fn pairs_that_are_none() {
    assert_eq!(
        message("[1, 0]", "[1, 0, 2]"),
        "edges[0]: 3 joints, expected 2"
    );
    assert_eq!(
        message("[[2, 3]]", "[[2]]"),
        "flips[0]: 1 joints, expected 2"
    );
}

#[test]
fn edges_that_are_no_tree() {
    assert_eq!(
        message("[3, 0]", "[4, 0]"),
        "edges[2]: there is no joint 4; expected 0 to 3"
    );
    assert_eq!(
        message("[3, 0]", "[3, 9]"),
        "edges[2]: there is no joint 9; expected 0 to 3"
    );
    assert_eq!(
        message("[3, 0]", "[3, 3]"),
        "edges[2]: joint 3 (right_foot) is paired with itself"
    );
    assert_eq!(
        message("[3, 0]", "[1, 2]"),
        "edges: joint 1 (head) has two parents, joint 0 (hip) and joint 2 (left_foot); \
         expected at most one; a tree of these connections, joined by [[3, 0]]: edges = [[1, 0], [2, 0], [3, 0]]"
    );
    assert_eq!(
        message("[[1, 0], [2, 0], [3, 0]]", "[[1, 0], [2, 3], [3, 2]]"),
        "edges: a cycle, expected a tree: joint 2 (left_foot), joint 3 (right_foot); \
         a tree of these connections, joined by [[2, 0]]: edges = [[1, 0], [2, 0], [3, 2]]"
    );
    assert_eq!(
        message(
            "[[1, 0], [2, 0], [3, 0]]",
            "[[0, 1], [1, 2], [2, 1], [3, 0]]"
        ),
        "edges: a cycle, expected a tree: joint 1 (head), joint 2 (left_foot); \
         a tree of these connections: edges = [[1, 0], [2, 1], [3, 0]]"
    );
    assert_eq!(
        message(", [3, 0]", ""),
        "edges: 2 joints without a parent, expected one root: joint 0 (hip), joint 3 (right_foot); \
         a tree of these connections, joined by [[3, 0]]: edges = [[1, 0], [2, 0], [3, 0]]"
    );
}

/// COCO's own `skeleton`, counted from 0, which closes rings at the face, the shoulders and the hips, in place of a tree.
#[test]
fn the_tree_in_a_refusal_can_be_pasted() {
    let coco = Layout::built_in("coco17").unwrap().to_toml();
    let edges = coco.lines().find(|line| line.starts_with("edges")).unwrap();
    let rings = "edges = [[15, 13], [13, 11], [16, 14], [14, 12], [11, 12], [5, 11], [6, 12], [5, 6], [5, 7], [6, 8], [7, 9], \
                 [8, 10], [1, 2], [0, 1], [0, 2], [1, 3], [2, 4], [3, 5], [4, 6]]";
    for (rings, why, tree) in [
        (rings, "two parents", None),
        ("edges = [[0, 1], [1, 2], [2, 0]]", "a cycle", Some(14)),
        ("edges = []", "17 joints without a parent", Some(16)),
    ] {
        let message = read(&coco.replace(edges, rings)).unwrap_err().to_string();
        assert!(message.contains(why), "{message}");
        let at = message.find("edges = ").expect("a tree");
        let layout = read(&coco.replace(edges, &message[at..])).unwrap();
        let joined = message.split("joined by").nth(1);
        let added =
            joined.map(|rest| rest.split(": edges").next().unwrap().matches('[').count() - 1);
        assert_eq!(added, tree, "{message}");
        for &(child, parent) in layout.edges() {
            let stands = [[child, parent], [parent, child]];
            let stands = stands
                .iter()
                .any(|pair| rings.contains(&format!("{pair:?}")));
            assert!(
                stands || added.is_some() && parent == layout.root(),
                "{child}-{parent}"
            );
        }
    }
}

#[test]
fn parts_that_do_not_partition() {
    assert_eq!(message("joints = [2, 3]", "joints = [2]"), {
        "parts: joint 3 (right_foot) is in no part; expected every joint in exactly one"
    });
    assert_eq!(
        message("joints = [2, 3]", "joints = [2, 3, 1]"),
        "joint 1 (head) stands in part \"upper\" and in part \"legs\"; expected once"
    );
    assert_eq!(
        message("joints = [2, 3]", "joints = [2, 4]"),
        "part \"legs\": there is no joint 4; expected 0 to 3"
    );
    assert_eq!(
        message("joints = [2, 3]", "joints = []"),
        "part \"legs\": empty, expected at least one joint"
    );
    let one = STICK.replace("[[parts]]\nname = \"legs\"\njoints = [2, 3]\n", "");
    let error = read(&one).unwrap_err();
    assert_eq!(
        error.to_string(),
        "stick.toml: parts: found 1, expected at least 2"
    );
}

#[test]
fn flips_that_are_no_mirror() {
    assert_eq!(
        message("[[2, 3]]", "[[2, 7]]"),
        "flips[0]: there is no joint 7; expected 0 to 3"
    );
    assert_eq!(
        message("[[2, 3]]", "[[2, 2]]"),
        "flips[0]: joint 2 (left_foot) is paired with itself"
    );
    assert_eq!(
        message("[[2, 3]]", "[[2, 3], [1, 3]]"),
        "joint 3 (right_foot) stands in flips[0] and in flips[1]; expected once"
    );
}

#[test]
fn an_origin_that_is_none() {
    assert_eq!(
        message("origin = [0]", "origin = []"),
        "origin: empty, expected at least one joint"
    );
    assert_eq!(
        message("origin = [0]", "origin = [4]"),
        "origin: there is no joint 4; expected 0 to 3"
    );
    assert_eq!(
        message("origin = [0]", "origin = [0, 0]"),
        "joint 0 (hip) stands in origin and in origin; expected once"
    );
}
