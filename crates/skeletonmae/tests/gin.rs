//! GIN stacks against their definition in plain Candle operations: results and gradients.

mod definition;

use std::sync::Arc;

use candle_core::{DType, Device, Result, Tensor, Var};
use definition::{Pieces, random, same};
use skeleton_graph::Layout;
use skeletonmae::ops::{self, Ending, JointMatrix, Moments, Stack};

fn coco17() -> (Arc<JointMatrix>, Tensor) {
    let binary = Layout::built_in("coco17").unwrap().adjacency().binary();
    let matrix = Arc::new(JointMatrix::new(&binary, 17));
    (
        matrix,
        Tensor::from_vec(binary, (17, 17), &Device::Cpu).unwrap(),
    )
}

/// (rows, d), by its own statistics or by given ones.
fn norm(z: &Tensor, weight: &Tensor, bias: &Tensor, given: Option<&Moments>) -> Result<Tensor> {
    let d = z.dim(1)?;
    let (mean, variance) = match given {
        None => {
            let mean = z.mean_keepdim(0)?;
            let variance = z.broadcast_sub(&mean)?.sqr()?.mean_keepdim(0)?;
            (mean, variance)
        }
        Some(m) => (
            Tensor::from_vec(m.mean.clone(), (1, d), &Device::Cpu)?,
            Tensor::from_vec(m.variance.clone(), (1, d), &Device::Cpu)?,
        ),
    };
    let z = z.broadcast_sub(&mean)?;
    let z = z.broadcast_div(&(variance + ops::norm::EPSILON)?.sqrt()?)?;
    z.broadcast_mul(weight)?.broadcast_add(bias)
}

/// `h = MLP((1 + eps) x + A x)` and what follows, layer by layer.
fn plain_gin(
    x: &Tensor,
    theta: &Tensor,
    layers: usize,
    d: usize,
    ending: &Ending,
    given: Option<&[Moments]>,
) -> Result<Tensor> {
    let (n, t, v, _) = x.dims4()?;
    let a = coco17().1;
    let mut pieces = Pieces(theta, 0);
    let mut given = given.map(<[Moments]>::iter);
    let mut next = || given.as_mut().and_then(Iterator::next);
    let mut x = x.clone();
    for _ in 0..layers {
        let c = x.dim(3)?;
        let eps = pieces.take(&[1])?;
        let mixed = (a.broadcast_matmul(&x)? + x.broadcast_mul(&(eps + 1.0)?)?)?;
        let z = mixed
            .reshape(((), c))?
            .matmul(&pieces.take(&[d, c])?.t()?)?;
        let (weight, bias) = (pieces.take(&[d])?, pieces.take(&[d])?);
        let h = norm(&z, &weight, &bias, next())?.relu()?;
        let z = h.matmul(&pieces.take(&[d, d])?.t()?)?;
        if let Ending::Mlp { rows } = ending {
            let y = z.broadcast_add(&pieces.take(&[d])?)?;
            return y.index_select(&Tensor::new(&rows[..], &Device::Cpu)?, 0);
        }
        let (weight, bias) = (pieces.take(&[d])?, pieces.take(&[d])?);
        let u = norm(&z, &weight, &bias, next())?;
        let slope = pieces.take(&[1])?;
        let y = (u.relu()? - u.neg()?.relu()?.broadcast_mul(&slope)?)?;
        x = y.reshape((n, t, v, d))?;
    }
    match ending {
        Ending::Pooled { factor } => x.sum(2)? * *factor,
        _ => Ok(x),
    }
}

/// (c, layers, ending, parameters) for d = 6.
fn stacks() -> Vec<(usize, usize, Ending, usize)> {
    let layer = |c: usize, mlp: bool| 1 + 6 * c + 12 + 36 + if mlp { 6 } else { 13 };
    let rows = Arc::new((0..3 * 100 * 17).filter(|row| row % 7 < 2).collect());
    vec![
        (6, 1, Ending::Activated, layer(6, false)),
        (
            4,
            3,
            Ending::Activated,
            layer(4, false) + 2 * layer(6, false),
        ),
        (6, 2, Ending::Pooled { factor: 0.3 }, 2 * layer(6, false)),
        (6, 1, Ending::Mlp { rows }, layer(6, true)),
    ]
}

