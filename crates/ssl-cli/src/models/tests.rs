//! Checkpoints of strangers: whole, with the right digest, and made to ask for too much.

use std::collections::BTreeMap;

use super::*;
use crate::config::PRESETS;

const HUGE: usize = 1_000_000_000;

fn config() -> Config {
    Config::from_toml(PRESETS[0].text, PRESETS[0].name).unwrap()
}

/// A checkpoint without a single number, written and opened again.
fn opened(config: &Config, change: impl FnOnce(&mut Meta)) -> Outcome<Opened> {
    let mut meta = Meta {
        kind: Kind::Finetune,
        reading: config.reading.clone(),
        stream: config.reading.stream,
        frames: config.reading.frames,
        config: config.to_toml().unwrap(),
        ..checkpoint::tests::checkpoint().meta
    };
    change(&mut meta);
    let tensors = BTreeMap::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    checkpoint::write(&Checkpoint { meta, tensors }, &path).unwrap();
    Opened::read(&path, Kind::Finetune)
}

fn refused(opened: Outcome<Opened>, parts: &[&str]) {
    let failure = opened.err().expect("it asks for too much");
    for part in parts.iter().chain(&["model.safetensors"]) {
        failure.assert_says(part);
    }
}

#[test]
fn gigantic_settings_in_a_checkpoint_are_refused_by_name() {
    let mut wide = config();
    wide.model.mae.width = HUGE;
    refused(opened(&wide, |_| ()), &["model.width", "1000000000"]);
    let mut deep = config();
    deep.model.mae.encoder_layers = HUGE;
    refused(opened(&deep, |_| ()), &["model.encoder_layers"]);
    let mut long = config();
    long.reading.frames = HUGE;
    refused(opened(&long, |_| ()), &["reading.frames"]);
    refused(
        opened(&config(), |meta| meta.reading.frames = HUGE),
        &["reading.frames"],
    );
    refused(
        opened(&config(), |meta| meta.reading.clips = HUGE),
        &["reading.clips"],
    );
}

#[test]
fn what_a_checkpoint_does_not_hold_is_never_allocated() {
    // As large as settings may be, in a file of a kilobyte: the first missing parameter ends it.
    let mut large = config();
    large.model.mae.width = 1024;
    large.model.mae.encoder_layers = 16;
    let whole = opened(&large, |meta| {
        meta.frames = HUGE;
        meta.coordinates = HUGE;
    });
    let whole = whole.unwrap();
    let machine = Machine::cpu(1);
    let started = std::time::Instant::now();
    for failure in [
        whole.classifier(&machine).err(),
        whole.pretrained(&whole.layout, &machine).err(),
    ] {
        let failure = failure.expect("there are no parameters");
        let message = failure.message();
        assert!(
            message.contains("parameter") && message.contains("found none"),
            "{message}"
        );
    }
    // Drawing these parameters takes a minute.
    assert!(started.elapsed().as_secs() < 10);
}

#[test]
fn a_store_of_given_numbers_has_those_and_no_others() {
    let ones = |shape: (usize, usize)| {
        candle_core::Tensor::ones(shape, DType::F32, &candle_core::Device::Cpu).unwrap()
    };
    let given = BTreeMap::from([
        ("a".to_owned(), ones((2, 3))),
        ("z".to_owned(), ones((1, 1))),
    ]);
    let store = Store::of(given, DType::F32, &candle_core::Device::Cpu);
    let ask = |shape: (usize, usize), name: &str| store.builder().get(shape, name);
    assert_eq!(ask((2, 3), "a").unwrap().dims(), [2, 3]);
    let message = ask((1, 2), "z").unwrap_err().to_string();
    assert!(
        message.contains("parameter z: expected [1, 2], found [1, 1]"),
        "{message}"
    );
    let message = ask((1 << 40, 1 << 20), "b").unwrap_err().to_string();
    assert!(
        message.contains("parameter b") && message.contains("found none"),
        "{message}"
    );
    let message = store.all_used().unwrap_err().to_string();
    assert!(message.contains("parameter z"), "{message}");
    ask((1, 1), "z").unwrap();
    store.all_used().unwrap();
}
