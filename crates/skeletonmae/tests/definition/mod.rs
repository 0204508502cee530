//! An op against its definition in plain Candle operations. `strl`'s tests use this file too.

#![allow(
    dead_code,
    reason = "each test program compiles its own copy and uses a part"
)]

use candle_core::{Device, Result, Tensor, Var};
use rand::Rng as _;
use skeleton_graph::random::{Key, Purpose, stream};

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

/// One after the other, pieces of a flat vector.
pub struct Pieces<'a>(pub &'a Tensor, pub usize);

impl Pieces<'_> {
    /// The next one, of this shape.
    pub fn take(&mut self, shape: &[usize]) -> Result<Tensor> {
        let n = shape.iter().product();
        self.1 += n;
        self.0.narrow(0, self.1 - n, n)?.reshape(shape)
    }
}
