//! Several models of the same clips, several seeds, and data other than what was pre-trained on.

use serde_json::Value;
use ssl_tests::program::{Desk, Finished};
use ssl_tests::toy::{FINETUNE, PRETRAIN, TOY, Toy};

fn finetune(desk: &Desk, out: &str, more: &str) -> Finished {
    desk.ssl(&format!(
        "finetune --preset quick --train train --test test --out {out} {FINETUNE} {more}"
    ))
}

fn json(desk: &Desk, name: &str) -> Value {
    serde_json::from_slice(&desk.read(name)).expect("JSON")
}

#[test]
fn scores_are_fused_by_clip_id_and_weights_are_chosen_on_held_out_clips() {
    let desk = Desk::new();
    TOY.prepare(&desk, "toy", "coco17");
    for (run, more) in [("joint", ""), ("bone", "--set reading.stream=bone")] {
        finetune(&desk, run, &format!("--data toy.h5 --holdout 0.2 {more}")).success();
        for (which, file) in [("--split test", ""), ("--held-out", "-held")] {
            desk.ssl(&format!(
                "evaluate {run} --data toy.h5 {which} --scores {run}{file}.jsonl"
            ))
            .success();
        }
    }
    let alone = json(&desk, "joint/test.json");
    let one = desk.ssl("fuse joint.jsonl --json").json();
    for key in [
        "top1",
        "top5",
        "mean_class",
        "confusion",
        "n",
        "split",
        "digest",
    ] {
        assert_eq!(one[key], alone[key], "{key}");
    }
    let both = desk
        .ssl("fuse joint.jsonl bone.jsonl --json --out both.jsonl")
        .json();
    assert_eq!(both["weights"]["from"], "equal");
    assert_eq!(both["streams"][1]["stream"], "bone");
    assert_eq!(both["streams"][0]["weight"], 0.5);
    assert_eq!(
        desk.ssl("fuse both.jsonl --json").json()["top1"],
        both["top1"]
    );
    let only = desk
        .ssl("fuse joint.jsonl bone.jsonl --weights 0,2 --json")
        .json();
    assert_eq!(only["top1"], json(&desk, "bone/test.json")["top1"]);

    let tune = "fuse joint.jsonl bone.jsonl --tune";
    let tuned = desk
        .ssl(&format!("{tune} joint-held.jsonl bone-held.jsonl --json"))
        .json();
    assert_eq!(tuned["weights"]["from"], "tuned");
    assert_eq!(tuned["weights"]["tried"], 11);
    // 0.2 of six clips of three classes, rounded along the classes.
    assert_eq!(tuned["weights"]["clips"], 4);
    desk.ssl(&format!("{tune} joint.jsonl bone.jsonl"))
        .refused(1, &["--tune", "k0t06", "is measured too", "8 more"]);
    desk.ssl(&format!("{tune} bone-held.jsonl joint-held.jsonl"))
        .refused(
            1,
            &["bone-held.jsonl is not of the model that joint.jsonl is of"],
        );
    desk.ssl(&format!("{tune} joint-held.jsonl"))
        .refused(2, &["--tune", "expected 2"]);
    desk.ssl("fuse joint.jsonl bone.jsonl --weights 1")
        .refused(2, &["--weights", "2 numbers"]);
    desk.ssl("fuse joint.jsonl bone-held.jsonl")
        .refused(1, &["k0t06", "bone-held.jsonl"]);

    let text = String::from_utf8(desk.read("bone.jsonl")).expect("UTF-8");
    let without: String = text
        .lines()
        .filter(|l| !l.contains("k1t07"))
        .map(|l| format!("{l}\n"))
        .collect();
    desk.write("short.jsonl", &without);
    desk.ssl("fuse joint.jsonl short.jsonl")
        .refused(1, &["k1t07", "short.jsonl"]);
    let last = without.lines().last().expect("a line");
    desk.write("twice.jsonl", format!("{without}{last}\n"));
    desk.ssl("fuse joint.jsonl twice.jsonl")
        .refused(1, &["k2t08", "again", "twice.jsonl: line 10"]);
}

#[test]
fn held_out_clips_are_scored_only_of_the_data_trained_on() {
    let desk = Desk::new();
    TOY.prepare(&desk, "toy", "coco17");
    Toy { clips: 8, ..TOY }.prepare(&desk, "more", "coco17");
    finetune(&desk, "all", "--data toy.h5").success();
    desk.ssl("evaluate all --data toy.h5 --held-out")
        .refused(1, &["all", "held no clip out"]);
    finetune(&desk, "some", "--data toy.h5 --holdout 0.3").success();
    desk.ssl("evaluate some --data more.h5 --held-out")
        .refused(1, &["--held-out", "some", "was trained on"]);
    assert_eq!(desk.ssl("evaluate some --data toy.h5").code, Some(2));
}

