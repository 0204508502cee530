//! An op by the vectors of this machine against the same op without them.

use candle_core::{DType, Result, Tensor, Var};
use skeleton_kernels::cpu::simd::{instruction_set, stay_portable};

/// Asserts that the result of `op` and the gradients of its arguments don't depend on the vectors: in double
/// precision not by a bit, in single precision, where products may be made in another way, by rounding only.
///
/// The choice is the process's: a test program that calls this holds one test.
pub fn same(args: &[&Var], op: impl Fn(&[Var]) -> Result<Tensor>) {
    for (dtype, tolerance) in [(DType::F64, 0.0), (DType::F32, 2e-5)] {
        let of_type = |arg: &&Var| Var::from_tensor(&arg.to_dtype(dtype)?);
        let args: Vec<Var> = args.iter().map(of_type).collect::<Result<_>>().unwrap();
        let numbers = |t: &Tensor| {
            let t = t.to_dtype(DType::F64)?.flatten_all()?;
            t.to_vec1::<f64>()
        };
        let all = || {
            let y = op(&args)?;
            let weight = super::definition::random(y.dims(), 99).to_dtype(dtype)?;
            let gradients = (&y * weight)?.sum_all()?.backward()?;
            let gradients = args.iter().filter_map(|arg| gradients.get(arg));
            std::iter::once(&y)
                .chain(gradients)
                .map(numbers)
                .collect::<Result<Vec<_>>>()
        };
        let by_vectors = all().unwrap();
        stay_portable(true);
        assert_eq!(instruction_set(), "portable");
        let portable = all().unwrap();
        stay_portable(false);
        for (i, (a, b)) in by_vectors.iter().zip(&portable).enumerate() {
            let largest = b.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
            for (a, b) in a.iter().zip(b) {
                let near = (a - b).abs() <= tolerance * largest;
                assert!(near, "{dtype:?}, result or gradient {i}: {a} for {b}");
            }
        }
    }
}
