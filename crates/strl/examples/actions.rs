//! A head of your own in one file: several actions at once, told apart by a sigmoid each, on the encoder and by the
//! engine that pre-training and fine-tuning use. What it takes is a [`Learner`]: what is random of a batch, and the loss.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use candle_core::{DType, Device, Tensor};
use skeleton_graph::Layout;
use skeletonmae::mask::At;
use skeletonmae::train::{
    Decay, Guard, Learner, Optimizer, OptimizerConfig, Pass, Schedule, StepReport, TrainConfig,
    run_epoch,
};
use skeletonmae::{MaeConfig, Result, SkeletonMae, Store, TrackBatch};
use strl::{Dropout, Strl, StrlConfig, Task, Tuning, load_encoder};

/// The left wrist circles, the right wrist circles, the body sways.
const ACTIONS: usize = 3;

/// The classifier's scores, each an action's own; which actions a clip shows, by its id.
struct Actions {
    model: Strl,
    shown: BTreeMap<String, [f32; ACTIONS]>,
}

impl Actions {
    /// Mean over the actions, sum over the clips, of the binary cross-entropy `max(x, 0) - x y + log(1 + exp(-|x|))`.
    fn cross_entropy(&self, x: &Tensor, batch: &TrackBatch) -> candle_core::Result<Tensor> {
        let y = batch.ids.iter().map(|id| self.shown[id].as_slice());
        let y = Tensor::new(y.collect::<Vec<_>>(), x.device())?; // (b, k)
        let softplus = (x.abs()?.neg()?.exp()? + 1.0)?.log()?;
        ((x.relu()? - (x * y)?)? + softplus)?.sum_all()? / ACTIONS as f64
    }

    /// Share of the actions of all clips that are told rightly.
    fn right(&self, batch: &TrackBatch) -> candle_core::Result<f64> {
        let scores = self.model.forward(batch)?.to_vec2::<f32>()?;
        let right = scores.iter().zip(&batch.ids).flat_map(|(scores, id)| {
            let pairs = scores.iter().zip(self.shown[id]);
            pairs.map(|(x, y)| f64::from(u8::from((*x > 0.0) == (y > 0.5))))
        });
        Ok(right.sum::<f64>() / (batch.clips() * ACTIONS) as f64)
    }
}

impl Learner for Actions {
    type Draw = Dropout;

    fn draw(&self, batch: &TrackBatch, at: At) -> Result<(Dropout, f64)> {
        Ok((self.model.dropout(batch, at)?, batch.clips() as f64))
    }

    fn loss(
        &self,
        batch: &TrackBatch,
        dropout: &Dropout,
        total: f64,
    ) -> candle_core::Result<Tensor> {
        let scores = self.model.forward_train(batch, dropout, Tuning::Tuned)?;
        self.cross_entropy(&scores, batch)? / total
    }
}

/// Which actions clip `i` shows: all eight combinations, twice.
fn shown(i: usize) -> [f32; ACTIONS] {
    [0, 1, 2].map(|action| (i >> action & 1) as f32)
}

/// Sixteen clips of 16 frames of coco17.
fn clips(phase: f32) -> skeletonmae::Result<TrackBatch> {
    let (n, t, v) = (16, 16, 17);
    let mut keypoints = vec![0.0f32; n * t * v * 2];
    for (row, point) in keypoints.chunks_exact_mut(2).enumerate() {
        let (clip, frame, joint) = (row / (t * v), row / v % t, row % v);
        let (angle, shown) = (phase + (frame + clip) as f32 / 3.0, shown(clip));
        let side = if joint % 2 == 1 { 0.3 } else { -0.3 };
        point.copy_from_slice(&[
            side + 0.3 * shown[2] * angle.sin(),
            joint as f32 / 8.0 - 1.0,
        ]);
        if joint == 9 || joint == 10 {
            let circles = 0.5 * shown[joint - 9];
            point[0] += circles * angle.cos();
            point[1] += circles * angle.sin();
        }
    }
    let keypoints = Tensor::from_vec(keypoints, (n, t, v, 2), &Device::Cpu)?;
    let (tracks, ids) = ((0..n as u32).collect(), (0..n).map(id).collect());
    TrackBatch::new(keypoints, vec![true; n * t * v], tracks, ids, vec![-1; n])
}

fn id(clip: usize) -> String {
    format!("clip {clip}")
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let layout = Layout::built_in("coco17")?;
    let (mae, strl) = (
        MaeConfig {
            width: 16,
            ..MaeConfig::default()
        },
        StrlConfig::default(),
    );
    // Pre-train it, or read one that was: `skeletonmae`'s example shows how.
    let pretrained = Store::new(1, DType::F32, &Device::Cpu);
    SkeletonMae::new(&mae, &layout, 2, pretrained.builder())?;
    let store = Store::new(0, DType::F32, &Device::Cpu);
    let task = Task {
        layout: &layout,
        coordinates: 2,
        frames: 16,
        classes: ACTIONS,
    };
    let learner = Actions {
        model: Strl::new(&mae, &strl, task, store.builder())?,
        shown: (0..16).map(|clip| (id(clip), shown(clip))).collect(),
    };
    load_encoder(&store, &strl, &pretrained.tensors())?;
    let config = TrainConfig {
        epochs: 160,
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
        guard: Guard::default(),
    };
    let mut optimizer = Optimizer::new(config.optimizer, store.parameters())?;
    let mut observer = |_: &StepReport<'_>| ControlFlow::Continue(());
    let mut losses = Vec::new();
    for epoch in 0..config.epochs {
        let batch = clips(epoch as f32).map(|batch| vec![batch]);
        let steps = std::iter::once(batch.map_err(Into::into));
        let pass = Pass::new(&store, 0, epoch);
        let report = run_epoch(
            &learner,
            &pass,
            &config,
            &mut optimizer,
            steps,
            &mut observer,
        )?;
        losses.push(report.loss);
    }
    let (first, last) = (losses[0], losses[losses.len() - 1]);
    let right = learner.right(&clips(0.5)?)?;
    println!("loss {first:.3} to {last:.3}; {right:.2} of the actions of clips not seen before");
    assert!(last < 0.7 * first, "it learns: {first} to {last}");
    Ok(())
}
