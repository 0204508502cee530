//! What a frozen encoder knows, and training with few labels.

use ssl_tests::program::Desk;
use ssl_tests::toy::{FINETUNE, PRETRAIN, TOY, Toy};

fn desk() -> Desk {
    let desk = Desk::new();
    TOY.prepare(&desk, "toy", "coco17");
    desk.ssl(&format!(
        "pretrain --preset quick --data toy.h5 --split train --out pre {PRETRAIN}"
    ))
    .success();
    desk
}

#[test]
fn probes_measure_a_pre_trained_and_a_random_encoder_the_same_on_any_threads() {
    let desk = desk();
    let checkpoint = desk.read("pre/model.safetensors");
    for encoder in [
        "--encoder pre",
        "--preset quick --set reading.frames=16 --seed 3",
    ] {
        for method in ["linear", "knn --neighbours 3"] {
            let probe = |more: &str| {
                desk.ssl(&format!(
                    "probe {encoder} --data toy.h5 --train train --test test --method {method} --json {more}"
                ))
                .json()
            };
            let first = probe("--threads 1");
            assert_eq!(
                first,
                probe("--threads 2 --batch 5 --out probe.json --overwrite")
            );
            let written: serde_json::Value =
                serde_json::from_slice(&desk.read("probe.json")).expect("JSON");
            assert_eq!(first, written);
            assert_eq!(first["clips"], 9, "{first}");
            assert_eq!(first["train"]["clips"], 18, "{first}");
            assert_eq!(first["method"], method.split(' ').next().unwrap());
            assert_eq!(first["classes"].as_array().map(Vec::len), Some(3));
            // Each class swings a joint of its own: better than chance even by random codes.
            let top1 = first["top1"].as_f64().expect("a share");
            assert!(top1 > 0.5, "{encoder} {method}: {top1}");
            let kind = if encoder.contains("pre ") || encoder.ends_with("pre") {
                "pretrained"
            } else {
                "random"
            };
            assert_eq!(first["encoder"]["kind"], kind);
            assert!(first["encoder"]["weights"].is_string());
        }
    }
    assert_eq!(checkpoint, desk.read("pre/model.safetensors"));
}

#[test]
fn few_labels_are_chosen_by_the_seed_and_recorded() {
    let desk = desk();
    let known = |out: &str, more: &str| {
        desk.ssl(&format!(
            "finetune --preset quick --data toy.h5 --train train --encoder pre --out {out} {FINETUNE} {more}"
        ))
        .success();
        let run: serde_json::Value =
            serde_json::from_slice(&desk.read(&format!("{out}/run.json"))).expect("JSON");
        run["labels"].clone()
    };
    let third = known("third", "--labels 0.3 --seed 1");
    assert_eq!(third["share"], 0.3);
    let ids: Vec<&str> = third["clips"]
        .as_array()
        .expect("ids")
        .iter()
        .filter_map(serde_json::Value::as_str)
        .collect();
    // 0.3 of six clips a class, rounded up.
    for class in ["k0", "k1", "k2"] {
        let of = ids.iter().filter(|id| id.starts_with(class)).count();
        assert_eq!(of, 2, "{ids:?}");
    }
    assert!(
        ids.iter().all(|id| id[3..] < *"06"),
        "no test clip: {ids:?}"
    );
    assert_eq!(third, known("again", "--labels 0.3 --seed 1"));
    assert_ne!(third, known("other", "--labels 0.3 --seed 2"));
    assert_eq!(known("all", ""), serde_json::Value::Null);
    let config = String::from_utf8(desk.read("third/config.toml")).expect("UTF-8");
    assert!(config.contains("labels = 0.3"), "{config}");
    // The same share and seed are the same clips for a probe.
    let probe = desk
        .ssl("probe --encoder pre --data toy.h5 --train train --test test --labels 0.3 --seed 1 --json")
        .json();
    assert_eq!(probe["train"]["labels"], third);
    assert_eq!(probe["train"]["clips"], 6);
}

#[test]
fn probes_refuse_what_does_not_fit() {
    let desk = desk();
    Toy {
        coordinates: 3,
        ..TOY
    }
    .prepare(&desk, "deep", "coco17");
    let probe = |typed: &str| desk.ssl(&format!("probe --train train --test test {typed}"));
    probe("--encoder pre --data deep.h5").refused(1, &["deep.h5", "coordinates", "expected 2"]);
    for share in ["0", "1.5", "nan"] {
        probe(&format!("--encoder pre --data toy.h5 --labels {share}"))
            .refused(2, &["--labels", "above 0"]);
    }
    desk.ssl("probe --encoder pre --data toy.h5 --train train --test tset")
        .refused(1, &["tset", "test"]);
    assert_eq!(probe("--data toy.h5").code, Some(2));
    assert_eq!(
        probe("--encoder pre --preset quick --data toy.h5").code,
        Some(2)
    );
}
