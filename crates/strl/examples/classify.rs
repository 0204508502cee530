//! Tells clips apart whose left or right wrist circles, made up on the spot.

use std::ops::ControlFlow;

use candle_core::{DType, Device, Tensor};
use skeleton_graph::Layout;
use skeletonmae::train::{
    Decay, Guard, Optimizer, OptimizerConfig, Pass, Schedule, StepReport, run_epoch,
};
use skeletonmae::{MaeConfig, Store, TrackBatch};
use strl::{FinetuneConfig, Finetuning, Strl, StrlConfig, Task, Tuning, score};

/// Sixteen clips of 16 frames of coco17; in even ones the left wrist circles, in odd ones the right.
fn clips(phase: f32) -> skeletonmae::Result<TrackBatch> {
    let (n, t, v) = (16, 16, 17);
    let mut keypoints = vec![0.0f32; n * t * v * 2];
    for (row, point) in keypoints.chunks_exact_mut(2).enumerate() {
        let (clip, frame, joint) = (row / (t * v), row / v % t, row % v);
        let side = if joint % 2 == 1 { 0.3 } else { -0.3 };
        point.copy_from_slice(&[side, joint as f32 / 8.0 - 1.0]);
        if joint == 9 + clip % 2 {
            let angle = phase + (frame + clip) as f32 / 3.0;
            point[0] += 0.5 * angle.cos();
            point[1] += 0.5 * angle.sin();
        }
    }
    let keypoints = Tensor::from_vec(keypoints, (n, t, v, 2), &Device::Cpu)?;
    let ids = (0..n).map(|i| format!("clip {i}")).collect();
    let labels = (0..n as i64).map(|clip| clip % 2).collect();
    TrackBatch::new(
        keypoints,
        vec![true; n * t * v],
        (0..n as u32).collect(),
        ids,
        labels,
    )
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let layout = Layout::built_in("coco17")?;
    let store = Store::new(0, DType::F32, &Device::Cpu);
    let task = Task {
        layout: &layout,
        coordinates: 2,
        frames: 16,
        classes: 2,
    };
    let (mae, shape) = (
        MaeConfig {
            width: 16,
            ..MaeConfig::default()
        },
        StrlConfig::default(),
    );
    let model = Strl::new(&mae, &shape, task, store.builder())?;
    let config = FinetuneConfig {
        epochs: 80,
        least_updates: 0,
        batch: 16,
        micro_batch: 16,
        optimizer: OptimizerConfig::Sgd {
            lr: 0.05,
            momentum: 0.9,
            nesterov: true,
            weight_decay: 5e-4,
        },
        schedule: Schedule {
            warmup_epochs: 2,
            decay: Decay::Cosine,
        },
        label_smoothing: 0.1,
        encoder: Tuning::Tuned,
        pretrained_rate: 1.0,
        guard: Guard::default(),
    };
    let learner = Finetuning::new(model, &config);
    let mut optimizer = Optimizer::new(config.optimizer, store.parameters())?;
    for epoch in 0..config.epochs {
        let steps = std::iter::once(
            clips(epoch as f32)
                .map(|batch| vec![batch])
                .map_err(Into::into),
        );
        let mut observer = |_: &StepReport<'_>| ControlFlow::Continue(());
        run_epoch(
            &learner,
            &Pass::new(&store, 0, epoch),
            &config.training(),
            &mut optimizer,
            steps,
            &mut observer,
        )?;
    }
    let scores = score(&learner.model, std::iter::once(Ok(clips(0.5)?)))?;
    if let Some(metrics) = scores.metrics(2) {
        println!("{} of clips not seen before are right", metrics.top1);
    }
    Ok(())
}
