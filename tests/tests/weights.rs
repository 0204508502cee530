//! Weights of a checkpoint in other programs' hands and back: `ssl import`, `ssl info`.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use skeleton_graph::Layout;
use skeletonmae::{MaeConfig, Store, TrackBatch};
use ssl_tests::program::Desk;
use ssl_tests::toy::{FINETUNE, PRETRAIN, TOY};
use ssl_tests::{python, root};
use strl::{Strl, StrlConfig, Task};

type Tensors = BTreeMap<String, Tensor>;

/// A folder with a pre-trained model `pre` and a classifier `fine` of three classes and 16 frames.
fn desk() -> Desk {
    let desk = Desk::new();
    TOY.prepare(&desk, "toy", "coco17");
    desk.ssl(&format!(
        "pretrain --preset quick --data toy.h5 --split train --val test --out pre {PRETRAIN}"
    ))
    .success();
    desk.ssl(&format!(
        "finetune --preset quick --data toy.h5 --train train --encoder pre --test test --out fine {FINETUNE} --labels 0.5 --seed 2"
    ))
    .success();
    desk
}

fn load(path: &Path) -> Tensors {
    let tensors = candle_core::safetensors::load(path, &Device::Cpu);
    tensors.expect("safetensors").into_iter().collect()
}

fn save(desk: &Desk, name: &str, tensors: &Tensors) {
    let tensors: HashMap<String, Tensor> = tensors.clone().into_iter().collect();
    candle_core::safetensors::save(&tensors, desk.path(name)).expect("the folder is writable");
}

fn bits(tensors: &Tensors) -> BTreeMap<&String, Vec<u32>> {
    let of = |t: &Tensor| -> Vec<u32> {
        let values = t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        values.into_iter().map(f32::to_bits).collect()
    };
    tensors.iter().map(|(name, t)| (name, of(t))).collect()
}

/// The classifier's logits of clips (b, p, t, v, c).
fn logits(tensors: &Tensors, s: &Tensor) -> Tensor {
    let layout = Layout::built_in("coco17").unwrap();
    let (b, p, t, v, c) = s.dims5().unwrap();
    let store = Store::new(0, DType::F32, &Device::Cpu);
    let task = Task {
        layout: &layout,
        coordinates: c,
        frames: t,
        classes: TOY.classes,
    };
    let (mae, strl) = (MaeConfig::default(), StrlConfig::default());
    let model = Strl::new(&mae, &strl, task, store.builder()).unwrap();
    store.load(tensors).unwrap();
    let batch = TrackBatch::new(
        s.reshape((b * p, t, v, c)).unwrap(),
        vec![true; b * p * t * v],
        (0..(b * p) as u32).map(|track| track / p as u32).collect(),
        (0..b).map(|i| i.to_string()).collect(),
        vec![0; b],
    );
    model.forward(&batch.unwrap()).unwrap()
}

/// Asserts max|a - b| / max|b| <= 1e-5.
fn close(what: &str, a: &Tensor, b: &Tensor) {
    let numbers = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let (a, b) = (numbers(a), numbers(b));
    assert_eq!(a.len(), b.len(), "{what}");
    let off = a.iter().zip(&b).map(|(a, b)| (a - b).abs());
    let (off, size) = (
        off.fold(0.0, f32::max),
        b.iter().map(|b| b.abs()).fold(0.0, f32::max),
    );
    assert!(
        off <= 1e-5 * size,
        "{what}: off by {off:e} at a size of {size:e}"
    );
    eprintln!("{what}: {:.1e}", off / size);
}

#[test]
fn pytorch_reads_a_checkpoint_and_hands_weights_back() {
    let Some(mut python) = python(&["torch", "numpy", "safetensors"]) else {
        return;
    };
    let desk = desk();
    let status = python
        .arg(root().join("tests/reference/exchange.py"))
        .args([desk.path("fine/model.safetensors"), desk.path("")])
        .status()
        .expect("it ran before");
    assert!(status.success(), "exchange.py ran");
    let made = load(&desk.path("logits.safetensors"));
    let read = load(&desk.path("fine/model.safetensors"));
    close("read", &logits(&read, &made["in.s"]), &made["out.read"]);

    desk.ssl("import changed.safetensors --like fine -o imported.safetensors")
        .success();
    let imported = load(&desk.path("imported.safetensors"));
    assert_eq!(
        bits(&imported),
        bits(&load(&desk.path("changed.safetensors")))
    );
    close(
        "changed",
        &logits(&imported, &made["in.s"]),
        &made["out.changed"],
    );
    let measured = desk
        .ssl("evaluate imported.safetensors --data toy.h5 --split test --json")
        .json();
    assert_eq!(measured["n"], 9);
}

