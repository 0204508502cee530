//! The gradient of every parameter of STRL against central differences, in double precision.

use candle_core::{DType, Device, Tensor};
use rand::Rng as _;
use skeleton_graph::Layout;
use skeleton_graph::random::{Key, Purpose, stream};
use skeletonmae::mask::At;
use skeletonmae::train::{Gradients, Learner};
use skeletonmae::{
    Backbone, LossConfig, MaeConfig, MaskConfig, MaskScope, Objective, Reconstruction, Store,
    Target, Through, TrackBatch,
};
use strl::{Finetuning, JointPool, Normalised, Pretraining, Strl, StrlConfig, Task, Tuning};

#[path = "../../skeletonmae/tests/finite/mod.rs"]
mod finite;

fn check(config: &StrlConfig, frames: usize) {
    check_backbone(config, frames, Backbone::Gin, Tuning::Tuned);
}

fn check_backbone(config: &StrlConfig, frames: usize, backbone: Backbone, encoder: Tuning) {
    let layout = Layout::built_in("coco17").unwrap();
    let (n, v, c) = (3, 17, 2);
    let mut rng = stream(11, Purpose::Synthetic, 0, Key::None);
    let mut random = |n: usize| -> Vec<f64> { (0..n).map(|_| rng.random::<f64>() - 0.5).collect() };
    let keypoints = Tensor::from_vec(random(n * frames * v * c), (n, frames, v, c), &Device::Cpu);
    let presence = vec![true; n * frames * v];
    let ids = vec!["a".into(), "b".into()];
    let batch =
        TrackBatch::new(keypoints.unwrap(), presence, vec![0, 1, 1], ids, vec![2, 0]).unwrap();
    let store = Store::new(5, DType::F64, &Device::Cpu);
    let mae = MaeConfig {
        backbone,
        width: 8,
        encoder_layers: 1,
        ..MaeConfig::default()
    };
    let task = Task {
        layout: &layout,
        coordinates: c,
        frames,
        classes: 3,
    };
    let model = Strl::new(&mae, config, task, store.builder()).unwrap();
    // Positions start at zero; anything else tests more.
    let parameters = store.parameters();
    let (_, position) = parameters
        .iter()
        .find(|(name, _)| name == "position")
        .unwrap();
    position
        .set(&Tensor::from_vec(random(frames * 8), (frames, 8), &Device::Cpu).unwrap())
        .unwrap();
    let parameters = encoder.trained(parameters);
    let learner = Finetuning {
        model,
        label_smoothing: 0.1,
        encoder,
    };
    let start = At {
        seed: 0,
        epoch: 0,
        index: 0,
    };
    let (dropout, clips) = learner.draw(&batch, start).unwrap();
    let loss = || learner.loss(&batch, &dropout, clips).unwrap();
    let mut gradients = Gradients::none(parameters.len());
    gradients.add(&loss(), &parameters).unwrap();
    finite::compare(&parameters, gradients.as_slice(), || {
        loss().to_scalar::<f64>().unwrap()
    });
}

#[test]
fn every_parameter_of_the_yardstick_model() {
    let config = StrlConfig {
        layers: 2,
        dropout: 0.0,
        ..StrlConfig::default()
    };
    check(&config, 6);
}

#[test]
fn sum_pool_symmetric_mixing_deeper_head_and_odd_frames() {
    let config = StrlConfig {
        layers: 2,
        kernel: 3,
        dilations: vec![1, 3],
        pool: JointPool::Sum,
        adjacency: Normalised::Symmetric,
        dropout: 0.0,
        head: vec![5],
    };
    check(&config, 5);
}

#[test]
fn codes_of_each_joint() {
    let config = StrlConfig {
        layers: 2,
        pool: JointPool::Joints,
        dropout: 0.0,
        ..StrlConfig::default()
    };
    check(&config, 4);
}

/// Dropout is a function of seed, epoch and clip, so a run with it is differentiable too.
#[test]
fn with_dropout() {
    let config = StrlConfig {
        layers: 1,
        dropout: 0.5,
        ..StrlConfig::default()
    };
    check(&config, 3);
}

#[test]
fn every_backbone_tuned_and_frozen() {
    let config = StrlConfig {
        layers: 2,
        dropout: 0.0,
        ..StrlConfig::default()
    };
    for backbone in [Backbone::Gcn, Backbone::Gat] {
        check_backbone(&config, 2, backbone, Tuning::Tuned);
    }
    // What stands before a frozen encoder is taught through it.
    for backbone in [Backbone::Gin, Backbone::Gat] {
        check_backbone(&config, 2, backbone, Tuning::Frozen);
    }
}

/// Masked pre-training of the whole body: of every parameter, the mask token and the decoder included, by each target.
#[test]
fn every_parameter_of_the_masked_body() {
    let layout = Layout::built_in("coco17").unwrap();
    let (n, t, v, c) = (2, 6, 17, 2);
    let mut rng = stream(12, Purpose::Synthetic, 0, Key::None);
    let values = (0..n * t * v * c).map(|_| rng.random::<f64>() - 0.5);
    let keypoints = Tensor::from_vec(values.collect(), (n, t, v, c), &Device::Cpu).unwrap();
    let presence = (0..n * t * v).map(|at| at % 11 != 0).collect();
    let ids = vec!["a".into(), "b".into()];
    let batch = TrackBatch::new(keypoints, presence, vec![0, 1], ids, vec![-1; 2]).unwrap();
    let (mae, config) = (
        MaeConfig {
            width: 8,
            encoder_layers: 1,
            ..MaeConfig::default()
        },
        StrlConfig {
            layers: 3,
            ..StrlConfig::default()
        },
    );
    let targets = [
        Target::Coordinates,
        Target::Motion,
        Target::CoordinatesAndMotion,
    ];
    for target in targets {
        let objective = Objective::Reconstruction(Reconstruction {
            mask: MaskConfig::Joints { count: 8 },
            mask_scope: MaskScope::Stretch(4),
            loss: LossConfig::Mse,
            target,
            through: Through::Strl,
        });
        let store = Store::new(5, DType::F64, &Device::Cpu);
        let input = (&layout, c, t);
        let model = Pretraining::new(&objective, &mae, Some(&config), input, store.builder());
        let model = model.unwrap();
        let at = At {
            seed: 0,
            epoch: 0,
            index: 0,
        };
        let (draw, weight) = model.draw(&batch, at).unwrap();
        let loss = || model.loss(&batch, &draw, weight).unwrap();
        let parameters = store.parameters();
        let mut gradients = Gradients::none(parameters.len());
        gradients.add(&loss(), &parameters).unwrap();
        for (name, gradient) in parameters.iter().zip(gradients.as_slice()) {
            // A bias in front of a norm is none.
            let learns = ["mask_token", "position", "decoder.bias"].contains(&name.0.as_str());
            assert!(gradient.is_some() || !learns, "{}", name.0);
        }
        finite::compare(&parameters, gradients.as_slice(), || {
            loss().to_scalar::<f64>().unwrap()
        });
    }
}
