//! Every op's fused form against its definition: results, gradients and statistics, in double precision.

mod definition;

use std::sync::Arc;

use candle_core::{D, DType, Device, Result, Tensor, Var};
use definition::{parameters, random, same, statistics};
use skeleton_graph::{Adjacency, Layout};
use skeleton_kernels::{
    self as kernels, Activation, Attention, BatchStats, Branches, Embedding, GinLayer, JointMatrix,
    Readout, SpatialWeights, Stats, TemporalWeights, infer,
};

const SHAPE: [usize; 4] = [3, 100, 17, 8]; // more rows than a chunk has

fn coco17() -> Adjacency {
    Layout::built_in("coco17").unwrap().adjacency()
}

fn matrix(dense: &[f64]) -> Arc<JointMatrix> {
    Arc::new(JointMatrix::new(dense, 17))
}

fn all<'a>(inputs: &[&'a Var], parameters: &'a [Var]) -> Vec<&'a Var> {
    inputs.iter().copied().chain(parameters).collect()
}

fn numbers(t: &Tensor) -> Vec<f64> {
    t.flatten_all().unwrap().to_vec1().unwrap()
}

fn close(a: &Tensor, b: &Tensor, what: &str) {
    assert_eq!(a.dims(), b.dims(), "{what}");
    for (a, b) in numbers(a).iter().zip(numbers(b)) {
        assert!(
            (a - b).abs() <= 1e-10 * (1.0 + b.abs()),
            "{what}: {a} for {b}"
        );
    }
}

fn same_statistics(a: &[BatchStats], b: &[BatchStats]) {
    assert_eq!(a.len(), b.len(), "norms");
    for (a, b) in a.iter().zip(b) {
        assert_eq!(a.rows, b.rows);
        close(&a.mean, &b.mean, "means");
        close(&a.variance, &b.variance, "variances");
    }
}

#[test]
fn linear() {
    let (x, w, b) = (random(&SHAPE, 0), random(&[5, 8], 1), random(&[5], 2));
    same(
        &[&x, &w, &b],
        || kernels::linear(&x, &w, Some(&b)),
        || kernels::linear::reference(&x, &w, Some(&b)),
    );
}

#[test]
fn reweighted_cosine_error() {
    let (y, x) = (random(&[5100, 8], 0), random(&[5100, 8], 1));
    for beta in [1.0, 2.0, 3.0] {
        let definition = || kernels::rce::reference(&y, &x, beta, 1020.0);
        same(
            &[&y, &x],
            || kernels::reweighted_cosine_error(&y, &x, beta, 1020.0),
            definition,
        );
        // With Candle's own sums.
        let plain = || {
            let norm = |a: &Tensor| a.sqr()?.sum(D::Minus1)?.sqrt();
            let cos =
                ((y.as_tensor() * x.as_tensor())?.sum(D::Minus1)? / (norm(&y)? * norm(&x)?)?)?;
            (1.0 - cos)?.powf(beta)?.sum_all()? / 1020.0
        };
        same(&[&y, &x], definition, plain);
    }
}

#[test]
fn mean_squared_error() {
    let (y, x) = (random(&[5100, 8], 0), random(&[5100, 8], 1));
    same(
        &[&y, &x],
        || kernels::mean_squared_error(&y, &x, 1020.0),
        || (y.as_tensor() - x.as_tensor())?.sqr()?.sum_all()? / (8.0 * 1020.0),
    );
}

#[test]
fn mix_joints() {
    // Not symmetric, so that a matrix and its transpose differ.
    let dense = coco17().row_normalised();
    let matrix = matrix(&dense);
    let x = random(&SHAPE, 0);
    let definition = || kernels::joints::reference(&x, &matrix);
    same(&[&x], || kernels::mix_joints(&x, &matrix), definition);
    let dense = Tensor::from_vec(dense, (17, 17), &Device::Cpu).unwrap();
    same(&[&x], definition, || dense.broadcast_matmul(&x));
}

