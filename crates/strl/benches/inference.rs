//! Each op alone: 16 clips x 2 persons x 64 frames x 17 joints, d = 64, as rows (joints of a frame) a second; then a
//! classifier in inference. `cargo xtask bench ops`.

#[path = "../../skeletonmae/benches/timing/mod.rs"]
mod timing;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use candle_core::{DType, Device};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use skeleton_graph::Layout;
use skeletonmae::ops::JointMatrix;
use skeletonmae::{MaeConfig, Store, TrackBatch};
use strl::ops::{self, Branches};
use strl::{Strl, StrlConfig, Task};
use timing::variable;

const CLIPS: usize = 16;
const PERSONS: usize = 2;
const T: usize = 64;
const V: usize = 17;
const D: usize = 64;
const ROWS: usize = CLIPS * PERSONS * T * V;

fn coco17() -> Layout {
    Layout::built_in("coco17").expect("it is built in")
}

fn embed(criterion: &mut Criterion) {
    let s = variable(&[CLIPS * PERSONS, T, V, 2], 1.0);
    let theta = variable(&[D * (2 + 1 + T)], 0.1);
    timing::both(criterion, "embed", ROWS as u64, || ops::embed(&s, &theta));
}

fn spatial(criterion: &mut Criterion) {
    let mixing = coco17().adjacency().row_normalised();
    let mixing = Arc::new(JointMatrix::new(&mixing, V));
    let h = variable(&[CLIPS * PERSONS, T, V, D], 1.0);
    let p = variable(&[CLIPS * PERSONS, T, D], 1.0);
    let theta = variable(&[2 * (D * D + 2 * D)], 0.1);
    timing::both(criterion, "spatial", ROWS as u64, || {
        Ok(ops::spatial(&h, &p, &theta, &mixing)?.0)
    });
}

/// As the model's layers have it: stride 1 in the first, 2 in the others.
fn temporal(criterion: &mut Criterion) {
    let h = variable(&[CLIPS * PERSONS, T, V, D], 1.0);
    let part = D / 4;
    let first = (D - part) * (D + 2) + 2 * 5 * part * part + part * D + 2 * D;
    for (stride, parameters) in [(1, first), (2, first + D * D + 2 * D)] {
        let theta = variable(&[parameters], 0.1);
        let branches = Branches {
            kernel: 5,
            dilations: vec![1, 2],
            stride,
        };
        timing::both(
            criterion,
            &format!("temporal of stride {stride}"),
            ROWS as u64,
            || Ok(ops::temporal(&h, &theta, &branches)?.0),
        );
    }
}

fn frozen(criterion: &mut Criterion) {
    let layout = coco17();
    let store = Store::new(0, DType::F32, &Device::Cpu);
    let task = Task {
        layout: &layout,
        coordinates: 2,
        frames: T,
        classes: 60,
    };
    let (mae, shape) = (MaeConfig::default(), StrlConfig::default());
    let model = Strl::new(&mae, &shape, task, store.builder()).expect("settings that fit");
    let model = model.frozen::<f32>().expect("parameters of f32");
    let mut group = criterion.benchmark_group("Frozen");
    for clips in [1, CLIPS] {
        let n = clips * PERSONS;
        let batch = TrackBatch::new(
            variable(&[n, T, V, 2], 1.0).as_detached_tensor(),
            vec![true; n * T * V],
            (0..n).map(|track| (track / PERSONS) as u32).collect(),
            (0..clips).map(|clip| clip.to_string()).collect(),
            vec![0; clips],
        );
        let batch = batch.expect("a clip for each track");
        group.throughput(Throughput::Elements((n * T * V) as u64));
        group.bench_function(format!("forward of {clips}"), |bencher| {
            bencher.iter(|| black_box(model.forward(&batch).expect("the shapes fit")));
        });
    }
    group.finish();
}

fn quick() -> Criterion {
    Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
}

criterion_group! {
    name = all;
    config = quick();
    targets = embed, spatial, temporal, frozen
}
criterion_main!(all);
