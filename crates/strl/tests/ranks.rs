//! Several ranks make the updates of one process, bit for bit, whatever a step's micro-batches are like.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use skeleton_graph::Layout;
use skeletonmae::mask::At;
use skeletonmae::train::ranks::{Alone, Channels, Ranks, part};
use skeletonmae::train::{
    BoxError, Decay, EpochReport, Guard, Learner, OnNonFinite, Optimizer, OptimizerConfig, Pass,
    Schedule, StepReport, TrainConfig, pretrain_loss, run_epoch,
};
use skeletonmae::{
    Contrastive, Error, LossConfig, MaeConfig, MaskConfig, MaskScope, Objective, Pretext,
    Reconstruction, Result, Store, Target, Through, TrackBatch,
};
use strl::probe::{Features, of_classifier};
use strl::{Finetuning, Scores, Strl, StrlConfig, Task, Tuning, score};

const FRAMES: usize = 4;
const JOINTS: usize = 17;

/// Clips of one person each with numbers that depend on `seed`; without a joint that is there where `seen` is false.
fn batch(clips: usize, seed: usize, seen: bool) -> TrackBatch {
    let numbers = clips * FRAMES * JOINTS * 2;
    let value = |i: usize| ((i * 7 + seed * 13) as f32 * 0.37).sin();
    let keypoints: Vec<f32> = (0..numbers).map(value).collect();
    let shape = (clips, FRAMES, JOINTS, 2);
    let keypoints = Tensor::from_vec(keypoints, shape, &Device::Cpu).unwrap();
    let presence = vec![seen; clips * FRAMES * JOINTS];
    let ids = (0..clips).map(|clip| format!("{seed}-{clip}"));
    let labels = (0..clips).map(|clip| ((clip + seed) % 2) as i64).collect();
    let of_clip = (0..clips as u32).collect();
    TrackBatch::new(keypoints, presence, of_clip, ids.collect(), labels).unwrap()
}

/// Three steps of eight, one and three micro-batches, unequal ones; in the first one has no targets.
fn steps() -> Vec<Vec<TrackBatch>> {
    let sizes: [&[usize]; 3] = [&[3, 2, 3, 2, 2, 3, 2, 3], &[2], &[4, 3, 3]];
    let mut seed = 0;
    let mut next = |&clips: &usize| {
        seed += 1;
        batch(clips, seed, seed != 4)
    };
    sizes
        .map(|step| step.iter().map(&mut next).collect())
        .into()
}

/// Of each step a rank's micro-batches.
fn own(
    steps: Vec<Vec<TrackBatch>>,
    ranks: &dyn Ranks,
) -> impl Iterator<Item = std::result::Result<Vec<TrackBatch>, BoxError>> {
    let (rank, size) = (ranks.rank(), ranks.size());
    let own = move |step: Vec<TrackBatch>| step.into_iter().skip(rank).step_by(size).collect();
    steps.into_iter().map(move |step| Ok(own(step)))
}

/// Bits of everything that a training leaves.
#[derive(Debug, PartialEq)]
struct Left {
    tensors: BTreeMap<String, Vec<u64>>,
    moments: BTreeMap<String, Vec<u64>>,
    report: String,
    losses: Vec<u64>,
}

fn bits(tensors: BTreeMap<String, Tensor>) -> BTreeMap<String, Vec<u64>> {
    let bits = |t: &Tensor| -> Vec<u64> {
        let numbers = t.to_dtype(DType::F64).unwrap().flatten_all().unwrap();
        let numbers = numbers.to_vec1::<f64>().unwrap();
        numbers.iter().map(|x| x.to_bits()).collect()
    };
    let each = tensors.iter();
    each.map(|(name, t)| (name.clone(), bits(t))).collect()
}

