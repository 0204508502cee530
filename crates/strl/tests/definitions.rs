//! Every op against its definition in plain Candle operations: results and gradients.

use candle_core::{Device, Result, Tensor, Var};
use rand::Rng as _;
use skeleton_graph::random::{Key, Purpose, stream};
use strl::ops::{self, Window};

fn random(shape: &[usize], index: u64) -> Var {
    let mut rng = stream(2, Purpose::Synthetic, 0, Key::Index(index));
    let n = shape.iter().product();
    let values: Vec<f64> = (0..n).map(|_| rng.random::<f64>() * 2.0 - 1.0).collect();
    Var::from_vec(values, shape, &Device::Cpu).unwrap()
}

fn same(args: &[&Var], op: impl Fn() -> Result<Tensor>, definition: impl Fn() -> Result<Tensor>) {
    let numbers = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f64>().unwrap();
    let (a, b) = (op().unwrap(), definition().unwrap());
    assert_eq!(a.dims(), b.dims());
    let close = |a: &Tensor, b: &Tensor, what: &str| {
        for (a, b) in numbers(a).iter().zip(numbers(b)) {
            assert!(
                (a - b).abs() <= 1e-10 * (1.0 + b.abs()),
                "{what}: {a} for {b}"
            );
        }
    };
    close(&a, &b, "result");
    let weight = random(a.dims(), 99);
    let gradients = |y: &Tensor| {
        (y * weight.as_tensor())
            .unwrap()
            .sum_all()
            .unwrap()
            .backward()
    };
    let (a, b) = (gradients(&a).unwrap(), gradients(&b).unwrap());
    for (i, arg) in args.iter().enumerate() {
        close(
            a.get(arg).unwrap(),
            b.get(arg).unwrap(),
            &format!("gradient {i}"),
        );
    }
}

/// Frame `o * stride + k * dilation - padding` of each output frame o, `fill` outside, as a list over k.
fn windows(x: &Tensor, window: Window, fill: f64) -> Result<Vec<Tensor>> {
    let (n, t, v, d) = x.dims4()?;
    let padding = window.kernel / 2 * window.dilation;
    let edge = Tensor::full(fill, (n, padding.max(1), v, d), x.device())?;
    let padded = Tensor::cat(&[&edge, x, &edge], 1)?;
    let skip = padding.max(1) - padding;
    let frames = t.div_ceil(window.stride);
    let tap = |k: usize| {
        let at = (0..frames).map(|o| (skip + o * window.stride + k * window.dilation) as u32);
        padded.index_select(&Tensor::from_vec(at.collect(), frames, x.device())?, 1)
    };
    (0..window.kernel).map(tap).collect()
}

const WINDOWS: [Window; 6] = [
    Window {
        kernel: 1,
        stride: 1,
        dilation: 1,
    },
    Window {
        kernel: 1,
        stride: 2,
        dilation: 1,
    },
    Window {
        kernel: 3,
        stride: 1,
        dilation: 1,
    },
    Window {
        kernel: 5,
        stride: 1,
        dilation: 2,
    },
    Window {
        kernel: 5,
        stride: 2,
        dilation: 2,
    },
    Window {
        kernel: 3,
        stride: 3,
        dilation: 4,
    },
];

#[test]
fn temporal_convolution() {
    for window in WINDOWS {
        for t in [1, 2, 7, 12] {
            let (x, w) = (random(&[3, t, 5, 4], 0), random(&[window.kernel, 6, 4], 1));
            let b = random(&[6], 2);
            same(
                &[&x, &w, &b],
                || ops::temporal_convolution(&x, &w, &b, window),
                || {
                    let mut sum = None;
                    for (k, x) in windows(&x, window, 0.0)?.into_iter().enumerate() {
                        let part = x.broadcast_matmul(&w.get(k)?.t()?)?;
                        sum = Some(match sum {
                            None => part,
                            Some(sum) => (sum + part)?,
                        });
                    }
                    sum.expect("a tap").broadcast_add(&b)
                },
            );
        }
    }
}

#[test]
fn temporal_max_pool() {
    for window in WINDOWS {
        for t in [1, 2, 7, 12] {
            let x = random(&[3, t, 5, 4], 0);
            same(
                &[&x],
                || ops::temporal_max_pool(&x, window),
                || {
                    let windows = windows(&x, window, -9.0)?.into_iter();
                    let largest = windows
                        .map(Ok)
                        .reduce(|a: Result<Tensor>, b| a?.maximum(&b?));
                    largest.expect("a tap")
                },
            );
        }
    }
}

#[test]
fn pooling() {
    let (x, g) = (random(&[3, 70, 5, 4], 0), random(&[3, 70, 5, 4], 1));
    same(
        &[&g, &x],
        || ops::pool_repeat_add(&g, &x, 0.2),
        || x.broadcast_add(&g.mean_keepdim(2)?),
    );
    same(&[&x], || ops::track_mean(&x), || x.mean((1, 2)));
    same(
        &[&x, &g],
        || ops::add_relu(&x, &g),
        || (x.as_tensor() + g.as_tensor())?.relu(),
    );
    let p = random(&[70, 4], 2);
    same(
        &[&x, &p],
        || ops::add_time(&x, &p),
        || x.broadcast_add(&p.reshape((1, 70, 1, 4))?),
    );
}

#[test]
fn shapes_that_do_not_fit_are_errors() {
    let (x, w, b) = (
        random(&[2, 8, 5, 4], 0),
        random(&[3, 6, 4], 1),
        random(&[6], 2),
    );
    let window = |kernel, stride| Window {
        kernel,
        stride,
        dilation: 1,
    };
    assert!(
        ops::temporal_convolution(&x, &w, &b, window(5, 1)).is_err(),
        "another kernel"
    );
    assert!(
        ops::temporal_convolution(&x, &w, &b, window(3, 0)).is_err(),
        "no stride"
    );
    assert!(ops::temporal_convolution(&x, &w, &random(&[5], 3), window(3, 1)).is_err());
    assert!(ops::pool_repeat_add(&random(&[2, 8, 4, 4], 3), &x, 1.0).is_err());
    assert!(ops::add_time(&x, &random(&[7, 4], 3)).is_err());
}
