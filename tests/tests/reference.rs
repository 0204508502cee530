//! A whole path through the program with every op by its definition (`SSL_REFERENCE=1`), beside the same path by the fused forms.

use serde_json::Value;
use ssl_tests::program::{Desk, Finished};
use ssl_tests::toy::TOY;

const PRETRAIN: &str = "pretrain --preset quick --data toy.h5 --split train --val test --set reading.frames=16 --set pretrain.epochs=2 --set pretrain.batch=6";
// In single precision some gradients of a classifier that has just begun are off by a few percent from those in double, by either
// form and not in the same direction: at the preset's rate of 0.1 two trainings soon go ways of their own.
const FINETUNE: &str = "finetune --preset quick --data toy.h5 --train train --test test --set reading.frames=16 --set finetune.epochs=2 --set finetune.batch=6 --set finetune.optimizer.lr=1e-4";

const PROBE: &str = "probe --data toy.h5 --train train --test test --method linear";

/// Losses of two trainings may differ by this share: rounding grows from step to step.
const LOSSES: f64 = 1e-3;
/// Losses of trainings with features of 16 bits may differ by this share.
const LOW: f64 = 0.03;
/// Class probabilities of the two classifiers, each trained in its own way, may differ by this much.
const TRAINED: f64 = 1e-3;
/// Class probabilities of one and the same classifier may differ by this much.
const PROBABILITIES: f64 = 1e-5;

/// By what the ops go.
#[derive(Clone, Copy, PartialEq)]
enum Ops {
    Fused,
    Definitions,
}

impl Ops {
    fn name(self) -> &'static str {
        match self {
            Ops::Fused => "fused",
            Ops::Definitions => "definitions",
        }
    }

    #[track_caller]
    fn ssl(self, desk: &Desk, typed: &str) {
        let mut command = desk.command(typed);
        match self {
            Ops::Fused => command.env_remove("SSL_REFERENCE"),
            Ops::Definitions => command.env("SSL_REFERENCE", "1"),
        };
        let output = command.output().expect("the program starts");
        Finished::new(typed.to_owned(), output).success();
    }
}

/// Pre-trains, fine-tunes and evaluates, then goes on with both trainings from their second-last state.
fn train(desk: &Desk, ops: Ops) {
    let name = ops.name();
    for typed in [
        format!("{PRETRAIN} --out {name}-pretrain --save-every 0"),
        format!("{FINETUNE} --encoder {name}-pretrain --out {name}-finetune --save-every 0"),
    ] {
        ops.ssl(desk, &typed);
    }
    for run in [format!("{name}-pretrain"), format!("{name}-finetune")] {
        let info: Value =
            serde_json::from_slice(&desk.read(&format!("{run}/run.json"))).expect("JSON");
        let used = info["instruction_set"].as_str().expect("a text");
        assert_eq!(
            used.ends_with("definitions"),
            ops == Ops::Definitions,
            "{used}"
        );

        let files = ["model.safetensors", "metrics.jsonl"].map(|file| format!("{run}/{file}"));
        let whole = files.each_ref().map(|file| desk.read(file));
        std::fs::remove_file(desk.path(&format!("{run}/resume/000002-000000.safetensors")))
            .expect("the state after the last epoch");
        files
            .iter()
            .for_each(|file| std::fs::remove_file(desk.path(file)).expect(file));
        let command = run.split('-').next_back().expect("it names the command");
        ops.ssl(desk, &format!("{command} --out {run} --resume"));
        for (file, whole) in files.iter().zip(&whole) {
            assert!(
                desk.read(file) == *whole,
                "{file} is another one after a resume"
            );
        }
    }
    evaluate(desk, ops, ops);
    ops.ssl(desk, &format!("{PROBE} --encoder {name}-pretrain"));
}

/// Evaluates the classifier that was trained by `trained`.
fn evaluate(desk: &Desk, ops: Ops, trained: Ops) {
    let (ops_name, run) = (ops.name(), trained.name());
    ops.ssl(
        desk,
        &format!(
            "evaluate {run}-finetune --data toy.h5 --split test --scores {run}-by-{ops_name}.jsonl"
        ),
    );
}

