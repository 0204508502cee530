//! Micro-batches: their gradients add up to the whole batch's, but for BatchNorm, which sees each alone.

use std::ops::ControlFlow;

use candle_core::{DType, Device, Tensor};
use skeleton_graph::Layout;
use skeletonmae::train::{
    BoxError, Decay, EpochReport, Guard, OnNonFinite, Optimizer, OptimizerConfig, Pass,
    PretrainConfig, Progress, Schedule, StepReport, TrainConfig, run_epoch,
};
use skeletonmae::{
    Control, Error, LossConfig, MaeConfig, MaskConfig, MaskScope, Objective, Pretext,
    Reconstruction, Store, Target, Through, TrackBatch,
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
        least_updates: 0,
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
        objective: Objective::Reconstruction(Reconstruction {
            mask: MaskConfig::Parts { parts: vec![3, 5] },
            mask_scope: MaskScope::Clip,
            loss: LossConfig::default(),
            target: Target::Embedding,
            through: Through::Encoder,
        }),
        control: Control::None,
        guard: Guard::default(),
    }
}

type Steps = Vec<Result<Vec<TrackBatch>, BoxError>>;

/// A small model and its optimizer, as an interrupted process would make them again.
struct Trial {
    store: Store,
    model: Pretext,
    optimizer: Optimizer,
    config: TrainConfig,
}

impl Trial {
    fn new(guard: Guard) -> Trial {
        let layout = Layout::built_in("coco17").unwrap();
        let store = Store::new(2, DType::F64, &Device::Cpu);
        let mae = MaeConfig {
            width: 8,
            encoder_layers: 1,
            ..MaeConfig::default()
        };
        let model = Pretext::new(&config().objective, &mae, &layout, 2, store.builder()).unwrap();
        let config = PretrainConfig { guard, ..config() }.training();
        let optimizer = Optimizer::new(config.optimizer, store.parameters()).unwrap();
        Trial {
            store,
            model,
            optimizer,
            config,
        }
    }

