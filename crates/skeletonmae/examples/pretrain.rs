//! Pre-trains on poses made up on the spot: a body whose arms swing. No files, no settings beyond a few lines.

use std::ops::ControlFlow;

use candle_core::{DType, Device, Tensor};
use skeleton_graph::Layout;
use skeletonmae::train::{
    Decay, Guard, Optimizer, OptimizerConfig, Pass, PretrainConfig, Schedule, StepReport,
    reconstruction, run_epoch,
};
use skeletonmae::{
    Control, LossConfig, MaeConfig, MaskConfig, MaskScope, Objective, Pretext, Reconstruction,
    Store, Target, Through, TrackBatch,
};

/// Eight clips of 16 frames of coco17: a still body, the wrists on circles.
fn clips(layout: &Layout) -> skeletonmae::Result<TrackBatch> {
    let (n, t, v) = (8, 16, layout.len());
    let mut keypoints = vec![0.0f32; n * t * v * 2];
    for (row, point) in keypoints.chunks_exact_mut(2).enumerate() {
        let (clip, frame, joint) = (row / (t * v), row / v % t, row % v);
        let side = if joint % 2 == 1 { 0.3 } else { -0.3 };
        point.copy_from_slice(&[side, joint as f32 / 8.0 - 1.0]);
        if joint == 9 || joint == 10 {
            let angle = (frame + 2 * clip) as f32 / 4.0;
            point[0] += 0.5 * angle.cos();
            point[1] += 0.5 * angle.sin();
        }
    }
    let keypoints = Tensor::from_vec(keypoints, (n, t, v, 2), &Device::Cpu)?;
    let ids = (0..n).map(|i| format!("clip {i}")).collect();
    TrackBatch::new(
        keypoints,
        vec![true; n * t * v],
        (0..n as u32).collect(),
        ids,
        vec![-1; n],
    )
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let layout = Layout::built_in("coco17")?;
    let store = Store::new(0, DType::F32, &Device::Cpu);
    let config = PretrainConfig {
        epochs: 60,
        least_updates: 0,
        batch: 8,
        micro_batch: 8,
        optimizer: OptimizerConfig::Adam {
            lr: 1e-3,
            beta1: 0.9,
            beta2: 0.999,
            weight_decay: 0.0,
        },
        schedule: Schedule {
            warmup_epochs: 0,
            decay: Decay::Constant,
        },
        objective: Objective::Reconstruction(Reconstruction {
            mask: MaskConfig::RandomParts { min: 1, max: 3 },
            mask_scope: MaskScope::Clip,
            loss: LossConfig::default(),
            target: Target::Embedding,
            through: Through::Encoder,
        }),
        control: Control::None,
        guard: Guard::default(),
    };
    config.validate(&layout)?;
    let (objective, mae) = (&config.objective, MaeConfig::default());
    let model = Pretext::new(objective, &mae, &layout, 2, store.builder())?;
    let batch = clips(&layout)?;
    let mut optimizer = Optimizer::new(config.optimizer, store.parameters())?;
    for epoch in 0..config.epochs {
        let steps = std::iter::once(Ok(vec![batch.clone()]));
        let mut observer = |step: &StepReport<'_>| {
            if step.epoch.is_multiple_of(20) {
                println!("epoch {}: loss {:.4}", step.epoch, step.loss);
            }
            ControlFlow::Continue(())
        };
        run_epoch(
            &model,
            &Pass::new(&store, 0, epoch),
            &config.training(),
            &mut optimizer,
            steps,
            &mut observer,
        )?;
    }
    let Some(model) = model.autoencoder() else {
        return Ok(());
    };
    let found = reconstruction(model, &layout, std::iter::once(Ok(batch)))?;
    if let Some((model, neighbours)) = found.total().means() {
        println!(
            "hidden joints are off by {model:.3}, their nearest visible joints by {neighbours:.3}"
        );
    }
    Ok(())
}
