//! The models against the PyTorch yardstick (`tests/reference/torch_ssl.py`) on the same weights: outputs
//! in training and in inference mode, losses, and parameters after a few optimizer steps.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor};
use skeleton_graph::Layout;
use skeletonmae::mask::At;
use skeletonmae::train::{Gradients, Optimizer, OptimizerConfig};
use skeletonmae::{LossConfig, MaeConfig, Mask, Mode, SkeletonMae, Store, TrackBatch};
use ssl_tests::{python, root};
use strl::{Strl, StrlConfig, Task, Tuning, cross_entropy};

type Tensors = BTreeMap<String, Tensor>;

/// What PyTorch made, by file; `None` where PyTorch isn't here.
fn reference() -> Option<(tempfile::TempDir, [Tensors; 2])> {
    let mut command = python(&["torch", "safetensors"])?;
    let folder = tempfile::tempdir().unwrap();
    let script = root().join("tests/reference/parity.py");
    let status = command.arg(script).arg(folder.path()).status().unwrap();
    assert!(status.success(), "parity.py ran");
    let load = |name: &str| {
        let tensors = candle_core::safetensors::load(folder.path().join(name), &Device::Cpu);
        tensors.unwrap().into_iter().collect::<Tensors>()
    };
    let tensors = [load("mae.safetensors"), load("strl.safetensors")];
    Some((folder, tensors))
}

fn with_prefix(tensors: &Tensors, prefix: &str) -> Tensors {
    let tensors = tensors.iter();
    tensors
        .filter_map(|(name, t)| Some((name.strip_prefix(prefix)?.to_owned(), t.clone())))
        .collect()
}

/// Asserts max|a - b| / max|b| <= tolerance.
fn close(what: &str, a: &Tensor, b: &Tensor, tolerance: f64) {
    assert_eq!(a.elem_count(), b.elem_count(), "{what}");
    let numbers = |t: &Tensor| -> Vec<f64> {
        t.to_dtype(DType::F64)
            .unwrap()
            .flatten_all()
            .unwrap()
            .to_vec1()
            .unwrap()
    };
    let (a, b) = (numbers(a), numbers(b));
    let largest = |x: &mut dyn Iterator<Item = f64>| x.fold(0.0, f64::max);
    let off = largest(&mut a.iter().zip(&b).map(|(a, b)| (a - b).abs()));
    let size = largest(&mut b.iter().map(|b| b.abs()));
    assert!(
        off <= tolerance * size,
        "{what}: off by {off:e} at a size of {size:e}"
    );
    eprintln!("{what}: {:.1e}", off / size);
}

#[test]
fn skeletonmae_is_the_yardsticks() {
    let Some((_folder, [reference, _])) = reference() else {
        return;
    };
    let layout = Layout::built_in("coco17").unwrap();
    let store = Store::new(0, DType::F32, &Device::Cpu);
    let model = SkeletonMae::new(&MaeConfig::default(), &layout, 2, store.builder()).unwrap();
    let count: usize = store
        .parameters()
        .iter()
        .map(|(_, var)| var.elem_count())
        .sum();
    assert_eq!(count, 38_535, "the yardstick's parameters");

    let s = reference["in.s"].clone();
    let (n, t, v, _) = s.dims4().unwrap();
    let ids = (0..n).map(|i| i.to_string()).collect();
    let tracks = (0..n as u32).collect();
    let batch = TrackBatch::new(s.clone(), vec![true; n * t * v], tracks, ids, vec![0; n]).unwrap();
    let hidden = |j| {
        [3, 5]
            .iter()
            .any(|&p: &usize| layout.parts()[p].joints.contains(&j))
    };
    let mask = Mask::of_tracks(&batch, &vec![(0..v).map(hidden).collect(); n]);
    let count = mask.count() as f64;
    let loss = |mode| {
        model
            .loss(&batch, &mask, LossConfig::default(), count, mode)
            .unwrap()
    };
    let start = || store.load(&with_prefix(&reference, "state.")).unwrap();

    for (name, mode) in [("train", Mode::Train), ("eval", Mode::Eval)] {
        let out = |what: &str| &reference[&format!("out.{name}.{what}")];
        // Each training pass moves the statistics, and inference is by those of one pass.
        let before = store
            .tensors()
            .into_iter()
            .map(|(n, t)| (n, t.copy().unwrap()))
            .collect();
        let again = || {
            if mode == Mode::Train {
                start()
            } else {
                store.load(&before).unwrap()
            }
        };
        again();
        close(
            &format!("{name} H"),
            &model.encode(&s, &mask, mode).unwrap(),
            out("h"),
            1e-5,
        );
        again();
        close(
            &format!("{name} Y"),
            &model.forward(&s, &mask, mode).unwrap().1,
            out("y"),
            1e-5,
        );
        again();
        close(&format!("{name} loss"), &loss(mode), out("loss"), 1e-5);
    }

    start();
    let rule = OptimizerConfig::Adam {
        lr: 1e-3,
        beta1: 0.9,
        beta2: 0.999,
        weight_decay: 0.0,
    };
    let mut optimizer = Optimizer::new(rule, store.parameters()).unwrap();
    for _ in 0..3 {
        let mut gradients = Gradients::none(optimizer.parameters().len());
        gradients
            .add(&loss(Mode::Train), optimizer.parameters())
            .unwrap();
        optimizer.step(gradients.as_slice(), 1e-3).unwrap();
    }
    let after = with_prefix(&reference, "after.");
    for (name, var) in store.parameters() {
        // The gradient of a bias in front of BatchNorm is 0 but for rounding, which Adam blows up.
        let vanishes = name.ends_with("linear1.bias")
            || name.contains("encoder") && name.ends_with("linear2.bias");
        if !vanishes {
            // Adam divides a gradient by its own size: the rounding of small ones comes back magnified.
            close(&format!("after Adam {name}"), &var, &after[&name], 5e-4);
        }
    }
}