#[test]
fn take_rows() {
    let x = random(&SHAPE, 0);
    let rows: Vec<u32> = (0..5100).filter(|row| row % 7 == 3).collect();
    same(
        &[&x],
        || kernels::take_rows(&x, &rows),
        || {
            x.reshape(((), 8))?
                .index_select(&Tensor::new(&rows[..], &Device::Cpu)?, 0)
        },
    );
}

/// By the batch's statistics or by given ones, with and without the sum over joints.
#[test]
fn norm_prelu() {
    let z = random(&SHAPE, 0);
    let (own, variables) = parameters(&Activation::shapes(8), 1);
    let given = statistics(&[8]);
    for pooled in [None, Some(0.3)] {
        for stats in [Stats::Batch, Stats::Running(&given)] {
            let op = || kernels::norm_prelu(&z, &own, pooled, stats);
            let definition = || kernels::norm_prelu::reference(&z, &own, pooled, stats);
            let args = all(&[&z], &variables);
            same(&args, || Ok(op()?.0), || Ok(definition()?.0));
            same_statistics(&op().unwrap().1, &definition().unwrap().1);
        }
    }
}

/// Softmax over the joints that are neighbours: also against sums over heads one by one.
#[test]
fn attend() {
    let adjacency = coco17().without(&[(5, 7), (0, 1)]);
    let mut mask = vec![-1e9; 17 * 17];
    for i in 0..17 {
        for &j in adjacency.neighbours(i).iter().chain([&i]) {
            mask[i * 17 + j] = 0.0;
        }
    }
    let mask = Tensor::from_vec(mask, (17, 17), &Device::Cpu).unwrap();
    for (heads, d) in [(1, 8), (4, 8), (2, 40)] {
        let part = d / heads;
        let attention = Arc::new(Attention::new(&adjacency, heads));
        let (u, a) = (random(&[3, 30, 17, d], 0), random(&[2, d], 1));
        let plain = || {
            let head = |h: usize| -> Result<Tensor> {
                let u = u.narrow(3, h * part, part)?;
                let a = a.narrow(1, h * part, part)?;
                let score = |side: usize| u.broadcast_mul(&a.get(side)?)?.sum_keepdim(3);
                let e = score(0)?.broadcast_add(&score(1)?.transpose(2, 3)?)?; // (n, t, i, j)
                let e = (e.relu()? - (e.neg()?.relu()? * 0.2)?)?.broadcast_add(&mask)?;
                let e = e.broadcast_sub(&e.max_keepdim(3)?.detach())?.exp()?;
                let alpha = e.broadcast_div(&e.sum_keepdim(3)?)?;
                alpha.matmul(&u.contiguous()?)
            };
            Tensor::cat(&(0..heads).map(head).collect::<Result<Vec<_>>>()?, 3)
        };
        let definition = || kernels::attention::reference(&u, &a, &attention);
        same(
            &[&u, &a],
            || kernels::attend(&u, &a, &attention),
            definition,
        );
        same(&[&u, &a], definition, plain);
    }
}

/// Layers by their shapes, what is given of them, widths of their norms.
type Layers = (Vec<GinLayer<Vec<usize>>>, Readout, Vec<usize>);

/// For d = 6.
fn stacks() -> Vec<Layers> {
    let rows = Readout::Rows(Arc::new(
        (0..3 * 100 * 17).filter(|row| row % 7 < 2).collect(),
    ));
    let inner = || GinLayer::shapes(6, 6, None);
    vec![
        (vec![inner()], Readout::Joints, vec![6; 2]),
        (
            vec![GinLayer::shapes(4, 6, None), inner(), inner()],
            Readout::Joints,
            vec![6; 6],
        ),
        (vec![inner(), inner()], Readout::Pooled(0.3), vec![6; 4]),
        (vec![GinLayer::shapes(6, 6, Some(6))], rows.clone(), vec![6]),
        (vec![GinLayer::shapes(5, 6, Some(2))], rows, vec![6]),
    ]
}

