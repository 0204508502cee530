//! Real clips, where `shared/data` stands beside the checkout.

use ssl_tests::program::Desk;
use ssl_tests::{python, real_data};

/// The splits of an inspected cache as (name, clips).
fn splits(cache: &serde_json::Value) -> Vec<(String, u64)> {
    let entries = cache["splits"].as_object().expect("sizes by name").iter();
    entries
        .map(|(name, n)| (name.clone(), n.as_u64().expect("a count")))
        .collect()
}

fn prepare(desk: &Desk, file: &str, dataset: &str) -> Option<serde_json::Value> {
    let source = real_data(file)?;
    desk.ssl(&format!(
        "prepare {} -o {dataset}.h5 --dataset {dataset}",
        source.display()
    ))
    .success();
    Some(
        desk.ssl(&format!("inspect {dataset}.h5 --json --verify"))
            .json(),
    )
}

#[test]
fn jhmdb_has_its_clips_and_official_splits() {
    let desk = Desk::new();
    let Some(cache) = prepare(&desk, "jhmdb14.pkl", "jhmdb14") else {
        return;
    };
    assert_eq!(cache["clips"], 609, "{cache:#}");
    assert_eq!(cache["classes"].as_array().map(Vec::len), Some(14));
    let expected = [
        ("test1", 176),
        ("test2", 176),
        ("test3", 175),
        ("train1", 433),
        ("train2", 433),
        ("train3", 434),
    ];
    let mut found = splits(&cache);
    found.sort();
    assert_eq!(found, expected.map(|(name, n)| (name.to_owned(), n)));
    bit_for_bit(&desk, "jhmdb14.pkl", "jhmdb14.h5");

    // One short epoch of each stage on real poses, measured on the test split.
    let frames = "--set reading.frames=16";
    desk.ssl(&format!(
        "pretrain --preset jhmdb --data jhmdb14.h5 --split train1 --out pre {frames} --set pretrain.epochs=1"
    ))
    .success();
    desk.ssl(&format!(
        "finetune --preset jhmdb --data jhmdb14.h5 --train train1 --encoder pre --out fine {frames} --set finetune.epochs=1"
    ))
    .success();
    let measured = desk
        .ssl("evaluate fine --data jhmdb14.h5 --split test1 --json")
        .json();
    assert_eq!(measured["n"], 176);
}

#[test]
fn nw_ucla_has_its_clips_and_its_clean_split() {
    let desk = Desk::new();
    let Some(cache) = prepare(&desk, "nw_ucla.pkl", "nw_ucla") else {
        return;
    };
    assert_eq!(cache["clips"], 1484, "{cache:#}");
    let mut found = splits(&cache);
    found.sort();
    let expected = [
        ("xview_test", 464),
        ("xview_test_clean", 369),
        ("xview_train", 1020),
    ];
    assert_eq!(found, expected.map(|(name, n)| (name.to_owned(), n)));
    bit_for_bit(&desk, "nw_ucla.pkl", "nw_ucla.h5");
    assert_eq!(cache["published"]["differences"], serde_json::json!([]));

    // The usual test list leaks, the clean one doesn't.
    let leaks = |test: &str, code: i32| {
        let done = desk.ssl(&format!(
            "doctor nw_ucla.h5 --split-train xview_train --split-test {test} --json"
        ));
        assert_eq!(done.code, Some(code), "{done}");
        let found: serde_json::Value =
            serde_json::from_str(&done.stdout).expect("one JSON document");
        found["pairs"][0]["leaked"].as_u64()
    };
    assert_eq!(leaks("xview_test", 1), Some(95));
    assert_eq!(leaks("xview_test_clean", 0), Some(0));
}

/// An h5py user who knows the published layout finds every array of the pickle, bit for bit.
fn bit_for_bit(desk: &Desk, pickle: &str, cache: &str) {
    let (Some(mut python), Some(pickle)) = (python(&["numpy", "h5py"]), real_data(pickle)) else {
        return;
    };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/reference/compare_cache.py");
    let output = python
        .arg(script)
        .arg(pickle)
        .arg(desk.path(cache))
        .output()
        .expect("it ran before");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{}{stderr}",
        String::from_utf8_lossy(&output.stdout)
    );
}