#[test]
fn weights_that_do_not_fit_are_refused_by_name() {
    let desk = desk();
    let good = load(&desk.path("fine/model.safetensors"));
    let import = |change: &dyn Fn(&mut Tensors)| {
        let mut tensors = good.clone();
        change(&mut tensors);
        save(&desk, "weights.safetensors", &tensors);
        desk.ssl("import weights.safetensors --like fine -o new.safetensors")
    };
    import(&|t| drop(t.remove("embed.bias"))).refused(1, &["embed.bias is missing", "(64)"]);
    import(&|t| drop(t.insert("surprise".into(), t["embed.bias"].clone())))
        .refused(1, &["surprise is unknown"]);
    import(&|t| {
        drop(t.insert(
            "embed.weight".into(),
            t["embed.weight"].t().unwrap().contiguous().unwrap(),
        ))
    })
    .refused(1, &["embed.weight", "expected (64, 2)", "found (2, 64)"]);
    import(&|t| {
        drop(t.insert(
            "embed.bias".into(),
            t["embed.bias"].to_dtype(DType::F64).unwrap(),
        ))
    })
    .refused(1, &["embed.bias in F64"]);
    import(&|t| {
        let bias = (&t["embed.bias"] / 0.0).unwrap();
        t.insert("embed.bias".into(), bias);
    })
    .refused(1, &["embed.bias", "finite"]);
    desk.write("weights.safetensors", b"no safetensors at all");
    desk.ssl("import weights.safetensors --like fine -o new.safetensors")
        .refused(1, &["weights.safetensors"]);
    assert!(!desk.path("new.safetensors").exists());

    import(&|_| {}).success();
    desk.ssl("import weights.safetensors --like fine -o new.safetensors")
        .refused(1, &["new.safetensors", "--overwrite"]);
    desk.ssl("import weights.safetensors --like pre -o other.safetensors")
        .refused(1, &["weights.safetensors", "pre", "is missing"]);
    // Other numbers than the run's can't claim to be its: where they come from is in the checkpoint.
    let card = desk.ssl("info new.safetensors --json").json();
    assert!(card["origin"]["imported"].is_string(), "{card}");
    assert_eq!(
        desk.ssl("info fine --json").json()["origin"]["imported"],
        serde_json::Value::Null
    );
}

#[test]
fn a_card_says_what_a_model_is_and_reached() {
    let desk = desk();
    let card = desk.ssl("info fine --json").json();
    let measured: serde_json::Value =
        serde_json::from_slice(&desk.read("fine/test.json")).expect("JSON");
    assert_eq!(card["metrics"]["test.json"], measured);
    assert_eq!(card["kind"], "finetune");
    assert_eq!(card["layout"]["name"], "coco17");
    assert_eq!(card["classes"].as_array().map(Vec::len), Some(3));
    let training = &card["training"];
    assert_eq!(
        (&training["split"], &training["clips"], &training["labels"]),
        (&"train".into(), &9.into(), &0.5.into()),
        "{training}"
    );
    assert_eq!(
        (&training["epochs"], &training["seed"]),
        (&2.into(), &2.into())
    );
    let tensors = load(&desk.path("fine/model.safetensors"));
    let statistic = |name: &str| name.ends_with(".running_mean") || name.ends_with(".running_var");
    let parameters: usize = tensors
        .iter()
        .filter(|(name, _)| !statistic(name))
        .map(|(_, t)| t.elem_count())
        .sum();
    assert_eq!(card["parameters"], parameters);
    let of = |key: &str| card[key].as_u64().expect("a count");
    assert_eq!(of("flops"), 2 * of("multiply_adds"));
    assert_eq!(
        card["files"]["model.safetensors"],
        desk.read("fine/model.safetensors").len()
    );
    assert_eq!(card["settings"]["finetune"]["augment"]["noise"], 0.02);
    let text = desk.ssl("info fine").success().stdout;
    for part in [
        "coco17",
        "encoder",
        "test: top-1",
        "layers.2.temporal",
        "MFLOP",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let pre = desk.ssl("info pre").success().stdout;
    assert!(pre.contains("masked joints of test to"), "{pre}");
    let file = desk.ssl("info pre/model.safetensors --json").json();
    assert_eq!(
        file["metrics"],
        serde_json::json!({}),
        "a file alone has no run"
    );
    desk.ssl("info toy.h5").refused(1, &["toy.h5"]);
}