/// Two epochs in one rank; `make` builds the learner.
fn trained<L: Learner>(
    ranks: &dyn Ranks,
    make: &impl Fn(VarBuilder<'_>) -> L,
    (optimizer, guard): (OptimizerConfig, &Guard),
    steps: &dyn Fn() -> Vec<Vec<TrackBatch>>,
) -> Left {
    let store = Store::new(3, DType::F32, &Device::Cpu);
    let learner = make(store.builder());
    let config = TrainConfig {
        epochs: 2,
        batch: 8,
        micro_batch: 3,
        optimizer,
        schedule: Schedule {
            warmup_epochs: 0,
            decay: Decay::Cosine,
        },
        guard: guard.clone(),
    };
    let mut optimizer = Optimizer::new(config.optimizer, store.parameters()).unwrap();
    let mut losses = Vec::new();
    let mut reports = Vec::new();
    for epoch in 0..2 {
        let pass = Pass {
            ranks,
            ..Pass::new(&store, 5, epoch)
        };
        let mut observer = |report: &StepReport<'_>| {
            losses.push(report.loss.to_bits());
            ControlFlow::Continue(())
        };
        let steps = own(steps(), ranks);
        let report: Result<EpochReport> = run_epoch(
            &learner,
            &pass,
            &config,
            &mut optimizer,
            steps,
            &mut observer,
        );
        reports.push(match report {
            Ok(report) => format!("{report:?} {:x}", report.loss.to_bits()),
            Err(error) => error.to_string(),
        });
    }
    Left {
        tensors: bits(store.tensors()),
        moments: bits(optimizer.state().unwrap().1),
        report: reports.join("; "),
        losses,
    }
}

/// What each rank leaves.
fn in_ranks<T: Send + 'static>(
    n: usize,
    of: impl Fn(&dyn Ranks) -> T + Clone + Send + 'static,
) -> Vec<T> {
    let start = |ranks: Channels| {
        let of = of.clone();
        std::thread::spawn(move || of(&ranks))
    };
    let threads: Vec<_> = Channels::of(n).into_iter().map(start).collect();
    let joined = threads.into_iter().map(|thread| thread.join().unwrap());
    joined.collect()
}

fn adam() -> OptimizerConfig {
    OptimizerConfig::Adam {
        lr: 0.01,
        beta1: 0.9,
        beta2: 0.999,
        weight_decay: 0.0,
    }
}

fn sgd() -> OptimizerConfig {
    OptimizerConfig::Sgd {
        lr: 0.05,
        momentum: 0.9,
        nesterov: true,
        weight_decay: 5e-4,
    }
}

