//! The gradient of every parameter against central differences, in double precision: BatchNorm by the
//! batch's statistics, a fixed mask, the target frozen where it carries no gradient.

use candle_core::{DType, Device, Tensor};
use skeleton_graph::Layout;
use skeleton_graph::random::{Key, Purpose, stream};
use skeleton_kernels::{mean_squared_error, reweighted_cosine_error};
use skeletonmae::mask::At;
use skeletonmae::train::Gradients;
use skeletonmae::{
    Backbone, Contrastive, GraphCl, LossConfig, MaeConfig, Mask, Mode, SkeletonMae, Store, Target,
    TrackBatch,
};

mod finite;

fn batch() -> TrackBatch {
    use rand::Rng as _;
    let (n, t, v, c) = (3, 2, 17, 2);
    let mut rng = stream(7, Purpose::Synthetic, 0, Key::None);
    let values: Vec<f64> = (0..n * t * v * c)
        .map(|_| rng.random::<f64>() * 2.0 - 1.0)
        .collect();
    let keypoints = Tensor::from_vec(values, (n, t, v, c), &Device::Cpu).unwrap();
    let presence = (0..n * t * v).map(|i| i % 13 != 5).collect();
    TrackBatch::new(
        keypoints,
        presence,
        vec![0, 0, 1],
        vec!["a".into(), "b".into()],
        vec![0, 1],
    )
    .unwrap()
}

fn config(backbone: Backbone, encoder_layers: usize, remask: bool) -> MaeConfig {
    MaeConfig {
        backbone,
        width: 8,
        encoder_layers,
        remask,
        ..MaeConfig::default()
    }
}

fn check(config: &MaeConfig, loss: LossConfig, target: Target) {
    let layout = Layout::built_in("coco17").unwrap();
    let store = Store::new(3, DType::F64, &Device::Cpu);
    let model = SkeletonMae::with_target(target, config, &layout, 2, store.builder()).unwrap();
    let batch = batch();
    let hidden: Vec<Vec<bool>> = [vec![2, 4], vec![1], vec![0, 5]]
        .iter()
        .map(|parts: &Vec<usize>| {
            let joints = |j| parts.iter().any(|&p| layout.parts()[p].joints.contains(&j));
            (0..17).map(joints).collect()
        })
        .collect();
    let mask = Mask::of_tracks(&batch, &hidden);
    let count = mask.count() as f64;
    let own = || model.loss(&batch, &mask, loss, count, Mode::Train).unwrap();
    let (frozen, _) = model.forward(&batch.keypoints, &mask, Mode::Train).unwrap();
    let frozen = frozen.detach();
    let value = || {
        if target != Target::Embedding {
            return own().to_scalar::<f64>().unwrap();
        }
        // The target stays where it was, which the gradient takes for granted.
        let (_, y) = model.forward(&batch.keypoints, &mask, Mode::Train).unwrap();
        let rows = Tensor::new(&mask.target_rows()[..], &Device::Cpu).unwrap();
        let of_targets = |x: &Tensor| x.reshape(((), 8)).unwrap().index_select(&rows, 0).unwrap();
        let (y, x) = (of_targets(&y), of_targets(&frozen));
        let loss = match loss {
            LossConfig::Rce { beta } => reweighted_cosine_error(&y, &x, beta, count),
            LossConfig::Mse => mean_squared_error(&y, &x, count),
        };
        loss.unwrap().to_scalar::<f64>().unwrap()
    };
    let parameters = store.parameters();
    let mut gradients = Gradients::none(parameters.len());
    gradients.add(&own(), &parameters).unwrap();
    finite::compare(&parameters, gradients.as_slice(), value);
}

const RCE: LossConfig = LossConfig::Rce { beta: 2.0 };

#[test]
fn every_parameter_of_the_paper_model() {
    check(&config(Backbone::Gin, 2, false), RCE, Target::Embedding);
}

#[test]
fn with_gradient_into_the_target_and_remasking() {
    let target = Target::EmbeddingWithGradient;
    check(&config(Backbone::Gin, 1, true), RCE, target);
}

#[test]
fn gcn_and_coordinates() {
    let target = Target::Coordinates;
    check(&config(Backbone::Gcn, 2, false), LossConfig::Mse, target);
}

#[test]
fn gat_and_the_squared_error_of_features() {
    let target = Target::EmbeddingWithGradient;
    check(&config(Backbone::Gat, 2, false), LossConfig::Mse, target);
}

#[test]
fn gin_and_coordinates_by_another_power() {
    let loss = LossConfig::Rce { beta: 1.5 };
    check(&config(Backbone::Gin, 1, false), loss, Target::Coordinates);
    check(&config(Backbone::Gat, 1, true), loss, Target::Embedding);
}

#[test]
fn a_contrast() {
    for backbone in [Backbone::Gin, Backbone::Gcn, Backbone::Gat] {
        let layout = Layout::built_in("coco17").unwrap();
        let store = Store::new(3, DType::F64, &Device::Cpu);
        let shape = config(backbone, 1, false);
        let model = GraphCl::new(&shape, &layout, 2, store.builder()).unwrap();
        let at = At {
            seed: 1,
            epoch: 0,
            index: 0,
        };
        let batch = batch();
        let views = Contrastive::default().views(model.adjacency(), &batch, at);
        let loss = || model.loss(&batch, &views, 0.5, 2.0, Mode::Train).unwrap();
        let parameters = store.parameters();
        let mut gradients = Gradients::none(parameters.len());
        gradients.add(&loss(), &parameters).unwrap();
        finite::compare(&parameters, gradients.as_slice(), || {
            loss().to_scalar::<f64>().unwrap()
        });
    }
}

#[test]
fn the_loss_is_zero_on_perfect_reconstruction_whatever_its_scale() {
    let x = batch().keypoints;
    let loss = |y: &Tensor| {
        reweighted_cosine_error(y, &x, 2.0, 102.0)
            .unwrap()
            .to_scalar::<f64>()
            .unwrap()
    };
    assert!(loss(&(&x * 3.5).unwrap()) < 1e-12);
    assert!(
        (loss(&x.neg().unwrap()) - 4.0).abs() < 1e-12,
        "opposite: (1 + 1)^2"
    );
}
