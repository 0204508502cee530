//! Classifiers of each backbone and depth, and encoders that are frozen.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use candle_core::{DType, Device, Tensor};
use skeleton_graph::Layout;
use skeletonmae::mask::At;
use skeletonmae::train::{
    Decay, Guard, Optimizer, OptimizerConfig, Pass, Schedule, StepReport, run_epoch,
};
use skeletonmae::{Backbone, Contrastive, MaeConfig, Objective, Pretext, Store, TrackBatch};
use strl::{FinetuneConfig, Finetuning, Strl, StrlConfig, Task, Tuning, load_encoder};

const FRAMES: usize = 8;

/// Eight clips, of which the left wrist swings in even ones and the right in odd ones.
fn clips() -> TrackBatch {
    let (n, t, v) = (8, FRAMES, 17);
    let mut keypoints = vec![0.0f32; n * t * v * 2];
    for (row, point) in keypoints.chunks_exact_mut(2).enumerate() {
        let (clip, frame, joint) = (row / (t * v), row / v % t, row % v);
        let side = if joint % 2 == 1 { 0.3 } else { -0.3 };
        point.copy_from_slice(&[side, joint as f32 / 8.0 - 1.0]);
        if joint == 9 + clip % 2 {
            let (sin, cos) = ((frame + clip) as f32).sin_cos();
            point[0] += 0.5 * cos;
            point[1] += 0.5 * sin;
        }
    }
    let keypoints = Tensor::from_vec(keypoints, (n, t, v, 2), &Device::Cpu).unwrap();
    let ids = (0..n).map(|i| format!("clip {i}")).collect();
    let labels = (0..n as i64).map(|i| i % 2).collect();
    let tracks = (0..n as u32).collect();
    TrackBatch::new(keypoints, vec![true; n * t * v], tracks, ids, labels).unwrap()
}

fn config(encoder: Tuning) -> FinetuneConfig {
    FinetuneConfig {
        epochs: 30,
        least_updates: 0,
        batch: 8,
        micro_batch: 8,
        optimizer: OptimizerConfig::Sgd {
            lr: 0.05,
            momentum: 0.9,
            nesterov: true,
            weight_decay: 5e-3,
        },
        schedule: Schedule {
            warmup_epochs: 0,
            decay: Decay::Constant,
        },
        label_smoothing: 0.1,
        encoder,
        pretrained_rate: 1.0,
        guard: Guard::default(),
    }
}

/// A trained classifier: its tensors before and after, the losses of the first and the last epoch.
struct Trained {
    model: Strl,
    before: BTreeMap<String, Vec<f32>>,
    after: BTreeMap<String, Vec<f32>>,
    losses: [f64; 2],
}

fn numbers(store: &Store) -> BTreeMap<String, Vec<f32>> {
    let all = store.tensors().into_iter();
    all.map(|(name, t)| (name, t.flatten_all().unwrap().to_vec1().unwrap()))
        .collect()
}

