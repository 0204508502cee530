//! Every op against its definition in plain Candle operations: results and gradients. GIN stacks are in
//! `gin.rs`, encoders and decoders made of these ops in `backbones.rs`.

mod definition;

use std::sync::Arc;

use candle_core::{D, Device, Result, Tensor};
use definition::{random, same};
use skeleton_graph::{Adjacency, Layout};
use skeletonmae::ops::{self, Attention, JointMatrix, Moments};

const SHAPE: [usize; 4] = [3, 100, 17, 8]; // more rows than a chunk has

#[test]
fn linear() {
    let (x, w, b) = (random(&SHAPE, 0), random(&[5, 8], 1), random(&[5], 2));
    same(
        &[&x, &w, &b],
        || ops::linear(&x, &w, &b),
        || {
            x.reshape(((), 8))?
                .matmul(&w.t()?)?
                .broadcast_add(&b)?
                .reshape((3, 100, 17, 5))
        },
    );
}

#[test]
fn reweighted_cosine_error() {
    let (y, x) = (random(&SHAPE, 0), random(&SHAPE, 1));
    for beta in [1.0, 2.0, 3.0] {
        same(
            &[&y, &x],
            || ops::reweighted_cosine_error(&y, &x, beta, 1020.0),
            || {
                let norm = |a: &Tensor| a.sqr()?.sum(D::Minus1)?.sqrt();
                let cos =
                    ((y.as_tensor() * x.as_tensor())?.sum(D::Minus1)? / (norm(&y)? * norm(&x)?)?)?;
                (1.0 - cos)?.powf(beta)?.sum_all()? / 1020.0
            },
        );
    }
}

#[test]
fn mean_squared_error() {
    let (y, x) = (random(&SHAPE, 0), random(&SHAPE, 1));
    same(
        &[&y, &x],
        || ops::mean_squared_error(&y, &x, 1020.0),
        || (y.as_tensor() - x.as_tensor())?.sqr()?.sum_all()? / (8.0 * 1020.0),
    );
}

fn coco17() -> Adjacency {
    Layout::built_in("coco17").unwrap().adjacency()
}

#[test]
fn mix_joints() {
    // Not symmetric, so that a matrix and its transpose differ.
    let dense = coco17().row_normalised();
    let matrix = Arc::new(JointMatrix::new(&dense, 17));
    let dense = Tensor::from_vec(dense, (17, 17), &Device::Cpu).unwrap();
    let x = random(&SHAPE, 0);
    for own in [0.0, 1.3] {
        same(
            &[&x],
            || ops::mix_joints(&x, &matrix, own),
            || dense.broadcast_matmul(&x)? + (x.as_tensor() * own)?,
        );
    }
}

#[test]
fn take_rows() {
    let x = random(&SHAPE, 0);
    let rows = Arc::new((0..5100).filter(|row| row % 7 == 3).collect::<Vec<u32>>());
    same(
        &[&x],
        || ops::take_rows(&x, &rows),
        || {
            x.reshape(((), 8))?
                .index_select(&Tensor::new(&rows[..], &Device::Cpu)?, 0)
        },
    );
}

/// By the batch's statistics or by given ones, with and without the sum over joints.
#[test]
fn norm_prelu() {
    let (z, theta) = (random(&SHAPE, 0), random(&[17], 1));
    let given = Moments {
        rows: 0,
        mean: (0..8).map(|i| 0.1 * f64::from(i)).collect(),
        variance: (1..9).map(f64::from).collect(),
    };
    let plain = |given: Option<&Moments>, pool: Option<f64>| -> Result<Tensor> {
        let rows = z.reshape(((), 8))?;
        let (mean, variance) = match given {
            None => {
                let mean = rows.mean_keepdim(0)?;
                let variance = rows.broadcast_sub(&mean)?.sqr()?.mean_keepdim(0)?;
                (mean, variance)
            }
            Some(given) => (
                Tensor::from_vec(given.mean.clone(), (1, 8), &Device::Cpu)?,
                Tensor::from_vec(given.variance.clone(), (1, 8), &Device::Cpu)?,
            ),
        };
        let scale = (variance + ops::norm::EPSILON)?.sqrt()?;
        let u = rows.broadcast_sub(&mean)?.broadcast_div(&scale)?;
        let (weight, bias) = (theta.narrow(0, 0, 8)?, theta.narrow(0, 8, 8)?);
        let u = u.broadcast_mul(&weight)?.broadcast_add(&bias)?;
        let below = u.neg()?.relu()?.broadcast_mul(&theta.narrow(0, 16, 1)?)?;
        let y = (u.relu()? - below)?.reshape(&SHAPE)?;
        match pool {
            None => Ok(y),
            Some(factor) => y.sum(2)? * factor,
        }
    };
    for pool in [None, Some(0.3)] {
        same(
            &[&z, &theta],
            || Ok(ops::norm_prelu(&z, &theta, pool)?.0),
            || plain(None, pool),
        );
        same(
            &[&z, &theta],
            || ops::norm_prelu_fixed(&z, &theta, pool, given.clone()),
            || plain(Some(&given), pool),
        );
    }
}

