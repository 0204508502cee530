//! Pickles that must not become a cache: each is refused with the file, the place and what to do.

use ssl_tests::pickle::{Py, dump, text};
use ssl_tests::program::Desk;
use ssl_tests::real_data;
use ssl_tests::toy::{TOY, Toy};

const AS_COCO: &str = "-o out.h5 --layout coco17 --units pixel";

#[test]
fn a_missing_file_is_named() {
    let desk = Desk::new();
    desk.ssl(&format!("prepare nowhere.pkl {AS_COCO}"))
        .refused(1, &["nowhere.pkl"]);
}

#[test]
fn a_pickle_that_calls_a_function_is_refused_by_its_name_and_never_executed() {
    let desk = Desk::new();
    for (module, name) in [
        ("os", "system"),
        ("posix", "system"),
        ("builtins", "eval"),
        ("numpy", "load"),
    ] {
        let command = desk.path("owned");
        let argument = text(&format!("touch {}", command.display()));
        desk.write(
            "evil.pkl",
            dump(&Py::Call(module, name, Box::new(argument))),
        );
        desk.ssl(&format!("prepare evil.pkl {AS_COCO}"))
            .refused(1, &["evil.pkl", module, name]);
        assert!(!command.exists(), "{module}.{name} was executed");
        assert!(!desk.path("out.h5").exists());
    }
}

#[test]
fn a_pickle_cut_off_anywhere_is_refused() {
    let desk = Desk::new();
    let whole = TOY.pickle();
    for part in [0, 1, 2, 100, whole.len() / 2, whole.len() - 1] {
        desk.write("cut.pkl", &whole[..part]);
        desk.ssl(&format!("prepare cut.pkl {AS_COCO}"))
            .refused(1, &["cut.pkl"]);
        assert!(!desk.path("out.h5").exists(), "cut at {part}");
    }
}

#[test]
fn another_kind_of_file_is_refused() {
    let desk = Desk::new();
    desk.write(
        "readme.pkl",
        "These are not the clips you are looking for.\n",
    );
    desk.ssl(&format!("prepare readme.pkl {AS_COCO}"))
        .refused(1, &["readme.pkl"]);
}

#[test]
fn a_kinetics_index_is_refused_as_one() {
    let desk = Desk::new();
    let clip = Py::Dict(vec![
        ("frame_dir", text("abseiling/x")),
        ("label", Py::Int(0)),
        ("total_frames", Py::Int(300)),
        ("img_shape", Py::Tuple(vec![Py::Int(340), Py::Int(256)])),
        ("raw_file", text("data/k400/x.pkl")),
    ]);
    let split = Py::Dict(vec![("train", Py::List(vec![text("abseiling/x")]))]);
    let index = Py::Dict(vec![
        ("split", split),
        ("annotations", Py::List(vec![clip])),
    ]);
    desk.write("k400.pkl", dump(&index));
    desk.ssl(&format!("prepare k400.pkl {AS_COCO}"))
        .refused(1, &["k400.pkl", "keypoint"]);
}

#[test]
fn the_real_kinetics_index_is_refused_as_one() {
    let Some(index) = real_data("k400_index.pkl") else {
        return;
    };
    let desk = Desk::new();
    desk.ssl(&format!("prepare {} {AS_COCO}", index.display()))
        .refused(1, &["k400_index.pkl", "Kinetics"]);
}

#[test]
fn the_wrong_layout_is_refused_with_both_joint_counts() {
    let desk = Desk::new();
    desk.write("toy.pkl", TOY.pickle());
    desk.ssl("prepare toy.pkl -o out.h5 --layout ntu25 --units pixel")
        .refused(1, &["toy.pkl", "25", "17"]);
    desk.ssl("prepare toy.pkl -o out.h5 --layout coco71 --units pixel")
        .refused(1, &["coco71", "coco17", "ucla20"]);
    assert!(!desk.path("out.h5").exists());
}

#[test]
fn more_labels_than_class_names_are_refused() {
    let desk = Desk::new();
    desk.write("toy.pkl", TOY.pickle());
    desk.write("names.txt", "wave\n\nclap\n");
    desk.ssl(&format!("prepare toy.pkl {AS_COCO} --classes names.txt"))
        .refused(1, &["names.txt: line 2", "a class's name"]);
    desk.write("names.txt", "wave\nclap\n");
    let done = desk.ssl(&format!("prepare toy.pkl {AS_COCO} --classes names.txt"));
    done.refused(1, &["toy.pkl", "k2t00", "label below 2", "found 2"]);
    // A known data set brings its own class names: 14 of them, and 15 joints.
    desk.ssl("prepare toy.pkl -o out.h5 --dataset jhmdb14")
        .refused(1, &["toy.pkl", "15", "17"]);
}

#[test]
fn clips_that_only_a_split_names_are_counted_and_left_out() {
    let desk = Desk::new();
    let Py::Dict(mut fields) = TOY.annotations() else {
        unreachable!("annotations are a dictionary");
    };
    fields[0].1 = Py::Dict(vec![(
        "train",
        Py::List(vec![text("k0t00"), text("nobody")]),
    )]);
    desk.write("toy.pkl", dump(&Py::Dict(fields)));
    let done = desk.ssl(&format!("prepare toy.pkl {AS_COCO}")).success();
    assert!(
        done.stderr.contains("warning:") && done.stderr.contains("train names 1 clip"),
        "{done}"
    );
    let cache = desk.ssl("inspect out.h5 --json").json();
    assert_eq!(cache["splits"]["train"], 1);
}

#[test]
fn an_earlier_cache_is_replaced_only_when_asked() {
    let desk = Desk::new();
    TOY.prepare(&desk, "toy", "coco17");
    let before = desk.read("toy.h5");
    let again = "prepare toy.pkl -o toy.h5 --layout coco17 --units pixel";
    desk.ssl(again).refused(1, &["toy.h5", "--overwrite"]);
    assert!(desk.read("toy.h5") == before, "left as it was");
    desk.write("toy.pkl", Toy { clips: 2, ..TOY }.pickle());
    desk.ssl(&format!("{again} --overwrite")).success();
    assert!(desk.read("toy.h5") != before, "replaced");
}
