//! A clip that shows nobody is said to, and doesn't keep the others from their answers.

use serde_json::{Value, json};
use ssl_tests::program::Desk;
use ssl_tests::toy::TOY;

const FINETUNE: &str = "finetune --preset quick --data toy.h5 --train train --set reading.frames=8 --set finetune.epochs=1 --set model.width=16 --set model.encoder_layers=1 --set model.strl.layers=1 --out model";

/// Zero in place of every number.
fn emptied(value: &Value) -> Value {
    match value {
        Value::Array(values) => values.iter().map(emptied).collect(),
        _ => json!(0.0),
    }
}

#[test]
fn the_others_are_answered() {
    let desk = Desk::new();
    TOY.prepare(&desk, "toy", "coco17");
    desk.ssl(FINETUNE).success();
    desk.ssl("convert toy.h5 toy.jsonl").success();
    // The first clip of the test split loses everybody.
    let mut lines = desk.lines("toy.jsonl");
    let split = lines.iter().find(|line| line["split"] == "test");
    let gone = split.expect("a split")["ids"][0].clone();
    let clip = lines.iter_mut().find(|line| line["id"] == gone);
    let clip = clip.expect("a clip");
    clip["keypoints"] = emptied(&clip["keypoints"]);
    let text: Vec<String> = lines.iter().map(Value::to_string).collect();
    desk.write("new.jsonl", text.join("\n"));
    desk.ssl("prepare new.jsonl -o new.h5").success();
    let gone = gone.as_str().expect("an id");

    for data in ["new.jsonl", "new.h5"] {
        let typed = format!("predict model --data {data} --split test");
        let whole = desk.ssl(&format!(
            "predict model --data {} --split test --json",
            data.replace("new", "toy")
        ));
        let whole = whole.json();
        let found = desk.ssl(&format!("{typed} --json"));
        assert!(
            found
                .stderr
                .contains(&format!("1 clip without anybody left out: {gone}")),
            "{}",
            found.stderr
        );
        let found = found.json();
        let (found, whole) = (found.as_array().unwrap(), whole.as_array().unwrap());
        assert_eq!(found.len(), whole.len());
        for (found, whole) in found.iter().zip(whole) {
            assert_eq!(found["id"], whole["id"], "in the same order");
            match found["id"] == gone {
                true => assert!(found["top"].is_null()),
                false => assert_eq!(found["top"], whole["top"]),
            }
        }
        let said = desk.ssl(&typed).success().stdout;
        assert!(
            said.lines().any(|line| line == format!("{gone}\t-")),
            "{said}"
        );
    }

    let whole = desk
        .ssl("evaluate model --data toy.h5 --split test --json")
        .json();
    let found = desk
        .ssl("evaluate model --data new.h5 --split test --json")
        .json();
    assert_eq!(found["nobody"], 1);
    assert!(whole.get("nobody").is_none());
    assert_eq!(found["n"].as_u64(), whole["n"].as_u64().map(|n| n - 1));
    let said = desk
        .ssl("evaluate model --data new.h5 --split test")
        .success()
        .stdout;
    assert!(said.contains("left out, without anybody: 1"), "{said}");

    // A training refuses such clips before it begins, in every split that it reads, or leaves them out when told to.
    let finetune = FINETUNE
        .replace("toy.h5", "new.h5")
        .replace("--out model", "--out other --test test");
    desk.ssl(&finetune).refused(
        1,
        &["split \"test\"", "1 clip that don't", gone, "--skip-empty"],
    );
    assert!(!desk.path("other").join("metrics.jsonl").exists());
    desk.ssl(&format!("{finetune} --skip-empty")).success();
    let test: Value = serde_json::from_slice(&desk.read("other/test.json")).expect("JSON");
    assert_eq!(test["n"], found["n"]);
    let probe =
        "probe --preset quick --data new.h5 --train train --test test --set reading.frames=8";
    desk.ssl(probe)
        .refused(1, &["split \"test\"", gone, "--skip-empty"]);
    let probed = desk.ssl(&format!("{probe} --skip-empty --json")).json();
    assert_eq!(
        probed["n"].as_u64().or(probed["clips"].as_u64()),
        found["n"].as_u64()
    );
    let pretrain = "pretrain --preset quick --data new.h5 --split test --out pretrained --set pretrain.epochs=1 --set reading.frames=8";
    desk.ssl(pretrain)
        .refused(1, &["split \"test\"", gone, "--skip-empty"]);
    desk.ssl(&format!("{pretrain} --skip-empty")).success();

    desk.ssl("represent model --data new.h5 --split test --out features.jsonl")
        .success();
    let features = desk.lines("features.jsonl");
    for line in &features {
        assert_eq!(line["feature"].is_null(), line["id"] == gone, "{line}");
    }
}

#[test]
fn nobody_at_all_is_an_error() {
    let desk = Desk::new();
    TOY.prepare(&desk, "toy", "coco17");
    desk.ssl(FINETUNE).success();
    desk.ssl("convert toy.h5 toy.jsonl").success();
    let mut lines = desk.lines("toy.jsonl");
    for line in lines.iter_mut().filter(|line| line["keypoints"].is_array()) {
        line["keypoints"] = emptied(&line["keypoints"]);
    }
    let text: Vec<String> = lines.iter().map(Value::to_string).collect();
    desk.write("new.jsonl", text.join("\n"));
    desk.ssl("predict model --data new.jsonl")
        .refused(1, &["shows somebody", "ssl doctor"]);
}
