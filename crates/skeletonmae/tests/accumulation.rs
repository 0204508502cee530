//! Micro-batches: their gradients add up to the whole batch's, but for BatchNorm, which sees each alone.

use std::ops::ControlFlow;

use candle_core::{DType, Device, Tensor};
use skeleton_graph::Layout;
use skeletonmae::train::{
    BoxError, Decay, Optimizer, OptimizerConfig, PretrainConfig, Schedule, StepReport,
    pretrain_epoch,
};
use skeletonmae::{
    Error, MaeConfig, MaskConfig, MaskScope, RceConfig, SkeletonMae, Store, TrackBatch,
};

fn clip(value: f64, id: &str) -> TrackBatch {
    let values: Vec<f64> = (0..4 * 17 * 2)
        .map(|i| (i as f64 * 0.37 + value).sin())
        .collect();
    let keypoints = Tensor::from_vec(values, (1, 4, 17, 2), &Device::Cpu).unwrap();
    TrackBatch::new(
        keypoints,
        vec![true; 68],
        vec![0],
        vec![id.into()],
        vec![-1],
    )
    .unwrap()
}

fn config() -> PretrainConfig {
    PretrainConfig {
        epochs: 1,
        batch: 2,
        micro_batch: 1,
        optimizer: OptimizerConfig::Sgd {
            lr: 0.1,
            momentum: 0.0,
            nesterov: false,
            weight_decay: 0.0,
        },
        schedule: Schedule {
            warmup_epochs: 0,
            decay: Decay::Constant,
        },
        mask: MaskConfig::Parts { parts: vec![3, 5] },
        mask_scope: MaskScope::Clip,
        loss: RceConfig::default(),
    }
}

fn run(
    steps: Vec<Result<Vec<TrackBatch>, BoxError>>,
    observer: &mut dyn FnMut(&StepReport) -> ControlFlow<()>,
) -> (Vec<f64>, skeletonmae::Result<f64>) {
    let layout = Layout::built_in("coco17").unwrap();
    let store = Store::new(2, DType::F64, &Device::Cpu);
    let mae = MaeConfig {
        width: 8,
        encoder_layers: 1,
        remask: false,
    };
    let model = SkeletonMae::new(&mae, &layout, 2, store.builder()).unwrap();
    let mut optimizer = Optimizer::new(config().optimizer, store.parameters()).unwrap();
    let mut observer = |report: &StepReport| observer(report);
    let report = pretrain_epoch(
        &model,
        &layout,
        &config(),
        &mut optimizer,
        0,
        0,
        steps.into_iter(),
        &mut observer,
    );
    let numbers = store.parameters().into_iter();
    let numbers = numbers.flat_map(|(_, var)| var.flatten_all().unwrap().to_vec1::<f64>().unwrap());
    (numbers.collect(), report.map(|report| report.loss))
}

fn go_on(_: &StepReport) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// With equal micro-batches BatchNorm sees the same statistics either way, so one step over both equals
/// one step over either.
#[test]
fn equal_micro_batches_average() {
    let (once, loss) = run(vec![Ok(vec![clip(0.0, "a")])], &mut go_on);
    let (twice, loss_twice) = run(vec![Ok(vec![clip(0.0, "a"), clip(0.0, "a")])], &mut go_on);
    assert!((loss.unwrap() - loss_twice.unwrap()).abs() < 1e-12);
    let off = once
        .iter()
        .zip(&twice)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f64::max);
    assert!(off < 1e-12, "{off}");
    let (other, _) = run(vec![Ok(vec![clip(0.0, "a"), clip(1.0, "b")])], &mut go_on);
    assert_ne!(once, other, "a different second clip counts");
}

#[test]
fn a_loss_that_is_not_finite_names_the_clips() {
    let broken = clip(f64::NAN, "broken");
    let (_, result) = run(vec![Ok(vec![clip(0.0, "fine"), broken])], &mut go_on);
    match result.unwrap_err() {
        Error::NonFinite {
            epoch: 0,
            step: 0,
            clips,
            ..
        } => assert_eq!(clips, ["fine", "broken"]),
        other => panic!("{other}"),
    }
}

#[test]
fn the_observer_stops_between_steps_and_data_errors_pass_through() {
    let steps = || {
        (0..3)
            .map(|i| Ok(vec![clip(f64::from(i), "a")]))
            .collect::<Vec<_>>()
    };
    let mut stop = |report: &StepReport| {
        if report.step == 1 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let (_, result) = run(steps(), &mut stop);
    assert!(matches!(result, Err(Error::Stopped { epoch: 0, steps: 2 })));
    let mut broken = steps();
    broken[1] = Err("the disk is gone".into());
    let (_, result) = run(broken, &mut go_on);
    assert_eq!(result.unwrap_err().to_string(), "the disk is gone");
}
