//! Every op against its definition in plain Candle operations: results and gradients.

#[path = "../../skeletonmae/tests/definition/mod.rs"]
mod definition;

use std::sync::Arc;

use candle_core::{Device, Result, Tensor};
use definition::{Pieces, random, same};
use skeleton_graph::Layout;
use skeletonmae::ops::JointMatrix;
use skeletonmae::ops::norm::EPSILON;
use strl::ops::temporal::infer::Folded;
use strl::ops::{self, Branches, Window};

/// Frame `o * stride + k * dilation - padding` of each output frame o, `fill` outside, as a list over k.
fn windows(x: &Tensor, window: Window, fill: f64) -> Result<Vec<Tensor>> {
    let (n, t, v, d) = x.dims4()?;
    let padding = window.kernel / 2 * window.dilation;
    let edge = Tensor::full(fill, (n, padding.max(1), v, d), x.device())?;
    let padded = Tensor::cat(&[&edge, x, &edge], 1)?.contiguous()?;
    let skip = padding.max(1) - padding;
    let frames = t.div_ceil(window.stride);
    let tap = |k: usize| {
        let at = (0..frames).map(|o| (skip + o * window.stride + k * window.dilation) as u32);
        padded.index_select(&Tensor::from_vec(at.collect(), frames, x.device())?, 1)
    };
    (0..window.kernel).map(tap).collect()
}

/// BatchNorm of x (n, t, v, d) by its own statistics.
fn norm(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    let z = x.reshape(((), x.dim(3)?))?;
    let z = z.broadcast_sub(&z.mean_keepdim(0)?)?;
    let z = z.broadcast_div(&(z.sqr()?.mean_keepdim(0)? + EPSILON)?.sqrt()?)?;
    z.broadcast_mul(weight)?
        .broadcast_add(bias)?
        .reshape(x.dims())
}

#[test]
fn embed() {
    let (s, theta) = (random(&[3, 20, 17, 2], 0), random(&[6 * (2 + 1 + 20)], 1));
    same(
        &[&theta],
        || ops::embed(&s, &theta),
        || {
            let mut pieces = Pieces(&theta, 0);
            let (w, b) = (pieces.take(&[6, 2])?, pieces.take(&[6])?);
            let p = pieces.take(&[1, 20, 1, 6])?;
            let h = s.broadcast_matmul(&w.t()?)?.broadcast_add(&b)?;
            h.broadcast_add(&p)
        },
    );
}

/// Equations 3 and 4 with the residual.
#[test]
fn spatial() {
    let graph = Layout::built_in("coco17").unwrap().adjacency();
    for dense in [graph.row_normalised(), graph.symmetric()] {
        let mixing = Arc::new(JointMatrix::new(&dense, 17));
        let a = Tensor::from_vec(dense, (17, 17), &Device::Cpu).unwrap();
        let (h, p) = (random(&[3, 20, 17, 4], 0), random(&[3, 20, 4], 1));
        let theta = random(&[2 * (16 + 8)], 2);
        same(
            &[&h, &p, &theta],
            || Ok(ops::spatial(&h, &p, &theta, &mixing)?.0),
            || {
                let mut pieces = Pieces(&theta, 0);
                let sm = h.broadcast_add(&p.unsqueeze(2)?)?;
                let mut map = |x: &Tensor| {
                    let u = x.broadcast_matmul(&pieces.take(&[4, 4])?.t()?)?;
                    norm(&u, &pieces.take(&[4])?, &pieces.take(&[4])?)
                };
                let y = map(&a.broadcast_matmul(&sm)?)?;
                (y + map(&h)?)?.relu()
            },
        );
    }
}

fn plain_temporal(x: &Tensor, theta: &Tensor, branches: &Branches) -> Result<Tensor> {
    let d = x.dim(3)?;
    let (part, stride) = (d / branches.count(), branches.stride);
    let reduced = d - part;
    let map = |x: &Tensor, weight: Tensor| x.broadcast_matmul(&weight.t()?);
    let mut pieces = Pieces(theta, 0);
    let z = map(x, pieces.take(&[reduced, d])?)?;
    let a = norm(&z, &pieces.take(&[reduced])?, &pieces.take(&[reduced])?)?.relu()?;
    let mut parts = Vec::new();
    for (i, &dilation) in branches.dilations.iter().enumerate() {
        let kernel = branches.kernel;
        let own = a.narrow(3, i * part, part)?;
        let weight = pieces.take(&[kernel, part, part])?;
        let taps = windows(
            &own,
            Window {
                kernel,
                stride,
                dilation,
            },
            0.0,
        )?
        .into_iter();
        let taps = taps.enumerate().map(|(k, x)| map(&x, weight.get(k)?));
        parts.push(taps.reduce(|a, b| a? + b?).expect("a tap")?);
    }
    let own = a.narrow(3, reduced - part, part)?;
    let window = Window {
        kernel: 3,
        stride,
        dilation: 1,
    };
    let taps = windows(&own, window, -9.0)?.into_iter().map(Ok);
    let largest = taps.reduce(|a: Result<Tensor>, b| a?.maximum(&b?));
    parts.push(largest.expect("a tap")?);
    let point = Window {
        kernel: 1,
        stride,
        dilation: 1,
    };
    let strided = windows(x, point, 0.0)?.remove(0);
    parts.push(map(&strided, pieces.take(&[part, d])?)?);
    let c = Tensor::cat(&parts, 3)?;
    let y = norm(&c, &pieces.take(&[d])?, &pieces.take(&[d])?)?;
    if stride == 1 {
        return (y + x)?.relu();
    }
    let q = map(&strided, pieces.take(&[d, d])?)?;
    (y + norm(&q, &pieces.take(&[d])?, &pieces.take(&[d])?)?)?.relu()
}

