//! What a step does: the models of the paper's width on made-up clips, all joints seen.

use super::ops::Op;
use candle_core::{DType, Device, Tensor};
use skeleton_graph::Layout;
use skeletonmae::mask::At;
use skeletonmae::train::{Gradients, Optimizer, OptimizerConfig};
use skeletonmae::{
    LossConfig, MaeConfig, Mask, Mode, Result as MaeResult, SkeletonMae, Store, TrackBatch,
};
use strl::{Frozen, Strl, StrlConfig, Task, Tuning, cross_entropy};

const COORDINATES: usize = 2;
const CLASSES: usize = 60;
/// The parts that the paper hides.
const HIDDEN: [usize; 2] = [3, 5];

/// The size of a batch.
pub struct Shape<'a> {
    pub clips: usize,
    pub frames: usize,
    /// The layout's name.
    pub layout: &'a str,
}

/// A model, its batch and what a step needs besides.
pub enum Work {
    /// A step of pre-training: one person a clip, Adam.
    Pretrain {
        model: SkeletonMae,
        batch: TrackBatch,
        mask: Mask,
        optimizer: Optimizer,
    },
    /// A step of fine-tuning: two persons a clip, momentum, smoothed labels.
    Finetune {
        model: Strl,
        batch: TrackBatch,
        optimizer: Optimizer,
        step: u64,
    },
    /// Scores of two persons a clip, from a classifier that was folded once.
    Infer {
        model: Frozen,
        batch: TrackBatch,
        parameters: usize,
    },
    /// A single op.
    Op(Op),
}

impl Work {
    /// By its name.
    pub fn new(name: &str, shape: Shape<'_>) -> Result<Self, Box<dyn std::error::Error>> {
        let layout = Layout::built_in(shape.layout)?;
        if let Some(op) = Op::new(name, &shape, &layout)? {
            return Ok(Work::Op(op));
        }
        let store = Store::new(0, DType::F32, &Device::Cpu);
        if name == "pretrain" {
            let model =
                SkeletonMae::new(&MaeConfig::default(), &layout, COORDINATES, store.builder())?;
            let batch = clips(&shape, &layout, 1)?;
            let of_hidden = |joint: &usize| {
                let mut parts = HIDDEN.iter().map(|&part| &layout.parts()[part].joints);
                parts.any(|joints| joints.contains(joint))
            };
            let hidden: Vec<bool> = (0..layout.len()).map(|j| of_hidden(&j)).collect();
            let adam = OptimizerConfig::Adam {
                lr: 1.5e-4,
                beta1: 0.9,
                beta2: 0.999,
                weight_decay: 0.0,
            };
            return Ok(Work::Pretrain {
                model,
                mask: Mask::of_tracks(&batch, &vec![hidden; shape.clips]),
                batch,
                optimizer: Optimizer::new(adam, store.parameters())?,
            });
        }
        let task = Task {
            layout: &layout,
            coordinates: COORDINATES,
            frames: shape.frames,
            classes: CLASSES,
        };
        let (mae, own) = (MaeConfig::default(), StrlConfig::default());
        let model = Strl::new(&mae, &own, task, store.builder())?;
        let batch = clips(&shape, &layout, 2)?;
        match name {
            "finetune" => {
                let sgd = OptimizerConfig::Sgd {
                    lr: 0.1,
                    momentum: 0.9,
                    nesterov: false,
                    weight_decay: 0.0,
                };
                Ok(Work::Finetune {
                    model,
                    batch,
                    optimizer: Optimizer::new(sgd, store.parameters())?,
                    step: 0,
                })
            }
            "infer" => Ok(Work::Infer {
                model: model.frozen()?,
                batch,
                parameters: count(&store.parameters()),
            }),
            _ => Err(format!("unknown work `{name}`: pretrain, finetune, infer or an op").into()),
        }
    }

    /// How many numbers the model learns.
    pub fn parameters(&self) -> usize {
        match self {
            Work::Pretrain { optimizer, .. } | Work::Finetune { optimizer, .. } => {
                count(optimizer.parameters())
            }
            Work::Infer { parameters, .. } => *parameters,
            Work::Op(op) => op.parameters(),
        }
    }

    /// One step.
    pub fn step(&mut self) -> MaeResult<()> {
        match self {
            Work::Pretrain {
                model,
                batch,
                mask,
                optimizer,
            } => {
                let (loss, targets) = (LossConfig::default(), mask.count() as f64);
                let loss = model.loss(batch, mask, loss, targets, Mode::Train)?;
                descend(&loss, optimizer)
            }
            Work::Finetune {
                model,
                batch,
                optimizer,
                step,
            } => {
                let at = At {
                    seed: 0,
                    epoch: *step,
                    index: 0,
                };
                *step += 1;
                let dropout = model.dropout(batch, at)?;
                let scores = model.forward_train(batch, &dropout, Tuning::Tuned)?;
                let clips = batch.labels.len() as f64;
                descend(
                    &cross_entropy(&scores, &batch.labels, 0.1, clips)?,
                    optimizer,
                )
            }
            Work::Infer { model, batch, .. } => {
                model.forward(batch)?;
                Ok(())
            }
            Work::Op(op) => Ok(op.step()?),
        }
    }
}

fn descend(loss: &Tensor, optimizer: &mut Optimizer) -> MaeResult<()> {
    let mut gradients = Gradients::none(optimizer.parameters().len());
    gradients.add(loss, optimizer.parameters())?;
    let lr = optimizer.config().lr();
    optimizer.step(gradients.as_slice(), lr)
}

fn count(parameters: &[(String, candle_core::Var)]) -> usize {
    parameters.iter().map(|(_, var)| var.elem_count()).sum()
}

/// Coordinates that look random between -1 and 1, labels of all classes.
fn clips(shape: &Shape<'_>, layout: &Layout, persons: usize) -> skeletonmae::Result<TrackBatch> {
    let (b, t, v) = (shape.clips, shape.frames, layout.len());
    let n = b * persons;
    let size = n * t * v * COORDINATES;
    let value = |i: usize| ((i * 7919) % 1000) as f32 / 500.0 - 1.0;
    let keypoints = Tensor::from_vec(
        (0..size).map(value).collect::<Vec<_>>(),
        (n, t, v, COORDINATES),
        &Device::Cpu,
    )?;
    TrackBatch::new(
        keypoints,
        vec![true; n * t * v],
        (0..n).map(|track| (track / persons) as u32).collect(),
        (0..b).map(|clip| clip.to_string()).collect(),
        (0..b).map(|clip| (clip * 7 % CLASSES) as i64).collect(),
    )
}
