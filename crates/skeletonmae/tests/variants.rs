//! What can be chosen: each choice learns, and what is drawn for a contrast.

use std::ops::ControlFlow;

use candle_core::{DType, Device, Tensor};
use skeleton_graph::Layout;
use skeletonmae::contrast::nt_xent;
use skeletonmae::mask::At;
use skeletonmae::train::{
    Decay, Guard, Optimizer, OptimizerConfig, Pass, PretrainConfig, Schedule, StepReport,
    pretrain_epoch, pretrain_loss, reconstruction,
};
use skeletonmae::{
    Backbone, Contrastive, GraphCl, LossConfig, MaeConfig, Mask, MaskConfig, MaskScope, Mode,
    Objective, Pretext, Reconstruction, Store, Target, TrackBatch, Trunk,
};

fn layout() -> Layout {
    Layout::built_in("coco17").unwrap()
}

/// Eight clips of one person, the last of two: each swings its wrists at a pace and a width of its own.
fn clips() -> TrackBatch {
    let (n, t, v) = (9, 8, 17);
    let mut keypoints = vec![0.0f32; n * t * v * 2];
    for (row, point) in keypoints.chunks_exact_mut(2).enumerate() {
        let (clip, frame, joint) = (row / (t * v), row / v % t, row % v);
        let side = if joint % 2 == 1 { 0.3 } else { -0.3 };
        let pace = 0.2 + 0.2 * clip as f32;
        point.copy_from_slice(&[side + 0.05 * clip as f32, joint as f32 / 8.0 - 1.0]);
        if joint == 9 || joint == 10 {
            let (sin, cos) = (frame as f32 * pace).sin_cos();
            point[0] += 0.6 * cos;
            point[1] += 0.1 * clip as f32 * sin;
        }
    }
    let keypoints = Tensor::from_vec(keypoints, (n, t, v, 2), &Device::Cpu).unwrap();
    let ids = (0..8).map(|i| format!("clip {i}")).collect();
    let tracks = vec![0, 1, 2, 3, 4, 5, 6, 7, 7];
    TrackBatch::new(keypoints, vec![true; n * t * v], tracks, ids, vec![-1; 8]).unwrap()
}

fn reconstructing(loss: LossConfig, target: Target) -> Objective {
    Objective::Reconstruction(Reconstruction {
        mask: MaskConfig::Joints { count: 4 },
        mask_scope: MaskScope::Clip,
        loss,
        target,
    })
}

fn config(objective: Objective) -> PretrainConfig {
    PretrainConfig {
        epochs: 30,
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
        guard: Guard::default(),
    }
}

