//! `ssl export`: what onnxruntime makes of a model is what the program makes of it.

use std::fmt::Write as _;

use serde_json::{Value, json};
use ssl_tests::mutate::Dice;
use ssl_tests::program::{Desk, Finished};
use ssl_tests::toy::{TOY, Toy};
use ssl_tests::{python, root};

/// Clips that a model is compared on.
const CLIPS: usize = 100;
/// A small model, two epochs of training.
const SMALL: &str = "--set model.width=16 --set reading.frames=16 --set finetune.epochs=2";

/// A model `name` of these settings, fine-tuned on the clips `data.h5`.
fn train(desk: &Desk, data: &str, name: &str, settings: &str) {
    desk.ssl(&format!(
        "finetune --preset quick --data {data}.h5 --train train --out {name} {SMALL} {settings}"
    ))
    .success();
}

/// Clips of one to three people, some joints and frames missing, as JSON lines.
fn clips(desk: &Desk, name: &str, toy: Toy) {
    let mut dice = Dice::new(7);
    let mut number = |low: f64, high: f64| low + (high - low) * dice.below(10_000) as f64 / 1e4;
    let mut text = format!("{}\n", json!({"format": "skeleton-clips", "version": 1}));
    for clip in 0..CLIPS {
        let (people, frames) = (1 + clip % 3, 5 + clip % 31);
        let mut keypoints: Vec<Value> = Vec::new();
        let mut scores: Vec<Value> = Vec::new();
        for person in 0..people {
            let (mut poses, mut sure) = (Vec::new(), Vec::new());
            for frame in 0..frames {
                let gone = number(0.0, 1.0) < 0.05 && frame + person > 0;
                let joint = |joint: usize| {
                    if gone || number(0.0, 1.0) < 0.04 {
                        return Value::Null;
                    }
                    let place = |axis: usize| {
                        let swing = f64::sin(0.3 * (frame * (1 + clip % 5)) as f64 + joint as f64);
                        100.0 * (person + 1) as f64
                            + (31 * joint % 97 + 13 * axis) as f64
                            + 20.0 * swing
                    };
                    (0..toy.coordinates).map(place).collect()
                };
                poses.push((0..toy.joints).map(joint).collect::<Vec<Value>>());
                sure.push(
                    (0..toy.joints)
                        .map(|_| number(-0.02, 1.0).max(0.0))
                        .collect::<Vec<f64>>(),
                );
            }
            keypoints.push(poses.into());
            scores.push(sure.into());
        }
        let line =
            json!({"id": format!("clip{clip:03}"), "keypoints": keypoints, "scores": scores});
        writeln!(text, "{line}").expect("a string grows");
    }
    desk.write(name, text);
}

/// Exports `run`, and compares it with the program on the clips `name`; gives the largest difference.
fn compare(desk: &Desk, run: &str, name: &str) -> f64 {
    desk.ssl(&format!("export {run} -o {run}.onnx")).success();
    let mut python = python(&["numpy", "onnx", "onnxruntime"]).expect("it was there before");
    let output = python
        .arg(root().join("tests/reference/onnx_parity.py"))
        .args([desk.path(&format!("{run}.onnx")), desk.path(name)])
        .output()
        .expect("it ran before");
    let made = Finished::new(format!("onnx_parity.py {run}"), output).json();
    let ours = desk
        .ssl(&format!("predict {run} --data {name} --json --top 100"))
        .json();
    let ours = ours.as_array().expect("a list");
    assert_eq!(ours.len(), CLIPS);
    let people: Vec<u64> = made["people"]
        .as_array()
        .expect("counts")
        .iter()
        .filter_map(Value::as_u64)
        .collect();
    assert!(people.contains(&1) && people.contains(&2), "mixed persons");
    let (mut largest, mut seen) = (0.0f64, [f64::INFINITY, 0.0]);
    for (clip, ours) in ours.iter().enumerate() {
        assert_eq!(ours["id"], made["ids"][clip]);
        for guess in ours["top"].as_array().expect("guesses") {
            let class = guess["class"].as_u64().expect("a number") as usize;
            let p = guess["p"].as_f64().expect("a probability");
            seen = [seen[0].min(p), seen[1].max(p)];
            for way in ["alone", "together"] {
                let theirs = made[way][clip][class].as_f64().expect("a probability");
                largest = largest.max((p - theirs).abs());
            }
        }
    }
    assert!(
        seen[1] - seen[0] > 1e-2,
        "one answer to everything: {seen:?}"
    );
    assert!(made["softmax"].as_f64().expect("a number") < 1e-6);
    assert!(
        made["nobody"]
            .as_array()
            .expect("a row")
            .iter()
            .all(|p| p.as_f64().is_some_and(f64::is_finite)),
        "a clip without anybody is no reason for NaN"
    );
    eprintln!("{run}: {largest:.1e}");
    largest
}

