//! The main job on the embedded synthetic clips: prepare, inspect, pre-train, fine-tune, evaluate, predict.

use serde_json::Value;
use ssl_tests::program::Desk;

/// As few steps as still touch everything.
const PRETRAIN: &str = "--set reading.frames=16 --set pretrain.epochs=1";
const FINETUNE: &str = "--set reading.frames=16 --set finetune.epochs=1";

#[test]
fn from_nothing_to_predictions() {
    let desk = Desk::new();
    desk.ssl("prepare --dataset synthetic -o synthetic.h5")
        .success();
    let cache = desk.ssl("inspect synthetic.h5 --json --verify").json();
    let classes = cache["classes"]
        .as_array()
        .expect("a list of class names")
        .len();
    assert!(classes >= 12, "{cache:#}");

    desk.ssl(&format!(
        "pretrain --preset quick --data synthetic.h5 --split train --val val --out pre {PRETRAIN}"
    ))
    .success();
    run_folder(&desk, "pre", "pretrain");

    let done = desk
        .ssl(&format!(
            "finetune --preset quick --data synthetic.h5 --train train --holdout 0.1 --test val --encoder pre --out fine {FINETUNE}"
        ))
        .success();
    assert!(
        done.stdout.contains("fine/model.safetensors"),
        "where the checkpoint is: {done}"
    );
    run_folder(&desk, "fine", "finetune");

    let measured = desk
        .ssl("evaluate fine --data synthetic.h5 --split val --json")
        .json();
    evaluation(&measured, classes);
    // The measurement after the last epoch is the same one.
    let test: Value =
        serde_json::from_slice(&desk.read("fine/test.json")).expect("a JSON document");
    assert_eq!(test["confusion"], measured["confusion"]);

    let predictions = desk
        .ssl("predict fine --data synthetic.h5 --split val --json")
        .json();
    let clips = usize::try_from(measured["n"].as_u64().expect("a count")).expect("small");
    predictions_of(&predictions, clips, classes);
}

/// What every run leaves.
fn run_folder(desk: &Desk, run: &str, command: &str) {
    let config =
        String::from_utf8(desk.read(&format!("{run}/config.toml"))).expect("TOML is UTF-8");
    assert!(
        config.contains("frames = 16"),
        "--set is in the resolved config: {config}"
    );
    let info: Value =
        serde_json::from_slice(&desk.read(&format!("{run}/run.json"))).expect("a JSON document");
    assert_eq!(info["command"], command);
    for key in ["seed", "commit", "data", "device", "threads", "versions"] {
        assert!(!info[key].is_null(), "run.json lacks {key}: {info:#}");
    }
    assert_eq!(
        desk.lines(&format!("{run}/metrics.jsonl")).len(),
        1,
        "one line an epoch"
    );
    assert_eq!(
        desk.lines(&format!("{run}/timings.jsonl")).len(),
        1,
        "one line an epoch"
    );
    assert!(desk.path(&format!("{run}/model.safetensors")).is_file());
}

fn evaluation(measured: &Value, classes: usize) {
    let n = measured["n"].as_u64().expect("a count");
    for key in ["top1", "top5", "mean_class"] {
        let share = measured[key]
            .as_f64()
            .unwrap_or_else(|| panic!("{key}: {measured:#}"));
        assert!((0.0..=1.0).contains(&share), "{key} is a fraction: {share}");
    }
    assert!(measured["top1"].as_f64() <= measured["top5"].as_f64());
    assert_eq!(measured["classes"].as_array().map(Vec::len), Some(classes));
    let confusion = measured["confusion"].as_array().expect("rows");
    let row = |row: &Value| -> Vec<u64> {
        let cells = row.as_array().expect("cells").iter();
        cells.map(|cell| cell.as_u64().expect("a count")).collect()
    };
    let rows: Vec<Vec<u64>> = confusion.iter().map(row).collect();
    assert!(rows.len() == classes && rows.iter().all(|row| row.len() == classes));
    assert_eq!(rows.iter().flatten().sum::<u64>(), n);
    let right: u64 = (0..classes).map(|k| rows[k][k]).sum();
    let top1 = measured["top1"].as_f64().expect("checked above");
    assert!(
        (right as f64 / n as f64 - top1).abs() < 1e-9,
        "{right} of {n} is not {top1}"
    );
}

fn predictions_of(predictions: &Value, clips: usize, classes: usize) {
    let list = predictions.as_array().expect("a list of clips");
    assert_eq!(list.len(), clips);
    for clip in list {
        assert!(clip["id"].is_string(), "{clip:#}");
        let top = clip["top"].as_array().expect("a list of classes");
        assert_eq!(top.len(), 5.min(classes));
        let p: Vec<f64> = top
            .iter()
            .map(|guess| guess["p"].as_f64().expect("a probability"))
            .collect();
        assert!(
            p.is_sorted_by(|a, b| a >= b) && p.iter().sum::<f64>() <= 1.0 + 1e-5,
            "{clip:#}"
        );
        for guess in top {
            assert!(
                guess["class"]
                    .as_u64()
                    .is_some_and(|class| class < classes as u64),
                "{guess:#}"
            );
            assert!(guess["name"].is_string(), "{guess:#}");
        }
    }
}

#[test]
fn both_synthetic_sets_are_the_same_each_time_and_another_seed_differs() {
    let desk = Desk::new();
    for set in ["synthetic", "synthetic3d"] {
        let mut digests = Vec::new();
        for (name, seed) in [("a", ""), ("b", ""), ("c", "--seed 7")] {
            desk.ssl(&format!(
                "prepare --dataset {set} -o {set}-{name}.h5 {seed}"
            ))
            .success();
            let cache = desk.ssl(&format!("inspect {set}-{name}.h5 --json")).json();
            digests.push(cache["digest"].as_str().expect("a digest").to_owned());
        }
        assert_eq!(digests[0], digests[1], "{set}");
        assert_ne!(digests[0], digests[2], "{set}");
    }
}

/// A set of any size, whose clips are made as they are written.
#[test]
fn as_many_clips_as_are_asked_for() {
    let desk = Desk::new();
    desk.ssl("prepare --dataset synthetic3d --clips 50 --subjects 5 --pairs 0.2 -o a.h5")
        .success();
    let facts = desk.ssl("inspect a.h5 --json").json();
    assert_eq!(facts["clips"], 50, "{facts:#}");
    let two: usize = (0..50)
        .map(|clip| {
            desk.ssl(&format!("inspect a.h5 --clip {clip} --json"))
                .json()
        })
        .filter(|clip| clip["persons"] == 2)
        .count();
    assert_eq!(two, 10);
    desk.ssl("prepare --dataset synthetic --clips 9 --subjects 3 -o b.h5")
        .refused(1, &["subjects", "4 to 999", "3"]);
    desk.ssl("prepare --dataset synthetic --pairs 2 -o b.h5")
        .refused(1, &["pairs", "0 to 1"]);
    desk.ssl("prepare a.h5 --clips 9 -o b.h5")
        .refused(2, &["--clips", "synthetic"]);
}
