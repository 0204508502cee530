//! Runs that go on: with another number of threads, after damage, and never as another run.

use ssl_tests::program::Desk;
use ssl_tests::toy::{TOY, Toy};

const PRETRAIN: &str = "pretrain --preset quick --data toy.h5 --split train --val test --set reading.frames=16 --set pretrain.epochs=3 --set pretrain.batch=6";

fn desk() -> Desk {
    let desk = Desk::new();
    TOY.prepare(&desk, "toy", "coco17");
    desk
}

fn states(desk: &Desk, run: &str) -> Vec<String> {
    let entries = std::fs::read_dir(desk.path(&format!("{run}/resume"))).expect("the states");
    let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// A copy of a run whose training stands at an earlier state.
fn copy(desk: &Desk, from: &str, to: &str) {
    let status = std::process::Command::new("cp")
        .arg("-r")
        .args([desk.path(from), desk.path(to)])
        .status();
    assert!(status.expect("a POSIX system has cp").success());
}

#[test]
fn the_last_few_states_are_kept() {
    let desk = desk();
    desk.ssl(&format!("{PRETRAIN} --out a --save-every 0 --keep 3"))
        .success();
    assert_eq!(
        states(&desk, "a"),
        [
            "000002-000002.safetensors",
            "000002-000003.safetensors",
            "000003-000000.safetensors"
        ]
    );
}

#[test]
fn a_run_that_is_not_there_starts_and_a_finished_one_stays_as_it_is() {
    let desk = desk();
    desk.ssl(&format!("{PRETRAIN} --out a --resume")).success();
    let (model, metrics) = (
        desk.read("a/model.safetensors"),
        desk.read("a/metrics.jsonl"),
    );
    let again = desk.ssl("pretrain --out a --resume").success();
    assert!(again.stderr.contains("all epochs are done"), "{again}");
    assert!(desk.read("a/model.safetensors") == model);
    assert!(desk.read("a/metrics.jsonl") == metrics);
    // What follows from the state is made good where it is missing or torn.
    std::fs::remove_file(desk.path("a/model.safetensors")).unwrap();
    desk.write("a/metrics.jsonl", &metrics[..metrics.len() - 3]);
    desk.ssl("pretrain --out a --resume").success();
    assert!(desk.read("a/model.safetensors") == model);
    assert!(desk.read("a/metrics.jsonl") == metrics);
}

#[test]
fn a_damaged_state_falls_back_aloud_and_the_run_ends_the_same() {
    let desk = desk();
    desk.ssl(&format!("{PRETRAIN} --out a --save-every 0"))
        .success();
    let newest = "a/resume/000003-000000.safetensors";
    let mut bytes = desk.read(newest);
    let end = bytes.len() - 5;
    bytes[end] ^= 1;
    desk.write(newest, &bytes);
    let resumed = desk.ssl(&format!("{PRETRAIN} --out a --resume")).success();
    assert!(
        resumed.stderr.contains("warning") && resumed.stderr.contains(newest),
        "{resumed}"
    );
    assert!(
        resumed.stderr.contains("going on in epoch 3 after step 3"),
        "{resumed}"
    );
    bytes[end] ^= 1;
    assert!(
        desk.read(newest) == bytes,
        "the state is made again as it was"
    );
    assert!(desk.read(&format!("{newest}.damaged")) != bytes);

    for state in states(&desk, "a") {
        desk.write(&format!("a/resume/{state}"), "not a state");
    }
    desk.ssl("pretrain --out a --resume")
        .refused(1, &["resume", "expected a state", "--overwrite"]);
    desk.ssl(&format!("{PRETRAIN} --out a --overwrite"))
        .success();
    assert_eq!(states(&desk, "a").len(), 2, "old states are gone");
}

#[test]
fn another_run_is_refused_by_the_name_of_what_differs() {
    let desk = desk();
    desk.ssl(&format!("{PRETRAIN} --out a")).success();
    let refused = |typed: &str, parts: &[&str]| desk.ssl(typed).refused(1, parts);
    refused(
        "pretrain --out a --resume --set pretrain.epochs=4",
        &["pretrain.epochs", "has 3", "now it is 4"],
    );
    refused(
        "pretrain --out a --resume --seed 5",
        &["run.seed", "has 0", "now it is 5"],
    );
    refused(
        &format!("{PRETRAIN} --out a --resume --set pretrain.optimizer.lr=0.5"),
        &["pretrain.optimizer.lr", "0.001", "0.5"],
    );
    Toy { clips: 5, ..TOY }.prepare(&desk, "other", "coco17");
    refused(
        "pretrain --out a --resume --data other.h5",
        &["another data", "digest"],
    );
    Toy {
        joints: 25,
        coordinates: 3,
        ..TOY
    }
    .prepare(&desk, "joints", "ntu25");
    refused(
        "pretrain --out a --resume --data joints.h5",
        &["another layout", "coco17", "ntu25"],
    );
    refused(
        "finetune --out a --resume",
        &[
            "expected a run of `ssl finetune`",
            "found one of `ssl pretrain`",
        ],
    );
    refused(
        "pretrain --preset quick --data toy.h5 --split train --out a",
        &["--resume"],
    );
    desk.ssl("pretrain --out nowhere --resume")
        .refused(2, &["expected --data CACHE.h5"]);

    desk.ssl("finetune --preset quick --data toy.h5 --train train --set reading.frames=16 --set finetune.epochs=1 --encoder a --out b").success();
    desk.ssl(&format!("{PRETRAIN} --out c --seed 1")).success();
    refused(
        "finetune --out b --resume --encoder c",
        &["another encoder", "SHA-256"],
    );
    copy(&desk, "a", "a2");
    desk.ssl("finetune --out b --resume --encoder a2").success();
}

#[test]
fn the_layout_of_a_folder_is_no_secret_to_overwrite() {
    let desk = desk();
    desk.ssl(&format!("{PRETRAIN} --out a")).success();
    desk.write("a/resume/thesis.tex", "years");
    desk.ssl(&format!("{PRETRAIN} --out a --overwrite"))
        .refused(1, &["thesis.tex"]);
    assert_eq!(desk.read("a/resume/thesis.tex"), b"years");
}

#[test]
fn a_step_that_is_not_finite_stops_the_run_with_its_clips_or_is_left_out() {
    let desk = desk();
    let broken = format!("{PRETRAIN} --set pretrain.optimizer.lr=1e38 --set pretrain.epochs=1");
    let stopped = desk.ssl(&format!("{broken} --out stop"));
    stopped.refused(
        1,
        &["epoch 1, step 2", "non_finite.json", "guard.non_finite"],
    );
    let replay = desk.read("stop/non_finite.json");
    let told: serde_json::Value = serde_json::from_slice(&replay).expect("JSON");
    assert_eq!((&told["epoch"], &told["step"]), (&1.into(), &2.into()));
    assert_eq!(told["clips"].as_array().expect("clips").len(), 6);
    assert_eq!(
        states(&desk, "stop").last().unwrap(),
        "000000-000001.safetensors"
    );
    let again = desk.ssl(&format!("{broken} --out stop --resume"));
    again.refused(1, &["epoch 1, step 2"]);
    assert!(
        desk.read("stop/non_finite.json") == replay,
        "the same step again"
    );

    let skip = "--set pretrain.guard.non_finite=skip";
    let skipped = desk.ssl(&format!("{broken} {skip} --out skip")).success();
    assert!(skipped.stderr.contains("step 2 skipped"), "{skipped}");
    assert_eq!(desk.lines("skip/metrics.jsonl")[0]["skipped"], 2);
    desk.ssl(&format!(
        "{broken} {skip} --set pretrain.epochs=2 --out all"
    ))
    .refused(1, &["all 3 steps of epoch 2 were skipped"]);
}