#[test]
fn gin() {
    let graph = matrix(&coco17().binary());
    for (shapes, readout, widths) in stacks() {
        let c = shapes[0].first.weight[1];
        let (x, (layers, variables)) = (random(&[3, 100, 17, c], 0), parameters(&shapes, 1));
        let given = statistics(&widths);
        let input = x.as_detached_tensor();
        for stats in [Stats::Batch, Stats::Running(&given)] {
            let op = |x: &Tensor| kernels::gin(x, &layers, &graph, &readout, stats);
            let definition =
                |x: &Tensor| kernels::gin::reference(x, &layers, &graph, &readout, stats);
            same(
                &all(&[&x], &variables),
                || Ok(op(&x)?.0),
                || Ok(definition(&x)?.0),
            );
            same_statistics(&op(&x).unwrap().1, &definition(&x).unwrap().1);
            // An input that leads to no variable is spared its gradient; the rest stays.
            same(
                &all(&[], &variables),
                || Ok(op(&input)?.0),
                || Ok(definition(&input)?.0),
            );
        }
    }
}

/// Where nothing wants a gradient, and where only the input does: a frozen encoder.
#[test]
fn gin_of_constants() {
    use skeleton_kernels::params::Named as _;
    let graph = matrix(&coco17().binary());
    for (shapes, readout, widths) in stacks() {
        let c = shapes[0].first.weight[1];
        let (x, (layers, _)) = (random(&[3, 100, 17, c], 0), parameters(&shapes, 1));
        let layers: Vec<GinLayer<Tensor>> =
            layers.map(&mut |parameter: &Tensor| parameter.detach());
        let given = statistics(&widths);
        let stats = Stats::Running(&given);
        let op = |x: &Tensor| kernels::gin(x, &layers, &graph, &readout, stats);
        let definition = |x: &Tensor| kernels::gin::reference(x, &layers, &graph, &readout, stats);
        same(&[&x], || Ok(op(&x)?.0), || Ok(definition(&x)?.0));
        let input = x.as_detached_tensor();
        let (y, expected) = (op(&input).unwrap().0, definition(&input).unwrap().0);
        close(&y, &expected, "inference");
    }
}

/// The statistics are those of what lies before each norm.
#[test]
fn statistics_are_the_rows_mean_and_variance() {
    let (x, (layers, _)) = (random(&[3, 100, 17, 6], 0), parameters(&stacks()[0].0, 1));
    let binary = coco17().binary();
    let (_, stats) = kernels::gin(
        &x,
        &layers,
        &matrix(&binary),
        &Readout::Joints,
        Stats::Batch,
    )
    .unwrap();
    let a = Tensor::from_vec(binary, (17, 17), &Device::Cpu).unwrap();
    let own = x.broadcast_mul(&(&layers[0].eps + 1.0).unwrap()).unwrap();
    let mixed = (a.broadcast_matmul(&x).unwrap() + own).unwrap();
    let w = &layers[0].first.weight;
    let z = mixed
        .reshape(((), 6))
        .unwrap()
        .matmul(&w.t().unwrap())
        .unwrap();
    let mean = z.mean(0).unwrap();
    let centred = z.broadcast_sub(&mean).unwrap();
    let variance = centred.sqr().unwrap().mean(0).unwrap();
    let off = |a: &Tensor, b: &Tensor| {
        let pairs = numbers(a).into_iter().zip(numbers(b));
        pairs.fold(0.0, |m: f64, (a, b)| m.max((a - b).abs()))
    };
    assert!(off(&stats[0].mean, &mean) < 1e-12);
    assert!(off(&stats[0].variance, &variance) < 1e-12);
    assert_eq!((stats.len(), stats[0].rows), (2, 3 * 100 * 17));
}

