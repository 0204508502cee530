//! Checkpoints and states of version 3 that an earlier build wrote, and what that build made of them: this build reads them
//! and gives the same numbers. `fixtures/version3/README.md` says how the files were made.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::Device;
use serde_json::Value;
use ssl_tests::program::Desk;
use ssl_tests::root;

/// Classifiers, one of each backbone.
const CLASSIFIERS: [&str; 3] = ["gin-finetune", "gcn-finetune", "gat-finetune"];
/// Pre-trained models that reconstruct: one of each backbone with the paper's loss, one with coordinates as its target.
const AUTOENCODERS: [&str; 4] = [
    "gin-pretrain",
    "gcn-pretrain",
    "gat-pretrain",
    "gin-coordinates",
];
/// The pre-trained model of GraphCL, which has an encoder only.
const CONTRASTIVE: &str = "gin-contrastive";
/// Clips that are reconstructed: one person; two persons, of whom the second comes late.
const RECONSTRUCTED: [&str; 2] = ["wave-0", "kick-3"];

/// Probabilities may differ by this much.
const PROBABILITIES: f64 = 1e-5;
/// Representations may differ by this share of the largest number among them.
const REPRESENTATIONS: f64 = 1e-5;
/// Reconstructions may differ by this share of the largest number, and so may tensors and losses of a resumed run that need not
/// end with the same bits.
const ROUNDING: f64 = 1e-4;

fn fixture(name: &str) -> PathBuf {
    root().join("tests/fixtures/version3").join(name)
}

/// The JSON lines of a file.
fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let parse = |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"));
    text.lines().map(parse).collect()
}

/// A folder with the clips as a cache and these files.
fn desk(files: &[&str]) -> Desk {
    let desk = Desk::new();
    for file in files.iter().chain(&["clips.jsonl"]) {
        let bytes = std::fs::read(fixture(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
        let path = desk.path(file);
        let folder = path.parent().expect("it is in a folder");
        std::fs::create_dir_all(folder).expect("the temporary folder is writable");
        desk.write(file, bytes);
    }
    desk.ssl("prepare clips.jsonl -o clips.h5").success();
    desk
}

/// All numbers in a JSON value, in its order; `null` is left out.
fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(values) => values.iter().flat_map(numbers).collect(),
        value => value.as_f64().into_iter().collect(),
    }
}

/// The largest difference, and the largest number expected.
#[track_caller]
fn largest(found: &[f64], expected: &[f64]) -> (f64, f64) {
    assert_eq!(found.len(), expected.len(), "how many numbers there are");
    assert!(!expected.is_empty(), "there is something to compare");
    assert!(found.iter().all(|x| x.is_finite()), "{found:?}");
    let off = found.iter().zip(expected).map(|(a, b)| (a - b).abs());
    let most = |numbers: &mut dyn Iterator<Item = f64>| numbers.fold(0.0, f64::max);
    (
        most(&mut { off }),
        most(&mut expected.iter().map(|x| x.abs())),
    )
}

/// Asserts that numbers differ by no more than a share of the largest one, and says by how much they do.
#[track_caller]
fn close(what: &str, found: &[f64], expected: &[f64], share: f64) {
    let (off, size) = largest(found, expected);
    eprintln!("{what}: off by {off:.1e} where the largest is {size:.3}");
    assert!(off <= share * size, "{what}: off by {off:e} at {size:e}");
}

/// The classes from the likeliest to the least likely.
fn ranking(probabilities: &[f64]) -> Vec<usize> {
    let mut classes: Vec<usize> = (0..probabilities.len()).collect();
    classes.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
    classes
}

