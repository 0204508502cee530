//! Encoders and decoders of each backbone against readable definitions in plain Candle operations.

mod definition;
mod finite;

use std::collections::BTreeMap;
use std::sync::Arc;

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::VarBuilder;
use definition::random;
use skeleton_graph::{Adjacency, Layout};
use skeletonmae::encoder::{Decoder, Encoder};
use skeletonmae::ops::norm::EPSILON;
use skeletonmae::train::Gradients;
use skeletonmae::{Backbone, Mode, Store};

const ALL: [Backbone; 3] = [Backbone::Gin, Backbone::Gcn, Backbone::Gat];
const D: usize = 8;
const LAYERS: usize = 2;

fn graph() -> Adjacency {
    Layout::built_in("coco17").unwrap().adjacency()
}

/// Everything random: a norm's weight of 1 or a bias of 0 would hide mistakes.
fn scatter(store: &Store) {
    let tensors = store.tensors().into_iter().enumerate();
    let moved = tensors.map(|(i, (name, tensor))| {
        let noise = (random(tensor.dims(), i as u64).as_tensor() * 0.3).unwrap();
        (name, (tensor + noise).unwrap())
    });
    store.load(&moved.collect()).unwrap();
}

fn encoder(backbone: Backbone) -> (Store, Encoder) {
    let store = Store::new(1, DType::F64, &Device::Cpu);
    let vb: VarBuilder<'_> = store.builder();
    let encoder = Encoder::new(backbone, LAYERS, D, &graph(), vb).unwrap();
    scatter(&store);
    (store, encoder)
}

/// A layer's parameters by the ends of their names.
struct Named<'a>(&'a BTreeMap<String, Tensor>, String);

impl Named<'_> {
    fn get(&self, name: &str) -> &Tensor {
        &self.0[&format!("{}{name}", self.1)]
    }

    fn map(&self, x: &Tensor, name: &str) -> Result<Tensor> {
        let weight = self.get(&format!("{name}.weight"));
        x.broadcast_matmul(&weight.t()?)?
            .broadcast_add(self.get(&format!("{name}.bias")))
    }

    fn norm(&self, x: &Tensor, name: &str, mode: Mode) -> Result<Tensor> {
        let of = |end: &str| self.get(&format!("{name}.{end}"));
        let (mean, variance) = match mode {
            Mode::Train => {
                let rows = x.reshape(((), x.dim(3)?))?;
                let mean = rows.mean_keepdim(0)?;
                let variance = rows.broadcast_sub(&mean)?.sqr()?.mean_keepdim(0)?;
                (mean.squeeze(0)?, variance.squeeze(0)?)
            }
            _ => (of("running_mean").clone(), of("running_var").clone()),
        };
        let scale = (variance + EPSILON)?.sqrt()?;
        let y = x.broadcast_sub(&mean)?.broadcast_div(&scale)?;
        y.broadcast_mul(of("weight"))?.broadcast_add(of("bias"))
    }

    fn prelu(&self, x: &Tensor) -> Result<Tensor> {
        x.relu()? - x.neg()?.relu()?.broadcast_mul(self.get("prelu.weight"))?
    }

    /// Attention of `heads` heads over joints and their neighbours.
    fn attend(&self, u: &Tensor, graph: &Adjacency, heads: usize) -> Result<Tensor> {
        let (part, a) = (u.dim(3)? / heads, self.get("attention"));
        let joint = |i: usize, h: usize| u.narrow(2, i, 1)?.narrow(3, h * part, part);
        let mut joints = Vec::new();
        for i in 0..graph.len() {
            let others: Vec<usize> = graph.neighbours(i).iter().copied().chain([i]).collect();
            let mut of_heads = Vec::new();
            for h in 0..heads {
                let a = a.narrow(1, h * part, part)?;
                let dot = |j: usize, side: usize| {
                    joint(j, h)?.broadcast_mul(&a.get(side)?)?.sum_keepdim(3)
                };
                let (mut top, mut bottom) = (joint(i, h)?.zeros_like()?, dot(i, 0)?.zeros_like()?);
                for &j in &others {
                    let e = (dot(i, 0)? + dot(j, 1)?)?;
                    let e = (e.relu()? - (e.neg()?.relu()? * 0.2)?)?.exp()?;
                    top = (top + joint(j, h)?.broadcast_mul(&e)?)?;
                    bottom = (bottom + e)?;
                }
                of_heads.push(top.broadcast_div(&bottom)?);
            }
            joints.push(Tensor::cat(&of_heads, 3)?);
        }
        Tensor::cat(&joints, 2)
    }

    /// What a layer does before its end, in the encoder (4 heads) or the decoder (1).
    fn body(
        &self,
        x: &Tensor,
        backbone: Backbone,
        graph: &Adjacency,
        heads: usize,
        mode: Mode,
    ) -> Result<Tensor> {
        let v = graph.len();
        let matrix = |values: Vec<f64>| Tensor::from_vec(values, (v, v), &Device::Cpu);
        match backbone {
            Backbone::Gin => {
                let own = x.broadcast_mul(&(self.get("eps") + 1.0)?)?;
                let h = self.map(
                    &(matrix(graph.binary())?.broadcast_matmul(x)? + own)?,
                    "linear1",
                )?;
                self.map(&self.norm(&h, "norm1", mode)?.relu()?, "linear2")
            }
            Backbone::Gcn => self.map(&matrix(graph.symmetric())?.broadcast_matmul(x)?, "linear"),
            Backbone::Gat => {
                let u = x.broadcast_matmul(&self.get("linear.weight").t()?)?;
                self.attend(&u, graph, heads)?
                    .broadcast_add(self.get("linear.bias"))
            }
        }
    }
}