fn shapes() -> Vec<Branches> {
    let branches = |kernel, dilations: &[usize], stride| Branches {
        kernel,
        dilations: dilations.to_vec(),
        stride,
    };
    vec![
        branches(5, &[1, 2], 1),
        branches(5, &[1, 2], 2),
        branches(3, &[4], 3),
        branches(1, &[], 1),
    ]
}

fn parameters(branches: &Branches, d: usize) -> usize {
    let part = d / branches.count();
    let reduced = d - part;
    let convolutions = branches.dilations.len() * branches.kernel * part * part;
    let residual = if branches.stride > 1 {
        d * d + 2 * d
    } else {
        0
    };
    reduced * d + 2 * reduced + convolutions + part * d + 2 * d + residual
}

#[test]
fn temporal() {
    for branches in shapes() {
        for t in [1, 2, 7, 12] {
            let (x, theta) = (
                random(&[3, t, 5, 12], 0),
                random(&[parameters(&branches, 12)], 1),
            );
            same(
                &[&x, &theta],
                || Ok(ops::temporal(&x, &theta, &branches)?.0),
                || plain_temporal(&x, &theta, &branches),
            );
        }
    }
}

/// By the batch's own statistics, inference gives what training gave.
#[test]
fn temporal_folded() {
    for branches in shapes() {
        let theta = random(&[parameters(&branches, 12)], 1);
        let x = random(&[3, 7, 5, 12], 0);
        let (y, moments) = ops::temporal(&x, &theta, &branches).unwrap();
        let numbers = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f64>().unwrap();
        let folded = Folded::new(&branches, &numbers(&theta), 12, &moments).unwrap();
        let tracks = numbers(&x);
        let tracks = tracks
            .chunks_exact(7 * 5 * 12)
            .flat_map(|x| folded.track(x, 7, 5).to_vec());
        for (a, b) in tracks.zip(numbers(&y)) {
            assert!((a - b).abs() < 1e-10, "{a} for {b}");
        }
    }
}

#[test]
fn track_mean() {
    let x = random(&[3, 70, 5, 4], 0);
    same(&[&x], || ops::track_mean(&x), || x.mean((1, 2)));
}

#[test]
fn shapes_that_do_not_fit_are_errors() {
    let (x, branches) = (random(&[2, 8, 5, 12], 0), shapes().remove(0));
    let theta = |n: usize| random(&[n], 1);
    let n = parameters(&branches, 12);
    assert!(ops::temporal(&x, &theta(n), &branches).is_ok());
    assert!(
        ops::temporal(&x, &theta(n + 1), &branches).is_err(),
        "too many parameters"
    );
    let x = random(&[2, 8, 5, 13], 0);
    assert!(
        ops::temporal(&x, &theta(n), &branches).is_err(),
        "no even share"
    );
    for (kernel, stride, dilation) in [(4, 1, 1), (5, 0, 1), (5, 1, 0)] {
        let dilations = vec![dilation];
        let branches = Branches {
            kernel,
            dilations,
            stride,
        };
        let x = random(&[2, 8, 5, 12], 0);
        assert!(
            ops::temporal(&x, &theta(n), &branches).is_err(),
            "{branches:?}"
        );
    }
    let s = random(&[3, 20, 17, 2], 0);
    assert!(ops::embed(&s, &theta(6 * 23)).is_ok());
    assert!(ops::embed(&s, &theta(6 * 23 + 1)).is_err());
    let mixing = Arc::new(JointMatrix::new(&[1.0; 25], 5));
    let (h, p) = (random(&[2, 8, 5, 4], 0), random(&[2, 8, 4], 1));
    assert!(ops::spatial(&h, &p, &theta(48), &mixing).is_ok());
    assert!(ops::spatial(&h, &p, &theta(47), &mixing).is_err());
    assert!(ops::spatial(&h, &random(&[2, 7, 4], 1), &theta(48), &mixing).is_err());
}