/// Chunks are added up in order, whoever computed them.
#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let graph = matrix(&coco17().binary());
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            let single = |t: &Tensor| t.to_dtype(DType::F32).unwrap();
            let x = Var::from_tensor(&single(&random(&[5, 300, 17, 8], 0))).unwrap();
            let shapes = vec![GinLayer::shapes(8, 6, None)];
            let layers = {
                use skeleton_kernels::params::Named as _;
                parameters(&shapes, 1)
                    .0
                    .map(&mut |t: &Tensor| single(t).detach())
            };
            let layers: Vec<GinLayer<Tensor>> = layers;
            let (y, stats) =
                kernels::gin(&x, &layers, &graph, &Readout::Joints, Stats::Batch).unwrap();
            let grads = y.sqr().unwrap().sum_all().unwrap().backward().unwrap();
            let bits = |t: &Tensor| {
                let values = t.to_dtype(DType::F64).unwrap();
                numbers(&values)
                    .into_iter()
                    .map(f64::to_bits)
                    .collect::<Vec<_>>()
            };
            let of_stats = stats.iter().flat_map(|own| [&own.mean, &own.variance]);
            let tensors = of_stats.chain([grads.get(&x).unwrap()]);
            tensors.map(bits).collect::<Vec<_>>()
        })
    };
    assert!(run(1) == run(2) && run(2) == run(5));
}

#[test]
fn embed() {
    let s = random(&[3, 20, 17, 2], 0);
    let (own, variables) = parameters(&Embedding::shapes(2, 6, 20), 1);
    let definition = || kernels::embed::reference(&s, &own);
    same(
        &all(&[], &variables),
        || kernels::embed(&s, &own),
        definition,
    );
    let plain = || {
        let h = s
            .broadcast_matmul(&own.weight.t()?)?
            .broadcast_add(&own.bias)?;
        h.broadcast_add(&own.position.reshape((1, 20, 1, 6))?)
    };
    same(&all(&[], &variables), definition, plain);
}

/// Equations 3 and 4 with the residual.
#[test]
fn spatial() {
    for dense in [coco17().row_normalised(), coco17().symmetric()] {
        let a_norm = matrix(&dense);
        let (h, p) = (random(&[3, 20, 17, 4], 0), random(&[3, 20, 4], 1));
        let (own, variables) = parameters(&SpatialWeights::shapes(4), 2);
        let given = statistics(&[4, 4]);
        for stats in [Stats::Batch, Stats::Running(&given)] {
            let op = || kernels::spatial(&h, &p, &own, &a_norm, stats);
            let definition = || kernels::spatial::reference(&h, &p, &own, &a_norm, stats);
            same(
                &all(&[&h, &p], &variables),
                || Ok(op()?.0),
                || Ok(definition()?.0),
            );
            same_statistics(&op().unwrap().1, &definition().unwrap().1);
        }
        // With Candle's own broadcasts and sums.
        let a = Tensor::from_vec(dense, (17, 17), &Device::Cpu).unwrap();
        let norm = |x: Tensor, affine: &kernels::Affine<Tensor>| {
            let z = x.reshape(((), 4))?;
            let z = z.broadcast_sub(&z.mean_keepdim(0)?)?;
            let z =
                z.broadcast_div(&(z.sqr()?.mean_keepdim(0)? + kernels::stats::EPSILON)?.sqrt()?)?;
            z.broadcast_mul(&affine.weight)?
                .broadcast_add(&affine.bias)?
                .reshape(x.dims())
        };
        let plain = || {
            let sm = a.broadcast_matmul(&h.broadcast_add(&p.unsqueeze(2)?)?)?;
            let y = norm(sm.broadcast_matmul(&own.w.weight.t()?)?, &own.w.norm)?;
            let residual = h.broadcast_matmul(&own.residual.weight.t()?)?;
            (y + norm(residual, &own.residual.norm)?)?.relu()
        };
        let definition = || Ok(kernels::spatial::reference(&h, &p, &own, &a_norm, Stats::Batch)?.0);
        same(&all(&[&h, &p], &variables), definition, plain);
    }
}

