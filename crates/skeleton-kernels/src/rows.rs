//! Which rows of a result are given.

use std::sync::Arc;

use candle_core::backend::BackendStorage;
use candle_core::{
    CpuStorage, CudaStorage, CustomOp2, Layout, MetalStorage, Result, Shape, Tensor, bail,
};

use crate::plain::{as_rows, sum_of_joints};

/// What an encoder gives of its features h (n, t, v, d).
#[derive(Clone, Debug, PartialEq)]
pub enum Readout {
    /// All, (n, t, v, d).
    Joints,
    /// This factor times the sum over joints, (n, t, d).
    Pooled(f64),
    /// These rows of the n t v, ascending, (rows, d).
    Rows(Arc<Vec<u32>>),
}

impl Readout {
    /// The definition: what is given of h.
    ///
    /// # Errors
    /// When the rows don't ascend or h has fewer.
    pub fn of(&self, h: &Tensor) -> Result<Tensor> {
        match self {
            Self::Joints => Ok(h.clone()),
            Self::Pooled(factor) => sum_of_joints(h)? * *factor,
            Self::Rows(rows) => take_rows(h, rows),
        }
    }
}

/// Some rows of x (.., d), ascending: (rows, d).
///
/// Candle's own backward pass of a selection lets a few threads walk through all rows. No row is taken twice, so that it
/// is a selection too: of the gradient's rows with a row of zeros behind them.
///
/// # Errors
/// When the rows don't ascend or x has fewer.
pub fn take_rows(x: &Tensor, rows: &[u32]) -> Result<Tensor> {
    let x = as_rows(x)?;
    let n = x.dim(0)?;
    let end = rows.last().map_or(0, |&row| row as usize + 1);
    if !rows.is_sorted_by(|a, b| a < b) || end > n {
        bail!("take_rows: expected ascending rows below {n}");
    }
    let mut inverse = vec![rows.len() as u32; n];
    for (at, &row) in rows.iter().enumerate() {
        inverse[row as usize] = at as u32;
    }
    let ids = |ids: &[u32]| Tensor::from_slice(ids, ids.len(), x.device());
    let op = Take {
        inverse: ids(&inverse)?,
    };
    x.apply_op2(&ids(rows)?, op)
}

struct Take {
    /// For each row its place among those taken, or behind them.
    inverse: Tensor,
}

type Taken<S> = Result<(S, Shape)>;

/// Candle's selection along the first axis, whatever the device.
fn select<S: BackendStorage>(x: &S, x_at: &Layout, ids: &S, ids_at: &Layout) -> Result<(S, Shape)> {
    let shape = Shape::from((ids_at.dims()[0], x_at.dims()[1]));
    Ok((x.index_select(ids, x_at, ids_at, 0)?, shape))
}

impl CustomOp2 for Take {
    fn name(&self) -> &'static str {
        "take_rows"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        a: &Layout,
        ids: &CpuStorage,
        b: &Layout,
    ) -> Taken<CpuStorage> {
        select(x, a, ids, b)
    }

    fn cuda_fwd(
        &self,
        x: &CudaStorage,
        a: &Layout,
        ids: &CudaStorage,
        b: &Layout,
    ) -> Taken<CudaStorage> {
        select(x, a, ids, b)
    }

    fn metal_fwd(
        &self,
        x: &MetalStorage,
        a: &Layout,
        ids: &MetalStorage,
        b: &Layout,
    ) -> Taken<MetalStorage> {
        select(x, a, ids, b)
    }

    fn bwd(
        &self,
        _: &Tensor,
        _: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let nothing = Tensor::zeros((1, grad.dim(1)?), grad.dtype(), grad.device())?;
        let grad = Tensor::cat(&[grad, &nothing], 0)?; // (rows + 1, d)
        Ok((Some(grad.index_select(&self.inverse, 0)?), None))
    }
}
