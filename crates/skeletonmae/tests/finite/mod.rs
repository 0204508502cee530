//! Central differences. `strl`'s tests use this file too.

use candle_core::{Tensor, Var};

/// The largest serves nearly everywhere; a smaller one where a ReLU's kink lies within it.
const STEPS: [f64; 4] = [1e-5, 1e-6, 3e-7, 1e-7];
const TOLERANCE: f64 = 1e-6;

/// Asserts that each gradient is the slope of `value` along its parameter, element by element, to 1e-6
/// of the largest element of its tensor (or, in tensors whose gradient all but vanishes, such as biases in
/// front of BatchNorm, of a thousandth of the largest anywhere).
pub fn compare(
    parameters: &[(String, Var)],
    gradients: &[Option<Tensor>],
    value: impl Fn() -> f64,
) {
    let numbers = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f64>().unwrap();
    let largest = |g: &[f64]| g.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
    let all: Vec<Vec<f64>> = gradients
        .iter()
        .zip(parameters)
        .map(|(g, (_, var))| g.as_ref().map_or(vec![0.0; var.elem_count()], numbers))
        .collect();
    let floor = all.iter().map(|g| largest(g)).fold(0.0, f64::max) * 1e-3;
    assert!(floor > 0.0, "some parameter has a gradient");
    for ((name, var), gradient) in parameters.iter().zip(&all) {
        let start = numbers(var);
        let at = |i: usize, shift: f64| {
            let mut moved = start.clone();
            moved[i] += shift;
            var.set(&Tensor::from_vec(moved, var.shape(), var.device()).unwrap())
                .unwrap();
            value()
        };
        for (i, &g) in gradient.iter().enumerate() {
            let error = |step: f64| {
                let slope = (at(i, step) - at(i, -step)) / (2.0 * step);
                (slope - g).abs() / largest(gradient).max(floor)
            };
            let near = STEPS.iter().any(|&step| error(step) <= TOLERANCE);
            assert!(
                near,
                "{name}[{i}]: gradient {g}, off {:?}",
                STEPS.map(error)
            );
        }
        var.set(&Tensor::from_vec(start, var.shape(), var.device()).unwrap())
            .unwrap();
    }
}
