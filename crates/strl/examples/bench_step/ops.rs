//! Single ops, forward and back: what `tests/reference/bench_ops.py` does in PyTorch.

use std::sync::Arc;

use candle_core::{Device, Result, Tensor, Var};
use skeleton_graph::Layout;
use skeleton_kernels::params::Named;
use skeleton_kernels::{
    Branches, Embedding, GinLayer, JointMatrix, Readout, SpatialWeights, Stats, TemporalWeights,
    embed, gin, linear, reweighted_cosine_error, spatial, temporal,
};

use super::work::Shape;

/// The paper's width.
const D: usize = 64;
const COORDINATES: usize = 2;

type Forward = Box<dyn Fn(&[Var]) -> Result<Tensor>>;

/// An op and what it is applied to beside its parameters; all of it are variables.
pub struct Op {
    inputs: Vec<Var>,
    forward: Forward,
    parameters: usize,
}

impl Op {
    /// By its name; ops of pre-training see one person a clip, those of STRL two.
    pub fn new(name: &str, shape: &Shape<'_>, layout: &Layout) -> Result<Option<Self>> {
        let (t, v) = (shape.frames, layout.len());
        let (one, two) = (shape.clips, 2 * shape.clips);
        let rows = one * t * v;
        let graph = JointMatrix::new(&layout.adjacency().binary(), v);
        let graph = Arc::new(graph);
        let inputs: Vec<Vec<usize>>;
        let mut learned = Vec::new();
        let forward: Forward = match name {
            "op_gin" => {
                inputs = vec![vec![one, t, v, D]];
                let shapes = vec![GinLayer::shapes(D, D, None); 3];
                let layers = variables(&shapes, &mut learned);
                Box::new(
                    move |a| Ok(gin(&a[0], &layers, &graph, &Readout::Joints, Stats::Batch)?.0),
                )
            }
            "op_decoder" => {
                inputs = vec![vec![one, t, v, D]];
                // Four joints of each frame, as the paper hides.
                let hidden = (0..rows as u32).filter(|row| row % v as u32 >= v as u32 - 4);
                let readout = Readout::Rows(Arc::new(hidden.collect()));
                let layers = variables(&vec![GinLayer::shapes(D, D, Some(D))], &mut learned);
                Box::new(move |a| Ok(gin(&a[0], &layers, &graph, &readout, Stats::Batch)?.0))
            }
            "op_linear" => {
                inputs = vec![vec![one, t, v, D]];
                let [w, b] = [&[D, D][..], &[D]].map(|dims| variable(dims, 0.1));
                learned.extend([w.clone(), b.clone()]);
                Box::new(move |a| linear(&a[0], &w, Some(&b)))
            }
            "op_rce" => {
                inputs = vec![vec![rows, D]; 2];
                Box::new(move |a| {
                    let target = a[1].as_detached_tensor();
                    reweighted_cosine_error(&a[0], &target, 2.0, rows as f64)
                })
            }
            "op_embed" => {
                inputs = vec![vec![two, t, v, COORDINATES]];
                let parameters = variables(&Embedding::shapes(COORDINATES, D, t), &mut learned);
                Box::new(move |a| embed(&a[0].as_detached_tensor(), &parameters))
            }
            "op_spatial" => {
                inputs = vec![vec![two, t, v, D], vec![two, t, D]];
                let a_norm = JointMatrix::new(&layout.adjacency().row_normalised(), v);
                let a_norm = Arc::new(a_norm);
                let weights = variables(&SpatialWeights::shapes(D), &mut learned);
                Box::new(move |a| Ok(spatial(&a[0], &a[1], &weights, &a_norm, Stats::Batch)?.0))
            }
            "op_temporal" | "op_temporal_stride_2" => {
                inputs = vec![vec![two, t, v, D]];
                let branches = Branches {
                    kernel: 5,
                    dilations: vec![1, 2],
                    stride: if name == "op_temporal" { 1 } else { 2 },
                };
                let weights = variables(&TemporalWeights::shapes(&branches, D), &mut learned);
                Box::new(move |a| Ok(temporal(&a[0], &weights, &branches, Stats::Batch)?.0))
            }
            _ => return Ok(None),
        };
        let inputs = inputs.iter().map(|dims| variable(dims, 1.0));
        Ok(Some(Self {
            inputs: inputs.collect(),
            forward,
            parameters: learned.iter().map(|own| own.elem_count()).sum(),
        }))
    }

    /// How many numbers it learns; PyTorch's biases in front of norms, which cancel, aren't among ours.
    pub fn parameters(&self) -> usize {
        self.parameters.max(1)
    }

    /// The sum of the op's result and all its gradients.
    pub fn step(&self) -> Result<()> {
        (self.forward)(&self.inputs)?.sum_all()?.backward()?;
        Ok(())
    }
}

/// Parameters of these shapes; they are put among the `learned`.
fn variables<S: Named<Vec<usize>>>(shapes: &S, learned: &mut Vec<Var>) -> S::Of<Tensor> {
    shapes.map(&mut |dims: &Vec<usize>| {
        let own = variable(dims, 0.1);
        learned.push(own.clone());
        own.as_tensor().clone()
    })
}

/// Numbers that look random, of this size at most.
fn variable(dims: &[usize], size: f32) -> Var {
    let value = |i: usize| (((i * 7919) % 1009) as f32 / 504.5 - 1.0) * size;
    let values: Vec<f32> = (0..dims.iter().product()).map(value).collect();
    Var::from_vec(values, dims, &Device::Cpu).expect("as many numbers as the shape has")
}
