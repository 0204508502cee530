//! What another device asks of training, shown on the CPU: a step reads one tensor back, and features may be of 16 bits while
//! parameters, statistics and losses are of 32. With `SSL_REFERENCE=1` the same by the definitions that a device runs.

use std::ops::ControlFlow;

use candle_core::{DType, Device, Tensor};
use skeleton_graph::Layout;
use skeleton_graph::random::{Key, Purpose, stream};
use skeleton_kernels::host;
use skeletonmae::mask::At;
use skeletonmae::train::{
    Decay, Gradients, Guard, Learner, Optimizer, OptimizerConfig, Pass, Schedule, StepReport,
    TrainConfig, run_epoch,
};
use skeletonmae::{
    Backbone, Contrastive, LossConfig, MaeConfig, MaskConfig, MaskScope, Objective, Pretext,
    Reconstruction, Store, Target, Through, TrackBatch,
};
use strl::{Finetuning, Strl, StrlConfig, Task, Tuning};

const FRAMES: usize = 8;
const CLASSES: usize = 3;

/// Four clips of random joints, two persons in the second.
fn batch() -> TrackBatch {
    use rand::Rng as _;
    let mut rng = stream(3, Purpose::Synthetic, 0, Key::None);
    let (n, v) = (5, 17);
    let keypoints = (0..n * FRAMES * v * 2).map(|_| rng.random::<f32>() - 0.5);
    let keypoints = Tensor::from_vec(keypoints.collect(), (n, FRAMES, v, 2), &Device::Cpu);
    let ids = (0..4).map(|clip| format!("clip {clip}")).collect();
    let (tracks, labels) = (vec![0, 1, 1, 2, 3], vec![0, 1, 2, 0]);
    let seen = vec![true; n * FRAMES * v];
    TrackBatch::new(keypoints.unwrap(), seen, tracks, ids, labels).unwrap()
}

fn mae(backbone: Backbone) -> MaeConfig {
    MaeConfig {
        backbone,
        width: 16,
        encoder_layers: 2,
        ..MaeConfig::default()
    }
}

fn pretext(backbone: Backbone, objective: &Objective, features: DType) -> (Pretext, Store) {
    let store = Store::new(0, DType::F32, &Device::Cpu);
    let layout = Layout::built_in("coco17").unwrap();
    let model = Pretext::new(objective, &mae(backbone), &layout, 2, store.builder()).unwrap();
    (model.with_features(features), store)
}

fn classifier(backbone: Backbone, encoder: Tuning, features: DType) -> (Finetuning, Store) {
    let store = Store::new(0, DType::F32, &Device::Cpu);
    let layout = Layout::built_in("coco17").unwrap();
    let task = Task {
        layout: &layout,
        coordinates: 2,
        frames: FRAMES,
        classes: CLASSES,
    };
    let config = StrlConfig {
        layers: 2,
        ..StrlConfig::default()
    };
    let model = Strl::new(&mae(backbone), &config, task, store.builder()).unwrap();
    let learner = Finetuning {
        model: model.with_features(features),
        label_smoothing: 0.1,
        encoder,
    };
    (learner, store)
}

fn objectives() -> [Objective; 2] {
    [
        Objective::Reconstruction(Reconstruction {
            mask: MaskConfig::Joints { count: 8 },
            mask_scope: MaskScope::default(),
            loss: LossConfig::default(),
            target: Target::default(),
            through: Through::Encoder,
        }),
        Objective::Contrastive(Contrastive::default()),
    ]
}

/// Reads in two steps of two micro-batches each.
fn reads(learner: &impl Learner, store: &Store, optimizer: OptimizerConfig) -> u64 {
    let config = TrainConfig {
        epochs: 1,
        batch: 8,
        micro_batch: 4,
        optimizer,
        schedule: Schedule {
            warmup_epochs: 0,
            decay: Decay::Constant,
        },
        guard: Guard {
            clip_norm: Some(0.1),
            ..Guard::default()
        },
    };
    let mut optimizer = Optimizer::new(optimizer, store.parameters()).unwrap();
    let steps = (0..2).map(|_| Ok(vec![batch(), batch()]));
    let mut observer = |_: &StepReport<'_>| ControlFlow::Continue(());
    let pass = Pass::new(store, 0, 0);
    let before = host::reads();
    run_epoch(
        learner,
        &pass,
        &config,
        &mut optimizer,
        steps,
        &mut observer,
    )
    .unwrap();
    host::reads() - before
}