    fn run(
        &mut self,
        from: Progress,
        steps: Steps,
        observer: &mut dyn FnMut(&StepReport<'_>) -> ControlFlow<()>,
    ) -> skeletonmae::Result<EpochReport> {
        let mut observer = |report: &StepReport<'_>| observer(report);
        let pass = Pass {
            from,
            ..Pass::new(&self.store, 0, 0)
        };
        run_epoch(
            &self.model,
            &pass,
            &self.config,
            &mut self.optimizer,
            steps.into_iter(),
            &mut observer,
        )
    }

    /// Parameters and running statistics.
    fn numbers(&self) -> Vec<f64> {
        let all = self.store.tensors().into_values();
        all.flat_map(|t| t.flatten_all().unwrap().to_vec1::<f64>().unwrap())
            .collect()
    }
}

fn run(
    steps: Steps,
    observer: &mut dyn FnMut(&StepReport<'_>) -> ControlFlow<()>,
) -> (Vec<f64>, skeletonmae::Result<f64>) {
    let mut trial = Trial::new(Guard::default());
    let report = trial.run(Progress::default(), steps, observer);
    let numbers = trial.store.parameters().into_iter();
    let numbers = numbers.flat_map(|(_, var)| var.flatten_all().unwrap().to_vec1::<f64>().unwrap());
    (numbers.collect(), report.map(|report| report.loss))
}

fn go_on(_: &StepReport<'_>) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// A step of plain SGD goes as far as the rate times the gradient's norm. An epoch's norm is the mean of its steps', before they are
/// clipped.
#[test]
fn an_epoch_says_how_long_its_gradients_were() {
    let parameters = |trial: &Trial| -> Vec<f64> {
        let all = trial.store.parameters().into_iter();
        all.flat_map(|(_, var)| var.flatten_all().unwrap().to_vec1::<f64>().unwrap())
            .collect()
    };
    let mut trial = Trial::new(Guard::default());
    let mut norms = Vec::new();
    for value in [0.0, 1.0] {
        let before = parameters(&trial);
        let steps = vec![Ok(vec![clip(value, "a")])];
        let report = trial.run(Progress::default(), steps, &mut go_on).unwrap();
        let after = parameters(&trial);
        let square = before.iter().zip(&after).map(|(a, b)| (a - b) * (a - b));
        let length = square.sum::<f64>().sqrt() / 0.1;
        let norm = report.gradient_norm;
        assert!(
            norm > 0.0 && (norm - length).abs() < 1e-9 * length,
            "{norm} {length}"
        );
        norms.push(norm);
    }
    let both = |guard: Guard| {
        let steps = vec![Ok(vec![clip(0.0, "a")]), Ok(vec![clip(1.0, "a")])];
        let report = Trial::new(guard).run(Progress::default(), steps, &mut go_on);
        report.unwrap().gradient_norm
    };
    let mean = (norms[0] + norms[1]) / 2.0;
    let found = both(Guard::default());
    assert!((found - mean).abs() < 1e-12 * mean, "{found} {mean}");
    let clipped = Guard {
        clip_norm: Some(1e-9),
        ..Guard::default()
    };
    // The second step begins where the first one left off, which is hardly anywhere.
    assert!(
        both(clipped) > 0.1 * mean,
        "the norm is that before clipping"
    );
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
    let mut stop = |report: &StepReport<'_>| {
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

#[test]
fn a_skipped_step_leaves_no_trace_but_its_count() {
    let skip = || {
        Trial::new(Guard {
            non_finite: OnNonFinite::Skip,
            clip_norm: None,
        })
    };
    let good = || Ok(vec![clip(0.0, "a")]);
    let bad = || Ok(vec![clip(f64::NAN, "broken")]);
    let (mut with, mut without) = (skip(), skip());
    let report = with
        .run(Progress::default(), vec![bad(), good()], &mut go_on)
        .unwrap();
    assert_eq!((report.steps, report.skipped), (2, 1));
    // Masks are drawn by the micro-batch's number, and the mask here is always the same.
    let clean = without
        .run(Progress::default(), vec![good()], &mut go_on)
        .unwrap();
    assert_eq!(report.loss, clean.loss);
    assert_eq!(with.numbers(), without.numbers());
    // The model, its statistics included, is as it was also where the run stops.
    let mut stopped = Trial::new(Guard::default());
    let before = stopped.numbers();
    assert!(
        stopped
            .run(Progress::default(), vec![bad()], &mut go_on)
            .is_err()
    );
    assert_eq!(stopped.numbers(), before);
    let all = skip().run(Progress::default(), vec![bad(), bad()], &mut go_on);
    assert!(matches!(all, Err(Error::AllSkipped { steps: 2, .. })));
}

#[test]
fn an_epoch_that_goes_on_ends_as_if_it_had_not_been_interrupted() {
    let steps = || -> Steps {
        (0..4)
            .map(|i| Ok(vec![clip(f64::from(i), "a"), clip(f64::from(i), "b")]))
            .collect()
    };
    let mut whole = Trial::new(Guard::default());
    let expected = whole.run(Progress::default(), steps(), &mut go_on).unwrap();
    for cut in 1..4 {
        let mut first = Trial::new(Guard::default());
        let mut saved = None;
        let mut stop = |report: &StepReport<'_>| {
            if report.progress.steps < cut {
                return ControlFlow::Continue(());
            }
            saved = Some((*report.progress, report.optimizer.state().unwrap()));
            ControlFlow::Break(())
        };
        assert!(first.run(Progress::default(), steps(), &mut stop).is_err());
        let (progress, (count, moments)) = saved.unwrap();
        let mut second = Trial::new(Guard::default());
        second.store.load(&first.store.tensors()).unwrap();
        second.optimizer.restore(count, &moments).unwrap();
        let rest = steps().split_off(cut);
        assert_eq!(second.run(progress, rest, &mut go_on).unwrap(), expected);
        assert_eq!(second.numbers(), whole.numbers(), "cut after {cut} steps");
    }
}