/// One process and one to five ranks leave the same.
fn same_in_all<L: Learner>(
    make: impl Fn(VarBuilder<'_>) -> L + Clone + Send + 'static,
    optimizer: OptimizerConfig,
    guard: Guard,
    steps: fn() -> Vec<Vec<TrackBatch>>,
) -> Left {
    let alone = trained(&Alone, &make, (optimizer, &guard), &steps);
    for n in [1, 2, 3, 5, 9] {
        let (make, guard) = (make.clone(), guard.clone());
        let of = move |ranks: &dyn Ranks| trained(ranks, &make, (optimizer, &guard), &steps);
        for (rank, left) in in_ranks(n, of).into_iter().enumerate() {
            assert_eq!(left, alone, "rank {rank} of {n}");
        }
    }
    alone
}

fn mae() -> MaeConfig {
    MaeConfig {
        width: 12,
        encoder_layers: 2,
        ..MaeConfig::default()
    }
}

fn objective() -> Objective {
    Objective::Reconstruction(Reconstruction {
        mask: MaskConfig::Parts { parts: vec![3, 5] },
        mask_scope: MaskScope::Clip,
        loss: LossConfig::default(),
        target: Target::Embedding,
        through: Through::Encoder,
    })
}

fn pretext(objective: &Objective, vb: VarBuilder<'_>) -> Pretext {
    let layout = Layout::built_in("coco17").unwrap();
    Pretext::new(objective, &mae(), &layout, 2, vb).unwrap()
}

fn classifier(vb: VarBuilder<'_>) -> Strl {
    let layout = Layout::built_in("coco17").unwrap();
    let strl = StrlConfig {
        layers: 2,
        ..StrlConfig::default()
    };
    let task = Task {
        layout: &layout,
        coordinates: 2,
        frames: FRAMES,
        classes: 2,
    };
    Strl::new(&mae(), &strl, task, vb).unwrap()
}

fn finetuning(encoder: Tuning) -> impl Fn(VarBuilder<'_>) -> Finetuning + Clone + Send + 'static {
    move |vb| Finetuning {
        model: classifier(vb),
        label_smoothing: 0.1,
        encoder,
    }
}

#[test]
fn pre_training_leaves_the_same_bits() {
    let objective = objective();
    let make = move |vb: VarBuilder<'_>| pretext(&objective, vb);
    let clipped = Guard {
        clip_norm: Some(0.05),
        ..Guard::default()
    };
    same_in_all(make.clone(), adam(), Guard::default(), steps);
    same_in_all(make, sgd(), clipped, steps);
}

/// Two views of a batch pass each norm twice.
#[test]
fn a_contrast_leaves_the_same_bits() {
    let objective = Objective::Contrastive(Contrastive::default());
    let make = move |vb: VarBuilder<'_>| pretext(&objective, vb);
    same_in_all(make, adam(), Guard::default(), steps);
}

#[test]
fn fine_tuning_leaves_the_same_bits() {
    same_in_all(finetuning(Tuning::Tuned), sgd(), Guard::default(), steps);
    // Frozen parameters have no gradient, which isn't one of zeros: momentum and weight decay leave them be.
    let left = same_in_all(finetuning(Tuning::Frozen), sgd(), Guard::default(), steps);
    let store = Store::new(3, DType::F32, &Device::Cpu);
    classifier(store.builder());
    let before = bits(store.tensors());
    let frozen = |name: &&String| name.contains(".spatial.encoder.");
    assert!(before.keys().filter(frozen).count() > 0);
    for name in before.keys().filter(frozen) {
        assert_eq!(before[name], left.tensors[name], "{name}");
    }
}

/// A loss that one parameter has a part in only where the first clip's label says so.
struct Sometimes {
    a: Tensor,
    b: Tensor,
}

impl Learner for Sometimes {
    type Draw = ();

    fn draw(&self, batch: &TrackBatch, _: At) -> Result<((), f64)> {
        Ok(((), batch.clips() as f64))
    }

    fn loss(&self, batch: &TrackBatch, (): &(), total: f64) -> candle_core::Result<Tensor> {
        let x = batch.keypoints.mean_all()?;
        let mut loss = (&self.a * 3.0)?.broadcast_mul(&x)?.sqr()?.sum_all()?;
        if batch.labels[0] == 1 {
            loss = (loss + self.b.broadcast_mul(&x)?.sum_all()?)?;
        }
        loss / total
    }
}

#[test]
fn a_gradient_that_some_micro_batches_lack_is_none_of_zeros() {
    let make = |vb: VarBuilder<'_>| Sometimes {
        a: vb.get(5, "a").unwrap(),
        b: vb.get(3, "b").unwrap(),
    };
    let make = move |vb: VarBuilder<'_>| make(vb);
    let one_of_many = || {
        vec![vec![
            batch(1, 2, true),
            batch(1, 4, true),
            batch(1, 3, true),
        ]]
    };
    same_in_all(make, sgd(), Guard::default(), one_of_many);
    let none_at_all = || vec![vec![batch(1, 2, true)], vec![batch(1, 4, true); 3]];
    same_in_all(make, sgd(), Guard::default(), none_at_all);
}

#[test]
fn a_step_that_is_not_finite_is_skipped_or_stops_all() {
    let with_nan = || {
        let mut steps = steps();
        steps[2][1].keypoints = (&steps[2][1].keypoints * f64::NAN).unwrap();
        steps
    };
    let skip = Guard {
        non_finite: OnNonFinite::Skip,
        clip_norm: None,
    };
    let left = same_in_all(finetuning(Tuning::Tuned), sgd(), skip, with_nan);
    assert!(left.report.contains("skipped: 1"), "{}", left.report);
    let stop = Guard::default();
    let left = same_in_all(finetuning(Tuning::Tuned), sgd(), stop, with_nan);
    let clips = "clips of the step: 10-0, 10-1, 10-2, 10-3, 11-0, 11-1, 11-2, 12-0, 12-1, 12-2";
    assert!(left.report.contains(clips), "{}", left.report);
}

/// A rank whose data can't be read, and one whose observer asks to stop, end the epoch for all.
#[test]
fn what_ends_one_rank_ends_all() {
    let epoch = |ranks: &dyn Ranks, broken: usize, stopping: usize| {
        let store = Store::new(3, DType::F32, &Device::Cpu);
        let learner = pretext(&objective(), store.builder());
        let config = TrainConfig {
            epochs: 1,
            batch: 8,
            micro_batch: 3,
            optimizer: adam(),
            schedule: Schedule {
                warmup_epochs: 0,
                decay: Decay::Constant,
            },
            guard: Guard::default(),
        };
        let mut optimizer = Optimizer::new(config.optimizer, store.parameters()).unwrap();
        let pass = Pass {
            ranks,
            ..Pass::new(&store, 5, 0)
        };
        let mut observer = |report: &StepReport<'_>| match ranks.rank() == stopping {
            true if report.step == 1 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        };
        let fails = |(at, step)| match (at, ranks.rank() == broken) {
            (1, true) => Err(BoxError::from("the disk is gone")),
            _ => step,
        };
        let steps = own(steps(), ranks).enumerate().map(fails);
        let ended = run_epoch(
            &learner,
            &pass,
            &config,
            &mut optimizer,
            steps,
            &mut observer,
        );
        ended.unwrap_err()
    };
    let errors = in_ranks(3, move |ranks| epoch(ranks, 1, 9));
    for (rank, error) in errors.iter().enumerate() {
        match error {
            Error::OtherRank { rank: 1, message } if rank != 1 => {
                assert_eq!(message, "the disk is gone");
            }
            Error::Data(_) if rank == 1 => {}
            other => panic!("{other}"),
        }
    }
    let errors = in_ranks(3, move |ranks| epoch(ranks, 9, 2));
    let stopped = |error: &Error| matches!(error, Error::Stopped { epoch: 0, steps: 2 });
    assert!(errors.iter().all(stopped), "{errors:?}");
}

