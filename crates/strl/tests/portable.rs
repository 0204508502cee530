//! Without the machine's vectors every op gives the same.

#[path = "../../skeletonmae/tests/definition/mod.rs"]
mod definition;
#[path = "../../skeletonmae/tests/portable/mod.rs"]
mod vectors;

use std::sync::Arc;

use definition::random;
use skeleton_graph::Layout;
use skeletonmae::ops::JointMatrix;
use strl::ops::{self, Branches};
use vectors::same;

#[test]
fn ops_do_not_depend_on_the_vectors() {
    let (t, d) = (20, 64);
    let s = random(&[2, t, 17, 2], 0);
    let theta = random(&[d * (2 + 1 + t)], 1);
    same(&[&s, &theta], |args| ops::embed(&args[0], &args[1]));

    let mixing = Layout::built_in("coco17").unwrap().adjacency();
    let mixing = Arc::new(JointMatrix::new(&mixing.row_normalised(), 17));
    let (h, p) = (random(&[2, t, 17, d], 2), random(&[2, t, d], 3));
    let theta = random(&[2 * (d * d + 2 * d)], 4);
    same(&[&h, &p, &theta], |args| {
        Ok(ops::spatial(&args[0], &args[1], &args[2], &mixing)?.0)
    });

    for (stride, residual) in [(1, 0), (2, d * d + 2 * d)] {
        let branches = Branches {
            kernel: 5,
            dilations: vec![1, 2],
            stride,
        };
        let part = d / 4;
        let maps = (d - part) * (d + 2) + 10 * part * part + part * d + 2 * d;
        let theta = random(&[maps + residual], 5);
        same(&[&h, &theta], |args| {
            Ok(ops::temporal(&args[0], &args[1], &branches)?.0)
        });
    }
    same(&[&h], |args| ops::track_mean(&args[0]));
}