#[test]
fn onnxruntime_gives_the_programs_probabilities() {
    if python(&["numpy", "onnx", "onnxruntime"]).is_none() {
        return;
    }
    let desk = Desk::new();
    let spatial = Toy {
        joints: 25,
        coordinates: 3,
        ..TOY
    };
    TOY.prepare(&desk, "flat", "coco17");
    spatial.prepare(&desk, "deep", "ntu25");
    clips(&desk, "flat.jsonl", TOY);
    clips(&desk, "deep.jsonl", spatial);
    for (data, backbone, more) in [
        ("flat", "gin", "--set model.time_neighbours=[1,3]"),
        (
            "flat",
            "gcn",
            "--set model.strl.pool=joints --set model.strl.head=[12,8]",
        ),
        (
            "flat",
            "gat",
            "--set model.strl.layers=1 --set model.strl.pool=sum",
        ),
        (
            "deep",
            "gin",
            "--set model.strl.adjacency=symmetric --set model.strl.dilations=[1,3] --set model.strl.kernel=3",
        ),
        ("deep", "gcn", "--set reading.frames=15"),
        (
            "deep",
            "gat",
            "--set model.encoder_layers=1 --set model.strl.pool=joints",
        ),
    ] {
        let run = format!("{data}-{backbone}");
        train(
            &desk,
            data,
            &run,
            &format!("--set model.backbone={backbone} {more}"),
        );
        let off = compare(&desk, &run, &format!("{data}.jsonl"));
        assert!(off < 1e-4, "{run}: off by {off:e}");
    }
}

#[test]
fn the_example_of_the_book_names_the_programs_classes() {
    let Some(mut python) = python(&["numpy", "onnxruntime"]) else {
        return;
    };
    let desk = Desk::new();
    TOY.prepare(&desk, "flat", "coco17");
    clips(&desk, "new.jsonl", TOY);
    train(&desk, "flat", "fine", "");
    desk.ssl("export fine -o model.onnx").success();
    let output = python
        .arg(root().join("docs/export.py"))
        .args([desk.path("model.onnx"), desk.path("new.jsonl")])
        .output()
        .expect("it ran before");
    let said = Finished::new("export.py".into(), output).success().stdout;
    let ours = desk
        .ssl("predict fine --data new.jsonl --top 1")
        .success()
        .stdout;
    let firsts = ours.lines().map(|line| line.replace(' ', "\t"));
    assert_eq!(firsts.collect::<Vec<_>>(), said.lines().collect::<Vec<_>>());
}

#[test]
fn what_is_exported_stays_whole_and_is_written_once() {
    let desk = Desk::new();
    TOY.prepare(&desk, "flat", "coco17");
    train(&desk, "flat", "fine", "");
    desk.ssl("export fine -o model.onnx").success();
    let (first, beside) = (desk.read("model.onnx"), desk.read("model.onnx.json"));
    let how: Value = serde_json::from_slice(&beside).expect("JSON");
    assert_eq!(how["input"]["joints"], 17);
    assert_eq!(how["reading"]["frames"], 16);
    assert_eq!(how["layout"]["joints"][0], "nose");
    assert_eq!(how["classes"].as_array().map(Vec::len), Some(3));
    let card = desk.ssl("info fine --json").json();
    assert_eq!(how["provenance"]["checkpoint"], card["sha256"]);
    desk.ssl("export fine -o model.onnx")
        .refused(1, &["model.onnx", "--overwrite"]);
    desk.ssl("export fine -o model.onnx --overwrite").success();
    assert!(
        first == desk.read("model.onnx"),
        "the same model, the same bytes"
    );
    desk.ssl("export fine -o model.pb")
        .refused(2, &["model.pb", ".onnx"]);
    desk.ssl("export flat.h5 -o other.onnx")
        .refused(1, &["flat.h5"]);
    desk.ssl("export zoo:jhmdb -o other.onnx")
        .refused(1, &["zoo:jhmdb", "finetune"]);
    assert!(!desk.path("other.onnx").exists() && !desk.path("other.onnx.json").exists());
}
