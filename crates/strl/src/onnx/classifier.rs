//! The classifier's graph, in the order of its forward pass. Tensors are channels-last, (n, t, v, d), as everywhere else, but
//! for the windows over time.

use std::collections::BTreeMap;

use candle_core::Tensor;
use skeleton_graph::Adjacency;
use skeleton_kernels::graph::SLOPE;
use skeleton_kernels::stats::EPSILON;
use skeleton_kernels::{Branches, host};
use skeletonmae::encoder::{Backbone, HEADS};
use skeletonmae::{Error, MaeConfig, Result};

use super::Attribute::{Float, Integer, Integers};
use super::{Axis, Graph, LOGITS, POSES, PROBABILITIES, Port, Writer};
use crate::model::{StrlConfig, Task};
use crate::spatial::{JointPool, Normalised};

/// ONNX's number for 32-bit floats.
const FLOAT: i64 = 1;
/// What stands for minus infinity among scores of attention: a joint that is no neighbour gets no weight.
const NEVER: f64 = -1e9;

/// The graph of the classifier that [`Strl::new`](crate::Strl::new) makes of the same settings and these tensors.
///
/// # Errors
/// When a tensor is missing or of another shape than the settings say.
pub fn classifier(
    mae: &MaeConfig,
    config: &StrlConfig,
    task: Task<'_>,
    tensors: &BTreeMap<String, Tensor>,
) -> Result<Graph> {
    let (mut t, v, c, d) = (task.frames, task.layout.len(), task.coordinates, mae.width);
    let mut writer = Writer::default();
    writer.graph.inputs.push(Port {
        name: POSES,
        axes: vec![
            Axis::Named("batch"),
            Axis::Named("persons"),
            Axis::Size(t),
            Axis::Size(v),
            Axis::Size(c),
        ],
    });
    let mut model = Model {
        writer,
        tensors,
        adjacency: task.layout.adjacency(),
        d,
    };
    let shares = model.shares_of_persons();
    let tracks = model.integers("tracks", &[-1, t as i64, v as i64, c as i64]);
    let s = model.apply("Reshape", &[POSES, &tracks], &[]); // (n, t, v, c)
    let mut h = model.embed(&s, (t, c))?; // (n, t, v, d)
    for i in 0..config.layers {
        let layer = format!("layers.{i}.");
        h = model.spatial(&h, t, &format!("{layer}spatial."), mae, config)?;
        let branches = Branches {
            kernel: config.kernel,
            dilations: config.dilations.clone(),
            stride: if i == 0 { 1 } else { 2 },
        };
        h = model.temporal(&h, &format!("{layer}temporal."), &branches)?; // (n, t / stride, v, d)
        t = t.div_ceil(branches.stride);
    }
    let clip = model.clip(&h, &shares); // (b, d)
    model.head(&clip, config, task.classes)?;
    Ok(model.writer.graph)
}

/// A linear map, perhaps with a norm folded into it.
struct Map {
    /// (`d_out`, `d_in`).
    weight: Vec<f64>,
    /// (`d_out`).
    shift: Vec<f64>,
}

impl Map {
    /// The map, then `scale` and `shift`.
    fn then(mut self, scale: &[f64], shift: &[f64]) -> Self {
        let d_in = self.weight.len() / scale.len();
        let rows = self.weight.chunks_exact_mut(d_in).zip(scale);
        rows.for_each(|(row, scale)| row.iter_mut().for_each(|w| *w *= scale));
        for ((own, scale), shift) in self.shift.iter_mut().zip(scale).zip(shift) {
            *own = *own * scale + shift;
        }
        self
    }

    /// W^T, (`d_in`, `d_out`).
    fn transposed(&self) -> Vec<f64> {
        let d_out = self.shift.len();
        let d_in = self.weight.len() / d_out;
        let entry = |at: usize| self.weight[at % d_out * d_in + at / d_out];
        (0..self.weight.len()).map(entry).collect()
    }
}

/// The graph so far, and what it is made of.
struct Model<'a> {
    writer: Writer,
    tensors: &'a BTreeMap<String, Tensor>,
    adjacency: Adjacency,
    /// Features of a joint.
    d: usize,
}

