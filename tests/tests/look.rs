//! Looking at a cache: what `ssl inspect` draws, and what `ssl doctor` finds.

use serde_json::Value;
use ssl_tests::pickle::{Py, dump};
use ssl_tests::program::Desk;
use ssl_tests::python;
use ssl_tests::toy::{TOY, Toy};

/// Two clips of each class to train on, one to test on.
const SMALL: Toy = Toy { clips: 2, ..TOY };

#[test]
fn a_clip_is_drawn_by_its_id_or_its_number() {
    let desk = Desk::new();
    SMALL.prepare(&desk, "toy", "coco17");
    let done = desk
        .ssl("inspect toy.h5 --clip k1t01 --svg clip.svg --html clip.html")
        .success();
    assert!(
        done.stdout.contains("class     1") && done.stdout.contains("drawn: clip.html"),
        "{done}"
    );
    let svg = String::from_utf8(desk.read("clip.svg")).expect("SVG is UTF-8");
    assert!(svg.starts_with("<svg ") && svg.contains("k1t01"), "{svg}");
    // The fifth clip is the same one.
    desk.ssl("inspect toy.h5 --clip 4 --svg again.svg")
        .success();
    assert_eq!(desk.read("again.svg"), svg.as_bytes());
    if let Some(mut python) = python(&["xml.etree.ElementTree"]) {
        let script =
            "import sys, xml.etree.ElementTree as e; print(e.parse(sys.argv[1]).getroot().tag)";
        let output = python
            .args(["-c", script])
            .arg(desk.path("clip.svg"))
            .output()
            .expect("it ran before");
        assert_eq!(
            String::from_utf8_lossy(&output.stdout).trim(),
            "{http://www.w3.org/2000/svg}svg"
        );
    }
    let page = String::from_utf8(desk.read("clip.html")).expect("HTML is UTF-8");
    assert!(
        page.starts_with("<!doctype html>")
            && page.contains("id=\"play\"")
            && !page.contains(" src=")
    );

    desk.ssl("inspect toy.h5 --clip 4 --svg clip.svg")
        .refused(1, &["clip.svg", "--overwrite"]);
    desk.ssl("inspect toy.h5 --clip 4 --svg clip.svg --frames 3 --overwrite")
        .success();
    assert_ne!(desk.read("clip.svg"), svg.as_bytes());
    desk.ssl("inspect toy.h5 --clip k1t1 --svg none.svg")
        .refused(1, &["k1t1", "9 clips", "k1t0"]);
    desk.ssl("inspect toy.h5 --clip 9 --svg none.svg")
        .refused(1, &["\"9\"", "from 0 to 8"]);
    desk.ssl("inspect toy.h5 --clip 0 --svg none.svg --up z")
        .refused(1, &["--up"]);
    assert!(!desk.path("none.svg").exists());
}

#[test]
fn a_cache_is_described_in_distributions() {
    let desk = Desk::new();
    SMALL.prepare(&desk, "toy", "coco17");
    let text = desk.ssl("inspect toy.h5").success().stdout;
    for line in [
        "frames, by clips",
        "  20 to 20         9  ####",
        "splits, by clips",
        "classes, by clips",
    ] {
        assert!(text.contains(line), "{line:?} in {text}");
    }
    let found = desk.ssl("inspect toy.h5 --json").json();
    assert_eq!(
        found["frames"]["histogram"],
        serde_json::json!([{ "from": 20, "to": 20, "clips": 9 }])
    );
    assert_eq!(found["missing_by_joint"].as_array().map(Vec::len), Some(17));
    assert_eq!(found["missing_by_clip"][0]["clips"], 9);
    assert_eq!(found["tracks"]["1"], 9);
    assert_eq!(
        found["published"],
        Value::Null,
        "nothing is known of this set"
    );
}

