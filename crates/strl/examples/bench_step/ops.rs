//! Single ops, forward and back: what `tests/reference/bench_ops.py` does in PyTorch.

use std::sync::Arc;

use candle_core::{Device, Result, Tensor, Var};
use skeleton_graph::Layout;
use skeletonmae::ops::{self as mae, Ending, JointMatrix, Stack};
use strl::ops::{self, Branches};

use super::work::Shape;

/// The paper's width.
const D: usize = 64;
const COORDINATES: usize = 2;

type Forward = Box<dyn Fn(&[Var]) -> Result<Tensor>>;

/// An op and what it is applied to, all of it variables.
pub struct Op {
    arguments: Vec<Var>,
    forward: Forward,
    parameters: usize,
}

impl Op {
    /// By its name; ops of pre-training see one person a clip, those of STRL two.
    pub fn new(name: &str, shape: &Shape<'_>, layout: &Layout) -> Result<Option<Self>> {
        let (t, v) = (shape.frames, layout.len());
        let (one, two) = (shape.clips, 2 * shape.clips);
        let rows = one * t * v;
        let stack = |layers, ending| Stack {
            adjacency: Arc::new(JointMatrix::new(&layout.adjacency().binary(), v)),
            layers,
            ending,
        };
        let (inputs, parameters, forward): (Vec<Vec<usize>>, Vec<Vec<usize>>, Forward) = match name
        {
            "op_gin" => {
                let stack = stack(3, Ending::Activated);
                let theta = 3 * (1 + 2 * D * D + 4 * D + 1);
                let forward = move |a: &[Var]| Ok(mae::gin(&a[0], &a[1], stack.clone())?.0);
                (
                    vec![vec![one, t, v, D]],
                    vec![vec![theta]],
                    Box::new(forward),
                )
            }
            "op_decoder" => {
                // Four joints of each frame, as the paper hides.
                let hidden = (0..rows as u32).filter(|row| row % v as u32 >= v as u32 - 4);
                let stack = stack(
                    1,
                    Ending::Mlp {
                        rows: Arc::new(hidden.collect()),
                    },
                );
                let theta = 1 + 2 * D * D + 3 * D;
                let forward = move |a: &[Var]| Ok(mae::gin(&a[0], &a[1], stack.clone())?.0);
                (
                    vec![vec![one, t, v, D]],
                    vec![vec![theta]],
                    Box::new(forward),
                )
            }
            "op_linear" => {
                let forward = |a: &[Var]| mae::linear(&a[0], &a[1], &a[2]);
                (
                    vec![vec![one, t, v, D]],
                    vec![vec![D, D], vec![D]],
                    Box::new(forward),
                )
            }
            "op_rce" => {
                let forward = move |a: &[Var]| {
                    mae::reweighted_cosine_error(
                        &a[0],
                        &a[1].as_detached_tensor(),
                        2.0,
                        rows as f64,
                    )
                };
                (vec![vec![one, t, v, D]; 2], vec![], Box::new(forward))
            }
            "op_embed" => {
                let forward = |a: &[Var]| ops::embed(&a[0].as_detached_tensor(), &a[1]);
                let theta = D * (COORDINATES + 1 + t);
                (
                    vec![vec![two, t, v, COORDINATES]],
                    vec![vec![theta]],
                    Box::new(forward),
                )
            }
            "op_spatial" => {
                let mixing = JointMatrix::new(&layout.adjacency().row_normalised(), v);
                let mixing = Arc::new(mixing);
                let forward = move |a: &[Var]| Ok(ops::spatial(&a[0], &a[1], &a[2], &mixing)?.0);
                let inputs = vec![vec![two, t, v, D], vec![two, t, D]];
                (inputs, vec![vec![2 * (D * D + 2 * D)]], Box::new(forward))
            }
            "op_temporal" | "op_temporal_stride_2" => {
                let stride = if name == "op_temporal" { 1 } else { 2 };
                let branches = Branches {
                    kernel: 5,
                    dilations: vec![1, 2],
                    stride,
                };
                let part = D / branches.count();
                let residual = if stride > 1 { D * D + 2 * D } else { 0 };
                let theta = (D - part) * (D + 2)
                    + 2 * branches.kernel * part * part
                    + part * D
                    + 2 * D
                    + residual;
                let forward = move |a: &[Var]| Ok(ops::temporal(&a[0], &a[1], &branches)?.0);
                (
                    vec![vec![two, t, v, D]],
                    vec![vec![theta]],
                    Box::new(forward),
                )
            }
            _ => return Ok(None),
        };
        let learned = parameters.iter().map(|dims| dims.iter().product::<usize>());
        let learned = learned.sum();
        let inputs = inputs.iter().map(|dims| variable(dims, 1.0));
        let parameters = parameters.iter().map(|dims| variable(dims, 0.1));
        Ok(Some(Self {
            arguments: inputs.chain(parameters).collect::<Result<_>>()?,
            forward,
            parameters: learned,
        }))
    }

    /// How many numbers it learns; PyTorch's biases in front of norms, which cancel, aren't among ours.
    pub fn parameters(&self) -> usize {
        self.parameters.max(1)
    }

    /// The sum of the op's result and all its gradients.
    pub fn step(&self) -> Result<()> {
        (self.forward)(&self.arguments)?.sum_all()?.backward()?;
        Ok(())
    }
}

/// Numbers that look random, of this size at most.
fn variable(dims: &[usize], size: f32) -> Result<Var> {
    let value = |i: usize| (((i * 7919) % 1009) as f32 / 504.5 - 1.0) * size;
    let values: Vec<f32> = (0..dims.iter().product()).map(value).collect();
    Var::from_vec(values, dims, &Device::Cpu)
}