/// Asserts that two files of `ssl evaluate --scores` have the same clips, classes and rankings, and nearly the same probabilities.
fn same_scores(name: &str, found: &[Value], expected: &[Value]) {
    assert_eq!(found.len(), expected.len(), "{name}");
    for key in ["classes", "dataset", "split", "stream", "views"] {
        assert_eq!(found[0][key], expected[0][key], "{name}: {key}");
    }
    let mut most: f64 = 0.0;
    for (found, expected) in found.iter().zip(expected).skip(1) {
        let clip = &expected["id"];
        assert_eq!(&found["id"], clip, "{name}");
        assert_eq!(found["label"], expected["label"], "{name}: {clip}");
        let (found, expected) = (numbers(&found["scores"]), numbers(&expected["scores"]));
        let (off, _) = largest(&found, &expected);
        assert!(off <= PROBABILITIES, "{name}: {clip}: off by {off:e}");
        assert_eq!(ranking(&found), ranking(&expected), "{name}: {clip}");
        most = most.max(off);
    }
    eprintln!("{name}: probabilities off by {most:.1e}");
}

#[test]
fn classifiers_give_the_same_probabilities() {
    let files = CLASSIFIERS.map(|name| format!("{name}.safetensors"));
    let desk = desk(&files.each_ref().map(String::as_str));
    for name in CLASSIFIERS {
        desk.ssl(&format!(
            "evaluate {name}.safetensors --data clips.h5 --split all --scores {name}.jsonl"
        ))
        .success();
        let expected = lines(&fixture(&format!("expected/{name}.scores.jsonl")));
        same_scores(name, &desk.lines(&format!("{name}.jsonl")), &expected);
    }
}

#[test]
fn encoders_represent_clips_by_the_same_numbers() {
    let models = AUTOENCODERS.into_iter().chain([CONTRASTIVE]);
    for name in models {
        let file = format!("{name}.safetensors");
        let desk = desk(&[&file]);
        desk.ssl(&format!(
            "represent {file} --data clips.h5 --split all --out features.jsonl"
        ))
        .success();
        let (found, expected) = (
            desk.lines("features.jsonl"),
            lines(&fixture(&format!("expected/{name}.features.jsonl"))),
        );
        let all = |lines: &[Value], key: &str| -> Vec<Value> {
            lines.iter().map(|line| line[key].clone()).collect()
        };
        for key in ["id", "label", "class"] {
            assert_eq!(all(&found, key), all(&expected, key), "{name}: {key}");
        }
        let features = |lines: &[Value]| numbers(&all(lines, "feature").into());
        let what = format!("{name}: representations");
        close(
            &what,
            &features(&found),
            &features(&expected),
            REPRESENTATIONS,
        );
    }
}

#[test]
fn hidden_joints_are_reconstructed_the_same() {
    for name in AUTOENCODERS {
        let file = format!("{name}.safetensors");
        let desk = desk(&[&file]);
        for clip in RECONSTRUCTED {
            let found = desk
                .ssl(&format!(
                    "reconstruct {file} --data clips.h5 --clip {clip} --json"
                ))
                .json();
            let path = fixture(&format!("expected/{name}.{clip}.json"));
            let text = std::fs::read_to_string(path).expect("the fixture is there");
            let expected: Value = serde_json::from_str(&text).expect("JSON");
            for key in ["id", "class", "joints", "hidden", "reconstructed", "shape"] {
                assert_eq!(found[key], expected[key], "{name}: {clip}: {key}");
            }
            for key in ["error", "neighbours", "truth", "reconstruction"] {
                let what = format!("{name}: {clip}: {key}");
                let (found, expected) = (numbers(&found[key]), numbers(&expected[key]));
                close(&what, &found, &expected, ROUNDING);
            }
        }
    }
}

/// Goes on with the run in a folder to its end; its state is one step behind `epochs` whole epochs, of which three are left.
fn resume(command: &str, run: &str, epochs: usize, files: &[&str]) -> Desk {
    let state = format!("{run}/resume/{epochs:06}-000001.safetensors");
    let settings = format!("{run}/config.toml");
    let info = format!("{run}/run.json");
    let mut all = vec![state.as_str(), &settings, &info];
    all.extend(files);
    let desk = desk(&all);
    let resumed = desk
        .ssl(&format!("{command} --out {run} --resume"))
        .success();
    let place = format!("going on in epoch {} after step 1", epochs + 1);
    assert!(resumed.stderr.contains(&place), "{resumed}");
    desk
}