fn shape(backbone: Backbone, encoder_layers: usize) -> MaeConfig {
    MaeConfig {
        backbone,
        width: 16,
        encoder_layers,
        remask: false,
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
        let report = pretrain_epoch(
            &model,
            &layout,
            &config,
            &mut optimizer,
            &pass,
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
            let held = pretrain_loss(&model, &layout(), 0, held).unwrap();
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

fn at(epoch: u64, index: u64) -> At {
    At {
        seed: 3,
        epoch,
        index,
    }
}

#[test]
fn views_are_drawn_by_clip_and_batch() {
    let (batch, graph) = (clips(), layout().adjacency());
    let own = Contrastive::default();
    let views = own.views(&graph, &batch, at(0, 0));
    assert_eq!(views, own.views(&graph, &batch, at(0, 0)), "the same draw");
    let [a, b] = &views;
    for view in [a, b] {
        for frame in view.dropped.chunks(17) {
            assert_eq!(frame.iter().filter(|&&d| d).count(), 3, "a fifth of 17");
        }
        // 16 bones less a fifth of them, and the others as they were.
        assert_eq!(view.graph.edges().len(), 13);
        assert!(
            view.graph
                .edges()
                .iter()
                .all(|edge| graph.edges().contains(edge))
        );
    }
    assert_ne!(a, b, "two views");
    let track = |view: &skeletonmae::contrast::View, i: usize| {
        view.dropped[i * 136..(i + 1) * 136].to_vec()
    };
    assert_eq!(track(a, 7), track(a, 8), "both persons of a clip");
    assert!(
        (0..7).any(|i| track(a, i) != track(a, i + 1)),
        "each clip has its own"
    );
    // A clip lacks the same joints whatever batch it is in; bones are the batch's.
    let [other, _] = own.views(&graph, &batch, at(0, 1));
    assert_eq!(a.dropped, other.dropped);
    assert!((1..9).any(|i| own.views(&graph, &batch, at(0, i))[0].graph != a.graph));
    assert!((1..9).any(|e| own.views(&graph, &batch, at(e, 0))[0].dropped != a.dropped));
}

#[test]
fn a_dropped_joint_is_not_seen_and_a_dropped_bone_not_crossed() {
    let layout = layout();
    let store = Store::new(0, DType::F64, &Device::Cpu);
    let shape = shape(Backbone::Gin, 3);
    let model = GraphCl::new(&shape, &layout, 2, store.builder()).unwrap();
    let batch = clips();
    let moved = |joint: usize| {
        let shift = (0..9 * 8 * 17 * 2).map(|i| f64::from(u8::from(i / 2 % 17 == joint)) * 5.0);
        let shift = Tensor::from_vec(shift.collect::<Vec<_>>(), (9, 8, 17, 2), &Device::Cpu);
        let keypoints = batch.keypoints.to_dtype(DType::F64).unwrap();
        TrackBatch {
            keypoints: (keypoints + shift.unwrap()).unwrap(),
            ..batch.clone()
        }
    };
    let own = Contrastive {
        joints: 0.0,
        ..Contrastive::default()
    };
    let [mut view, _] = own.views(&layout.adjacency(), &batch, at(0, 0));
    let project = |joint, view: &_| {
        let z = model.project(&moved(joint), view, Mode::Eval).unwrap();
        z.flatten_all().unwrap().to_vec1::<f64>().unwrap()
    };
    assert_ne!(project(9, &view), project(99, &view), "seen");
    (0..view.dropped.len()).for_each(|i| view.dropped[i] = i % 17 == 9);
    assert_eq!(project(9, &view), project(99, &view), "dropped");
    view.graph = layout.adjacency();
    let before = project(4, &view);
    view.graph = view.graph.without(&[(13, 15)]);
    assert_ne!(before, project(4, &view), "another graph");
}

/// By hand: two clips, unit vectors.
#[test]
fn nt_xent_by_hand() {
    let z = |values: [[f64; 2]; 2]| Tensor::new(&values, &Device::Cpu).unwrap();
    let (a, b) = ([[1.0, 0.0], [0.0, 1.0]], [[0.6, 0.8], [-3.0, 0.0]]);
    let all = [a[0], a[1], b[0], b[1]];
    let length = |x: [f64; 2]| x[0].hypot(x[1]);
    let cos = |x: [f64; 2], y: [f64; 2]| (x[0] * y[0] + x[1] * y[1]) / length(x) / length(y);
    let mut expected = 0.0;
    for i in 0..4 {
        let others: f64 = (0..4)
            .filter(|&k| k != i)
            .map(|k| (cos(all[i], all[k]) / 0.5).exp())
            .sum();
        let pair = (cos(all[i], all[(i + 2) % 4]) / 0.5).exp();
        expected -= (pair / others).ln() / 4.0;
    }
    let found = nt_xent(&[z(a), z(b)], 0.5).unwrap();
    let found = found.to_scalar::<f64>().unwrap();
    assert!((found - expected).abs() < 1e-12, "{found} for {expected}");
    // Alone, a clip has nothing to be told from.
    let one = Tensor::new(&[[1.0, 2.0]], &Device::Cpu).unwrap();
    let none = nt_xent(&[one.clone(), one], 0.2).unwrap();
    assert!(none.to_scalar::<f64>().unwrap().abs() < 1e-12);
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
        })
    };
    for (objective, micro_batch, key) in [
        (contrast(0.0, 0.2, 0.2), 8, "pretrain.objective.temperature"),
        (contrast(0.2, 1.0, 0.2), 8, "pretrain.objective.joints"),
        (contrast(0.2, 0.2, -0.1), 8, "pretrain.objective.edges"),
        (contrast(0.2, 0.0, 0.0), 8, "pretrain.objective.joints"),
        (contrast(0.2, 0.2, 0.2), 1, "pretrain.micro_batch"),
        (
            reconstructing(LossConfig::Rce { beta: 0.5 }, Target::Embedding),
            8,
            "pretrain.objective.loss.beta",
        ),
    ] {
        let said = refusal(objective, micro_batch);
        assert!(said.starts_with(&format!("{key}: expected")), "{said}");
    }
    for count in [0, 17] {
        let mask = MaskConfig::Joints { count };
        let said = mask.validate(&layout()).unwrap_err().to_string();
        assert!(
            said.starts_with("pretrain.objective.mask: expected 1 to 16"),
            "{said}"
        );
    }
    let heads = shape(Backbone::Gat, 1);
    let heads = MaeConfig { width: 10, ..heads };
    let said = heads.validate().unwrap_err().to_string();
    assert!(
        said.starts_with("model.width: expected a multiple of 4"),
        "{said}"
    );
}
