//! Each op alone, d = 64, as rows (joints of a frame) a second: those of pre-training on 16 clips x 64 frames x 17 joints,
//! those of fine-tuning on two people a clip. `cargo xtask bench ops`.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use candle_core::{Device, Result, Tensor, Var};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use skeleton_graph::Layout;
use skeleton_kernels::params::Named;
use skeleton_kernels::{
    Branches, Embedding, GinLayer, JointMatrix, Readout, SpatialWeights, Stats, TemporalWeights,
};

const T: usize = 64;
const V: usize = 17;
const D: usize = 64;
/// One person a clip.
const ONE: [usize; 4] = [16, T, V, D];
/// Two people a clip.
const TWO: [usize; 4] = [32, T, V, D];

fn rows(shape: [usize; 4]) -> u64 {
    (shape[0] * T * V) as u64
}

fn coco17(matrix: fn(&skeleton_graph::Adjacency) -> Vec<f64>) -> Arc<JointMatrix> {
    let layout = Layout::built_in("coco17").expect("it is built in");
    Arc::new(JointMatrix::new(&matrix(&layout.adjacency()), V))
}

/// Numbers that look random, of this size at most.
fn variable(shape: &[usize], size: f32) -> Var {
    let n = shape.iter().product();
    let value = |i: usize| (((i * 7919) % 1009) as f32 / 504.5 - 1.0) * size;
    let values: Vec<f32> = (0..n).map(value).collect();
    Var::from_vec(values, shape, &Device::Cpu).expect("as many numbers as the shape has")
}

fn variables<S: Named<Vec<usize>>>(shapes: &S) -> S::Of<Tensor> {
    shapes.map(&mut |dims: &Vec<usize>| variable(dims, 0.1).as_tensor().clone())
}

/// The op alone, and with the backward pass from the sum of its result.
fn both(criterion: &mut Criterion, name: &str, rows: u64, op: impl Fn() -> Result<Tensor>) {
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(rows));
    group.bench_function("forward", |bencher| {
        bencher.iter(|| black_box(op().expect("the shapes fit")));
    });
    group.bench_function("forward and backward", |bencher| {
        bencher.iter(|| {
            let loss = op().and_then(|y| y.sum_all()).expect("the shapes fit");
            black_box(loss.backward().expect("an op with a backward pass"))
        });
    });
    group.finish();
}

/// The encoder's three layers and the decoder's one, of which the masked rows are given.
fn gin(criterion: &mut Criterion) {
    let (x, graph) = (
        variable(&ONE, 1.0),
        coco17(skeleton_graph::Adjacency::binary),
    );
    let layer = GinLayer::shapes(D, D, None);
    let encoder = variables(&vec![layer; 3]);
    let run =
        |stats: Stats<'_>| skeleton_kernels::gin(&x, &encoder, &graph, &Readout::Joints, stats);
    both(criterion, "gin of three layers", rows(ONE), || {
        Ok(run(Stats::Batch)?.0)
    });
    let masked = (0..rows(ONE) as u32).filter(|row| row % V as u32 >= 13);
    let readout = Readout::Rows(Arc::new(masked.collect()));
    let decoder = variables(&vec![GinLayer::shapes(D, D, Some(D))]);
    both(criterion, "gin of the decoder", rows(ONE), || {
        Ok(skeleton_kernels::gin(&x, &decoder, &graph, &readout, Stats::Batch)?.0)
    });
    let (_, stats) = run(Stats::Batch).expect("the shapes fit");
    let constant = x.as_detached_tensor();
    let encoder: Vec<GinLayer<Tensor>> = encoder.map(&mut |tensor: &Tensor| tensor.detach());
    let mut group = criterion.benchmark_group("gin of three layers in inference");
    group.throughput(Throughput::Elements(rows(ONE)));
    group.bench_function("forward", |bencher| {
        let stats = Stats::Running(&stats);
        bencher.iter(|| {
            black_box(skeleton_kernels::gin(
                &constant,
                &encoder,
                &graph,
                &Readout::Joints,
                stats,
            ))
        });
    });
    group.finish();
}

fn linear(criterion: &mut Criterion) {
    let (x, weight, bias) = (
        variable(&ONE, 1.0),
        variable(&[D, D], 0.1),
        variable(&[D], 0.1),
    );
    both(criterion, "linear", rows(ONE), || {
        skeleton_kernels::linear(&x, &weight, Some(&bias))
    });
}

fn reweighted_cosine_error(criterion: &mut Criterion) {
    let shape = [rows(ONE) as usize, D];
    let (y, x) = (variable(&shape, 1.0), variable(&shape, 0.7));
    both(criterion, "reweighted_cosine_error", rows(ONE), || {
        skeleton_kernels::reweighted_cosine_error(&y, &x, 2.0, rows(ONE) as f64)
    });
}

fn embed(criterion: &mut Criterion) {
    let s = variable(&[TWO[0], T, V, 2], 1.0);
    let parameters = variables(&Embedding::shapes(2, D, T));
    both(criterion, "embed", rows(TWO), || {
        skeleton_kernels::embed(&s, &parameters)
    });
}

fn spatial(criterion: &mut Criterion) {
    let a_norm = coco17(skeleton_graph::Adjacency::row_normalised);
    let (h, p) = (variable(&TWO, 1.0), variable(&[TWO[0], T, D], 1.0));
    let weights = variables(&SpatialWeights::shapes(D));
    both(criterion, "spatial", rows(TWO), || {
        Ok(skeleton_kernels::spatial(&h, &p, &weights, &a_norm, Stats::Batch)?.0)
    });
}

/// As the model's layers have it: stride 1 in the first, 2 in the others.
fn temporal(criterion: &mut Criterion) {
    let h = variable(&TWO, 1.0);
    for stride in [1, 2] {
        let branches = Branches {
            kernel: 5,
            dilations: vec![1, 2],
            stride,
        };
        let weights = variables(&TemporalWeights::shapes(&branches, D));
        both(
            criterion,
            &format!("temporal of stride {stride}"),
            rows(TWO),
            || Ok(skeleton_kernels::temporal(&h, &weights, &branches, Stats::Batch)?.0),
        );
    }
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
    targets = gin, linear, reweighted_cosine_error, embed, spatial, temporal
}
criterion_main!(all);
