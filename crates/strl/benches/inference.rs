//! A classifier in inference, d = 64, 64 frames x 17 joints x 2 persons, as rows (joints of a frame) a second.
//! `cargo xtask bench ops`.

use std::hint::black_box;
use std::time::Duration;

use candle_core::{DType, Device, Tensor};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use skeleton_graph::Layout;
use skeletonmae::{MaeConfig, Store, TrackBatch};
use strl::{Strl, StrlConfig, Task};

const PERSONS: usize = 2;
const T: usize = 64;
const V: usize = 17;

fn frozen(criterion: &mut Criterion) {
    let layout = Layout::built_in("coco17").expect("it is built in");
    let store = Store::new(0, DType::F32, &Device::Cpu);
    let task = Task {
        layout: &layout,
        coordinates: 2,
        frames: T,
        classes: 60,
    };
    let (mae, shape) = (MaeConfig::default(), StrlConfig::default());
    let model = Strl::new(&mae, &shape, task, store.builder()).expect("settings that fit");
    let model = model.frozen().expect("parameters of f32");
    let mut group = criterion.benchmark_group("Frozen");
    for clips in [1, 16] {
        let n = clips * PERSONS;
        let value = |i: usize| ((i * 7919) % 1009) as f32 / 504.5 - 1.0;
        let numbers: Vec<f32> = (0..n * T * V * 2).map(value).collect();
        let batch = TrackBatch::new(
            Tensor::from_vec(numbers, (n, T, V, 2), &Device::Cpu).expect("as many numbers"),
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
    targets = frozen
}
criterion_main!(all);
