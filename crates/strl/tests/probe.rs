//! A frozen encoder stays as it is, and a clip's representation is the clip's alone.

use candle_core::{DType, Device, Tensor};
use skeleton_graph::Layout;
use skeletonmae::{MaeConfig, Mode, Store, TrackBatch, Trunk};
use strl::probe::{Features, Pretrained, STRETCHES, represent};
use strl::{Body, StrlConfig};

const T: usize = 9;
const V: usize = 15;

/// Tracks of the given clips; a number tells one's coordinates from another's.
fn batch(tracks: &[(u32, u32)], clips: usize) -> TrackBatch {
    let track = |seed: u32| {
        (0..T * V * 2).map(move |i| ((i as f32 * 0.37 + seed as f32).sin() * 43.0).fract())
    };
    let keypoints: Vec<f32> = tracks.iter().flat_map(|&(_, seed)| track(seed)).collect();
    let n = tracks.len();
    TrackBatch::new(
        Tensor::from_vec(keypoints, (n, T, V, 2), &Device::Cpu).unwrap(),
        vec![true; n * T * V],
        tracks.iter().map(|&(clip, _)| clip).collect(),
        (0..clips).map(|i| format!("clip{i}")).collect(),
        (0..clips).map(|i| i as i64).collect(),
    )
    .unwrap()
}

fn model() -> (Store, Trunk) {
    let layout = Layout::built_in("jhmdb15").unwrap();
    let store = Store::new(3, DType::F32, &Device::Cpu);
    let config = MaeConfig {
        width: 16,
        ..MaeConfig::default()
    };
    let model = Trunk::new(&config, &layout, 2, store.builder()).unwrap();
    (store, model)
}

fn of(model: &Trunk, batches: Vec<TrackBatch>) -> Features {
    let model = Pretrained::Encoder(model.clone());
    represent(&model, batches.into_iter().map(Ok)).unwrap()
}

fn everything(store: &Store) -> Vec<(String, Vec<u32>)> {
    let bits = |t: &Tensor| -> Vec<u32> {
        let values = t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        values.into_iter().map(f32::to_bits).collect()
    };
    let tensors = store.tensors().into_iter();
    tensors.map(|(name, t)| (name, bits(&t))).collect()
}

#[test]
fn representing_changes_no_bit_of_the_encoder() {
    let (store, model) = model();
    let before = everything(&store);
    let clips = batch(&[(0, 1), (1, 2)], 2);
    of(&model, vec![clips.clone()]);
    assert_eq!(before, everything(&store));
    // The comparison would see what a pass in training mode does.
    model.encode(&clips.keypoints, Mode::Train).unwrap();
    assert_ne!(before, everything(&store));
}

#[test]
fn a_clip_is_the_same_in_any_batch_and_the_mean_of_its_people() {
    let (_, model) = model();
    let together = of(&model, vec![batch(&[(0, 1), (1, 2), (1, 3)], 2)]);
    assert_eq!(together.width, (STRETCHES + 1) * 16);
    assert_eq!(together.values.len(), 2 * together.width);
    assert_eq!(together.labels, [0, 1]);
    let alone = |seed| of(&model, vec![batch(&[(0, seed)], 1)]).values;
    let (first, second) = together.values.split_at(together.width);
    let close = |a: &[f32], b: &[f32]| {
        let largest = b.iter().fold(0.0_f32, |m, x| m.max(x.abs()));
        a.iter()
            .zip(b)
            .all(|(a, b)| (a - b).abs() <= 1e-5 * largest)
    };
    assert!(close(first, &alone(1)));
    let people: Vec<f32> = alone(2)
        .iter()
        .zip(alone(3))
        .map(|(a, b)| 0.5 * (a + b))
        .collect();
    assert!(close(second, &people));
    assert!(!close(second, &alone(2)));
}

#[test]
fn time_has_an_order() {
    let (_, model) = model();
    let clip = batch(&[(0, 1)], 1);
    let mut backwards = clip.clone();
    let reversed: Vec<u32> = (0..T as u32).rev().collect();
    let reversed = Tensor::new(&reversed[..], &Device::Cpu).unwrap();
    backwards.keypoints = clip.keypoints.index_select(&reversed, 1).unwrap();
    let d = 16;
    let (there, back) = (of(&model, vec![clip]), of(&model, vec![backwards]));
    assert_ne!(there.values[..d], back.values[..d]);
    let deviation = |f: &Features| f.values[STRETCHES * d..].to_vec();
    for (a, b) in deviation(&there).iter().zip(deviation(&back)) {
        assert!((a - b).abs() < 1e-5 * (1.0 + b.abs()));
    }
}

/// A body's features stand for several frames each; who is there, and when, is looked at as in the encoder's.
#[test]
fn a_body_is_represented_by_its_clip_alone_and_is_not_changed() {
    let layout = Layout::built_in("jhmdb15").unwrap();
    let store = Store::new(3, DType::F32, &Device::Cpu);
    let mae = MaeConfig {
        width: 16,
        ..MaeConfig::default()
    };
    let body = Body::new(
        &mae,
        &StrlConfig::default(),
        (&layout, 2, T),
        store.builder(),
    )
    .unwrap();
    assert_eq!((body.width(), body.stride()), (16, 4));
    let body = Pretrained::Strl(body);
    let before = everything(&store);
    let of = |batches: Vec<TrackBatch>| represent(&body, batches.into_iter().map(Ok)).unwrap();
    let both = of(vec![batch(&[(0, 1), (1, 2)], 2)]);
    assert_eq!(before, everything(&store));
    let alone = of(vec![batch(&[(0, 2)], 1)]);
    assert_eq!(both.width, (STRETCHES + 1) * 16);
    for (a, b) in both.row(1).iter().zip(alone.row(0)) {
        assert!((a - b).abs() < 1e-5, "{a} {b}");
    }
    assert_ne!(both.row(0), both.row(1));
    // A joint that is never there has no part in the mean.
    let mut gone = batch(&[(0, 2)], 1);
    (0..T).for_each(|frame| gone.presence[frame * V + 3] = false);
    assert_ne!(of(vec![gone]).row(0), alone.row(0));
}
