//! The re-weighted cosine error, fused.

use candle_core::{Result, Shape, bail};

use crate::cpu::{ArgGradients, BackwardArgs, Kernel, Real, View, chunks};
use crate::plain::SMALLEST_NORM;

/// Of y and x.
pub struct Rce {
    pub beta: f64,
    pub denominator: f64,
}

/// cos(a, b) with the norms it was made of.
fn cosine<T: Real>(a: &[T], b: &[T]) -> (T, T, T) {
    let norm = |a: &[T]| at_least(chunks::dot(a, a).sqrt(), T::real(SMALLEST_NORM));
    let (na, nb) = (norm(a), norm(b));
    (chunks::dot(a, b) / (na * nb), na, nb)
}

/// The larger one; NaN where `value` is, which `max` would swallow.
fn at_least<T: Real>(value: T, least: T) -> T {
    if value < least { least } else { value }
}

impl Rce {
    /// `d cos / d a`: `(b / |b| - cos a / |a|) / |a|`, times `factor`, into `out`.
    fn pull<T: Real>(out: &mut [T], factor: T, (cos, na, nb): (T, T, T), a: &[T], b: &[T]) {
        for ((out, &a), &b) in out.iter_mut().zip(a).zip(b) {
            *out = factor * (b / nb - cos * a / na) / na;
        }
    }

    /// `d L / d cos` of one row.
    fn slope<T: Real>(&self, cos: T, grad: f64) -> T {
        let error = at_least(1.0 - cos.double(), 0.0);
        T::real(-self.beta * error.powf(self.beta - 1.0) * grad / self.denominator)
    }
}

impl Kernel<2> for Rce {
    const NAME: &'static str = "reweighted_cosine_error";

    fn forward<T: Real>(&self, [y, x]: [View<'_, T>; 2]) -> Result<(Vec<T>, Shape)> {
        if y.dims != x.dims {
            bail!("reweighted_cosine_error: y {:?}, x {:?}", y.dims, x.dims);
        }
        let d = y.width();
        let sums = chunks::each(y.rows(), |from, to| {
            let pairs = y
                .between(from, to)
                .chunks_exact(d)
                .zip(x.between(from, to).chunks_exact(d));
            pairs
                .map(|(y, x)| at_least(1.0 - cosine(y, x).0.double(), 0.0).powf(self.beta))
                .sum::<f64>()
        });
        Ok((
            vec![T::real(sums.iter().sum::<f64>() / self.denominator)],
            Shape::from(()),
        ))
    }

    fn backward<T: Real>(&self, given: BackwardArgs<'_, T, 2>) -> ArgGradients<T, 2> {
        let ([y, x], grad, wanted) = (given.args, given.grad, given.wanted);
        let (d, grad) = (y.width(), grad.data[0].double());
        let towards = |a: View<'_, T>, b: View<'_, T>| {
            let mut out = vec![T::zero(); a.data.len()];
            chunks::fill(&mut out, d, |from, out| {
                let to = from + out.len() / d;
                let pairs = a
                    .between(from, to)
                    .chunks_exact(d)
                    .zip(b.between(from, to).chunks_exact(d));
                for (out, (a, b)) in out.chunks_exact_mut(d).zip(pairs) {
                    let parts = cosine(a, b);
                    Self::pull(out, self.slope(parts.0, grad), parts, a, b);
                }
            });
            out
        };
        Ok([
            wanted[0].then(|| towards(y, x)),
            wanted[1].then(|| towards(x, y)),
        ])
    }
}
