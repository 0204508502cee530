//! What goes beyond the paper, as a user sets it: the classifier's layers pre-trained, controls, more clips of other skeletons,
//! few clips passed more often, parts of splits to choose on, comparisons.

use std::collections::BTreeMap;

use candle_core::{Device, safetensors};
use serde_json::Value;
use ssl_tests::program::{Desk, Finished};
use ssl_tests::toy::{FINETUNE, PRETRAIN, TOY, Toy};

const STRL: &str = "--set pretrain.objective.through=strl --set pretrain.objective.target=coordinates \
    --set pretrain.objective.loss.kind=mse";

fn desk() -> Desk {
    let desk = Desk::new();
    TOY.prepare(&desk, "toy", "coco17");
    desk
}

fn pretrain(desk: &Desk, out: &str, how: &str) -> Finished {
    let line = "pretrain --preset quick --data toy.h5 --split train";
    desk.ssl(&format!("{line} --out {out} {PRETRAIN} {how}"))
}

fn finetune(desk: &Desk, out: &str, how: &str) -> Finished {
    let line = "finetune --preset quick --data toy.h5 --train train --test test";
    desk.ssl(&format!("{line} --out {out} {FINETUNE} {how}"))
}

fn tensors(desk: &Desk, run: &str) -> BTreeMap<String, Vec<f32>> {
    let bytes = desk.read(&format!("{run}/model.safetensors"));
    let all = safetensors::load_buffer(&bytes, &Device::Cpu).expect("a checkpoint");
    let numbers =
        |tensor: candle_core::Tensor| tensor.flatten_all().and_then(|flat| flat.to_vec1());
    let all = all.into_iter();
    all.map(|(name, tensor)| (name, numbers(tensor).expect("numbers")))
        .collect()
}

fn epochs(desk: &Desk, run: &str) -> usize {
    desk.lines(&format!("{run}/metrics.jsonl")).len()
}

#[test]
fn a_pre_trained_classifier_goes_all_the_way() {
    let desk = desk();
    let targets = ["coordinates", "motion", "coordinates-and-motion"];
    for target in targets {
        let how = format!(
            "{STRL} --set pretrain.objective.target={target} --val test --set pretrain.objective.mask_scope={{stretch=4}}"
        );
        let run = format!("pre-{target}");
        pretrain(&desk, &run, &how).success();
        let lines = desk.lines(&format!("{run}/metrics.jsonl"));
        assert!(
            lines
                .iter()
                .all(|line| line["val_loss"].as_f64().is_some_and(f64::is_finite))
        );
        assert!(!desk.path(&format!("{run}/reconstruction.json")).exists());
    }
    let own = tensors(&desk, "pre-coordinates");
    assert!(own.contains_key("position") && own.contains_key("layers.2.temporal.point.map.weight"));
    assert!(
        !own.keys()
            .any(|name| name.starts_with("encoder.") || name.starts_with("head."))
    );

    // All but the head is lent: at a rate of 0 for what was pre-trained it stays what it was.
    let kept = "--encoder pre-coordinates --set finetune.pretrained_rate=0.0";
    let done = finetune(&desk, "kept", kept).success();
    assert!(done.stderr.contains("pre-trained on own"), "{done}");
    let statistic = |name: &str| name.contains("running_");
    let fine = tensors(&desk, "kept");
    for (name, numbers) in &fine {
        match own.get(name) {
            Some(before) if !statistic(name) => assert_eq!(before, numbers, "{name}"),
            Some(_) => {}
            None => assert!(name.starts_with("head."), "{name}"),
        }
    }
    finetune(&desk, "tuned", "--encoder pre-coordinates").success();
    let moved = tensors(&desk, "tuned");
    let weight = "layers.0.spatial.w.weight";
    assert_ne!(moved[weight], own[weight]);
    for command in [
        "evaluate tuned --data toy.h5 --split test --json",
        "predict tuned --data toy.h5 --split test --json",
    ] {
        desk.ssl(command).success();
    }

    let probe = "probe --data toy.h5 --train train --test test --json";
    let report = desk
        .ssl(&format!("{probe} --encoder pre-coordinates"))
        .json();
    assert_eq!(report["n"], 9);
    let random = desk
        .ssl(&format!(
            "{probe} --preset quick {STRL} --set reading.frames=16"
        ))
        .json();
    assert_ne!(report["encoder"]["weights"], random["encoder"]["weights"]);
    desk.ssl("represent pre-coordinates --data toy.h5 --split test --svg plane.svg")
        .success();
    desk.ssl("reconstruct pre-coordinates --data toy.h5 --split test --svg no.svg")
        .refused(
            1,
            &[
                "pre-coordinates",
                "expected an encoder's autoencoder",
                "through",
            ],
        );

    // Stopped and gone on with, it ends with the same bytes.
    pretrain(&desk, "whole", STRL).success();
    pretrain(&desk, "again", STRL).success();
    assert_eq!(
        desk.read("whole/model.safetensors"),
        desk.read("again/model.safetensors")
    );
}

