//! Every op against its definition in plain Candle operations: results and gradients. GIN stacks are in
//! `gin.rs`.

mod definition;

use candle_core::{D, Tensor};
use definition::{random, same};
use skeletonmae::ops;

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
fn shapes_that_do_not_fit_are_errors() {
    let (x, w, b) = (random(&[2, 3], 0), random(&[5, 4], 1), random(&[5], 2));
    assert!(ops::linear(&x, &w, &b).is_err());
    assert!(ops::reweighted_cosine_error(&x, &w, 2.0, 1.0).is_err());
}
