//! Masked pre-training of the whole body: what is hidden is not seen, what is drawn is the clip's, what is learnt is handed
//! over.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use candle_core::{DType, Device, Tensor};
use skeleton_graph::Layout;
use skeletonmae::mask::At;
use skeletonmae::train::{
    Decay, Guard, Learner, Optimizer, OptimizerConfig, Pass, Schedule, StepReport, TrainConfig,
    run_epoch,
};
use skeletonmae::{
    Control, Controlled, LossConfig, MaeConfig, Mask, MaskConfig, MaskScope, Mode, Objective,
    Reconstruction, Store, Target, Through, TrackBatch,
};
use strl::{MaskedStrl, Pretraining, Strl, StrlConfig, Task, load_body};

const T: usize = 8;
const V: usize = 17;

fn layout() -> Layout {
    Layout::built_in("coco17").unwrap()
}

fn mae() -> MaeConfig {
    MaeConfig {
        width: 16,
        ..MaeConfig::default()
    }
}

fn objective(target: Target, mask_scope: MaskScope) -> Reconstruction {
    Reconstruction {
        mask: MaskConfig::Joints { count: 8 },
        mask_scope,
        loss: LossConfig::Mse,
        target,
        through: Through::Strl,
    }
}

/// Bodies that sway: a joint's place follows from the others'.
fn batch(n: usize) -> TrackBatch {
    let keypoints = (0..n * T * V).flat_map(|row| {
        let (clip, frame, joint) = (row / (T * V), row / V % T, row % V);
        let sway = (clip as f32 + frame as f32 / 3.0).sin();
        [
            sway + joint as f32 / 20.0,
            joint as f32 / 8.0 - 1.0 + 0.2 * sway,
        ]
    });
    let keypoints = Tensor::from_vec(keypoints.collect::<Vec<_>>(), (n, T, V, 2), &Device::Cpu);
    let ids = (0..n).map(|clip| format!("clip{clip}")).collect();
    let tracks = (0..n as u32).collect();
    TrackBatch::new(
        keypoints.unwrap(),
        vec![true; n * T * V],
        tracks,
        ids,
        vec![-1; n],
    )
    .unwrap()
}