#[test]
fn gin() {
    for (c, layers, ending, parameters) in stacks() {
        let (x, theta) = (random(&[3, 100, 17, c], 0), random(&[parameters], 1));
        let adjacency = coco17().0;
        let stack = Stack {
            adjacency,
            layers,
            ending: ending.clone(),
        };
        same(
            &[&x, &theta],
            || Ok(ops::gin(&x, &theta, stack.clone())?.0),
            || plain_gin(&x, &theta, layers, 6, &ending, None),
        );
        // An input that leads to no variable is spared its gradient; the rest stays.
        let input = x.as_detached_tensor();
        same(
            &[&theta],
            || Ok(ops::gin(&input, &theta, stack.clone())?.0),
            || plain_gin(&input, &theta, layers, 6, &ending, None),
        );
    }
}

#[test]
fn gin_by_given_statistics() {
    for (c, layers, ending, parameters) in stacks() {
        let (x, theta) = (random(&[3, 100, 17, c], 0), random(&[parameters], 1));
        let adjacency = coco17().0;
        let stack = Stack {
            adjacency,
            layers,
            ending: ending.clone(),
        };
        let moments = |i: usize| Moments {
            rows: 0,
            mean: vec![0.1 * i as f64; 6],
            variance: vec![0.7 + i as f64; 6],
        };
        let moments: Vec<_> = (0..2 * layers).map(moments).collect();
        let fixed = ops::gin_fixed(&x, &theta, stack, moments.clone()).unwrap();
        let plain = plain_gin(&x, &theta, layers, 6, &ending, Some(&moments)).unwrap();
        let off = (fixed - plain)
            .unwrap()
            .abs()
            .unwrap()
            .flatten_all()
            .unwrap();
        let off = off.max(0).unwrap().to_scalar::<f64>().unwrap();
        assert!(off < 1e-10, "off by {off}");
    }
}

/// The statistics are those of what lies before each norm.
#[test]
fn moments_are_the_rows_mean_and_variance() {
    let (x, theta) = (random(&[3, 100, 17, 6], 0), random(&[98], 1));
    let stack = Stack {
        adjacency: coco17().0,
        layers: 1,
        ending: Ending::Activated,
    };
    let (_, moments) = ops::gin(&x, &theta, stack).unwrap();
    let eps = theta.narrow(0, 0, 1).unwrap();
    let mixed = (coco17().1.broadcast_matmul(&x).unwrap()
        + x.broadcast_mul(&(eps + 1.0).unwrap()).unwrap())
    .unwrap();
    let w = theta.narrow(0, 1, 36).unwrap().reshape((6, 6)).unwrap();
    let z = mixed
        .reshape(((), 6))
        .unwrap()
        .matmul(&w.t().unwrap())
        .unwrap();
    let mean = z.mean(0).unwrap();
    let variance = z
        .broadcast_sub(&mean)
        .unwrap()
        .sqr()
        .unwrap()
        .mean(0)
        .unwrap();
    let close = |a: &[f64], b: &Tensor| {
        let b: Vec<f64> = b.to_vec1().unwrap();
        assert!(
            a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-12),
            "{a:?} for {b:?}"
        );
    };
    close(&moments[0].mean, &mean);
    close(&moments[0].variance, &variance);
    assert_eq!((moments.len(), moments[0].rows), (2, 3 * 100 * 17));
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
            let theta = random(&[1 + 48 + 12 + 36 + 13], 1)
                .to_dtype(DType::F32)
                .unwrap();
            let stack = Stack {
                adjacency: coco17().0,
                layers: 1,
                ending: Ending::Activated,
            };
            let (y, moments) = ops::gin(&x, &theta, stack).unwrap();
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
    let stack = |layers, ending| Stack {
        adjacency: coco17().0,
        layers,
        ending,
    };
    let (x, theta) = (random(&[2, 3, 17, 6], 0), random(&[98], 1));
    assert!(ops::gin(&x, &theta, stack(1, Ending::Activated)).is_ok());
    assert!(
        ops::gin(&x, &theta, stack(2, Ending::Activated)).is_err(),
        "parameters of one layer"
    );
    assert!(
        ops::gin(
            &random(&[2, 3, 16, 6], 0),
            &theta,
            stack(1, Ending::Activated)
        )
        .is_err()
    );
    let rows = |rows: Vec<u32>| Ending::Mlp {
        rows: Arc::new(rows),
    };
    let theta = random(&[91], 1);
    assert!(ops::gin(&x, &theta, stack(1, rows(vec![0, 101]))).is_ok());
    assert!(
        ops::gin(&x, &theta, stack(1, rows(vec![0, 102]))).is_err(),
        "no such row"
    );
    assert!(
        ops::gin(&x, &theta, stack(1, rows(vec![5, 4]))).is_err(),
        "not ascending"
    );
    let moments = vec![];
    let fixed = ops::gin_fixed(&x, &theta, stack(1, rows(vec![0])), moments);
    assert!(fixed.is_err(), "no statistics");
}
