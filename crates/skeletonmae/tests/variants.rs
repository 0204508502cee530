//! What can be chosen: each choice learns, and what is drawn for a contrast.

mod swings;

use std::ops::ControlFlow;

use candle_core::{DType, Device, Tensor};
use skeleton_graph::Layout;
use skeletonmae::train::ranks::Alone;
use skeletonmae::train::{
    Decay, Guard, Optimizer, OptimizerConfig, Pass, PretrainConfig, Schedule, StepReport,
    pretrain_loss, reconstruction, run_epoch,
};
use skeletonmae::{
    Backbone, Contrastive, Control, LossConfig, MaeConfig, Mask, MaskConfig, MaskScope, Mode,
    Objective, Pretext, Reconstruction, Store, Target, Through, Trunk,
};
use swings::clips;

fn layout() -> Layout {
    Layout::built_in("coco17").unwrap()
}

fn reconstructing(loss: LossConfig, target: Target) -> Objective {
    Objective::Reconstruction(Reconstruction {
        mask: MaskConfig::Joints { count: 4 },
        mask_scope: MaskScope::Clip,
        loss,
        target,
        through: Through::Encoder,
    })
}

fn config(objective: Objective) -> PretrainConfig {
    PretrainConfig {
        epochs: 30,
        least_updates: 0,
        batch: 8,
        micro_batch: 8,
        optimizer: OptimizerConfig::Adam {
            lr: 3e-3,
            beta1: 0.9,
            beta2: 0.999,
            weight_decay: 0.0,
        },
        schedule: Schedule {
            warmup_epochs: 0,
            decay: Decay::Constant,
        },
        objective,
        control: Control::None,
        guard: Guard::default(),
    }
}

fn shape(backbone: Backbone, encoder_layers: usize) -> MaeConfig {
    MaeConfig {
        backbone,
        width: 16,
        encoder_layers,
        ..MaeConfig::default()
    }
}

/// The mean losses of the first and the last five epochs.
fn train(shape: &MaeConfig, objective: Objective) -> (Pretext, [f64; 2]) {
    let (layout, config) = (layout(), config(objective));
    config.validate(&layout).unwrap();
    shape.validate().unwrap();
    let store = Store::new(0, DType::F32, &Device::Cpu);
    let model = Pretext::new(&config.objective, shape, &layout, 2, store.builder()).unwrap();
    let mut optimizer = Optimizer::new(config.optimizer, store.parameters()).unwrap();
    let mut observer = |_: &StepReport<'_>| ControlFlow::Continue(());
    let mut losses = Vec::new();
    for epoch in 0..config.epochs {
        let steps = std::iter::once(Ok(vec![clips()]));
        let pass = Pass::new(&store, 0, epoch);
        let training = config.training();
        let report = run_epoch(
            &model,
            &pass,
            &training,
            &mut optimizer,
            steps,
            &mut observer,
        );
        losses.push(report.unwrap().loss);
    }
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
    let ends = [mean(&losses[..5]), mean(&losses[25..])];
    (model, ends)
}

#[test]
fn every_backbone_learns_every_objective() {
    for backbone in [Backbone::Gin, Backbone::Gcn, Backbone::Gat] {
        for objective in [
            reconstructing(LossConfig::default(), Target::Embedding),
            reconstructing(LossConfig::default(), Target::EmbeddingWithGradient),
            reconstructing(LossConfig::Mse, Target::Coordinates),
            Objective::Contrastive(Contrastive::default()),
        ] {
            let (model, [first, last]) = train(&shape(backbone, 2), objective.clone());
            assert!(
                last < 0.8 * first,
                "{backbone:?} {objective:?}: {first} to {last}"
            );
            let held = std::iter::once(Ok(clips()));
            let held = held.enumerate();
            let held = pretrain_loss(|batch, at| model.held_out(batch, at), 0, held, &Alone);
            let held = held.unwrap();
            assert!(held.is_finite(), "{backbone:?} {objective:?}: {held}");
        }
    }
}

#[test]
fn encoders_of_one_to_four_layers_learn() {
    for layers in 1..=4 {
        let objective = reconstructing(LossConfig::Mse, Target::Embedding);
        let (_, [first, last]) = train(&shape(Backbone::Gin, layers), objective);
        assert!(last < 0.8 * first, "{layers} layers: {first} to {last}");
    }
}