fn numbers(t: &Tensor) -> Vec<f32> {
    t.flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn hidden_coordinates_change_nothing_and_others_do() {
    let store = Store::new(0, DType::F32, &Device::Cpu);
    let own = objective(Target::Coordinates, MaskScope::Clip);
    let input = (&layout(), 2, T);
    let model = MaskedStrl::new(&own, &mae(), &StrlConfig::default(), input, store.builder());
    let model = model.unwrap();
    let hidden: Vec<bool> = (0..T * V).map(|at| at % V == 9 && at / V < 5).collect();
    let mut clips = batch(1);
    let mask = Mask::of_tracks(&clips, std::slice::from_ref(&hidden));
    let before = model.forward(&clips, &mask, Mode::Eval).unwrap();
    assert_eq!(before.dims(), [1, T, V, 2]);
    let moved = |joint: usize| {
        let mut s = numbers(&batch(1).keypoints);
        (0..4).for_each(|frame| s[(frame * V + joint) * 2] += 5.0);
        Tensor::from_vec(s, (1, T, V, 2), &Device::Cpu).unwrap()
    };
    for (joint, same) in [(9, true), (3, false)] {
        clips.keypoints = moved(joint);
        let after = model.forward(&clips, &mask, Mode::Eval).unwrap();
        assert_eq!(numbers(&before) == numbers(&after), same, "joint {joint}");
    }
}

/// Frames of a feature that stands for four come back in their order, and the last frames of a clip whose length is no multiple.
#[test]
fn each_frame_has_its_own_numbers() {
    let store = Store::new(0, DType::F32, &Device::Cpu);
    let own = objective(Target::Coordinates, MaskScope::Clip);
    let input = (&layout(), 2, 6);
    let config = StrlConfig::default();
    let model = MaskedStrl::new(&own, &mae(), &config, input, store.builder()).unwrap();
    // The decoder gives its bias: number k of a feature is frame k / 2, coordinate k % 2.
    let mut tensors = store.tensors();
    let zeros = tensors["decoder.weight"].zeros_like().unwrap();
    tensors.insert("decoder.weight".into(), zeros);
    let bias = Tensor::arange(0f32, 8.0, &Device::Cpu).unwrap();
    tensors.insert("decoder.bias".into(), bias);
    store.load(&tensors).unwrap();
    let mut clips = batch(1);
    clips.keypoints = clips
        .keypoints
        .narrow(1, 0, 6)
        .unwrap()
        .contiguous()
        .unwrap();
    clips.presence.truncate(6 * V);
    let mask = Mask::of_tracks(&clips, &[vec![true; V]]);
    let y = model.forward(&clips, &mask, Mode::Eval).unwrap();
    let y = y.narrow(2, 0, 1).unwrap().reshape((6, 2)).unwrap();
    let expected = [
        [0.0, 1.0],
        [2.0, 3.0],
        [4.0, 5.0],
        [6.0, 7.0],
        [0.0, 1.0],
        [2.0, 3.0],
    ];
    assert_eq!(y.to_vec2::<f32>().unwrap(), expected);
}

#[test]
fn stretches_hide_other_joints_each_and_motion_has_no_target_in_the_last_frame() {
    let at = At {
        seed: 1,
        epoch: 0,
        index: 0,
    };
    let clips = batch(2);
    let mask = objective(Target::Motion, MaskScope::Stretch(3)).draw(&layout(), &clips, at);
    let frames: Vec<&[bool]> = mask.hidden.chunks(V).collect();
    assert!(frames[0] == frames[2] && frames[3] == frames[5] && frames[6] == frames[7]);
    assert!(
        frames[0] != frames[3] || frames[3] != frames[6],
        "drawn anew"
    );
    assert!(
        frames
            .iter()
            .all(|frame| frame.iter().filter(|h| **h).count() == 8)
    );
    let targets: Vec<&[bool]> = mask.targets.chunks(V).collect();
    assert!(targets[..7] == frames[..7] && !targets[7].contains(&true));
    let again = objective(Target::Motion, MaskScope::Stretch(3)).draw(
        &layout(),
        &clips,
        At { index: 5, ..at },
    );
    assert_eq!(mask, again, "the clip's, whatever batch it comes in");
}

#[test]
fn a_feature_is_no_target_of_a_body_and_its_shape_must_be_there() {
    let store = Store::new(0, DType::F32, &Device::Cpu);
    let make = |target, config: Option<&StrlConfig>| {
        let own = Objective::Reconstruction(objective(target, MaskScope::Clip));
        let valid = own.validate(&layout()).map_err(|error| error.to_string());
        let input = (&layout(), 2, T);
        let made = Pretraining::new(&own, &mae(), config, input, store.builder());
        (valid, made.map(|_| ()).map_err(|error| error.to_string()))
    };
    let (valid, made) = make(Target::Embedding, Some(&StrlConfig::default()));
    assert!(
        valid
            .unwrap_err()
            .starts_with("target: expected coordinates")
    );
    assert!(
        made.unwrap_err()
            .starts_with("target: expected coordinates")
    );
    let (valid, made) = make(Target::Coordinates, None);
    assert!(valid.is_ok() && made.unwrap_err().contains("model.strl"));
}

/// Trained, the loss falls; what was learnt becomes the classifier's, all but its head.
#[test]
fn what_is_learnt_is_handed_over() {
    let own = Objective::Reconstruction(objective(Target::Coordinates, MaskScope::Clip));
    let config = StrlConfig::default();
    let store = Store::new(0, DType::F32, &Device::Cpu);
    let input = (&layout(), 2, T);
    let learner = Controlled {
        learner: Pretraining::new(&own, &mae(), Some(&config), input, store.builder()).unwrap(),
        control: Control::None,
    };
    let adam = OptimizerConfig::Adam {
        lr: 3e-3,
        beta1: 0.9,
        beta2: 0.999,
        weight_decay: 0.0,
    };
    let training = TrainConfig {
        epochs: 25,
        batch: 8,
        micro_batch: 8,
        optimizer: adam,
        schedule: Schedule {
            warmup_epochs: 0,
            decay: Decay::Constant,
        },
        guard: Guard::default(),
    };
    let mut optimizer = Optimizer::new(adam, store.parameters()).unwrap();
    let mut losses = Vec::new();
    for epoch in 0..training.epochs {
        let mut observer = |_: &StepReport<'_>| ControlFlow::Continue(());
        let pass = Pass::new(&store, 0, epoch);
        let steps = std::iter::once(Ok(vec![batch(8)]));
        let report = run_epoch(
            &learner,
            &pass,
            &training,
            &mut optimizer,
            steps,
            &mut observer,
        );
        losses.push(report.unwrap().loss);
    }
    assert!(losses[24] < 0.5 * losses[0], "{losses:?}");
    let at = At {
        seed: 0,
        epoch: 0,
        index: 0,
    };
    let (loss, weight) = learner.learner.held_out(&batch(8), at).unwrap();
    assert!((loss / weight).is_finite() && weight == (8 * T * 8) as f64);

    let task = Task {
        layout: &layout(),
        coordinates: 2,
        frames: T,
        classes: 3,
    };
    let classifier = Store::new(7, DType::F32, &Device::Cpu);
    Strl::new(&mae(), &config, task, classifier.builder()).unwrap();
    let before = classifier.tensors();
    let own = store.tensors();
    let lent = load_body(&classifier, &own).unwrap();
    let after: BTreeMap<String, Tensor> = classifier.tensors();
    for (name, tensor) in &after {
        let head = name.starts_with("head.");
        assert_eq!(lent.contains(name), !head, "{name}");
        let expected = if head { &before[name] } else { &own[name] };
        assert_eq!(numbers(tensor), numbers(expected), "{name}");
    }
    // Weight and draw of a control are those of what it shows.
    let ((seen, _), _) = Controlled {
        learner: learner.learner,
        control: Control::Noise,
    }
    .draw(&batch(2), at)
    .unwrap();
    assert_ne!(numbers(&seen.keypoints), numbers(&batch(2).keypoints));
}
