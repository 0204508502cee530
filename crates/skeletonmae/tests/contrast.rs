//! Contrastive pre-training: what is drawn for two views, what they hide, and the loss.

mod swings;

use candle_core::{DType, Device, Tensor};
use skeleton_graph::Layout;
use skeletonmae::contrast::nt_xent;
use skeletonmae::mask::At;
use skeletonmae::{Backbone, Contrastive, GraphCl, MaeConfig, Mode, Store, TrackBatch};
use swings::clips;

fn layout() -> Layout {
    Layout::built_in("coco17").unwrap()
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
    let shape = MaeConfig {
        backbone: Backbone::Gin,
        width: 16,
        ..MaeConfig::default()
    };
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