fn train(backbone: Backbone, layers: usize, encoder: Tuning) -> Trained {
    let layout = Layout::built_in("coco17").unwrap();
    let mae = MaeConfig {
        backbone,
        width: 16,
        encoder_layers: 2,
        ..MaeConfig::default()
    };
    let strl = StrlConfig {
        layers,
        dropout: 0.0,
        ..StrlConfig::default()
    };
    let task = Task {
        layout: &layout,
        coordinates: 2,
        frames: FRAMES,
        classes: 2,
    };
    // What a contrast has trained is lent like any other encoder.
    let pretrained = Store::new(7, DType::F32, &Device::Cpu);
    let objective = Objective::Contrastive(Contrastive::default());
    Pretext::new(&objective, &mae, &layout, 2, pretrained.builder()).unwrap();
    let store = Store::new(0, DType::F32, &Device::Cpu);
    let model = Strl::new(&mae, &strl, task, store.builder()).unwrap();
    load_encoder(&store, &strl, &pretrained.tensors()).unwrap();
    let before = numbers(&store);
    let config = config(encoder);
    let learner = Finetuning::new(model, &config);
    let parameters = encoder.trained(store.parameters());
    let mut optimizer = Optimizer::new(config.optimizer, parameters).unwrap();
    let mut observer = |_: &StepReport<'_>| ControlFlow::Continue(());
    let mut losses = Vec::new();
    for epoch in 0..config.epochs {
        let steps = std::iter::once(Ok(vec![clips()]));
        let pass = Pass::new(&store, 0, epoch);
        let report = run_epoch(
            &learner,
            &pass,
            &config.training(),
            &mut optimizer,
            steps,
            &mut observer,
        );
        losses.push(report.unwrap().loss);
    }
    let after = numbers(&store);
    Trained {
        model: learner.model,
        before,
        after,
        losses: [losses[0], losses[losses.len() - 1]],
    }
}

/// Parameters, running statistics and the shared embedding stay bit for bit; everything around them learns.
#[test]
fn a_frozen_encoder_stays_as_it_was() {
    for backbone in [Backbone::Gin, Backbone::Gcn, Backbone::Gat] {
        let trained = train(backbone, 2, Tuning::Frozen);
        let bits = |values: &[f32]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        let mut frozen = 0;
        for (name, before) in &trained.before {
            let same = bits(before) == bits(&trained.after[name]);
            let own = name.starts_with("embed.") || name.contains(".spatial.encoder.");
            frozen += usize::from(own);
            // A bias in front of a norm has no gradient.
            let idle = name.ends_with(".bias") && !name.contains("norm") && !name.contains("head");
            assert!(same == own || idle && !own, "{backbone:?} {name}");
        }
        assert!(frozen > 2 * 2 * 7, "{frozen} tensors");
        let statistic = |name: &&String| name.contains("encoder") && name.contains("running_var");
        assert!(trained.after.keys().filter(statistic).count() >= 4);
        let [first, last] = trained.losses;
        assert!(last < 0.9 * first, "{backbone:?}: {first} to {last}");
    }
}

#[test]
fn every_backbone_and_one_to_four_layers_learn() {
    let gin = (1..=4).map(|layers| (Backbone::Gin, layers));
    for (backbone, layers) in gin.chain([(Backbone::Gcn, 2), (Backbone::Gat, 2)]) {
        let trained = train(backbone, layers, Tuning::Tuned);
        let [first, last] = trained.losses;
        assert!(
            last < 0.8 * first,
            "{backbone:?} {layers}: {first} to {last}"
        );
        let encoder =
            |name: &&String| name.contains(".spatial.encoder.") && name.ends_with("weight");
        let moved = trained.after.keys().filter(encoder);
        assert!(moved.clone().count() >= layers);
        for name in moved {
            assert_ne!(trained.before[name], trained.after[name], "{name}");
        }
        // Deeper ones have few rows at their end, of which more below.
        if layers == 2 {
            inference_is_training_by_its_statistics(&trained.model);
        }
    }
}

/// Passes without an update move the running statistics to the batch's, by which training normalises.
fn inference_is_training_by_its_statistics(model: &Strl) {
    let clips = clips();
    let start = At {
        seed: 0,
        epoch: 0,
        index: 0,
    };
    let dropout = model.dropout(&clips, start).unwrap();
    let numbers = |t: Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let mut own = Vec::new();
    for _ in 0..120 {
        own = numbers(
            model
                .forward_train(&clips, &dropout, Tuning::Tuned)
                .unwrap(),
        );
    }
    // A running variance is unbiased, a batch's isn't: 0.1 % of 544 rows.
    for (a, b) in numbers(model.forward(&clips).unwrap()).iter().zip(own) {
        assert!((a - b).abs() < 0.02 * (1.0 + b.abs()), "{a} for {b}");
    }
}
