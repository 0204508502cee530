//! Every op against its definition in plain Candle operations: results and gradients.

use std::sync::Arc;

use candle_core::{D, DType, Device, Result, Tensor, Var};
use rand::Rng as _;
use skeleton_graph::Layout;
use skeleton_graph::random::{Key, Purpose, stream};
use skeletonmae::ops::{self, Activation, JointMatrix};

fn random(shape: &[usize], index: u64) -> Var {
    let mut rng = stream(1, Purpose::Synthetic, 0, Key::Index(index));
    let n = shape.iter().product();
    let values: Vec<f64> = (0..n).map(|_| rng.random::<f64>() * 2.0 - 1.0).collect();
    Var::from_vec(values, shape, &Device::Cpu).unwrap()
}

/// Asserts that both give the same result and the same gradients of `args`, under a random weighting of
/// the result's elements.
fn same(args: &[&Var], op: impl Fn() -> Result<Tensor>, definition: impl Fn() -> Result<Tensor>) {
    let numbers = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f64>().unwrap();
    let (a, b) = (op().unwrap(), definition().unwrap());
    assert_eq!(a.dims(), b.dims());
    let close = |a: &Tensor, b: &Tensor, what: &str| {
        for (a, b) in numbers(a).iter().zip(numbers(b)) {
            assert!(
                (a - b).abs() <= 1e-10 * (1.0 + b.abs()),
                "{what}: {a} for {b}"
            );
        }
    };
    close(&a, &b, "result");
    let weight = random(a.dims(), 99);
    let gradients = |y: &Tensor| {
        (y * weight.as_tensor())
            .unwrap()
            .sum_all()
            .unwrap()
            .backward()
    };
    let (a, b) = (gradients(&a).unwrap(), gradients(&b).unwrap());
    for (i, arg) in args.iter().enumerate() {
        close(
            a.get(arg).unwrap(),
            b.get(arg).unwrap(),
            &format!("gradient {i}"),
        );
    }
}

const SHAPE: [usize; 4] = [3, 100, 17, 8]; // more rows than a chunk has

#[test]
fn linear() {
    let (x, w, b) = (random(&SHAPE, 0), random(&[5, 8], 1), random(&[5], 2));
    same(
        &[&x, &w, &b],
        || ops::linear(&x, &w, &b),
        || {
            x.reshape(((), 8))?
                .matmul(&w.t()?)?
                .broadcast_add(&b)?
                .reshape((3, 100, 17, 5))
        },
    );
}

#[test]
fn aggregation_and_mixing() {
    let graph = Layout::built_in("coco17").unwrap().adjacency();
    let dense = |m: Vec<f64>| Tensor::from_vec(m, (17, 17), &Device::Cpu).unwrap();
    let (x, eps) = (random(&SHAPE, 0), random(&[1], 1));
    let (a, binary) = (dense(graph.binary()), JointMatrix::new(&graph.binary(), 17));
    let binary = Arc::new(binary);
    same(
        &[&x, &eps],
        || ops::aggregate(&x, &eps, &binary),
        || a.broadcast_matmul(&x)? + x.broadcast_mul(&(eps.as_tensor() + 1.0)?)?,
    );
    let row = Arc::new(JointMatrix::new(&graph.row_normalised(), 17));
    let a = dense(graph.row_normalised());
    same(&[&x], || ops::mix(&x, &row), || a.broadcast_matmul(&x));
}

#[test]
fn batch_norm() {
    let (x, w, b) = (random(&SHAPE, 0), random(&[8], 1), random(&[8], 2));
    let plain = |activation| -> Result<Tensor> {
        let rows = x.reshape(((), 8))?;
        let centred = rows.broadcast_sub(&rows.mean_keepdim(0)?)?;
        let variance = centred.sqr()?.mean_keepdim(0)?;
        let y = centred.broadcast_div(&(variance + ops::norm::EPSILON)?.sqrt()?)?;
        let y = y
            .broadcast_mul(&w)?
            .broadcast_add(&b)?
            .reshape(&SHAPE[..])?;
        if activation == Activation::Relu {
            y.relu()
        } else {
            Ok(y)
        }
    };
    for activation in [Activation::None, Activation::Relu] {
        same(
            &[&x, &w, &b],
            || Ok(ops::batch_norm(&x, &w, &b, activation)?.0),
            || plain(activation),
        );
    }
}

