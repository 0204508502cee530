//! Without the machine's vectors every op gives the same.

mod definition;
#[path = "portable/mod.rs"]
mod vectors;

use std::sync::Arc;

use candle_core::{Tensor, Var};
use definition::random;
use skeleton_graph::{Adjacency, Layout};
use skeleton_kernels::params::Named;
use skeleton_kernels::{
    Branches, Embedding, GinLayer, JointMatrix, Readout, SpatialWeights, Stats, TemporalWeights,
};
use vectors::same;

/// Variables of these shapes, and what makes the parameters of them again.
fn variables<S: Named<Vec<usize>>>(shapes: &S) -> Vec<Var> {
    definition::parameters(shapes, 1).1
}

fn again<S: Named<Vec<usize>>>(shapes: &S, variables: &[Var]) -> S::Of<Tensor> {
    let mut variables = variables.iter();
    shapes.map(&mut |_: &Vec<usize>| variables.next().unwrap().as_tensor().clone())
}

fn coco17(dense: fn(&Adjacency) -> Vec<f64>) -> Arc<JointMatrix> {
    let adjacency = Layout::built_in("coco17").unwrap().adjacency();
    Arc::new(JointMatrix::new(&dense(&adjacency), 17))
}

#[test]
fn ops_do_not_depend_on_the_vectors() {
    if skeleton_kernels::reference_only() {
        return; // Candle's own operations choose their vectors themselves.
    }
    let d = 32;
    let x = random(&[2, 20, 17, d], 0);
    let graph = coco17(Adjacency::binary);
    let rows = Arc::new((0..680).filter(|row| row % 17 > 12).collect());
    for (layers, ends_in, readout) in [
        (2, None, Readout::Joints),
        (2, None, Readout::Pooled(0.5)),
        (1, Some(d), Readout::Rows(rows)),
    ] {
        let shapes = vec![GinLayer::shapes(d, d, ends_in); layers];
        let own = variables(&shapes);
        let args: Vec<&Var> = std::iter::once(&x).chain(&own).collect();
        same(&args, |args| {
            let layers = again(&shapes, &args[1..]);
            Ok(skeleton_kernels::gin(&args[0], &layers, &graph, &readout, Stats::Batch)?.0)
        });
    }
    let (weight, bias) = (random(&[48, d], 1), random(&[48], 2));
    same(&[&x, &weight, &bias], |args| {
        skeleton_kernels::linear(&args[0], &args[1], Some(&args[2]))
    });
    let target = random(&[2, 20, 17, d], 3);
    same(&[&x, &target], |args| {
        skeleton_kernels::reweighted_cosine_error(&args[0], &args[1], 2.0, 680.0)
    });

    let (t, d) = (20, 64);
    let s = random(&[2, t, 17, 2], 0);
    let shapes = Embedding::shapes(2, d, t);
    let own = variables(&shapes);
    let args: Vec<&Var> = std::iter::once(&s).chain(&own).collect();
    same(&args, |args| {
        skeleton_kernels::embed(&args[0], &again(&shapes, &args[1..]))
    });

    let a_norm = coco17(Adjacency::row_normalised);
    let (h, p) = (random(&[2, t, 17, d], 2), random(&[2, t, d], 3));
    let shapes = SpatialWeights::shapes(d);
    let own = variables(&shapes);
    let args: Vec<&Var> = [&h, &p].into_iter().chain(&own).collect();
    same(&args, |args| {
        let weights = again(&shapes, &args[2..]);
        Ok(skeleton_kernels::spatial(&args[0], &args[1], &weights, &a_norm, Stats::Batch)?.0)
    });

    for stride in [1, 2] {
        let branches = Branches {
            kernel: 5,
            dilations: vec![1, 2],
            stride,
        };
        let shapes = TemporalWeights::shapes(&branches, d);
        let own = variables(&shapes);
        let args: Vec<&Var> = std::iter::once(&h).chain(&own).collect();
        same(&args, |args| {
            let weights = again(&shapes, &args[1..]);
            Ok(skeleton_kernels::temporal(&args[0], &weights, &branches, Stats::Batch)?.0)
        });
    }
    same(&[&h], |args| skeleton_kernels::track_mean(&args[0]));
}
