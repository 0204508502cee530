//! What the definitions of the ops are written with: products and elementwise operations, which are fast on any
//! device.
//!
//! Candle's reductions over rows take a block of threads a column, and so do the backward passes of its broadcasts.
//! A sum over rows is therefore a product with a row of ones here, and repeating a row a product with a column of
//! ones: the backward pass of either is the other. Nothing is read back to the host, and constants are made on the
//! host, so that no device needs `f64`.

use std::sync::OnceLock;

use candle_core::{DType, Device, Result, Shape, Tensor};

/// Norms below this count as this, as in PyTorch's `cosine_similarity`.
pub(crate) const SMALLEST_NORM: f64 = 1e-8;

/// Whether every op is to go through its definition, on the CPU too: the environment variable `SSL_REFERENCE` is 1.
pub fn reference_only() -> bool {
    static CHOSEN: OnceLock<bool> = OnceLock::new();
    *CHOSEN.get_or_init(|| std::env::var_os("SSL_REFERENCE").is_some_and(|value| value == "1"))
}

/// Whether the fused forms for the CPU serve tensors like `x`. The only place that asks which device it is.
pub fn fused_on_cpu(x: &Tensor) -> bool {
    x.device().is_cpu() && matches!(x.dtype(), DType::F32 | DType::F64) && !reference_only()
}

/// x in the type in which its statistics and errors are computed: its own, or `f32` where that has 16 bits. Parameters
/// are `f32` then, and take the type of the features where they meet them.
pub(crate) fn at_least_f32(x: &Tensor) -> Result<Tensor> {
    match x.dtype() {
        DType::BF16 | DType::F16 => x.to_dtype(DType::F32),
        _ => Ok(x.clone()),
    }
}

/// A constant of the type and on the device of `like`.
///
/// # Errors
/// When the values aren't as many as the shape has.
pub fn constant(values: Vec<f64>, shape: impl Into<Shape>, like: &Tensor) -> Result<Tensor> {
    let host = Tensor::from_vec(values, shape.into(), &Device::Cpu)?;
    host.to_dtype(like.dtype())?.to_device(like.device())
}

/// Ones of the type and on the device of `like`.
fn ones(shape: impl Into<Shape>, like: &Tensor) -> Result<Tensor> {
    Tensor::ones(shape.into(), like.dtype(), like.device())
}

/// x (.., d) as rows, (rows, d).
pub(crate) fn as_rows(x: &Tensor) -> Result<Tensor> {
    let d = x.dim(x.rank() - 1)?;
    x.contiguous()?.reshape(((), d))
}

/// The sum of the rows of x (rows, d), (1, d).
pub(crate) fn sum_of_rows(x: &Tensor) -> Result<Tensor> {
    ones((1, x.dim(0)?), x)?.matmul(x)
}

/// The sum of all numbers of x (rows, d), a scalar.
pub(crate) fn sum_of_all(x: &Tensor) -> Result<Tensor> {
    let rows = sum_of_rows(x)?; // (1, d)
    rows.matmul(&ones((x.dim(1)?, 1), x)?)?.reshape(())
}

/// The sum of each row of x (rows, d), (rows, 1).
pub(crate) fn sum_of_each_row(x: &Tensor) -> Result<Tensor> {
    x.matmul(&ones((x.dim(1)?, 1), x)?)
}

/// `row` (d numbers) as each of `rows` rows, (rows, d).
pub(crate) fn repeat_row(row: &Tensor, rows: usize) -> Result<Tensor> {
    let row = row.reshape((1, ()))?;
    ones((rows, 1), &row)?.matmul(&row)
}

/// One number, of shape (1), everywhere in (rows, d).
pub(crate) fn repeat_number(number: &Tensor, rows: usize, d: usize) -> Result<Tensor> {
    let number = number.reshape((1, 1))?;
    repeat_row(&number.matmul(&ones((1, d), &number)?)?, rows)
}

/// One number a row, (rows, 1), in all of d columns, (rows, d).
pub(crate) fn repeat_column(column: &Tensor, d: usize) -> Result<Tensor> {
    column.matmul(&ones((1, d), column)?)
}

/// `M x` in each frame: x (n, t, v, d), M (w, v), result (n, t, w, d).
pub(crate) fn in_each_frame(m: &Tensor, x: &Tensor) -> Result<Tensor> {
    let (n, t, v, d) = x.dims4()?;
    let w = m.dim(0)?;
    let x = x.contiguous()?.reshape((n * t, v, d))?;
    let m = m.unsqueeze(0)?.broadcast_as((n * t, w, v))?.contiguous()?;
    m.matmul(&x)?.reshape((n, t, w, d))
}

/// The sum over joints, (n, t, v, d) to (n, t, d).
pub(crate) fn sum_of_joints(x: &Tensor) -> Result<Tensor> {
    in_each_frame(&ones((1, x.dim(2)?), x)?, x)?.squeeze(2)
}

/// x W^T over the last axis: x (.., c), W (d, c), result (.., d).
pub(crate) fn linear_without_bias(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    let mut dims = x.dims().to_vec();
    dims[x.rank() - 1] = weight.dim(0)?;
    let weight = weight.to_dtype(x.dtype())?.t()?.contiguous()?;
    as_rows(x)?.matmul(&weight)?.reshape(dims)
}

/// x + b over the last axis: x (.., d), b (d).
///
/// # Errors
/// When the widths differ.
pub fn add_bias(x: &Tensor, bias: &Tensor) -> Result<Tensor> {
    let rows = as_rows(x)?;
    let bias = repeat_row(&bias.to_dtype(x.dtype())?, rows.dim(0)?)?;
    (rows + bias)?.reshape(x.dims())
}

/// PReLU: x where positive, `slope` (1) times it elsewhere; x is (.., d).
pub(crate) fn prelu(x: &Tensor, slope: &Tensor) -> Result<Tensor> {
    let rows = as_rows(x)?;
    let (n, d) = rows.dims2()?;
    let slope = slope.to_dtype(x.dtype())?;
    let below = (rows.neg()?.relu()? * repeat_number(&slope, n, d)?)?;
    (rows.relu()? - below)?.reshape(x.dims())
}