fn branches() -> Vec<Branches> {
    let branches = |kernel, dilations: &[usize], stride| Branches {
        kernel,
        dilations: dilations.to_vec(),
        stride,
    };
    vec![
        branches(5, &[1, 2], 1),
        branches(5, &[1, 2], 2),
        branches(3, &[4], 3),
        branches(1, &[], 1),
    ]
}

/// The norms' widths of branches of width d.
fn widths(branches: &Branches, d: usize) -> Vec<usize> {
    let residual = (branches.stride > 1).then_some(d);
    [branches.reduced(d), d]
        .into_iter()
        .chain(residual)
        .collect()
}

#[test]
fn temporal() {
    for branches in branches() {
        let given = statistics(&widths(&branches, 12));
        for t in [1, 2, 7, 12] {
            let x = random(&[3, t, 5, 12], 0);
            let (own, variables) = parameters(&TemporalWeights::shapes(&branches, 12), 1);
            for stats in [Stats::Batch, Stats::Running(&given)] {
                let op = || kernels::temporal(&x, &own, &branches, stats);
                let definition = || kernels::temporal::reference(&x, &own, &branches, stats);
                same(
                    &all(&[&x], &variables),
                    || Ok(op()?.0),
                    || Ok(definition()?.0),
                );
                same_statistics(&op().unwrap().1, &definition().unwrap().1);
            }
        }
    }
}

/// A tap of a convolution reads the frame it names: an impulse comes out where the window says.
#[test]
fn windows_stand_where_they_say() {
    use skeleton_kernels::params::Named as _;
    let (t, d) = (9, 3);
    for (kernel, dilation, stride) in [(3, 1, 1), (3, 2, 1), (5, 1, 2), (3, 3, 2)] {
        let branches = Branches {
            kernel,
            dilations: vec![dilation],
            stride,
        };
        let shapes = TemporalWeights::shapes(&branches, d);
        // All maps pass the first feature on; the convolution has weight k + 1 at tap k; norms do nothing.
        let number = |dims: &Vec<usize>, at: usize, value: f64| {
            let mut values = vec![0.0; dims.iter().product()];
            values[at] = value;
            Tensor::from_vec(values, &dims[..], &Device::Cpu).unwrap()
        };
        let mut own = shapes.map(&mut |dims: &Vec<usize>| number(dims, 0, 1.0));
        let taps: Vec<f64> = (1..=kernel).map(|k| k as f64).collect();
        own.convolutions[0] = Tensor::from_vec(taps, (kernel, 1, 1), &Device::Cpu).unwrap();
        let zero = |t: &mut Tensor| *t = t.zeros_like().unwrap();
        zero(&mut own.reduce.norm.bias);
        zero(&mut own.norm.bias);
        if let Some(residual) = &mut own.residual {
            zero(&mut residual.weight);
            zero(&mut residual.norm.bias);
        }
        let exact = |d: usize| BatchStats {
            rows: 0,
            mean: Tensor::zeros(d, DType::F64, &Device::Cpu).unwrap(),
            variance: Tensor::full(1.0 - kernels::stats::EPSILON, d, &Device::Cpu).unwrap(),
        };
        let stats: Vec<_> = widths(&branches, d).into_iter().map(exact).collect();
        for impulse in 0..t {
            let mut x = vec![0.0; t * d];
            x[impulse * d] = 1.0;
            let x = Tensor::from_vec(x, (1, t, 1, d), &Device::Cpu).unwrap();
            let (y, _) =
                kernels::temporal::reference(&x, &own, &branches, Stats::Running(&stats)).unwrap();
            let y = numbers(&y.narrow(3, 0, 1).unwrap());
            for (o, y) in y.into_iter().enumerate() {
                let at = |k: usize| {
                    (o * stride + k * dilation) as isize - (kernel / 2 * dilation) as isize
                };
                let tap = (0..kernel).find(|&k| at(k) == impulse as isize);
                let residual = f64::from(u8::from(stride == 1 && o == impulse));
                let expected = tap.map_or(0.0, |k| k as f64 + 1.0) + residual;
                assert!(
                    (y - expected).abs() < 1e-9,
                    "{branches:?} {impulse} {o}: {y} for {expected}"
                );
            }
        }
    }
}

