//! Without the machine's vectors every op gives the same.

mod definition;
#[path = "portable/mod.rs"]
mod vectors;

use std::sync::Arc;

use definition::random;
use skeleton_graph::Layout;
use skeletonmae::ops::{self, Ending, JointMatrix, Stack};
use vectors::same;

#[test]
fn ops_do_not_depend_on_the_vectors() {
    let d = 32;
    let x = random(&[2, 20, 17, d], 0);
    let binary = Layout::built_in("coco17").unwrap().adjacency().binary();
    let adjacency = Arc::new(JointMatrix::new(&binary, 17));
    let rows = Arc::new((0..680).filter(|row| row % 17 > 12).collect());
    for (layers, ending) in [
        (2, Ending::Activated),
        (2, Ending::Pooled { factor: 0.5 }),
        (1, Ending::Mlp { rows }),
    ] {
        let end = if layers == 1 { d } else { 2 * d + 1 };
        let theta = random(&[layers * (1 + 2 * d * d + 2 * d + end)], 1);
        same(&[&x, &theta], |args| {
            let stack = Stack {
                adjacency: adjacency.clone(),
                layers,
                ending: ending.clone(),
            };
            Ok(ops::gin(&args[0], &args[1], stack)?.0)
        });
    }
    let (weight, bias) = (random(&[48, d], 1), random(&[48], 2));
    same(&[&x, &weight, &bias], |args| {
        ops::linear(&args[0], &args[1], &args[2])
    });
    let target = random(&[2, 20, 17, d], 3);
    same(&[&x, &target], |args| {
        ops::reweighted_cosine_error(&args[0], &args[1], 2.0, 680.0)
    });
}