/// Held-out loss and scores over ranks are those of one process.
#[test]
fn evaluation_gives_the_same_bits() {
    let evaluate = |ranks: &dyn Ranks| {
        let own = |from: usize| {
            let own = part(ranks, 7);
            own.map(move |at| (at, Ok(batch(2 + at % 2, at + from, true))))
        };
        let alone = |from: usize| own(from).map(|(_, batch)| batch);
        let store = Store::new(3, DType::F32, &Device::Cpu);
        let model = pretext(&objective(), store.builder());
        let held_out = |batch: &TrackBatch, at| model.held_out(batch, at);
        let loss = pretrain_loss(held_out, 1, own(0), ranks).unwrap();
        let store = Store::new(4, DType::F32, &Device::Cpu);
        let model = classifier(store.builder());
        let scores = Scores::of_ranks(ranks, score(&model, alone(20))).unwrap();
        let features = Features::of_ranks(ranks, of_classifier(&model, alone(40))).unwrap();
        (loss.to_bits(), scores, features)
    };
    let (loss, scores, features) = evaluate(&Alone);
    let found: &Scores = &scores;
    assert_eq!((found.ids.len(), features.len()), (17, 17));
    for n in [2, 3, 8] {
        for other in in_ranks(n, evaluate) {
            assert_eq!(other.0, loss, "{n} ranks");
            assert_eq!(
                (&other.1.ids, &other.1.labels),
                (&scores.ids, &scores.labels)
            );
            assert_eq!(other.1.probabilities, scores.probabilities);
            assert_eq!(other.2, features);
        }
    }
}
