//! Mixing joints, and picking rows, as ops of their own: what the layers are made of that no stack fuses.

use std::sync::Arc;

use candle_core::{Result, Shape, Tensor, bail};

use super::kernel::{Kernel, Real, View, apply1};
use super::mix::{JointMatrix, Mixing};
use super::rows::{fill_by, frames_per_chunk};
use crate::wide;

struct Mix {
    matrix: Arc<JointMatrix>,
    own: f64,
}

/// `(M + own I) x` in each frame: x and the result are (n, t, v, d).
///
/// # Errors
/// When x doesn't have the matrix' joints.
pub fn mix_joints(x: &Tensor, matrix: &Arc<JointMatrix>, own: f64) -> Result<Tensor> {
    let matrix = matrix.clone();
    apply1(Mix { matrix, own }, x)
}

fn mixed<T: Real>(mixing: &Mixing<T>, x: View<'_, T>) -> Vec<T> {
    let (v, d) = (mixing.joints(), x.width());
    let mut out = vec![T::zero(); x.data.len()];
    fill_by(&mut out, d, frames_per_chunk(v) * v, |from, out| {
        let x = x.between(from, from + out.len() / d);
        wide!(mixing.apply(x, out, d));
    });
    out
}

impl Kernel<1> for Mix {
    const NAME: &'static str = "mix_joints";

    fn forward<T: Real>(&self, [x]: [View<'_, T>; 1]) -> Result<(Vec<T>, Shape)> {
        let (_, _, v, _) = x.dims4()?;
        if v != self.matrix.len() || x.data.is_empty() {
            let joints = self.matrix.len();
            bail!(
                "mix_joints: the graph has {joints} joints, x is {:?}",
                x.dims
            );
        }
        let out = mixed(&self.matrix.plus(T::real(self.own)), x);
        Ok((out, x.dims.into()))
    }

    fn backward<T: Real>(
        &self,
        _: [View<'_, T>; 1],
        _: View<'_, T>,
        grad: View<'_, T>,
        _: [bool; 1],
    ) -> Result<[Option<Vec<T>>; 1]> {
        let back = self.matrix.transposed_plus(T::real(self.own));
        Ok([Some(mixed(&back, grad))])
    }
}

struct Take {
    rows: Arc<Vec<u32>>,
}

/// Some rows of x (.., d), each at most once: (rows, d).
///
/// # Errors
/// When the rows don't ascend or x has fewer.
pub fn take_rows(x: &Tensor, rows: &Arc<Vec<u32>>) -> Result<Tensor> {
    let rows = rows.clone();
    apply1(Take { rows }, x)
}

impl Kernel<1> for Take {
    const NAME: &'static str = "take_rows";

    fn forward<T: Real>(&self, [x]: [View<'_, T>; 1]) -> Result<(Vec<T>, Shape)> {
        let end = self.rows.last().map_or(0, |&row| row as usize + 1);
        if !self.rows.is_sorted_by(|a, b| a < b) || end > x.rows() {
            bail!("take_rows: expected ascending rows below {}", x.rows());
        }
        let rows = self.rows.iter().map(|&row| row as usize);
        let out = rows.flat_map(|row| x.between(row, row + 1)).copied();
        Ok((out.collect(), (self.rows.len(), x.width()).into()))
    }

    fn backward<T: Real>(
        &self,
        [x]: [View<'_, T>; 1],
        _: View<'_, T>,
        grad: View<'_, T>,
        _: [bool; 1],
    ) -> Result<[Option<Vec<T>>; 1]> {
        let d = x.width();
        let mut dx = vec![T::zero(); x.data.len()];
        for (&row, grad) in self.rows.iter().zip(grad.data.chunks_exact(d)) {
            dx[row as usize * d..][..d].copy_from_slice(grad);
        }
        Ok([Some(dx)])
    }
}
