//! Made-up numbers, and how far two computations of the same are apart.

use candle_core::{DType, Device, Result, Tensor, Var};
use rand::Rng as _;
use skeleton_graph::random::{Key, Purpose, stream};

/// Named tensors of one computation, as numbers.
pub type Found = Vec<(String, Vec<f64>)>;

/// Of this size at most, other ones for each index. They are numbers of `f32`, so that every device and type is given the
/// same.
pub fn variable(
    dims: &[usize],
    size: f64,
    index: u64,
    dtype: DType,
    device: &Device,
) -> Result<Var> {
    let mut rng = stream(1, Purpose::Synthetic, 0, Key::Index(index));
    let n = dims.iter().product();
    let draw = |_| ((rng.random::<f64>() * 2.0 - 1.0) * size) as f32;
    let values: Vec<f32> = (0..n).map(draw).collect();
    let host = Tensor::from_vec(values, dims, &Device::Cpu)?;
    Var::from_tensor(&host.to_dtype(dtype)?.to_device(device)?)
}

/// The numbers of a tensor, wherever it lies.
pub fn numbers(t: &Tensor) -> Result<Vec<f64>> {
    let host = t.to_device(&Device::Cpu)?.to_dtype(DType::F64)?;
    host.flatten_all()?.to_vec1()
}

/// `|a - b| / |b|`, Euclidean norms over all numbers; infinite where one isn't a number or the sizes differ.
pub fn off(a: &[f64], b: &[f64]) -> f64 {
    let norm = |x: &mut dyn Iterator<Item = f64>| x.map(|x| x * x).sum::<f64>().sqrt();
    let difference = norm(&mut a.iter().zip(b).map(|(a, b)| a - b));
    let off = match norm(&mut b.iter().copied()) {
        0.0 if difference == 0.0 => 0.0,
        size => difference / size,
    };
    if a.len() == b.len() && off.is_finite() {
        off
    } else {
        f64::INFINITY
    }
}

/// The largest [`off`] over tensors of the same name, and that name.
pub fn worst(found: &Found, truth: &Found) -> (f64, String) {
    let names = |all: &Found| all.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    if names(found) != names(truth) {
        return (f64::INFINITY, "other tensors".into());
    }
    let pairs = found.iter().zip(truth);
    let each = pairs.map(|((name, a), (_, b))| (off(a, b), name.clone()));
    each.fold((0.0, String::new()), |worst, each| {
        if each.0 >= worst.0 { each } else { worst }
    })
}

/// All tensors as one.
pub fn joined(found: &Found) -> Vec<f64> {
    let all = found.iter().flat_map(|(_, values)| values);
    all.copied().collect()
}

/// The middle one.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        n if n.is_multiple_of(2) => (values[half - 1] + values[half]) / 2.0,
        _ => values[half],
    }
}