/// By the batch's own statistics, inference gives what training gave.
#[test]
fn temporal_folded() {
    for branches in branches() {
        let (own, _) = parameters(&TemporalWeights::shapes(&branches, 12), 1);
        let x = random(&[3, 7, 5, 12], 0);
        let (y, stats) = kernels::temporal(&x, &own, &branches, Stats::Batch).unwrap();
        let folded = infer::Temporal::<f64>::new(&branches, &own, 12, &stats).unwrap();
        let tracks = numbers(&x);
        let tracks = tracks
            .chunks_exact(7 * 5 * 12)
            .flat_map(|x| folded.track(x, 7, 5).to_vec());
        for (a, b) in tracks.zip(numbers(&y)) {
            assert!((a - b).abs() < 1e-10, "{a} for {b}");
        }
    }
}

#[test]
fn track_mean() {
    let x = random(&[3, 70, 5, 4], 0);
    let definition = || kernels::track_mean::reference(&x);
    same(&[&x], || kernels::track_mean(&x), definition);
    same(&[&x], definition, || x.mean((1, 2)));
}

/// A fused form overwrites what it saved: a result has one backward pass.
#[test]
fn a_second_backward_pass_is_an_error() {
    if kernels::reference_only() {
        return; // Definitions save nothing of their own.
    }
    let graph = matrix(&coco17().binary());
    let (x, (layers, _)) = (random(&[1, 3, 17, 6], 0), parameters(&stacks()[0].0, 1));
    let (y, _) = kernels::gin(&x, &layers, &graph, &Readout::Joints, Stats::Batch).unwrap();
    let loss = y.sum_all().unwrap();
    assert!(loss.backward().is_ok());
    let again = loss.backward().unwrap_err().to_string();
    assert!(again.contains("or there was one before"), "{again}");
}

#[test]
fn shapes_that_do_not_fit_are_errors() {
    let (x, w, b) = (random(&[2, 3], 0), random(&[5, 4], 1), random(&[5], 2));
    assert!(kernels::linear(&x, &w, Some(&b)).is_err());
    assert!(kernels::reweighted_cosine_error(&x, &w, 2.0, 1.0).is_err());
    assert!(kernels::mean_squared_error(&x, &w, 1.0).is_err());
    let x = random(&[2, 3, 17, 8], 0);
    assert!(
        kernels::mix_joints(&x, &Arc::new(JointMatrix::new(&[1.0; 25], 5))).is_err(),
        "5 joints"
    );
    for rows in [vec![102], vec![5, 4], vec![4, 4]] {
        assert!(kernels::take_rows(&x, &rows).is_err());
    }
    let activation = |d| parameters(&Activation::shapes(d), 1).0;
    let batch = Stats::Batch;
    assert!(kernels::norm_prelu(&x, &activation(8), None, batch).is_ok());
    assert!(kernels::norm_prelu(&x, &activation(7), None, batch).is_err());
    for given in [statistics(&[7]), statistics(&[])] {
        assert!(kernels::norm_prelu(&x, &activation(8), None, Stats::Running(&given)).is_err());
    }
    let attention = |heads| Arc::new(Attention::new(&coco17(), heads));
    let a = random(&[2, 8], 1);
    assert!(kernels::attend(&x, &a, &attention(4)).is_ok());
    assert!(
        kernels::attend(&x, &a, &attention(3)).is_err(),
        "no even share"
    );
    assert!(kernels::attend(&x, &random(&[2, 7], 1), &attention(4)).is_err());
    assert!(kernels::attend(&random(&[2, 3, 16, 8], 0), &a, &attention(4)).is_err());
}

