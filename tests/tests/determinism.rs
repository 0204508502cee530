//! The same seed gives the same bytes, whatever the number of threads.

use ssl_tests::program::Desk;
use ssl_tests::toy::{FINETUNE, PRETRAIN, TOY};

/// What must be the same; timings.jsonl holds what may differ.
const SAME: [&str; 2] = ["metrics.jsonl", "model.safetensors"];

#[test]
fn seeds_decide_and_threads_do_not() {
    let desk = Desk::new();
    TOY.prepare(&desk, "toy", "coco17");
    for (run, how) in [
        ("a", "--seed 3 --threads 1"),
        ("b", "--seed 3 --threads 1"),
        ("c", "--seed 3 --threads 2"),
        ("d", "--seed 4 --threads 2"),
    ] {
        desk.ssl(&format!("pretrain --preset quick --data toy.h5 --split train --val test --out pre-{run} {PRETRAIN} {how}")).success();
        desk.ssl(&format!(
            "finetune --preset quick --data toy.h5 --train train --holdout 0.2 --test test --encoder pre-{run} --out fine-{run} {FINETUNE} {how}"
        ))
        .success();
    }
    for stage in ["pre", "fine"] {
        for file in SAME {
            let read = |run: &str| desk.read(&format!("{stage}-{run}/{file}"));
            let first = read("a");
            assert!(!first.is_empty(), "{stage} {file}");
            assert!(first == read("b"), "{stage} {file}: the same seed twice");
            assert!(first == read("c"), "{stage} {file}: 1 and 2 threads");
            assert!(first != read("d"), "{stage} {file}: another seed");
        }
    }
}

#[test]
fn predictions_do_not_depend_on_threads_or_batch() {
    let desk = Desk::new();
    TOY.prepare(&desk, "toy", "coco17");
    desk.ssl(&format!(
        "finetune --preset quick --data toy.h5 --train train --out fine {FINETUNE}"
    ))
    .success();
    let predict = |how: &str| {
        desk.ssl(&format!("predict fine --data toy.h5 --json {how}"))
            .success()
            .stdout
    };
    let first = predict("--threads 1");
    assert_eq!(first, predict("--threads 2"));
    assert_eq!(first, predict("--threads 1 --batch 32"));
    // The clips of the pickle are the clips of the cache.
    let from = |data: &str| {
        desk.ssl(&format!("evaluate fine --data {data} --split test --json"))
            .json()
    };
    assert_eq!(from("toy.h5")["n"], 9);
    let clips = desk.ssl("predict fine --data toy.pkl --json").json();
    let cache: serde_json::Value = serde_json::from_str(&first).expect("a JSON document");
    assert_eq!(clips, cache);
}