#[test]
fn a_sound_set_is_healthy_and_a_batch_of_it_is_learnt_by_heart() {
    let desk = Desk::new();
    SMALL.prepare(&desk, "toy", "coco17");
    let done = desk
        .ssl("doctor toy.h5 --overfit --set reading.frames=8")
        .success();
    assert!(
        done.stdout.contains("healthy:") && done.stdout.contains("learnt by heart; loss"),
        "{done}"
    );
    // A rate that no training survives.
    let done = desk.ssl(
        "doctor toy.h5 --overfit --json --set reading.frames=8 --set finetune.optimizer.lr=1e9",
    );
    assert_eq!(done.code, Some(1), "{done}");
    let found: Value = serde_json::from_str(&done.stdout).expect("one JSON document");
    assert_eq!(
        (&found["healthy"], &found["overfit"]["fits"]),
        (&Value::Bool(false), &Value::Bool(false))
    );
}

#[test]
fn a_leaked_clip_is_found_by_its_coordinates() {
    let desk = Desk::new();
    let Py::Dict(mut file) = SMALL.annotations() else {
        unreachable!("a file is a dict")
    };
    let Py::List(clips) = &mut file[1].1 else {
        unreachable!("annotations are a list")
    };
    // k0t02, in the test split, gets the coordinates of k0t00, in training.
    let (Py::Dict(from), Py::Dict(to)) = (clips[0].clone(), &mut clips[2]) else {
        unreachable!("a clip is a dict")
    };
    let keypoint = |clip: &[(&str, Py)]| {
        clip.iter()
            .position(|(key, _)| *key == "keypoint")
            .expect("it is there")
    };
    let place = keypoint(to);
    to[place].1 = from[keypoint(&from)].1.clone();
    desk.write("leaky.pkl", dump(&Py::Dict(file)));
    let prepared = desk
        .ssl("prepare leaky.pkl -o leaky.h5 --layout coco17 --units pixel")
        .success();
    assert!(prepared.stdout.contains("doctor leaky.h5"), "{prepared}");

    let done = desk.ssl("doctor leaky.h5");
    assert_eq!(done.code, Some(1), "{done}");
    for words in [
        "ERROR    1 clip of test with the coordinates of clips of train",
        "k0t02 = k0t00",
        "why",
        "do  ",
    ] {
        assert!(done.stdout.contains(words), "{words:?} in {done}");
    }
    assert!(
        done.stderr.starts_with("error: leaky.h5: 1 finding"),
        "{done}"
    );
    let done = desk.ssl("doctor leaky.h5 --split-train test --split-test train --json --show 0");
    let found: Value = serde_json::from_str(&done.stdout).expect("one JSON document");
    assert_eq!(found["findings"][0]["kind"], "shared-poses");
    assert_eq!(
        (
            found["findings"][0]["more"].as_u64(),
            found["pairs"][0]["leaked"].as_u64()
        ),
        (Some(1), Some(1))
    );
    desk.ssl("doctor leaky.h5 --split-train train --split-test tset")
        .refused(1, &["tset", "test, train"]);
}

#[test]
fn what_is_known_of_a_set_is_held_against_what_is_found() {
    let desk = Desk::new();
    let toy = Toy {
        joints: 15,
        ..SMALL
    };
    desk.write("toy.pkl", toy.pickle());
    desk.ssl("prepare toy.pkl -o toy.h5 --dataset jhmdb14")
        .success();
    let text = desk.ssl("inspect toy.h5").success().stdout;
    for words in [
        "differs from what is known of JHMDB",
        "has 609 clips; 9 were found",
        "split \"train\" is not one of",
    ] {
        assert!(text.contains(words), "{words:?} in {text}");
    }
    let found = desk.ssl("inspect toy.h5 --json").json();
    assert_eq!(
        found["published"]["differences"].as_array().map(Vec::len),
        Some(1 + 6 + 2),
        "{found:#}"
    );
    // Pixels are said to be normalised here: sizes of hundreds tell.
    let done = desk.ssl("doctor toy.h5 --split-train train --split-test test");
    assert!(
        done.code == Some(1)
            && done
                .stdout
                .contains("ERROR    units are said to be normalised"),
        "{done}"
    );
}