#[test]
fn two_readings_of_a_clip_are_told_from_other_clips() {
    let desk = desk();
    let objective =
        "--set pretrain.objective={kind=\"contrastive\",through=\"strl\",edges=0.0,joints=0.2}";
    let how = format!("{objective} --val test --set pretrain.epochs=6");
    pretrain(&desk, "pre", &how).success();
    let losses: Vec<f64> = desk
        .lines("pre/metrics.jsonl")
        .iter()
        .map(|line| line["loss"].as_f64().expect("a loss"))
        .collect();
    assert!(losses[5] < losses[0], "{losses:?}");
    let held = desk.lines("pre/metrics.jsonl")[5]["val_loss"]
        .as_f64()
        .expect("a loss");
    // Nine clips, read twice: by chance ln 17.
    assert!(held.is_finite() && held < 17_f64.ln() + 0.5, "{held}");
    let own = tensors(&desk, "pre");
    assert!(
        own.contains_key("projection.1.weight") && own.contains_key("layers.0.spatial.w.weight")
    );
    finetune(&desk, "fine", "--encoder pre").success();
    desk.ssl("probe --data toy.h5 --train train --test test --encoder pre")
        .success();
    pretrain(&desk, "no", &objective.replace("edges=0.0", "edges=0.5"))
        .refused(1, &["objective.edges", "expected 0"]);
    // The same bytes from any number of threads.
    pretrain(&desk, "one", &format!("{how} --threads 1")).success();
    assert_eq!(
        desk.read("pre/model.safetensors"),
        desk.read("one/model.safetensors")
    );
}

#[test]
fn settings_that_can_not_be_together_are_refused_by_name() {
    let desk = desk();
    let through = "--set pretrain.objective.through=strl";
    pretrain(&desk, "no", through)
        .refused(1, &["objective.target", "coordinates, motion", "embedding"]);
    pretrain(
        &desk,
        "no",
        "--set pretrain.objective.mask_scope={stretch=0}",
    )
    .refused(1, &["mask_scope", "1 frame or more"]);
    pretrain(&desk, "no", "--set pretrain.optimizer.lr=-1.0")
        .refused(1, &["optimizer.lr", "not below 0"]);
    finetune(&desk, "no", "--set finetune.pretrained_rate=-1.0")
        .refused(1, &["finetune.pretrained_rate"]);
    pretrain(&desk, "no", "--set pretrain.control=\"dreams\"")
        .refused(2, &["dreams", "shuffled-joints"]);
    assert!(!desk.path("no").exists());
}

#[test]
fn controls_see_something_else_and_a_rate_of_0_moves_statistics_alone() {
    let desk = desk();
    pretrain(&desk, "plain", "").success();
    let plain = tensors(&desk, "plain");
    for control in ["noise", "shuffled-joints"] {
        pretrain(&desk, control, &format!("--set pretrain.control={control}")).success();
        assert_ne!(tensors(&desk, control), plain, "{control}");
    }
    // An encoder sees one frame at a time: another order of frames changes sums by rounding alone.
    pretrain(&desk, "frames", "--set pretrain.control=shuffled-frames").success();
    let frames = tensors(&desk, "frames");
    for (name, numbers) in &frames {
        for (a, b) in numbers.iter().zip(&plain[name]) {
            assert!((a - b).abs() < 1e-2, "{name}: {a} {b}");
        }
    }
    pretrain(&desk, "none", "--set pretrain.optimizer.lr=0.0").success();
    pretrain(
        &desk,
        "none-longer",
        "--set pretrain.optimizer.lr=0.0 --set pretrain.epochs=4",
    )
    .success();
    let (short, long) = (tensors(&desk, "none"), tensors(&desk, "none-longer"));
    for (name, numbers) in &short {
        assert_eq!(numbers == &long[name], !name.contains("running_"), "{name}");
    }
    let constant =
        "--set pretrain.objective.target=constant --set pretrain.objective.loss.kind=mse";
    pretrain(&desk, "constant", constant).success();
}

