//! Each op alone: 16 clips x 64 frames x 17 joints, d = 64, as rows (joints of a frame) a second. `cargo xtask bench ops`.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use candle_core::{Device, Result, Tensor, Var};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use skeleton_graph::Layout;
use skeletonmae::ops::{self, Ending, JointMatrix, Stack};

const SHAPE: [usize; 4] = [16, 64, 17, 64];
const ROWS: u64 = 16 * 64 * 17;
const D: usize = 64;

/// Numbers that look random, of this size at most.
fn variable(shape: &[usize], size: f32) -> Var {
    let n = shape.iter().product();
    let value = |i: usize| (((i * 7919) % 1009) as f32 / 504.5 - 1.0) * size;
    let values: Vec<f32> = (0..n).map(value).collect();
    Var::from_vec(values, shape, &Device::Cpu).expect("as many numbers as the shape has")
}

/// The op alone, and with the way back from the sum of its result.
fn both(criterion: &mut Criterion, name: &str, op: impl Fn() -> Result<Tensor>) {
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(ROWS));
    group.bench_function("forward", |bencher| {
        bencher.iter(|| black_box(op().expect("the shapes fit")));
    });
    group.bench_function("forward and backward", |bencher| {
        bencher.iter(|| {
            let loss = op().and_then(|y| y.sum_all()).expect("the shapes fit");
            black_box(loss.backward().expect("an op with a way back"))
        });
    });
    group.finish();
}

fn stack(layers: usize, ending: Ending) -> Stack {
    let binary = Layout::built_in("coco17")
        .expect("it is built in")
        .adjacency()
        .binary();
    Stack {
        adjacency: Arc::new(JointMatrix::new(&binary, SHAPE[2])),
        layers,
        ending,
    }
}

/// The encoder's three layers and the decoder's one, of which the masked rows are given.
fn gin(criterion: &mut Criterion) {
    let x = variable(&SHAPE, 1.0);
    let encoder = variable(&[3 * (1 + 2 * D * D + 4 * D + 1)], 0.1);
    let three = || stack(3, Ending::Activated);
    both(criterion, "gin of three layers", || {
        Ok(ops::gin(&x, &encoder, three())?.0)
    });
    let masked = (0..ROWS as u32).filter(|row| row % 17 >= 13);
    let rows = Arc::new(masked.collect::<Vec<u32>>());
    let decoder = variable(&[1 + 2 * D * D + 3 * D], 0.1);
    both(criterion, "gin of the decoder", || {
        let stack = stack(1, Ending::Mlp { rows: rows.clone() });
        Ok(ops::gin(&x, &decoder, stack)?.0)
    });
    let (_, moments) = ops::gin(&x, &encoder, three()).expect("the shapes fit");
    let mut group = criterion.benchmark_group("gin_fixed of three layers");
    group.throughput(Throughput::Elements(ROWS));
    group.bench_function("forward", |bencher| {
        bencher.iter(|| black_box(ops::gin_fixed(&x, &encoder, three(), moments.clone())));
    });
    group.finish();
}

fn linear(criterion: &mut Criterion) {
    let (x, weight, bias) = (
        variable(&SHAPE, 1.0),
        variable(&[D, D], 0.1),
        variable(&[D], 0.1),
    );
    both(criterion, "linear", || ops::linear(&x, &weight, &bias));
}

fn reweighted_cosine_error(criterion: &mut Criterion) {
    let (y, x) = (variable(&SHAPE, 1.0), variable(&SHAPE, 0.7));
    both(criterion, "reweighted_cosine_error", || {
        ops::reweighted_cosine_error(&y, &x, 2.0, ROWS as f64)
    });
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
    targets = gin, linear, reweighted_cosine_error
}
criterion_main!(all);
