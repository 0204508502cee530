//! `y = x W^T + b`, fused.

use candle_core::{Result, Shape, bail};

use crate::cpu::{
    ArgGradients, BackwardArgs, Kernel, Matrix, MatrixMut, Real, View, add_product, chunks,
    product, transpose,
};

/// Of x, W and b.
pub struct Linear;

impl Kernel<3> for Linear {
    const NAME: &'static str = "linear";

    fn forward<T: Real>(&self, [x, w, b]: [View<'_, T>; 3]) -> Result<(Vec<T>, Shape)> {
        let &[d_out, d_in] = w.dims else {
            bail!(
                "linear: expected a weight (d_out, d_in), found {:?}",
                w.dims
            );
        };
        if x.width() != d_in || b.dims != [d_out] {
            bail!(
                "linear: x {:?} and bias {:?} don't fit weight {:?}",
                x.dims,
                b.dims,
                w.dims
            );
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
                Matrix::new(x.between(from, from + n), n, d_in),
                weight,
            );
        });
        Ok((out, dims.into()))
    }

    fn backward<T: Real>(&self, given: BackwardArgs<'_, T, 3>) -> ArgGradients<T, 3> {
        let BackwardArgs {
            args: [x, w, _],
            grad,
            wanted,
            ..
        } = given;
        let (d_out, d_in) = (w.dims[0], w.dims[1]);
        // dL/dx = g W
        let dx = wanted[0].then(|| {
            let mut dx = vec![T::zero(); x.data.len()];
            chunks::fill(&mut dx, d_in, |from, dx| {
                let n = dx.len() / d_in;
                let g = Matrix::new(grad.between(from, from + n), n, d_out);
                product(
                    MatrixMut::new(dx, n, d_in),
                    g,
                    Matrix::new(w.data, d_out, d_in),
                );
            });
            dx
        });
        // dL/dW = g^T x
        let dw = wanted[1].then(|| {
            chunks::sum(x.rows(), d_out * d_in, |from, to| {
                let mut part = vec![T::zero(); d_out * d_in];
                let g = Matrix::new(grad.between(from, to), to - from, d_out).transposed();
                product(
                    MatrixMut::new(&mut part, d_out, d_in),
                    g,
                    Matrix::new(x.between(from, to), to - from, d_in),
                );
                part
            })
        });
        let db = wanted[2].then(|| bias_gradient(grad));
        Ok([dx, dw, db])
    }
}

/// dL/db: the sum of the gradient's rows.
fn bias_gradient<T: Real>(grad: View<'_, T>) -> Vec<T> {
    let d = grad.width();
    chunks::sum(grad.rows(), d, |from, to| {
        let mut part = vec![T::zero(); d];
        for row in grad.between(from, to).chunks_exact(d) {
            chunks::add(&mut part, row);
        }
        part
    })
}
