//! The gradient of every parameter against central differences, in double precision: BatchNorm by the
//! batch's statistics, a fixed mask, the target frozen where it carries no gradient.

use candle_core::{DType, Device, Tensor};
use skeleton_graph::Layout;
use skeleton_graph::random::{Key, Purpose, stream};
use skeletonmae::ops::reweighted_cosine_error;
use skeletonmae::train::Gradients;
use skeletonmae::{MaeConfig, Mask, Mode, RceConfig, SkeletonMae, Store, TrackBatch};

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

fn check(config: &MaeConfig, target_gradient: bool) {
    let layout = Layout::built_in("coco17").unwrap();
    let store = Store::new(3, DType::F64, &Device::Cpu);
    let model = SkeletonMae::new(config, &layout, 2, store.builder()).unwrap();
    let batch = batch();
    let hidden: Vec<Vec<bool>> = [vec![2, 4], vec![1], vec![0, 5]]
        .iter()
        .map(|parts: &Vec<usize>| {
            let joints = |j| parts.iter().any(|&p| layout.parts()[p].joints.contains(&j));
            (0..17).map(joints).collect()
        })
        .collect();
    let mask = Mask::of_tracks(&batch, &hidden);
    let loss = RceConfig {
        beta: 2.0,
        target_gradient,
    };
    let count = mask.count() as f64;
    let frozen = model
        .forward(&batch.keypoints, &mask, Mode::Train)
        .unwrap()
        .0
        .detach();
    let value = || {
        let (x, y) = model.forward(&batch.keypoints, &mask, Mode::Train).unwrap();
        let target = if target_gradient { x } else { frozen.clone() };
        let rows = Tensor::new(&mask.target_rows()[..], &Device::Cpu).unwrap();
        let of_targets = |x: &Tensor| x.reshape(((), 8)).unwrap().index_select(&rows, 0).unwrap();
        let (y, x) = (of_targets(&y), of_targets(&target));
        let loss = reweighted_cosine_error(&y, &x, loss.beta, count).unwrap();
        loss.to_scalar::<f64>().unwrap()
    };
    let parameters = store.parameters();
    let mut gradients = Gradients::none(parameters.len());
    let scalar = model
        .loss(&batch.keypoints, &mask, loss, count, Mode::Train)
        .unwrap();
    gradients.add(&scalar, &parameters).unwrap();
    finite::compare(&parameters, gradients.as_slice(), value);
}

#[test]
fn every_parameter_of_the_paper_model() {
    check(
        &MaeConfig {
            width: 8,
            encoder_layers: 2,
            remask: false,
        },
        false,
    );
}

#[test]
fn with_gradient_into_the_target_and_remasking() {
    check(
        &MaeConfig {
            width: 8,
            encoder_layers: 1,
            remask: true,
        },
        true,
    );
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
