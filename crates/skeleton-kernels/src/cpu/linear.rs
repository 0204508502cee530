//! `y = x W^T + b`, fused.

use candle_core::{Result, Shape, bail};

use crate::cpu::{
    ArgGradients, BackwardArgs, Kernel, Matrix, MatrixMut, Real, View, add_product, chunks,
    product, transpose, weight_gradient,
};

/// Of x, W and b.
pub struct Linear;

impl Kernel<3> for Linear {
    const NAME: &'static str = "linear";

    fn forward<T: Real>(&self, [x, w, b]: [View<'_, T>; 3]) -> Result<(Vec<T>, Shape)> {
        let (d_out, d_in) = (w.rows(), w.width());
        if w.dims.len() != 2 || x.width() != d_in || b.dims != [d_out] {
            let (x, w, b) = (x.dims, w.dims, b.dims);
            bail!("linear: x {x:?} and bias {b:?} don't fit a weight (d_out, d_in) of {w:?}");
        }
        let mut dims = x.dims.to_vec();
        dims[x.dims.len() - 1] = d_out;
        let mut out = vec![T::zero(); x.rows() * d_out];
        let weight = transpose(w.data, d_in);
        let weight = Matrix::new(&weight, d_in, d_out);
        chunks::fill(&mut out, d_out, |from, out| {
            let n = out.len() / d_out;
            for row in out.chunks_exact_mut(d_out) {
                row.copy_from_slice(b.data);
            }
            add_product(
                MatrixMut::new(out, n, d_out),
                x.matrix(from, from + n),
                weight,
            );
        });
        Ok((out, dims.into()))
    }

    fn backward<T: Real>(&self, given: BackwardArgs<'_, T, 3>) -> ArgGradients<T, 3> {
        let ([x, w, _], grad, wanted) = (given.args, given.grad, given.wanted);
        let (d_out, d_in) = (w.rows(), w.width());
        // dL/dx = g W
        let dx = wanted[0].then(|| {
            let mut dx = vec![T::zero(); x.data.len()];
            chunks::fill(&mut dx, d_in, |from, dx| {
                let n = dx.len() / d_in;
                let weight = w.matrix(0, d_out);
                product(
                    MatrixMut::new(dx, n, d_in),
                    grad.matrix(from, from + n),
                    weight,
                );
            });
            dx
        });
        // dL/dW = g^T x
        let dw = wanted[1].then(|| {
            chunks::sum(x.rows(), d_out * d_in, |from, to| {
                weight_gradient(grad.matrix(from, to), x.matrix(from, to))
            })
        });
        // dL/db: the sum of the gradient's rows.
        let db = wanted[2].then(|| {
            chunks::sum(grad.rows(), d_out, |from, to| {
                let mut part = vec![T::zero(); d_out];
                let rows = grad.between(from, to).chunks_exact(d_out);
                rows.for_each(|row| chunks::add(&mut part, row));
                part
            })
        });
        Ok([dx, dw, db])
    }
}