#[test]
fn gin_shapes_that_do_not_fit_are_errors() {
    let graph = matrix(&coco17().binary());
    let one = |c, ends_in| parameters(&vec![GinLayer::shapes(c, 6, ends_in)], 1).0;
    let run = |x: &Tensor, layers: &[GinLayer<Tensor>], readout: Readout| {
        kernels::gin(x, layers, &graph, &readout, Stats::Batch).is_ok()
    };
    let x = random(&[2, 3, 17, 6], 0);
    assert!(run(&x, &one(6, None), Readout::Joints));
    assert!(!run(&x, &one(5, None), Readout::Joints), "5 features");
    assert!(!run(&x, &[], Readout::Joints), "no layer");
    assert!(!run(
        &random(&[2, 3, 16, 6], 0),
        &one(6, None),
        Readout::Joints
    ));
    let rows = |rows: Vec<u32>| Readout::Rows(Arc::new(rows));
    assert!(run(&x, &one(6, Some(6)), rows(vec![0, 101])));
    assert!(
        !run(&x, &one(6, Some(6)), rows(vec![0, 102])),
        "no such row"
    );
    assert!(
        !run(&x, &one(6, Some(6)), rows(vec![5, 4])),
        "not ascending"
    );
    assert!(
        !run(&x, &one(6, Some(6)), Readout::Joints),
        "ends with its map"
    );
    let none = kernels::gin(
        &x,
        &one(6, Some(6)),
        &graph,
        &rows(vec![0]),
        Stats::Running(&[]),
    );
    assert!(none.is_err(), "no statistics");
}

#[test]
fn shapes_of_a_layer_that_do_not_fit_are_errors() {
    let (x, first) = (random(&[2, 8, 5, 12], 0), branches().remove(0));
    let weights = |branches: &Branches, d| parameters(&TemporalWeights::shapes(branches, d), 1).0;
    let run = |x: &Tensor, own: &TemporalWeights<Tensor>, branches: &Branches| {
        kernels::temporal(x, own, branches, Stats::Batch).is_ok()
    };
    assert!(run(&x, &weights(&first, 12), &first));
    assert!(
        !run(&x, &weights(&first, 16), &first),
        "parameters of another width"
    );
    assert!(
        !run(&x, &weights(&branches()[1], 12), &first),
        "of other branches"
    );
    assert!(
        !run(&random(&[2, 8, 5, 13], 0), &weights(&first, 12), &first),
        "no even share"
    );
    for (kernel, stride, dilation) in [(4, 1, 1), (5, 0, 1), (5, 1, 0)] {
        let branches = Branches {
            kernel,
            dilations: vec![dilation],
            stride,
        };
        assert!(!run(&x, &weights(&first, 12), &branches), "{branches:?}");
    }
    let s = random(&[3, 20, 17, 2], 0);
    let embedding = |t| parameters(&Embedding::shapes(2, 6, t), 1).0;
    assert!(kernels::embed(&s, &embedding(20)).is_ok());
    assert!(kernels::embed(&s, &embedding(21)).is_err());
    let a_norm = Arc::new(JointMatrix::new(&[1.0; 25], 5));
    let (h, p) = (random(&[2, 8, 5, 4], 0), random(&[2, 8, 4], 1));
    let spatial = |p: &Tensor, d| {
        let own = parameters(&SpatialWeights::shapes(d), 1).0;
        kernels::spatial(&h, p, &own, &a_norm, Stats::Batch).is_ok()
    };
    assert!(spatial(&p, 4) && !spatial(&p, 3));
    assert!(!spatial(&random(&[2, 7, 4], 1), 4));
}
