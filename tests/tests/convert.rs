//! Clips survive the way through every form: pickle, cache, JSON lines, archive, compressed cache.

use skeleton_data::ClipSource;
use skeleton_data::cache::Cache;
use ssl_tests::program::Desk;
use ssl_tests::real_data;
use ssl_tests::toy::{TOY, Toy};

fn open(desk: &Desk, name: &str) -> Cache {
    Cache::open(&desk.path(name)).unwrap_or_else(|e| panic!("{e}"))
}

/// Everything a cache holds but its record of where it came from.
fn assert_same(desk: &Desk, one: &str, other: &str) {
    let (one, other) = (open(desk, one), open(desk, other));
    let (a, b) = (one.header(), other.header());
    assert_eq!(
        (a.dataset, a.layout, a.units, a.classes),
        (b.dataset, b.layout, b.units, b.classes)
    );
    assert_eq!(one.split_ids(), other.split_ids());
    assert_eq!(
        (one.element_type(), one.score_type()),
        (other.element_type(), other.score_type())
    );
    assert_eq!(one.len(), other.len());
    for index in 0..one.len() {
        let clip = |cache: &Cache| cache.sequence(index).expect("a clip");
        assert_eq!(clip(&one), clip(&other));
        assert_eq!(one.sample(index), other.sample(index));
    }
}

#[test]
fn pickle_cache_json_lines_cache() {
    let desk = Desk::new();
    TOY.prepare(&desk, "toy", "coco17");
    desk.ssl("convert toy.h5 toy.jsonl").success();
    desk.ssl("convert toy.jsonl again.h5").success();
    assert_same(&desk, "toy.h5", "again.h5");
    // The same without a cache between; what the pickle doesn't say is typed.
    desk.ssl("convert toy.pkl direct.jsonl --layout coco17")
        .success();
    desk.ssl("prepare direct.jsonl -o direct.h5").success();
    assert_same(&desk, "toy.h5", "direct.h5");
}

#[test]
fn the_real_files_too() {
    for set in ["jhmdb14", "nw_ucla"] {
        let Some(pickle) = real_data(&format!("{set}.pkl")) else {
            return;
        };
        let (desk, pickle) = (Desk::new(), pickle.display());
        desk.ssl(&format!("prepare {pickle} -o one.h5 --dataset {set}"))
            .success();
        desk.ssl("convert one.h5 one.jsonl").success();
        let done = desk
            .ssl(&format!("prepare one.jsonl -o two.h5 --dataset {set}"))
            .success();
        assert!(done.stdout.contains("as published"), "{done}");
        assert_same(&desk, "one.h5", "two.h5");
    }
}

#[test]
fn compressed_and_back_is_the_same_file() {
    let desk = Desk::new();
    TOY.prepare(&desk, "toy", "coco17");
    desk.ssl("convert toy.h5 small.h5 --compress").success();
    desk.ssl("prepare toy.pkl -o prepared.h5 --layout coco17 --compress")
        .success();
    assert_same(&desk, "toy.h5", "small.h5");
    assert_eq!(desk.read("small.h5"), desk.read("prepared.h5"));
    desk.ssl("inspect small.h5 --verify").success();
    desk.ssl("convert small.h5 large.h5").success();
    assert_eq!(desk.read("toy.h5"), desk.read("large.h5"));
}

const BODY: Toy = Toy {
    joints: 25,
    coordinates: 3,
    classes: 2,
    clips: 2,
    frames: 9,
};

#[test]
fn cache_archive_cache() {
    let desk = Desk::new();
    BODY.prepare(&desk, "body", "ntu25");
    desk.ssl("convert body.h5 body.npz").success();
    desk.ssl("convert body.npz again.h5").success();
    let (one, other) = (open(&desk, "body.h5"), open(&desk, "again.h5"));
    assert_eq!(
        (one.layout(), one.units(), one.len()),
        (other.layout(), other.units(), other.len())
    );
    for split in ["train", "test"] {
        let clips = |cache: &Cache| -> Vec<_> {
            let split = cache.split(split).expect("a split").iter();
            let clip = |&index: &u32| cache.sequence(index as usize).expect("a clip");
            split.map(clip).collect()
        };
        let (one, other) = (clips(&one), clips(&other));
        assert_eq!(one.len(), other.len());
        for (a, b) in one.iter().zip(&other) {
            assert_eq!(
                (a.label, a.persons, a.frames, &a.keypoints),
                (b.label, b.persons, b.frames, &b.keypoints)
            );
        }
    }
    desk.ssl("convert body.h5 other.npz --train nobody")
        .refused(1, &["nobody", "test, train"]);
    TOY.prepare(&desk, "toy", "coco17");
    desk.ssl("convert toy.h5 toy.npz")
        .refused(1, &["25 joints of 3 coordinates", "17 of 2"]);
}

#[test]
fn outputs_are_replaced_only_when_asked_and_never_in_part() {
    let desk = Desk::new();
    TOY.prepare(&desk, "toy", "coco17");
    desk.write("toy.jsonl", "mine");
    desk.ssl("convert toy.h5 toy.jsonl")
        .refused(1, &["toy.jsonl", "--overwrite"]);
    assert_eq!(desk.read("toy.jsonl"), b"mine");
    desk.ssl("convert toy.h5 toy.jsonl --overwrite").success();
    // A line in the middle is damaged: the earlier cache stays.
    let before = desk.read("toy.h5");
    let text = String::from_utf8(desk.read("toy.jsonl")).expect("text");
    let mut lines: Vec<&str> = text.lines().collect();
    let damaged = lines[2].replace("[[[[", "[[[[9,");
    lines[2] = &damaged;
    desk.write("toy.jsonl", lines.join("\n"));
    desk.ssl("convert toy.jsonl toy.h5 --overwrite")
        .refused(1, &["toy.jsonl", "line 3", "`keypoints`"]);
    assert_eq!(desk.read("toy.h5"), before);
    desk.ssl("convert toy.h5 other.h5 --layout coco17")
        .refused(2, &["--layout"]);
}

#[test]
fn what_a_file_says_of_itself_is_not_overruled() {
    let desk = Desk::new();
    TOY.prepare(&desk, "toy", "coco17");
    desk.ssl("convert toy.h5 toy.jsonl").success();
    desk.ssl("prepare toy.jsonl -o x.h5 --layout openpose18")
        .refused(2, &["openpose18", "coco17"]);
    desk.ssl("prepare toy.jsonl -o x.h5 --units metre")
        .refused(2, &["metre", "pixel"]);
    desk.ssl("prepare toy.jsonl -o x.h5 --layout coco17 --units pixel")
        .success();
}