#[test]
fn strl_is_the_yardsticks() {
    let Some((_folder, [_, reference])) = reference() else {
        return;
    };
    let layout = Layout::built_in("coco17").unwrap();
    let store = Store::new(0, DType::F32, &Device::Cpu);
    let config = StrlConfig {
        dropout: 0.0,
        ..StrlConfig::default()
    };
    let (b, p, t, v, c) = reference["in.s"].dims5().unwrap();
    let task = Task {
        layout: &layout,
        coordinates: 2,
        frames: t,
        classes: 10,
    };
    let mae = MaeConfig::default();
    let model = Strl::new(&mae, &config, task, store.builder()).unwrap();

    let keypoints = reference["in.s"].reshape((b * p, t, v, c)).unwrap();
    let tracks = (0..(b * p) as u32).map(|track| track / p as u32).collect();
    let ids = (0..b).map(|i| i.to_string()).collect();
    let labels = reference["in.label"].to_vec1::<i64>().unwrap();
    let presence = vec![true; b * p * t * v];
    let batch = TrackBatch::new(keypoints, presence, tracks, ids, labels).unwrap();
    let at = At {
        seed: 0,
        epoch: 0,
        index: 0,
    };
    let dropout = model.dropout(&batch, at).unwrap();
    let train = || {
        model
            .forward_train(&batch, &dropout, Tuning::Tuned)
            .unwrap()
    };
    let start = with_prefix(&reference, "state.");
    store.load(&start).unwrap();
    for name in ["train", "eval"] {
        let logits = match name {
            "train" => train(),
            _ => model.forward(&batch).unwrap(),
        };
        close(
            &format!("{name} logits"),
            &logits,
            &reference[&format!("out.{name}.logits")],
            1e-5,
        );
    }
    let rule = OptimizerConfig::Sgd {
        lr: 0.01,
        momentum: 0.9,
        nesterov: true,
        weight_decay: 5e-4,
    };
    let mut optimizer = Optimizer::new(rule, store.parameters()).unwrap();
    for step in 0..3 {
        let logits = train();
        let loss = cross_entropy(&logits, &batch.labels, 0.1, 3.0).unwrap();
        close(
            &format!("loss {step}"),
            &loss,
            &reference[&format!("out.loss.{step}")],
            1e-4,
        );
        let mut gradients = Gradients::none(optimizer.parameters().len());
        gradients.add(&loss, optimizer.parameters()).unwrap();
        optimizer.step(gradients.as_slice(), 0.001).unwrap();
    }
    let after = with_prefix(&reference, "after.");
    for (name, tensor) in store.tensors() {
        close(&format!("after SGD {name}"), &tensor, &after[&name], 1e-3);
    }
}

/// performance.md's yardstick: 60 classes, 64 frames.
#[test]
fn strl_has_the_yardsticks_number_of_parameters() {
    let layout = Layout::built_in("coco17").unwrap();
    let store = Store::new(0, DType::F32, &Device::Cpu);
    let task = Task {
        layout: &layout,
        coordinates: 2,
        frames: 64,
        classes: 60,
    };
    Strl::new(
        &MaeConfig::default(),
        &StrlConfig::default(),
        task,
        store.builder(),
    )
    .unwrap();
    let count: usize = store
        .parameters()
        .iter()
        .map(|(_, var)| var.elem_count())
        .sum();
    assert_eq!(count, 140_622);
}