/// All numbers under `key` in the lines of a file.
fn numbers(desk: &Desk, file: &str, key: &str) -> Vec<f64> {
    fn all(value: &Value) -> Vec<f64> {
        match value {
            Value::Array(values) => values.iter().flat_map(all).collect(),
            value => value.as_f64().into_iter().collect(),
        }
    }
    let lines = desk.lines(file);
    lines.iter().flat_map(|line| all(&line[key])).collect()
}

/// Asserts that two lists of numbers differ by no more than `most`, and says by how much they do.
fn close(what: &str, a: &[f64], b: &[f64], most: f64) {
    assert!(!a.is_empty() && a.len() == b.len(), "{what}: {a:?}, {b:?}");
    let off = a
        .iter()
        .zip(b)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f64::max);
    eprintln!("{what}: off by {off:.1e}");
    assert!(off <= most, "{what}: off by {off:e}: {a:?}, {b:?}");
}

#[test]
fn the_definitions_and_the_fused_forms_train_the_same() {
    let desk = Desk::new();
    TOY.prepare(&desk, "toy", "coco17");
    for ops in [Ops::Fused, Ops::Definitions] {
        train(&desk, ops);
    }
    for (run, key) in [
        ("pretrain", "loss"),
        ("pretrain", "val_loss"),
        ("finetune", "loss"),
    ] {
        let [fused, definitions] = [Ops::Fused, Ops::Definitions]
            .map(|ops| numbers(&desk, &format!("{}-{run}/metrics.jsonl", ops.name()), key));
        let size = fused.iter().copied().fold(0.0, f64::max);
        close(
            &format!("{run}: {key}"),
            &fused,
            &definitions,
            LOSSES * size,
        );
    }
    let scores = |file: &str| numbers(&desk, file, "scores");
    let fused = scores("fused-by-fused.jsonl");
    close(
        "probabilities of two trainings",
        &fused,
        &scores("definitions-by-definitions.jsonl"),
        TRAINED,
    );
    evaluate(&desk, Ops::Definitions, Ops::Fused);
    close(
        "probabilities of one classifier",
        &fused,
        &scores("fused-by-definitions.jsonl"),
        PROBABILITIES,
    );
}

/// What `--precision bf16` does on a GPU, by the definitions on the CPU.
#[test]
fn features_of_16_bits_train_nearly_the_same_and_resume_to_the_same_bytes() {
    let desk = Desk::new();
    TOY.prepare(&desk, "toy", "coco17");
    let ops = Ops::Definitions;
    for precision in ["f32", "bf16"] {
        let how = format!("--precision {precision} --save-every 0");
        ops.ssl(
            &desk,
            &format!("{PRETRAIN} {how} --out {precision}-pretrain"),
        );
        ops.ssl(
            &desk,
            &format!("{FINETUNE} {how} --encoder {precision}-pretrain --out {precision}-finetune"),
        );
    }
    for (run, key) in [("pretrain", "loss"), ("finetune", "loss")] {
        let [full, low] = ["f32", "bf16"]
            .map(|precision| numbers(&desk, &format!("{precision}-{run}/metrics.jsonl"), key));
        assert_ne!(full, low, "features of 32 bits");
        let size = full.iter().copied().fold(0.0, f64::max);
        close(&format!("{run}: {key} in bf16"), &full, &low, LOW * size);
    }
    let config = String::from_utf8(desk.read("bf16-finetune/config.toml")).expect("text");
    assert!(config.contains("precision = \"bf16\""), "{config}");
    let whole = desk.read("bf16-pretrain/model.safetensors");
    std::fs::remove_file(desk.path("bf16-pretrain/resume/000002-000000.safetensors"))
        .expect("the state after the last epoch");
    ops.ssl(&desk, "pretrain --out bf16-pretrain --resume");
    assert!(desk.read("bf16-pretrain/model.safetensors") == whole);
    let refused = desk.ssl("pretrain --out bf16-pretrain --resume --precision f32");
    refused.refused(1, &["run.precision", "bf16"]);
}