#[test]
fn few_clips_are_passed_more_often() {
    let desk = desk();
    // 18 clips in batches of 9 are two updates an epoch.
    let batch = "--set finetune.batch=9 --set finetune.micro_batch=9";
    finetune(
        &desk,
        "all",
        &format!("{batch} --set finetune.least_updates=10"),
    )
    .success();
    assert_eq!(epochs(&desk, "all"), 5);
    // A third of the labels is one update.
    let few = format!("{batch} --set finetune.least_updates=10 --labels 0.34");
    finetune(&desk, "few", &few).success();
    assert_eq!(epochs(&desk, "few"), 10);
    let twice =
        "--set pretrain.batch=9 --set pretrain.micro_batch=9 --set pretrain.least_updates=8";
    pretrain(&desk, "pre", twice).success();
    assert_eq!(epochs(&desk, "pre"), 4);
    // A run that is gone on with has as many.
    let line = format!("--set finetune.least_updates=12 {batch}");
    finetune(&desk, "again", &line).success();
    desk.ssl("finetune --out again --resume").success();
    assert_eq!(epochs(&desk, "again"), 6);
}

#[test]
fn a_fold_and_the_rest_are_splits_to_choose_on() {
    let desk = desk();
    let fold =
        "finetune --preset quick --data toy.h5 --train train@not1/3 --test train@1/3 --out fold";
    desk.ssl(&format!("{fold} {FINETUNE}")).success();
    let json = |name: &str| -> Value { serde_json::from_slice(&desk.read(name)).expect("JSON") };
    // Nobody's number is known: of each class every third clip.
    assert_eq!(json("fold/test.json")["n"], 6);
    assert_eq!(json("fold/run.json")["clips"], 12);
    desk.ssl("evaluate fold --data toy.h5 --split train@1/3")
        .success();
    desk.ssl("evaluate fold --data toy.h5 --split train@4/3")
        .refused(1, &["train@4/3", "train"]);
}

#[test]
fn one_encoder_learns_from_several_skeletons() {
    let desk = desk();
    Toy { joints: 25, ..TOY }.prepare(&desk, "kinect", "ntu25");
    Toy {
        coordinates: 3,
        joints: 25,
        ..TOY
    }
    .prepare(&desk, "space", "ntu25");
    let done = pretrain(&desk, "both", "--also kinect.h5:train").success();
    assert!(
        done.stderr
            .contains("also own train: 18 clips, layout ntu25"),
        "{done}"
    );
    let run: Value = serde_json::from_slice(&desk.read("both/run.json")).expect("JSON");
    assert_eq!(run["clips"], 36);
    pretrain(&desk, "alone", "").success();
    assert_ne!(tensors(&desk, "both"), tensors(&desk, "alone"));
    pretrain(&desk, "same", "--also kinect.h5:train --threads 1").success();
    assert_eq!(
        desk.read("both/model.safetensors"),
        desk.read("same/model.safetensors")
    );
    // It goes on with these clips and no others.
    pretrain(&desk, "same", "--also kinect.h5:train --resume").success();
    pretrain(&desk, "same", "--also kinect.h5:test --resume")
        .refused(1, &["same", "run.also", "train", "test"]);
    pretrain(&desk, "same", "--also toy.h5:train --resume").refused(1, &["same", "another data"]);
    let done = finetune(&desk, "fine", "--encoder both").success();
    assert!(done.stderr.contains("pre-trained on own and own"), "{done}");
    pretrain(&desk, "no", "--also space.h5")
        .refused(1, &["space.h5", "2 coordinates", "3 coordinates"]);
    assert!(!desk.path("no").exists());
}