/// Softmax over the joints that are neighbours, as a dense matrix with minus infinity elsewhere.
#[test]
fn attend() {
    let adjacency = coco17().without(&[(5, 7), (0, 1)]);
    let mut mask = vec![-1e9; 17 * 17];
    for i in 0..17 {
        for &j in adjacency.neighbours(i).iter().chain([&i]) {
            mask[i * 17 + j] = 0.0;
        }
    }
    let mask = Tensor::from_vec(mask, (17, 17), &Device::Cpu).unwrap();
    for (heads, d) in [(1, 8), (4, 8), (2, 40)] {
        let part = d / heads;
        let attention = Arc::new(Attention::new(&adjacency, heads));
        let (u, a) = (random(&[3, 30, 17, d], 0), random(&[2, d], 1));
        let plain = || {
            let head = |h: usize| -> Result<Tensor> {
                let u = u.narrow(3, h * part, part)?;
                let a = a.narrow(1, h * part, part)?;
                let score = |side: usize| u.broadcast_mul(&a.get(side)?)?.sum_keepdim(3);
                let e = score(0)?.broadcast_add(&score(1)?.transpose(2, 3)?)?; // (n, t, i, j)
                let e = (e.relu()? - (e.neg()?.relu()? * 0.2)?)?.broadcast_add(&mask)?;
                let e = e.broadcast_sub(&e.max_keepdim(3)?.detach())?.exp()?;
                let alpha = e.broadcast_div(&e.sum_keepdim(3)?)?;
                alpha.matmul(&u.contiguous()?)
            };
            Tensor::cat(&(0..heads).map(head).collect::<Result<Vec<_>>>()?, 3)
        };
        same(&[&u, &a], || ops::attend(&u, &a, &attention), plain);
    }
}

#[test]
fn shapes_that_do_not_fit_are_errors() {
    let (x, w, b) = (random(&[2, 3], 0), random(&[5, 4], 1), random(&[5], 2));
    assert!(ops::linear(&x, &w, &b).is_err());
    assert!(ops::reweighted_cosine_error(&x, &w, 2.0, 1.0).is_err());
    assert!(ops::mean_squared_error(&x, &w, 1.0).is_err());
    let (x, theta) = (random(&[2, 3, 17, 8], 0), random(&[17], 1));
    let matrix = Arc::new(JointMatrix::new(&[1.0; 25], 5));
    assert!(ops::mix_joints(&x, &matrix, 1.0).is_err(), "5 joints");
    for rows in [vec![102], vec![5, 4], vec![4, 4]] {
        assert!(ops::take_rows(&x, &Arc::new(rows)).is_err());
    }
    assert!(ops::norm_prelu(&x, &theta, None).is_ok());
    assert!(ops::norm_prelu(&x, &random(&[16], 1), None).is_err());
    let moments = Moments {
        rows: 0,
        mean: vec![0.0; 7],
        variance: vec![1.0; 7],
    };
    assert!(ops::norm_prelu_fixed(&x, &theta, None, moments).is_err());
    let attention = |heads| Arc::new(Attention::new(&coco17(), heads));
    let a = random(&[2, 8], 1);
    assert!(ops::attend(&x, &a, &attention(4)).is_ok());
    assert!(ops::attend(&x, &a, &attention(3)).is_err(), "no even share");
    assert!(ops::attend(&x, &random(&[2, 7], 1), &attention(4)).is_err());
    assert!(ops::attend(&random(&[2, 3, 16, 8], 0), &a, &attention(4)).is_err());
}