const ADAM: OptimizerConfig = OptimizerConfig::Adam {
    lr: 1e-3,
    beta1: 0.9,
    beta2: 0.999,
    weight_decay: 1e-4,
};
const SGD: OptimizerConfig = OptimizerConfig::Sgd {
    lr: 1e-3,
    momentum: 0.9,
    nesterov: true,
    weight_decay: 1e-4,
};
const BACKBONES: [Backbone; 3] = [Backbone::Gin, Backbone::Gcn, Backbone::Gat];

#[test]
fn a_step_reads_once() {
    for backbone in BACKBONES {
        for objective in objectives() {
            let (model, store) = pretext(backbone, &objective, DType::F32);
            assert_eq!(
                reads(&model, &store, ADAM),
                2,
                "{backbone:?}, {objective:?}"
            );
        }
        for tuning in [Tuning::Tuned, Tuning::Frozen] {
            let (model, store) = classifier(backbone, tuning, DType::F32);
            assert_eq!(reads(&model, &store, SGD), 2, "{backbone:?}, {tuning:?}");
        }
    }
    // The counter counts.
    let before = host::reads();
    host::read::<f32>(&batch().keypoints).unwrap();
    assert_eq!(host::reads() - before, 1);
}

/// Loss and gradients of a batch.
fn found(learner: &impl Learner, store: &Store) -> (f64, Vec<f64>) {
    let at = At {
        seed: 0,
        epoch: 0,
        index: 0,
    };
    let (batch, parameters) = (batch(), store.parameters());
    let (draw, weight) = learner.draw(&batch, at).unwrap();
    let loss = learner.loss(&batch, &draw, weight).unwrap();
    assert_eq!(loss.dtype(), DType::F32);
    let mut gradients = Gradients::none(parameters.len());
    gradients.add(&loss, &parameters).unwrap();
    let own = gradients.as_slice().iter().flatten();
    let all = own.flat_map(|gradient| {
        assert_eq!(gradient.dtype(), DType::F32);
        host::read::<f64>(gradient).unwrap()
    });
    (host::read::<f64>(&loss).unwrap()[0], all.collect())
}

#[track_caller]
fn near(what: &str, low: (f64, Vec<f64>), full: (f64, Vec<f64>)) {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let cosine = dot(&low.1, &full.1) / (dot(&low.1, &low.1) * dot(&full.1, &full.1)).sqrt();
    eprintln!(
        "{what}: loss {} and {}, cosine of gradients {cosine}",
        low.0, full.0
    );
    assert!(
        (low.0 / full.0 - 1.0).abs() < 0.02,
        "{what}: {} {}",
        low.0,
        full.0
    );
    assert!(cosine > 0.9, "{what}: {cosine}");
    assert!(low.1 != full.1, "{what}: the features were of 32 bits");
}

#[test]
fn features_of_16_bits_give_nearly_the_same_loss_and_gradients() {
    for backbone in BACKBONES {
        for objective in objectives() {
            let of = |features| {
                let (model, store) = pretext(backbone, &objective, features);
                found(&model, &store)
            };
            near(
                &format!("{backbone:?}, {objective:?}"),
                of(DType::BF16),
                of(DType::F32),
            );
        }
        let of = |features| {
            let (model, store) = classifier(backbone, Tuning::Tuned, features);
            let trained = found(&model, &store);
            let scores = host::read::<f64>(&model.model.forward(&batch()).unwrap()).unwrap();
            assert!(scores.iter().all(|score| score.is_finite()));
            trained
        };
        near(
            &format!("{backbone:?}, classifier"),
            of(DType::BF16),
            of(DType::F32),
        );
    }
}