/// Whether the run must end with the very bits of the uninterrupted one: on the instructions that this one was computed with,
/// and by the fused forms of the ops. By their definitions (`SSL_REFERENCE=1`), which run.json says, the tolerances hold.
fn to_the_bit(desk: &Desk, run: &str) -> bool {
    let info: Value = serde_json::from_slice(&desk.read(&format!("{run}/run.json"))).expect("JSON");
    let (then, now) = (
        &info["instruction_set"],
        &info["resumed"][0]["instruction_set"],
    );
    assert!(then.is_string() && now.is_string(), "{info}");
    then == now
}

/// The numbers of a checkpoint by name.
fn tensors(path: &Path) -> BTreeMap<String, Vec<f32>> {
    let tensors = candle_core::safetensors::load(path, &Device::Cpu).expect("safetensors");
    let numbers = |tensor: candle_core::Tensor| tensor.flatten_all()?.to_vec1::<f32>();
    let all = tensors.into_iter();
    all.map(|(name, tensor)| (name, numbers(tensor).expect("32-bit floats")))
        .collect()
}

/// Asserts that a resumed run left the model and the metrics of the uninterrupted one.
fn same_end(desk: &Desk, run: &str) {
    let (path, model) = (
        desk.path(&format!("{run}/model.safetensors")),
        fixture(&format!("{run}.safetensors")),
    );
    let (found, expected) = (tensors(&path), tensors(&model));
    assert!(found.keys().eq(expected.keys()), "{run}: tensors");
    let to_the_bit = to_the_bit(desk, run);
    let share = if to_the_bit { 0.0 } else { ROUNDING };
    let (mut most, mut worst) = (0.0, "none");
    for (name, expected) in &expected {
        let double = |x: &[f32]| -> Vec<f64> { x.iter().copied().map(f64::from).collect() };
        let (off, size) = largest(&double(&found[name]), &double(expected));
        // A tensor of zeros has to stay one.
        let off = if off > 0.0 { off / size } else { 0.0 };
        if off > most {
            (most, worst) = (off, name);
        }
    }
    eprintln!("{run}: tensors off by {most:.1e} of their largest numbers, most of all {worst}");
    assert!(most <= share, "{run}: {worst}: off by {most:e}");
    let metrics = format!("{run}/metrics.jsonl");
    let expected = lines(&fixture(&metrics));
    let found = desk.lines(&metrics);
    assert_eq!(found.len(), expected.len(), "{metrics}");
    for key in ["loss", "val_loss"] {
        let all = |lines: &[Value]| -> Vec<f64> {
            lines.iter().flat_map(|line| numbers(&line[key])).collect()
        };
        // Fine-tuning has no clips held out here.
        if !expected[0][key].is_null() {
            let what = format!("{metrics}: {key}");
            close(&what, &all(&found), &all(&expected), share);
        }
    }
    if to_the_bit {
        let what = "the numbers are the same, the metadata are not";
        assert_eq!(metadata(&path), metadata(&model), "{run}: {what}");
    }
}

/// What a checkpoint says of its model, without its digest and the settings that version 3 didn't begin with.
fn metadata(path: &Path) -> Value {
    let bytes = std::fs::read(path).expect("a checkpoint");
    let (length, rest) = bytes.split_at(8);
    let length = u64::from_le_bytes(length.try_into().expect("eight bytes"));
    let header: Value = serde_json::from_slice(&rest[..length as usize]).expect("JSON");
    let text = header["__metadata__"]["ssl"].as_str().expect("metadata");
    let mut metadata: Value = serde_json::from_str(text).expect("JSON");
    metadata["sha256"] = Value::Null;
    let config = metadata["config"].as_str().expect("settings");
    let younger = |line: &&str| *line == "tilt = 0.0";
    let lines = config.lines().filter(|line| !younger(line));
    metadata["config"] = lines.collect::<Vec<_>>().join("\n").into();
    metadata
}

#[test]
fn a_pre_training_goes_on_from_its_state() {
    let desk = resume("pretrain", "gin-pretrain", 17, &[]);
    same_end(&desk, "gin-pretrain");
}

#[test]
fn a_fine_tuning_goes_on_from_its_state() {
    let desk = resume(
        "finetune",
        "gin-finetune",
        37,
        &["gin-pretrain.safetensors"],
    );
    same_end(&desk, "gin-finetune");
}