#[test]
fn runs_are_summarised_over_seeds_and_nothing_else() {
    let desk = Desk::new();
    TOY.prepare(&desk, "toy", "coco17");
    for seed in [1, 2] {
        desk.ssl(&format!(
            "pretrain --preset quick --data toy.h5 --split train --out pre{seed} {PRETRAIN} --seed {seed}"
        ))
        .success();
        let more = format!("--data toy.h5 --encoder pre{seed} --seed {seed} --threads {seed}");
        finetune(&desk, &format!("run{seed}"), &more).success();
    }
    let summary = desk.ssl("summary run1 run2 --json").json();
    let top1 = |run: &str| {
        json(&desk, &format!("{run}/test.json"))["top1"]
            .as_f64()
            .expect("a share")
    };
    let (a, b) = (top1("run1"), top1("run2"));
    let found = &summary["last"]["top1"];
    assert!((found["mean"].as_f64().expect("a mean") - (a + b) / 2.0).abs() < 1e-12);
    let deviation = (a - b).abs() / std::f64::consts::SQRT_2;
    assert!((found["std"].as_f64().expect("a deviation") - deviation).abs() < 1e-12);
    assert_eq!(summary["seeds"], serde_json::json!([1, 2]));
    assert_eq!(
        desk.ssl("summary run1 --json").json()["last"]["top1"]["std"],
        Value::Null
    );

    desk.ssl("summary run1 run2 run1")
        .refused(1, &["run1", "both of seed 1"]);
    finetune(
        &desk,
        "longer",
        "--data toy.h5 --encoder pre1 --seed 3 --set finetune.epochs=3",
    )
    .success();
    desk.ssl("summary run1 longer")
        .refused(1, &["longer", "finetune.epochs", "3 and 2"]);
    finetune(&desk, "scratch", "--data toy.h5 --seed 3").success();
    desk.ssl("summary run1 scratch")
        .refused(1, &["scratch", "encoder", "none"]);
    // Encoders may differ in the seed too, and in nothing else.
    desk.ssl(&format!(
        "pretrain --preset quick --data toy.h5 --split train --out pre3 {PRETRAIN} --set pretrain.batch=9"
    ))
    .success();
    finetune(&desk, "run3", "--data toy.h5 --encoder pre3 --seed 3").success();
    desk.ssl("summary run1 run2 run3")
        .refused(1, &["pre3", "pretrain.batch", "9 and 32"]);
    desk.ssl("summary pre1")
        .refused(1, &["pre1", "test.json", "--test"]);
}

#[test]
fn an_encoder_goes_to_other_clips_and_skeletons_whose_numbers_mean_the_same() {
    let desk = Desk::new();
    TOY.prepare(&desk, "first", "coco17");
    Toy { classes: 2, ..TOY }.prepare(&desk, "second", "coco17");
    Toy { joints: 25, ..TOY }.prepare(&desk, "kinect", "ntu25");
    desk.ssl("prepare second.pkl -o scaled.h5 --layout coco17 --units normalised")
        .success();
    desk.ssl(&format!(
        "pretrain --preset quick --data first.h5 --split train --out pre {PRETRAIN}"
    ))
    .success();
    let done = finetune(&desk, "moved", "--data second.h5 --encoder pre").success();
    assert!(done.stderr.contains("pre-trained on own"), "{done}");
    assert!(done.stderr.contains("transferred to own ("), "{done}");
    let stayed = finetune(&desk, "stayed", "--data first.h5 --encoder pre").success();
    assert!(!stayed.stderr.contains("transferred"), "{stayed}");
    let skeleton = "another skeleton, ntu25 (25 joints) after coco17 (17)";
    let probe =
        |data: &str| format!("probe --data {data}.h5 --train train --test test --encoder pre");
    let other = finetune(&desk, "other", "--data kinect.h5 --encoder pre").success();
    assert!(other.stderr.contains(skeleton), "{other}");
    let other = desk.ssl(&probe("kinect")).success();
    assert!(other.stderr.contains(skeleton), "{other}");
    let parts = ["units", "pixel", "normalised"];
    finetune(&desk, "no", "--data scaled.h5 --encoder pre").refused(1, &parts);
    desk.ssl(&probe("scaled")).refused(1, &parts);
    finetune(
        &desk,
        "no",
        "--data second.h5 --encoder pre --set reading.stream=bone",
    )
    .refused(1, &["reading.stream", "joint", "bone"]);
    assert!(!desk.path("no").exists());
}

#[test]
fn a_model_trained_on_one_view_is_measured_on_ten() {
    let desk = Desk::new();
    TOY.prepare(&desk, "toy", "coco17");
    let uniform = "--data toy.h5 --set reading.sampling=uniform";
    finetune(&desk, "one", uniform).success();
    assert_eq!(json(&desk, "one/test.json")["views"], 1);
    let ten = desk
        .ssl("evaluate one --data toy.h5 --split test --clips 10 --json --scores ten.jsonl")
        .json();
    assert_eq!((&ten["views"], &ten["n"]), (&10.into(), &9.into()));
    assert_eq!(
        desk.lines("ten.jsonl").len(),
        10,
        "what it is of, and a line a clip"
    );
}