fn plain(
    store: &Store,
    backbone: Backbone,
    x: &Tensor,
    graph: &Adjacency,
    mode: Mode,
) -> Result<Tensor> {
    let tensors = store.tensors();
    let mut h = x.clone();
    for i in 0..LAYERS {
        let layer = Named(&tensors, format!("layers.{i}."));
        let z = layer.body(&h, backbone, graph, 4, mode)?;
        let norm = if backbone == Backbone::Gin {
            "norm2"
        } else {
            "norm"
        };
        h = layer.prelu(&layer.norm(&z, norm, mode)?)?;
    }
    Ok(h)
}

fn numbers(t: &Tensor) -> Vec<f64> {
    t.flatten_all().unwrap().to_vec1().unwrap()
}

fn close(a: &Tensor, b: &Tensor, what: &str) {
    assert_eq!(a.dims(), b.dims(), "{what}");
    for (a, b) in numbers(a).iter().zip(numbers(b)) {
        assert!(
            (a - b).abs() <= 1e-10 * (1.0 + b.abs()),
            "{what}: {a} for {b}"
        );
    }
}

#[test]
fn every_encoder_is_its_definition() {
    let x = random(&[2, 20, 17, D], 50);
    let fewer = graph().without(&[(5, 7), (11, 13), (0, 1)]);
    for backbone in ALL {
        for mode in [Mode::Eval, Mode::Frozen, Mode::Train] {
            for graph in [graph(), fewer.clone()] {
                let (store, encoder) = encoder(backbone);
                let expected = plain(&store, backbone, &x, &graph, mode).unwrap();
                let what = format!("{backbone:?} {mode:?}");
                let encoder = encoder.on(&graph);
                close(&encoder.forward(&x, mode).unwrap(), &expected, &what);
                let pooled = (expected.sum(2).unwrap() * 0.3).unwrap();
                // Training has moved the statistics, by which it doesn't go.
                close(&encoder.pooled(&x, 0.3, mode).unwrap(), &pooled, &what);
            }
        }
    }
}

/// Statistics are moved in training and by nothing else.
#[test]
fn only_training_moves_statistics() {
    let x = random(&[2, 20, 17, D], 50);
    for backbone in ALL {
        let (store, encoder) = encoder(backbone);
        let statistics = || -> Vec<f64> {
            let tensors = store.tensors().into_iter();
            let own = tensors.filter(|(name, _)| name.contains(".running_"));
            own.flat_map(|(_, t)| numbers(&t.copy().unwrap())).collect()
        };
        let before = statistics();
        assert!(!before.is_empty());
        encoder.forward(&x, Mode::Eval).unwrap();
        encoder.forward(&x, Mode::Frozen).unwrap();
        assert_eq!(before, statistics(), "{backbone:?}");
        encoder.forward(&x, Mode::Train).unwrap();
        assert!(
            before.iter().zip(statistics()).all(|(a, b)| *a != b),
            "{backbone:?}"
        );
    }
}

/// A map in front is a product with its weight, in training and for what is random about coordinates.
#[test]
fn a_map_in_front_need_not_be_applied() {
    let (s, e) = (random(&[2, 20, 17, 3], 51), random(&[D, 3], 52));
    let x = s.broadcast_matmul(&e.t().unwrap()).unwrap();
    for backbone in ALL {
        for mode in [Mode::Eval, Mode::Train] {
            let (_, encoder) = encoder(backbone);
            let through = encoder.forward_through(&s, &e, mode).unwrap();
            close(
                &through,
                &encoder.forward(&x, mode).unwrap(),
                &format!("{backbone:?}"),
            );
            let through = encoder.pooled_through(&s, &e, 0.5, mode).unwrap();
            close(
                &through,
                &encoder.pooled(&x, 0.5, mode).unwrap(),
                &format!("{backbone:?}"),
            );
        }
    }
}