#[test]
fn norm_by_given_statistics() {
    let (x, w, b) = (random(&SHAPE, 0), random(&[8], 1), random(&[8], 2));
    let (mean, variance) = (vec![0.1; 8], vec![0.7; 8]);
    let moments = ops::Moments {
        rows: 0,
        mean,
        variance,
    };
    same(
        &[&x, &w, &b],
        || ops::fixed_norm(&x, &w, &b, moments.clone(), Activation::Relu),
        || {
            let y = ((x.as_tensor() - 0.1)? / (0.7f64 + ops::norm::EPSILON).sqrt())?;
            y.broadcast_mul(&w)?.broadcast_add(&b)?.relu()
        },
    );
}

#[test]
fn prelu() {
    let (x, slope) = (random(&SHAPE, 0), random(&[1], 1));
    same(
        &[&x, &slope],
        || ops::prelu(&x, &slope),
        || x.relu()? - x.neg()?.relu()?.broadcast_mul(&slope)?,
    );
}

#[test]
fn masking() {
    let (x, token) = (random(&SHAPE, 0), random(&[8], 1));
    let hidden: Vec<bool> = (0..3 * 100 * 17).map(|i| i % 7 < 2).collect();
    let m: Vec<f64> = hidden.iter().map(|&h| f64::from(u8::from(h))).collect();
    let m = Tensor::from_vec(m, (3, 100, 17, 1), &Device::Cpu).unwrap();
    let hidden = Arc::new(hidden);
    same(
        &[&x, &token],
        || ops::mask_rows(&x, &token, &hidden),
        || {
            let kept = x.broadcast_mul(&(1.0 - &m)?)?;
            kept + m.broadcast_mul(&token)?
        },
    );
}

#[test]
fn reweighted_cosine_error() {
    let (y, x) = (random(&SHAPE, 0), random(&SHAPE, 1));
    let chosen: Vec<bool> = (0..3 * 100 * 17).map(|i| i % 5 == 1).collect();
    let m: Vec<f64> = chosen.iter().map(|&h| f64::from(u8::from(h))).collect();
    let m = Tensor::from_vec(m, (3, 100, 17), &Device::Cpu).unwrap();
    let chosen = Arc::new(chosen);
    for beta in [1.0, 2.0, 3.0] {
        same(
            &[&y, &x],
            || ops::reweighted_cosine_error(&y, &x, &chosen, beta, 1020.0),
            || {
                let norm = |a: &Tensor| a.sqr()?.sum(D::Minus1)?.sqrt();
                let cos =
                    ((y.as_tensor() * x.as_tensor())?.sum(D::Minus1)? / (norm(&y)? * norm(&x)?)?)?;
                ((1.0 - cos)?.powf(beta)? * &m)?.sum_all()? / 1020.0
            },
        );
    }
}

/// Chunks are added up in order, whoever computed them.
#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            let x = random(&[5, 300, 17, 8], 0).to_dtype(DType::F32).unwrap();
            let x = Var::from_tensor(&x).unwrap();
            let one = Tensor::ones(8, DType::F32, &Device::Cpu).unwrap();
            let (y, moments) = ops::batch_norm(&x, &one, &one, Activation::Relu).unwrap();
            let grads = y.sqr().unwrap().sum_all().unwrap().backward().unwrap();
            let grad = grads
                .get(&x)
                .unwrap()
                .flatten_all()
                .unwrap()
                .to_vec1::<f32>()
                .unwrap();
            (moments, grad)
        })
    };
    assert!(run(1) == run(2) && run(2) == run(5));
}

#[test]
fn shapes_that_do_not_fit_are_errors() {
    let (x, w, b) = (random(&[2, 3], 0), random(&[5, 4], 1), random(&[5], 2));
    assert!(ops::linear(&x, &w, &b).is_err());
    assert!(ops::batch_norm(&x, &b, &b, Activation::None).is_err());
    assert!(ops::prelu(&x, &b).is_err());
    assert!(ops::mask_rows(&x, &b, &Arc::new(vec![true; 2])).is_err());
}