#[test]
fn an_encoder_of_the_programs_own_is_the_start() {
    let desk = Desk::new();
    let list = desk.ssl("zoo").success();
    assert!(list.stdout.contains("zoo:utd_mhad"), "{list}");
    let card = desk.ssl("zoo utd_mhad").success();
    assert!(card.stdout.contains("ssl pretrain"), "{card}");
    desk.ssl("zoo utd_mhad -o own.safetensors").success();
    let digest =
        |encoder: &str| desk.ssl(&format!("info {encoder} --json")).json()["sha256"].clone();
    assert_eq!(digest("own.safetensors"), digest("zoo:utd_mhad"));
    desk.ssl("zoo jhmdb -o own.safetensors")
        .refused(1, &["own.safetensors", "--overwrite"]);
    desk.ssl("zoo jhmdb -o own.safetensors --overwrite")
        .success();
    assert_eq!(
        desk.ssl("info zoo:utd_mhad --json").json()["layout"]["name"],
        "ucla20"
    );
    Toy {
        coordinates: 3,
        joints: 20,
        ..TOY
    }
    .prepare(&desk, "kinect", "ucla20");
    let few = "--set finetune.epochs=1 --set finetune.least_updates=1";
    let line = "finetune --data kinect.h5 --train train --test test --encoder zoo:utd_mhad";
    let done = desk.ssl(&format!("{line} --out fine {few}")).success();
    assert!(
        done.stderr
            .contains("encoder: zoo:utd_mhad, pre-trained on utd_mhad"),
        "{done}"
    );
    desk.ssl("probe --data kinect.h5 --train train --test test --encoder zoo:nw_ucla")
        .success();
    desk.ssl("finetune --data kinect.h5 --train train --encoder zoo:none --out no")
        .refused(2, &["none", "jhmdb, nw_ucla, utd_mhad"]);
    assert!(!desk.path("no").exists());
}

#[test]
fn without_a_preset_it_is_the_default_and_doctor_says_what_to_change() {
    let desk = desk();
    let quick = "--set model.width=16 --set reading.frames=16 --set pretrain.epochs=1 --set pretrain.least_updates=0 --set pretrain.batch=9 --set pretrain.micro_batch=9";
    let done = desk
        .ssl(&format!(
            "pretrain --data toy.h5 --split train --out pre {quick}"
        ))
        .success();
    assert!(done.stderr.contains("settings: preset default"), "{done}");
    let config = String::from_utf8(desk.read("pre/config.toml")).expect("text");
    assert!(config.contains("preset = \"default\""), "{config}");
    let said = desk.ssl("doctor toy.h5").success();
    assert!(
        said.stdout
            .contains("preset default: --set reading.frames=16"),
        "{said}"
    );
    let json = desk.ssl("doctor toy.h5 --json").json();
    assert_eq!(json["asks"][0]["set"][0], "reading.frames=16");
}

#[test]
fn comparisons_are_paired_and_go_on_where_they_stopped() {
    let desk = Desk::new();
    let made = desk.ssl("reproduce controls --out r --seeds 0,1").success();
    assert!(made.stdout.contains("r/results/controls-ci.md"), "{made}");
    let again = desk.ssl("reproduce controls --out r --seeds 0,1").success();
    assert!(again.stderr.contains("0 runs made"), "{again}");
    let json: Value =
        serde_json::from_slice(&desk.read("r/results/controls-ci.json")).expect("JSON");
    let results = json["results"].as_array().expect("a list");
    // Eight arms by three protocols; more fine-tuning leaves no encoder to probe.
    assert_eq!(results.len(), 23);
    let trials = json["trials"].as_array().expect("a list");
    let of = |arm: &str, protocol: &str| -> Vec<f64> {
        let is = |one: &&Value| one["arm"] == arm && one["protocol"] == protocol;
        trials
            .iter()
            .filter(is)
            .map(|one| one["top1"].as_f64().expect("percent"))
            .collect()
    };
    for one in results {
        let (arm, protocol) = (
            one["arm"].as_str().expect("a name"),
            one["protocol"].as_str().expect("a name"),
        );
        let (first, own) = (of("pre-trained", protocol), of(arm, protocol));
        assert_eq!(
            (one["runs"].as_u64(), own.len()),
            (Some(4), 4),
            "two sets, two seeds"
        );
        let Some(gain) = one["gain"].as_object() else {
            assert_eq!(arm, "pre-trained");
            continue;
        };
        let mean = first.iter().zip(&own).map(|(a, b)| a - b).sum::<f64>() / 4.0;
        assert!((gain["mean"].as_f64().expect("points") - mean).abs() < 1e-9);
        let [low, high] = ["low", "high"].map(|end| gain[end].as_f64().expect("points"));
        assert!(low <= mean + 1e-9 && mean <= high + 1e-9, "{one}");
    }
    let page = String::from_utf8(desk.read("r/results/controls-ci.md")).expect("text");
    assert!(page.contains("| more fine-tuning |") && page.contains("pre-trained is better by"));
}