/// Folded, an encoder gives what it gives by its running statistics; also on coordinates and positions.
#[test]
fn folded_encoders_are_the_encoders() {
    let (t, v, c) = (20, 17, 2);
    let x = random(&[1, t, v, D], 53);
    let (s, e, o) = (
        random(&[1, t, v, c], 54),
        random(&[D, c], 55),
        random(&[t, D], 56),
    );
    let embedded = s.broadcast_matmul(&e.t().unwrap()).unwrap();
    let embedded = embedded
        .broadcast_add(&o.reshape((t, 1, D)).unwrap())
        .unwrap();
    for backbone in ALL {
        let (_, encoder) = encoder(backbone);
        let folded = encoder.folded::<f64>().unwrap();
        // A few frames at a time, as inference does.
        let run = |folded: &skeletonmae::encoder::Folded<f64>, x: &Tensor| {
            let (x, width) = (numbers(x), folded.reads());
            let mut scratch = folded.scratch(6 * v);
            let chunks = x.chunks(6 * v * width).enumerate();
            let all = chunks.flat_map(|(i, x)| folded.frames(x, i * 6 * v, &mut scratch).to_vec());
            Tensor::from_vec(all.collect(), (1, t, v, D), &Device::Cpu).unwrap()
        };
        let expected = encoder.forward(&x, Mode::Eval).unwrap();
        close(&run(&folded, &x), &expected, &format!("{backbone:?}"));
        let folded = folded.embedded(&numbers(&e), &numbers(&o));
        let expected = encoder.forward(&embedded, Mode::Eval).unwrap();
        close(
            &run(&folded, &s),
            &expected,
            &format!("{backbone:?} embedded"),
        );
    }
}

/// Through a frozen encoder gradient flows into its input, and none into what it is made of.
#[test]
fn a_frozen_encoder_is_a_constant_function() {
    for backbone in ALL {
        let (store, encoder) = encoder(backbone);
        let x = random(&[1, 2, 17, D], 57);
        let weight = random(&[1, 2, D], 58);
        let value = || {
            let y = encoder.pooled(&x, 0.2, Mode::Frozen).unwrap();
            (y * weight.as_tensor()).unwrap().sum_all().unwrap()
        };
        let grads = value().backward().unwrap();
        for (name, var) in store.parameters() {
            assert!(grads.get(&var).is_none(), "{backbone:?} {name}");
        }
        let named = [("x".to_owned(), x.clone())];
        let mut gradients = Gradients::none(1);
        gradients.add(&value(), &named).unwrap();
        finite::compare(&named, gradients.as_slice(), || {
            value().to_scalar::<f64>().unwrap()
        });
    }
}

#[test]
fn every_decoder_is_its_definition() {
    let h = random(&[2, 20, 17, D], 59);
    let rows = Arc::new((0..680).filter(|row| row % 5 == 1).collect::<Vec<u32>>());
    for backbone in ALL {
        for d_out in [D, 2] {
            for mode in [Mode::Eval, Mode::Train] {
                let store = Store::new(2, DType::F64, &Device::Cpu);
                let vb = store.builder();
                let (join, own) = (vb.pp("to_decoder"), vb.pp("decoder"));
                let decoder = Decoder::new(backbone, [D, d_out], &graph(), join, own).unwrap();
                scatter(&store);
                let tensors = store.tensors();
                let join = &tensors["to_decoder.weight"];
                let x = h.broadcast_matmul(&join.t().unwrap()).unwrap();
                let layer = Named(&tensors, "decoder.".into());
                let y = layer.body(&x, backbone, &graph(), 1, mode).unwrap();
                let at = Tensor::new(&rows[..], &Device::Cpu).unwrap();
                let y = y
                    .reshape(((), d_out))
                    .unwrap()
                    .index_select(&at, 0)
                    .unwrap();
                close(
                    &decoder.forward(&h, &rows, mode).unwrap(),
                    &y,
                    &format!("{backbone:?}"),
                );
            }
        }
    }
}

#[test]
fn what_can_not_be_built_is_an_error() {
    let vb = || Store::new(0, DType::F32, &Device::Cpu).builder();
    assert!(
        Encoder::new(Backbone::Gat, 1, 6, &graph(), vb()).is_err(),
        "4 heads"
    );
    let wide = Decoder::new(Backbone::Gin, [2, 3], &graph(), vb().pp("a"), vb().pp("b"));
    assert!(wide.is_err(), "more numbers than the width");
    let x = random(&[2, 3, 16, D], 0);
    for backbone in ALL {
        let (_, encoder) = encoder(backbone);
        assert!(encoder.forward(&x, Mode::Train).is_err(), "16 joints");
        assert!(encoder.forward(&x, Mode::Frozen).is_err(), "16 joints");
    }
}
