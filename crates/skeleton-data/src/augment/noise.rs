//! Normal noise, by table.

use std::sync::OnceLock;

use rand::RngCore as _;
use skeleton_graph::random::Rng;

/// Adds normal noise of standard deviation `deviation` to every present joint; `bytes` is working memory.
pub fn add_noise<const C: usize>(
    keypoints: &mut [f32],
    presence: &[f32],
    deviation: f32,
    rng: &mut Rng,
    bytes: &mut Vec<u8>,
) {
    if deviation == 0.0 {
        return;
    }
    bytes.resize(keypoints.len() * 2, 0);
    rng.fill_bytes(bytes);
    let quantiles = normal_quantiles();
    let joints = keypoints
        .chunks_exact_mut(C)
        .zip(bytes.chunks_exact(2 * C))
        .zip(presence);
    for ((joint, bytes), &there) in joints {
        for c in 0..C {
            let index = usize::from(u16::from_le_bytes([bytes[2 * c], bytes[2 * c + 1]]) >> 4);
            joint[c] += quantiles[index] * deviation * there;
        }
    }
}

/// 4,096 equally likely values of the standard normal distribution, with variance 1: one look-up with 12 random bits
/// a value costs a tenth of a logarithm and a cosine.
fn normal_quantiles() -> &'static [f32; 4096] {
    static TABLE: OnceLock<[f32; 4096]> = OnceLock::new();
    TABLE.get_or_init(|| {
        let exact: [f64; 4096] =
            std::array::from_fn(|k| normal_quantile((k as f64 + 0.5) / 4096.0));
        let deviation = (exact.iter().map(|x| x * x).sum::<f64>() / 4096.0).sqrt();
        exact.map(|x| (x / deviation) as f32)
    })
}

/// The standard normal quantile by P. J. Acklam's rational approximation (relative error below 1.2e-9).
#[allow(clippy::excessive_precision, reason = "the coefficients as published")]
pub fn normal_quantile(p: f64) -> f64 {
    const A: [f64; 6] = [
        -3.969683028665376e+01,
        2.209460984245205e+02,
        -2.759285104469687e+02,
        1.383577518672690e+02,
        -3.066479806614716e+01,
        2.506628277459239e+00,
    ];
    const B: [f64; 6] = [
        -5.447609879822406e+01,
        1.615858368580409e+02,
        -1.556989798598866e+02,
        6.680131188771972e+01,
        -1.328068155288572e+01,
        1.0,
    ];
    const C: [f64; 6] = [
        -7.784894002430293e-03,
        -3.223964580411365e-01,
        -2.400758277161838e+00,
        -2.549732539343734e+00,
        4.374664141464968e+00,
        2.938163982698783e+00,
    ];
    const D: [f64; 5] = [
        7.784695709041462e-03,
        3.224671290700398e-01,
        2.445134137142996e+00,
        3.754408661907416e+00,
        1.0,
    ];
    let polynomial =
        |coefficients: &[f64], x: f64| coefficients.iter().fold(0.0, |sum, a| sum * x + a);
    if p > 0.5 {
        return -normal_quantile(1.0 - p);
    }
    if p < 0.02425 {
        let q = (-2.0 * p.ln()).sqrt();
        return polynomial(&C, q) / polynomial(&D, q);
    }
    let q = p - 0.5;
    polynomial(&A, q * q) * q / polynomial(&B, q * q)
}