impl Model<'_> {
    fn apply(
        &mut self,
        op: &'static str,
        inputs: &[&str],
        attributes: &[(&'static str, super::Attribute)],
    ) -> String {
        self.writer.apply(op, inputs, attributes)
    }

    fn floats(&mut self, name: &str, shape: &[usize], values: &[f64]) -> String {
        self.writer.floats(name, shape, values)
    }

    fn integers(&mut self, name: &str, values: &[i64]) -> String {
        self.writer.integers(name, values)
    }

    /// A tensor's numbers; `shape` is what the settings say.
    fn numbers(&self, name: &str, shape: &[usize]) -> Result<Vec<f64>> {
        let found = self.tensors.get(name);
        match found.filter(|tensor| tensor.dims() == shape) {
            Some(tensor) => Ok(host::read(tensor)?),
            None => Err(Error::parameter(name, Some(shape), found.map(Tensor::dims))),
        }
    }

    /// The linear map of this name.
    fn linear(&self, name: &str, d_in: usize, d_out: usize) -> Result<Map> {
        Ok(Map {
            weight: self.numbers(&format!("{name}.weight"), &[d_out, d_in])?,
            shift: self.numbers(&format!("{name}.bias"), &[d_out])?,
        })
    }

    /// A norm by its running statistics, as factor and summand of each feature.
    fn norm(&self, name: &str, d: usize) -> Result<(Vec<f64>, Vec<f64>)> {
        let part = |part: &str| self.numbers(&format!("{name}.{part}"), &[d]);
        let (weight, bias) = (part("weight")?, part("bias")?);
        let (mean, variance) = (part("running_mean")?, part("running_var")?);
        let scale = weight.iter().zip(&variance);
        let scale: Vec<f64> = scale.map(|(w, var)| w / (var + EPSILON).sqrt()).collect();
        let shift = bias.iter().zip(&mean).zip(&scale);
        let shift = shift.map(|((bias, mean), scale)| bias - mean * scale);
        let shift = shift.collect();
        Ok((scale, shift))
    }

    /// The linear map and the norm behind it.
    fn normed(&self, map: &str, norm: &str, d_in: usize, d_out: usize) -> Result<Map> {
        let (scale, shift) = self.norm(norm, d_out)?;
        Ok(self.linear(map, d_in, d_out)?.then(&scale, &shift))
    }

    /// `x W^T + b` over the last axis.
    fn map(&mut self, x: &str, name: &str, map: &Map) -> String {
        let d_out = map.shift.len();
        let shape = [map.weight.len() / d_out, d_out];
        let weight = self.floats(&format!("{name}.weight"), &shape, &map.transposed());
        let bias = self.floats(&format!("{name}.bias"), &[d_out], &map.shift);
        let y = self.apply("MatMul", &[x, &weight], &[]);
        self.apply("Add", &[&y, &bias], &[])
    }

    /// `M x` in each frame, M (v, v).
    fn mix(&mut self, x: &str, name: &str, matrix: &[f64]) -> String {
        let v = self.adjacency.len();
        let matrix = self.floats(name, &[v, v], matrix);
        self.apply("MatMul", &[&matrix, x], &[])
    }

    /// The share of each person in a clip's mean, (b, persons).
    fn shares_of_persons(&mut self) -> String {
        let (zero, one) = (
            self.floats("zero", &[], &[0.0]),
            self.floats("one", &[], &[1.0]),
        );
        let size = self.apply("Abs", &[POSES], &[]);
        let numbers = [("axes", Integers(vec![2, 3, 4])), ("keepdims", Integer(0))];
        let largest = self.apply("ReduceMax", &[&size], &numbers);
        let there = self.apply("Greater", &[&largest, &zero], &[]);
        let there = self.apply("Cast", &[&there], &[("to", Integer(FLOAT))]);
        // Where nobody is there, everybody counts.
        let persons = [("axes", Integers(vec![1])), ("keepdims", Integer(1))];
        let anybody = self.apply("ReduceMax", &[&there], &persons);
        let nobody = self.apply("Sub", &[&one, &anybody], &[]);
        let counted = self.apply("Add", &[&there, &nobody], &[]);
        let axis = self.integers("persons", &[1]);
        let count = self.apply("ReduceSum", &[&counted, &axis], &[("keepdims", Integer(1))]);
        self.apply("Div", &[&counted, &count], &[])
    }

    /// `s W^T + b + P_t`.
    fn embed(&mut self, s: &str, (t, c): (usize, usize)) -> Result<String> {
        let map = self.linear("embed", c, self.d)?;
        let position = self.numbers("position", &[t, self.d])?;
        let h = self.map(s, "embed", &map);
        let position = self.floats("position", &[t, 1, self.d], &position);
        Ok(self.apply("Add", &[&h, &position], &[]))
    }

    /// `ReLU(A_norm SM(H) W)` with the residual: equations 3 and 4.
    fn spatial(
        &mut self,
        h: &str,
        t: usize,
        name: &str,
        mae: &MaeConfig,
        config: &StrlConfig,
    ) -> Result<String> {
        let d = self.d;
        let codes = self.encoder(h, t, &format!("{name}encoder.layers."), mae)?; // (n, t, v, d)
        let joints = [("axes", Integers(vec![2])), ("keepdims", Integer(1))];
        let pooled = match config.pool {
            JointPool::Mean => self.apply("ReduceMean", &[&codes], &joints), // (n, t, 1, d)
            JointPool::Sum => {
                let axis = self.integers("joints", &[2]);
                self.apply("ReduceSum", &[&codes, &axis], &[("keepdims", Integer(1))])
            }
            JointPool::Joints => codes,
        };
        let sm = self.apply("Add", &[h, &pooled], &[]);
        // Joints that keep their codes hand them to the residual, too.
        let residual_of = match config.pool {
            JointPool::Joints => &sm,
            JointPool::Mean | JointPool::Sum => h,
        };
        let a_norm = match config.adjacency {
            Normalised::Row => self.adjacency.row_normalised(),
            Normalised::Symmetric => self.adjacency.symmetric(),
        };
        let mixed = self.mix(&sm, "a_norm", &a_norm);
        let [w, residual] = ["w", "residual"].map(|map| format!("{name}{map}"));
        let of_w = self.normed(&w, &format!("{name}norm"), d, d)?;
        let of_residual = self.normed(&residual, &format!("{name}residual_norm"), d, d)?;
        let y = self.map(&mixed, &w, &of_w);
        let residual = self.map(residual_of, &residual, &of_residual);
        let y = self.apply("Add", &[&y, &residual], &[]);
        Ok(self.apply("Relu", &[&y], &[]))
    }

    /// `G_E`(A, H).
    fn encoder(&mut self, h: &str, t: usize, name: &str, mae: &MaeConfig) -> Result<String> {
        let mut h = h.to_owned();
        for j in 0..mae.encoder_layers {
            let name = format!("{name}{j}.");
            h = match mae.backbone {
                Backbone::Gin => self.gin(&h, t, &name, &mae.time_neighbours)?,
                Backbone::Gcn => self.gcn(&h, &name)?,
                Backbone::Gat => self.gat(&h, &name)?,
            };
            let slope = self.numbers(&format!("{name}prelu.weight"), &[1])?;
            let slope = self.floats(&format!("{name}prelu.weight"), &[1], &slope);
            h = self.apply("PRelu", &[&h, &slope], &[]);
        }
        Ok(h)
    }

    /// `BN(MLP((1 + eps) x + sum of the neighbours' x))`.
    fn gin(&mut self, x: &str, t: usize, name: &str, distances: &[usize]) -> Result<String> {
        let (d, v) = (self.d, self.adjacency.len());
        let eps = self.numbers(&format!("{name}eps"), &[1])?[0];
        let mut sum = self.adjacency.binary();
        (0..v).for_each(|joint| sum[joint * v + joint] += 1.0 + eps);
        let [linear1, linear2] = ["linear1", "linear2"].map(|map| format!("{name}{map}"));
        let first = self.normed(&linear1, &format!("{name}norm1"), d, d)?;
        let second = self.normed(&linear2, &format!("{name}norm2"), d, d)?;
        let mut sum = self.mix(x, &format!("{name}sum"), &sum);
        if !distances.is_empty() {
            let around = self.around(x, t, distances);
            sum = self.apply("Add", &[&sum, &around], &[]);
        }
        let hidden = self.map(&sum, &linear1, &first);
        let hidden = self.apply("Relu", &[&hidden], &[]);
        Ok(self.map(&hidden, &linear2, &second))
    }

    /// The sum of each joint's own features so many frames before and after: x (n, t, v, d) to the same shape.
    fn around(&mut self, x: &str, t: usize, distances: &[usize]) -> String {
        let known = |at: usize| distances.contains(&(at / t).abs_diff(at % t));
        let matrix: Vec<f64> = (0..t * t)
            .map(|at| f64::from(u8::from(known(at))))
            .collect();
        let matrix = self.floats(&format!("frames_of_{t}"), &[t, t], &matrix);
        let swapped = [("perm", Integers(vec![0, 2, 1, 3]))];
        let x = self.apply("Transpose", &[x], &swapped); // (n, v, t, d)
        let y = self.apply("MatMul", &[&matrix, &x], &[]);
        self.apply("Transpose", &[&y], &swapped)
    }

    /// `BN(A^ x W^T + b)`.
    fn gcn(&mut self, x: &str, name: &str) -> Result<String> {
        let linear = format!("{name}linear");
        let map = self.normed(&linear, &format!("{name}norm"), self.d, self.d)?;
        let symmetric = self.adjacency.symmetric();
        let mixed = self.mix(x, "a_symmetric", &symmetric);
        Ok(self.map(&mixed, &linear, &map))
    }

    /// `BN(attend(x W^T) + b)`, head by head.
    fn gat(&mut self, x: &str, name: &str) -> Result<String> {
        let d = self.d;
        let (linear, part) = (format!("{name}linear"), d / HEADS);
        let map = self.linear(&linear, d, d)?;
        let (scale, shift) = self.norm(&format!("{name}norm"), d)?;
        let weight = Map {
            shift: vec![0.0; d],
            ..map
        };
        let u = {
            let weight = self.floats(&format!("{linear}.weight"), &[d, d], &weight.transposed());
            self.apply("MatMul", &[x, &weight], &[]) // (n, t, v, d)
        };
        let alpha = self.attention(&u, name)?; // (n, t, heads, v, v)
        let by_head = self.integers("by_head", &[0, 0, 0, HEADS as i64, part as i64]);
        let whole = self.integers("whole", &[0, 0, 0, d as i64]);
        let swapped = [("perm", Integers(vec![0, 1, 3, 2, 4]))];
        let u = self.apply("Reshape", &[&u, &by_head], &[]);
        let u = self.apply("Transpose", &[&u], &swapped); // (n, t, heads, v, part)
        let y = self.apply("MatMul", &[&alpha, &u], &[]);
        let y = self.apply("Transpose", &[&y], &swapped);
        let y = self.apply("Reshape", &[&y, &whole], &[]); // (n, t, v, d)
        // The norm stands behind the attention, and the bias before the norm.
        let bias = self.numbers(&format!("{linear}.bias"), &[d])?;
        let shift = shift.iter().zip(&bias).zip(&scale);
        let shift: Vec<f64> = shift.map(|((s, b), scale)| s + b * scale).collect();
        let scale = self.floats(&format!("{name}norm.scale"), &[d], &scale);
        let shift = self.floats(&format!("{name}norm.shift"), &[d], &shift);
        let y = self.apply("Mul", &[&y, &scale], &[]);
        Ok(self.apply("Add", &[&y, &shift], &[]))
    }

    /// The weights by which joints attend to each other, softmax of `LeakyReLU(a_to u_i + a_from u_j)` over j, of u (n, t, v,
    /// d): (n, t, heads, v, v).
    fn attention(&mut self, u: &str, name: &str) -> Result<String> {
        let (d, v) = (self.d, self.adjacency.len());
        let part = d / HEADS;
        let a = self.numbers(&format!("{name}attention"), &[2, d])?;
        let sides = [("to", 4), ("from", 3)].map(|(side, axis)| {
            // (d, heads): each head sees its own features.
            let own = if side == "to" { &a[..d] } else { &a[d..] };
            let entry = |at: usize| match at % HEADS == at / HEADS / part {
                true => own[at / HEADS],
                false => 0.0,
            };
            let by_head: Vec<f64> = (0..d * HEADS).map(entry).collect();
            let weight = self.floats(&format!("{name}attention.{side}"), &[d, HEADS], &by_head);
            let scores = self.apply("MatMul", &[u, &weight], &[]); // (n, t, v, heads)
            let heads_first = [("perm", Integers(vec![0, 1, 3, 2]))];
            let scores = self.apply("Transpose", &[&scores], &heads_first);
            let axis = self.integers(&format!("scores.{side}"), &[axis]);
            self.apply("Unsqueeze", &[&scores, &axis], &[])
        });
        let mut others = vec![NEVER; v * v];
        for joint in 0..v {
            let seen = self.adjacency.neighbours(joint).iter().chain([&joint]);
            seen.for_each(|&other| others[joint * v + other] = 0.0);
        }
        let others = self.floats("others", &[v, v], &others);
        let e = self.apply("Add", &[&sides[0], &sides[1]], &[]); // of joint i to all j
        let e = self.apply("Add", &[&e, &others], &[]);
        let slope = [("alpha", Float(SLOPE as f32))];
        let e = self.apply("LeakyRelu", &[&e], &slope);
        Ok(self.apply("Softmax", &[&e], &[("axis", Integer(-1))]))
    }

    /// `ReLU(norm(branches(x)) + residual(x))`: x (n, t, v, d) to (n, t / stride, v, d).
    fn temporal(&mut self, x: &str, name: &str, branches: &Branches) -> Result<String> {
        let d = self.d;
        let (part, stride) = (branches.part(d), branches.stride as i64);
        let windows = branches.dilations.len() + 1;
        let a = self.reduced(x, name, windows, part)?;
        let mut outputs: Vec<String> = Vec::new();
        for (i, a) in a.iter().enumerate() {
            let name = format!("{name}branches.{i}.");
            outputs.push(match branches.dilations.get(i) {
                Some(&dilation) => self.convolution(a, &name, branches, dilation)?,
                None => self.max_pool(a, &name, part, stride)?,
            });
        }
        let outputs: Vec<&str> = outputs.iter().map(String::as_str).collect();
        let windows = self.apply("Concat", &outputs, &[("axis", Integer(1))]);
        let channels_last = [("perm", Integers(vec![0, 2, 3, 1]))];
        let windows = self.apply("Transpose", &[&windows], &channels_last);
        let seen = match stride {
            1 => x.to_owned(),
            _ => {
                let from = self.integers("first", &[0]);
                let to = self.integers("last", &[i64::MAX]);
                let axis = self.integers("time", &[1]);
                let step = self.integers("step", &[stride]);
                self.apply("Slice", &[x, &from, &to, &axis, &step], &[])
            }
        };
        let point = self.strided(&format!("{name}point"), part)?;
        let point = self.map(&seen, &format!("{name}point"), &point);
        let y = self.apply("Concat", &[&windows, &point], &[("axis", Integer(3))]);
        let residual = match stride {
            1 => seen,
            _ => {
                let map = self.strided(&format!("{name}residual"), d)?;
                self.map(&seen, &format!("{name}residual"), &map)
            }
        };
        let y = self.apply("Add", &[&y, &residual], &[]);
        Ok(self.apply("Relu", &[&y], &[]))
    }

    /// What the branches with a window read, channels first: (n, part, t, v) each.
    fn reduced(&mut self, x: &str, name: &str, windows: usize, part: usize) -> Result<Vec<String>> {
        let mut all = Map {
            weight: Vec::new(),
            shift: Vec::new(),
        };
        for i in 0..windows {
            let [map, norm] = ["reduce", "reduce_norm"].map(|s| format!("{name}branches.{i}.{s}"));
            let own = self.normed(&map, &norm, self.d, part)?;
            all.weight.extend(own.weight);
            all.shift.extend(own.shift);
        }
        let a = self.map(x, &format!("{name}reduce"), &all);
        let a = self.apply("Relu", &[&a], &[]);
        let channels_first = [("perm", Integers(vec![0, 3, 1, 2]))];
        let a = self.apply("Transpose", &[&a], &channels_first);
        let parts = (0..windows).map(|i| format!("{name}reduce.{i}"));
        let parts: Vec<String> = parts.collect();
        let sizes = self.integers("parts", &vec![part as i64; windows]);
        let axis = [("axis", Integer(1))];
        self.writer
            .node("Split", &[&a, &sizes], parts.clone(), &axis);
        Ok(parts)
    }

    /// A dilated convolution over time and its norm: (n, part, t, v) to (n, part, t / stride, v).
    fn convolution(
        &mut self,
        a: &str,
        name: &str,
        branches: &Branches,
        dilation: usize,
    ) -> Result<String> {
        let (kernel, part) = (branches.kernel, branches.part(self.d));
        let taps = self.numbers(&format!("{name}convolution.weight"), &[kernel, part, part])?;
        let bias = self.numbers(&format!("{name}convolution.bias"), &[part])?;
        let (scale, shift) = self.norm(&format!("{name}norm"), part)?;
        // (tap, out, in) to (out, in, tap, 1).
        let entry = |at: usize| {
            let (out, input, tap) = (at / kernel / part, at / kernel % part, at % kernel);
            taps[(tap * part + out) * part + input] * scale[out]
        };
        let weight: Vec<f64> = (0..taps.len()).map(entry).collect();
        let bias = bias.iter().zip(&scale).zip(&shift);
        let bias: Vec<f64> = bias.map(|((b, scale), shift)| b * scale + shift).collect();
        let shape = [part, part, kernel, 1];
        let weight = self.floats(&format!("{name}convolution.weight"), &shape, &weight);
        let bias = self.floats(&format!("{name}convolution.bias"), &[part], &bias);
        let padding = (kernel / 2 * dilation) as i64;
        Ok(self.apply(
            "Conv",
            &[a, &weight, &bias],
            &[
                ("dilations", Integers(vec![dilation as i64, 1])),
                ("kernel_shape", Integers(vec![kernel as i64, 1])),
                ("pads", Integers(vec![padding, 0, padding, 0])),
                ("strides", Integers(vec![branches.stride as i64, 1])),
            ],
        ))
    }

    /// The maximum of three frames, and its norm.
    fn max_pool(&mut self, a: &str, name: &str, part: usize, stride: i64) -> Result<String> {
        let (scale, shift) = self.norm(&format!("{name}norm"), part)?;
        let largest = self.apply(
            "MaxPool",
            &[a],
            &[
                ("kernel_shape", Integers(vec![3, 1])),
                ("pads", Integers(vec![1, 0, 1, 0])),
                ("strides", Integers(vec![stride, 1])),
            ],
        );
        let scale = self.floats(&format!("{name}norm.scale"), &[part, 1, 1], &scale);
        let shift = self.floats(&format!("{name}norm.shift"), &[part, 1, 1], &shift);
        let scaled = self.apply("Mul", &[&largest, &scale], &[]);
        Ok(self.apply("Add", &[&scaled, &shift], &[]))
    }

    /// A map of single frames and its norm.
    fn strided(&self, name: &str, d_out: usize) -> Result<Map> {
        let map = Map {
            weight: self.numbers(&format!("{name}.map.weight"), &[1, d_out, self.d])?,
            shift: self.numbers(&format!("{name}.map.bias"), &[d_out])?,
        };
        let (scale, shift) = self.norm(&format!("{name}.norm"), d_out)?;
        Ok(map.then(&scale, &shift))
    }

    /// The mean over each track, then over a clip's persons by their `shares` (b, persons): (b, d).
    fn clip(&mut self, h: &str, shares: &str) -> String {
        let all = [("axes", Integers(vec![1, 2])), ("keepdims", Integer(0))];
        let tracks = self.apply("ReduceMean", &[h], &all); // (n, d)
        let first = [("start", Integer(0)), ("end", Integer(2))];
        let clips = self.apply("Shape", &[POSES], &first); // b, persons
        let d = self.integers("width", &[self.d as i64]);
        let shape = self.apply("Concat", &[&clips, &d], &[("axis", Integer(0))]);
        let tracks = self.apply("Reshape", &[&tracks, &shape], &[]); // (b, persons, d)
        let axis = self.integers("clip", &[1]);
        let shares = self.apply("Unsqueeze", &[shares, &axis], &[]); // (b, 1, persons)
        let mean = self.apply("MatMul", &[&shares, &tracks], &[]);
        self.apply("Squeeze", &[&mean, &axis], &[])
    }

    /// The scores, and softmax.
    fn head(&mut self, clip: &str, config: &StrlConfig, classes: usize) -> Result<()> {
        let widths: Vec<usize> = [&[self.d][..], &config.head, &[classes]].concat();
        let mut h = clip.to_owned();
        for (i, width) in widths.windows(2).enumerate() {
            if i > 0 {
                h = self.apply("Relu", &[&h], &[]);
            }
            let name = format!("head.{i}");
            let map = self.linear(&name, width[0], width[1])?;
            h = self.map(&h, &name, &map);
        }
        let softmax = [("axis", Integer(-1))];
        self.writer
            .node("Identity", &[&h], vec![LOGITS.to_owned()], &[]);
        let probabilities = vec![PROBABILITIES.to_owned()];
        self.writer
            .node("Softmax", &[LOGITS], probabilities, &softmax);
        self.writer.graph.outputs = [LOGITS, PROBABILITIES]
            .map(|name| Port {
                name,
                axes: vec![Axis::Named("batch"), Axis::Size(classes)],
            })
            .into();
        Ok(())
    }
}