/// Where coordinates are the target, what is reported is how far the decoder's output is off, part by part.
#[test]
fn coordinates_are_reported_as_they_are() {
    let (layout, batch) = (layout(), clips());
    let objective = reconstructing(LossConfig::Mse, Target::Coordinates);
    let (model, _) = train(&shape(Backbone::Gin, 1), objective);
    let model = model.autoencoder().unwrap();
    let found = reconstruction(model, &layout, std::iter::once(Ok(clips()))).unwrap();
    let numbers = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let truth = numbers(&batch.keypoints);
    for (part, found) in layout.parts().iter().zip(&found.parts) {
        let hidden: Vec<bool> = (0..17).map(|j| part.joints.contains(&j)).collect();
        let mask = Mask::of_tracks(&batch, &vec![hidden.clone(); 9]);
        let (_, y) = model.forward(&batch.keypoints, &mask, Mode::Eval).unwrap();
        assert_eq!(y.dims(), batch.keypoints.dims());
        let pairs = numbers(&y);
        let pairs = pairs.chunks(2).zip(truth.chunks(2)).enumerate();
        let off = pairs.filter(|(row, _)| hidden[row % 17]);
        let off: f64 = off
            .map(|(_, (y, s))| f64::from(y[0] - s[0]).hypot(f64::from(y[1] - s[1])))
            .sum();
        assert_eq!(
            (found.joints, found.without_scale),
            (part.joints.len() * 72, 0)
        );
        assert!(
            (found.model - off).abs() < 1e-3,
            "{}: {} for {off}",
            part.name,
            found.model
        );
    }
}

/// The trunk of any pre-trained model is its embedding and encoder.
#[test]
fn a_trunk_is_what_pre_training_leaves() {
    let layout = layout();
    for objective in [
        reconstructing(LossConfig::default(), Target::Embedding),
        Objective::Contrastive(Contrastive::default()),
    ] {
        let store = Store::new(4, DType::F32, &Device::Cpu);
        let shape = shape(Backbone::Gcn, 2);
        Pretext::new(&objective, &shape, &layout, 2, store.builder()).unwrap();
        let trunk = Trunk::of(&shape, &layout, 2, &store.tensors(), &Device::Cpu).unwrap();
        let same = Trunk::new(&shape, &layout, 2, store.builder()).unwrap();
        let codes = |trunk: &Trunk| {
            let h = trunk.encode(&clips().keypoints, Mode::Eval).unwrap();
            h.flatten_all().unwrap().to_vec1::<f32>().unwrap()
        };
        assert_eq!(codes(&trunk), codes(&same));
        let other = Trunk::of(
            &self::shape(Backbone::Gcn, 3),
            &layout,
            2,
            &store.tensors(),
            &Device::Cpu,
        );
        assert!(other.unwrap_err().to_string().contains("layers.2"));
    }
}

#[test]
fn settings_no_run_can_have_are_named() {
    let refusal = |objective: Objective, micro_batch: usize| {
        let config = PretrainConfig {
            micro_batch,
            ..config(objective)
        };
        config.validate(&layout()).unwrap_err().to_string()
    };
    let contrast = |temperature: f64, joints: f64, edges: f64| {
        Objective::Contrastive(Contrastive {
            temperature,
            joints,
            edges,
            through: Through::Encoder,
        })
    };
    for (objective, micro_batch, key) in [
        (contrast(0.0, 0.2, 0.2), 8, "objective.temperature"),
        (contrast(0.2, 1.0, 0.2), 8, "objective.joints"),
        (contrast(0.2, 0.2, -0.1), 8, "objective.edges"),
        (contrast(0.2, 0.0, 0.0), 8, "objective.joints"),
        (contrast(0.2, 0.2, 0.2), 1, "micro_batch"),
        (
            reconstructing(LossConfig::Rce { beta: 0.5 }, Target::Embedding),
            8,
            "objective.loss.beta",
        ),
    ] {
        let said = refusal(objective, micro_batch);
        assert!(said.starts_with(&format!("{key}: expected")), "{said}");
    }
    for count in [0, 17] {
        let mask = MaskConfig::Joints { count };
        let said = mask.validate(&layout()).unwrap_err().to_string();
        assert!(said.starts_with("mask: expected 1 to 16"), "{said}");
    }
    let heads = shape(Backbone::Gat, 1);
    let heads = MaeConfig { width: 10, ..heads };
    let said = heads.validate().unwrap_err().to_string();
    assert!(
        said.starts_with("width: expected a multiple of 4"),
        "{said}"
    );
}
