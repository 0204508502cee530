//! Each op alone: 16 clips x 64 frames x 17 joints, d = 64, as rows (joints of a frame) a second. `cargo xtask bench ops`.

mod timing;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use skeleton_graph::Layout;
use skeletonmae::ops::{self, Ending, JointMatrix, Stack};
use timing::variable;

const SHAPE: [usize; 4] = [16, 64, 17, 64];
const ROWS: u64 = 16 * 64 * 17;
const D: usize = 64;

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
    timing::both(criterion, "gin of three layers", ROWS, || {
        Ok(ops::gin(&x, &encoder, three())?.0)
    });
    let masked = (0..ROWS as u32).filter(|row| row % 17 >= 13);
    let rows = Arc::new(masked.collect::<Vec<u32>>());
    let decoder = variable(&[1 + 2 * D * D + 3 * D], 0.1);
    timing::both(criterion, "gin of the decoder", ROWS, || {
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
    timing::both(criterion, "linear", ROWS, || {
        ops::linear(&x, &weight, &bias)
    });
}

fn reweighted_cosine_error(criterion: &mut Criterion) {
    let (y, x) = (variable(&SHAPE, 1.0), variable(&SHAPE, 0.7));
    timing::both(criterion, "reweighted_cosine_error", ROWS, || {
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
