//! How an op is timed. `strl`'s benchmark uses this file too.

use std::hint::black_box;

use candle_core::{Device, Result, Tensor, Var};
use criterion::{Criterion, Throughput};

/// Numbers that look random, of this size at most.
pub fn variable(shape: &[usize], size: f32) -> Var {
    let n = shape.iter().product();
    let value = |i: usize| (((i * 7919) % 1009) as f32 / 504.5 - 1.0) * size;
    let values: Vec<f32> = (0..n).map(value).collect();
    Var::from_vec(values, shape, &Device::Cpu).expect("as many numbers as the shape has")
}

/// The op alone, and with the way back from the sum of its result, as `rows` a second.
pub fn both(criterion: &mut Criterion, name: &str, rows: u64, op: impl Fn() -> Result<Tensor>) {
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(rows));
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
