//! An op against its definition: results and gradients. `skeletonmae`'s tests use this file too.

#![allow(
    dead_code,
    reason = "each test program compiles its own copy and uses a part"
)]

use candle_core::{Device, Result, Tensor, Var};
use rand::Rng as _;
use skeleton_graph::random::{Key, Purpose, stream};
use skeleton_kernels::BatchStats;
use skeleton_kernels::params::Named;

/// Numbers from -1 to 1, other ones for each index.
pub fn random(shape: &[usize], index: u64) -> Var {
    let mut rng = stream(1, Purpose::Synthetic, 0, Key::Index(index));
    let n = shape.iter().product();
    let values: Vec<f64> = (0..n).map(|_| rng.random::<f64>() * 2.0 - 1.0).collect();
    Var::from_vec(values, shape, &Device::Cpu).unwrap()
}

/// Asserts that both give the same result and the same gradients of `args`, under a random weighting of
/// the result's elements.
pub fn same(
    args: &[&Var],
    op: impl Fn() -> Result<Tensor>,
    definition: impl Fn() -> Result<Tensor>,
) {
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

/// Parameters of these shapes, other numbers for each `seed`, and the variables that they are.
pub fn parameters<S: Named<Vec<usize>>>(shapes: &S, seed: u64) -> (S::Of<Tensor>, Vec<Var>) {
    let mut variables = Vec::new();
    let parameters = shapes.map(&mut |dims: &Vec<usize>| {
        let variable = random(dims, seed + variables.len() as u64);
        variables.push(variable.clone());
        variable.as_tensor().clone()
    });
    (parameters, variables)
}

/// Statistics that no batch has, of so many norms of these widths.
pub fn statistics(widths: &[usize]) -> Vec<BatchStats> {
    let vector = |d: usize, of: &dyn Fn(f64) -> f64| {
        let values: Vec<f64> = (0..d).map(|i| of(i as f64)).collect();
        Tensor::from_vec(values, d, &Device::Cpu).unwrap()
    };
    let norms = widths.iter().enumerate();
    norms
        .map(|(norm, &d)| BatchStats {
            rows: 0,
            mean: vector(d, &|i| 0.1 * i - 0.2 * norm as f64),
            variance: vector(d, &|i| 0.7 + 0.3 * i + norm as f64),
        })
        .collect()
}
