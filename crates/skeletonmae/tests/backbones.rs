//! Encoders and decoders of each backbone against readable definitions in plain Candle operations.

#[path = "../../skeleton-kernels/tests/definition/mod.rs"]
mod definition;
mod finite;
mod plain;

use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use definition::random;
use plain::Named;
use skeleton_graph::{Adjacency, Layout};
use skeleton_kernels::infer;
use skeletonmae::encoder::{Decoder, Encoder};
use skeletonmae::train::Gradients;
use skeletonmae::{Backbone, Input, Mode, Readout, Store};

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

fn joints(encoder: &Encoder, x: &Tensor, mode: Mode) -> Tensor {
    let y = encoder.forward(Input::Features(x), &Readout::Joints, mode);
    y.unwrap()
}

fn sums(encoder: &Encoder, x: &Tensor, factor: f64, mode: Mode) -> Tensor {
    let y = encoder.forward(Input::Features(x), &Readout::Pooled(factor), mode);
    y.unwrap()
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
        for mode in [Mode::Eval, Mode::Train] {
            for graph in [graph(), fewer.clone()] {
                let (store, encoder) = encoder(backbone);
                let expected =
                    plain::encoder(&store, (backbone, LAYERS), &x, (&graph, &[]), mode).unwrap();
                let what = format!("{backbone:?} {mode:?}");
                let encoder = encoder.on(&graph);
                close(&joints(&encoder, &x, mode), &expected, &what);
                let rows = Arc::new(vec![3, 500, 679]);
                let at = Tensor::new(&rows[..], &Device::Cpu).unwrap();
                let chosen = expected.reshape(((), D)).unwrap().index_select(&at, 0);
                let readout = Readout::Rows(rows);
                let some = encoder.forward(Input::Features(&x), &readout, mode);
                close(&some.unwrap(), &chosen.unwrap(), &what);
                let pooled = (expected.sum(2).unwrap() * 0.3).unwrap();
                // Training has moved the statistics, by which it doesn't go.
                close(&sums(&encoder, &x, 0.3, mode), &pooled, &what);
            }
        }
    }
}

/// Joints that are neighbours of themselves in other frames: all readouts, and the gradient, against plain shifts in time.
#[test]
fn an_encoder_over_time_is_its_definition() {
    let x = random(&[2, 5, 17, D], 60);
    for distances in [&[1][..], &[1, 2, 4], &[2, 9]] {
        for mode in [Mode::Eval, Mode::Train] {
            let (store, encoder) = encoder(Backbone::Gin);
            let encoder = encoder.with_time_neighbours(distances);
            let graph = (&graph(), distances);
            let plain = || plain::encoder(&store, (Backbone::Gin, LAYERS), &x, graph, mode);
            let expected = plain().unwrap();
            let what = format!("{distances:?} {mode:?}");
            close(&joints(&encoder, &x, mode), &expected, &what);
            let pooled = (expected.sum(2).unwrap() * 0.3).unwrap();
            close(&sums(&encoder, &x, 0.3, mode), &pooled, &what);
            let rows = Arc::new(vec![3, 50, 169]);
            let at = Tensor::new(&rows[..], &Device::Cpu).unwrap();
            let chosen = expected.reshape(((), D)).unwrap().index_select(&at, 0);
            let some = encoder.forward(Input::Features(&x), &Readout::Rows(rows), mode);
            close(&some.unwrap(), &chosen.unwrap(), &what);
            let gradient = |y: &Tensor| {
                let loss = y.sqr().unwrap().sum_all().unwrap();
                loss.backward().unwrap().get(&x).unwrap().clone()
            };
            let ours = gradient(&joints(&encoder, &x, mode));
            close(&ours, &gradient(&plain().unwrap()), &what);
            assert!(!encoder.folds() && encoder.folded::<f64>().is_err());
        }
    }
    // Without a frame near enough nothing changes.
    let (_, encoder) = encoder(Backbone::Gin);
    let far = encoder.clone().with_time_neighbours(&[5]);
    let [near, far] = [&encoder, &far].map(|encoder| joints(encoder, &x, Mode::Eval));
    close(&far, &near, "beyond the clip");
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
        joints(&encoder, &x.as_detached_tensor(), Mode::Eval);
        joints(&encoder, &x, Mode::Eval); // something learns through it
        assert_eq!(before, statistics(), "{backbone:?}");
        joints(&encoder, &x, Mode::Train);
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
            let input = Input::Embedded { s: &s, map: &e };
            let what = format!("{backbone:?}");
            let through = encoder.forward(input, &Readout::Joints, mode).unwrap();
            close(&through, &joints(&encoder, &x, mode), &what);
            let through = encoder.forward(input, &Readout::Pooled(0.5), mode).unwrap();
            close(&through, &sums(&encoder, &x, 0.5, mode), &what);
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
        let run = |folded: &infer::Encoder<f64>, x: &Tensor| {
            let (x, width) = (numbers(x), folded.reads());
            let mut scratch = folded.scratch(6 * v);
            let chunks = x.chunks(6 * v * width).enumerate();
            let all = chunks.flat_map(|(i, x)| folded.frames(x, i * 6 * v, &mut scratch).to_vec());
            Tensor::from_vec(all.collect(), (1, t, v, D), &Device::Cpu).unwrap()
        };
        let expected = joints(&encoder, &x, Mode::Eval);
        close(&run(&folded, &x), &expected, &format!("{backbone:?}"));
        let folded = folded.embedded(&numbers(&e), &numbers(&o));
        let expected = joints(&encoder, &embedded, Mode::Eval);
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
            let y = sums(&encoder, &x, 0.2, Mode::Eval);
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
                let y = layer.body(&x, backbone, (&graph(), &[]), 1, mode).unwrap();
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
        for mode in [Mode::Train, Mode::Eval] {
            let refused = encoder.forward(Input::Features(&x), &Readout::Joints, mode);
            assert!(refused.is_err(), "16 joints");
        }
    }
}
